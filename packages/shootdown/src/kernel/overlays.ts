// SPDX-License-Identifier: Apache-2.0
// Overlays: kernels that differ from a real one in a few statements, `linux-6.12+no-notifier`.

import { add, FALSE, local, member, not, num, TRUE } from "../ir/expr.ts";
import type { Kernel, Overlay } from "../ir/kernel.ts";
import { editing, MisplacedEdit } from "../ir/kernel.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import { call, forall, leave, loop, set, since, when } from "../ir/stmt.ts";
import { dsb_op, tlbi_op } from "../vocabulary/events.ts";
import { cd_aset, cd_asid, cr0_atschk, cr2_ptm, gerror_cmdq } from "../vocabulary/iommu.ts";
import { dsb, tlbi } from "../vocabulary/primitives.ts";
import { Range, t } from "../vocabulary/sorts.ts";
import { asid_of } from "../vocabulary/state.ts";
import { X86_OVERLAYS } from "./arch/x86/overlays.ts";
import { ptep_set_access_flags } from "./asm/pgtable.ts";
import { flush_tlb_fix_spurious_fault } from "./asm/tlbflush.ts";
import { arm_smmu_attach_commit } from "./iommu/arm-smmu-v3-ats.ts";
import { arm_smmu_atc_inv_domain, arm_smmu_sva_bind } from "./iommu/arm-smmu-v3-sva.ts";
import {
  mmu_notifier_arch_invalidate_secondary_tlbs,
  mmu_notifier_invalidate_range,
} from "./mm/mmu_notifier.ts";
import { ANON_OVERLAYS } from "./overlays/anon.ts";
import { MOVES_OVERLAYS } from "./overlays/moves.ts";
import { PLACEMENT_OVERLAYS } from "./overlays/placement.ts";
import { RMAP_OVERLAYS } from "./overlays/rmap.ts";
import { SHADOW_OVERLAYS } from "./overlays/shadow.ts";
import { SMMU_OVERLAYS } from "./overlays/smmu.ts";
import { THP_OVERLAYS } from "./overlays/thp.ts";
import { atc_inv_again, dev_mm, master_ats_enabled, mm_pasid, nr_ats_masters } from "./state.ts";

/** Applies overlays from left to right. */
const all =
  (...overlays: readonly Overlay[]): Overlay =>
  (base) =>
    overlays.reduce((k, o) => o(k), base);

/** The parameters of a declaration, for statements that an edit puts into its body. */
const upgrade = {
  cpu: local("cpu", ptep_set_access_flags.params.cpu),
  mm: local("mm", ptep_set_access_flags.params.mm),
  va: local("va", ptep_set_access_flags.params.va),
  dirty: local("dirty", ptep_set_access_flags.params.dirty),
};
const bind = { mm: local("mm", arm_smmu_sva_bind.params.mm) };

/** The range callback of this version, for one page. */
const notifyPage: Stmt[] = [
  since(
    "6.6",
    [
      call(mmu_notifier_arch_invalidate_secondary_tlbs, {
        cpu: upgrade.cpu,
        mm: upgrade.mm,
        range: Range.one(upgrade.va),
      }),
    ],
    [
      call(mmu_notifier_invalidate_range, {
        cpu: upgrade.cpu,
        mm: upgrade.mm,
        range: Range.one(upgrade.va),
      }),
    ],
  ),
];

/** CR2.PTM=0: the SMMU listens to broadcasts. */
const listening = editing("arm_smmu_device_reset", "cr2", () => [set(cr2_ptm(), FALSE)]);

/** The CD uses the CPU's pinned ASID, shared (ASET=0) or private. */
const cpuAsid = (aset: typeof TRUE): Overlay =>
  editing("arm_smmu_sva_bind", "asid", () => [
    set(cd_asid(mm_pasid(bind.mm)), asid_of(bind.mm)),
    set(cd_aset(mm_pasid(bind.mm)), aset),
  ]);

/** Commands are still sent. */
const btmOn = all(listening, cpuAsid(FALSE));

/** The range callback trusts broadcasts for the SMMU's TLB: 6.1's branch for FEAT_BTM. */
const btmSkip = all(
  btmOn,
  editing("arm_smmu_mm_arch_invalidate_secondary_tlbs", "tlbi", () => []),
);

const notifierFunction = (k: Kernel): string =>
  k.routines.has("mmu_notifier_invalidate_range")
    ? "mmu_notifier_invalidate_range"
    : "mmu_notifier_arch_invalidate_secondary_tlbs";

const noNotifier: Overlay = (base) => editing(notifierFunction(base), "callback", () => [])(base);

/** TLBI VALE1 and DSB NSH: what 6.19 does on an upgrade, seen from the CPU. */
function localFlush(at: typeof upgrade): Stmt[] {
  const { cpu, mm, va } = at;
  return [
    call(dsb, { cpu, op: member(dsb_op, "ISHST") }),
    call(tlbi, { cpu, op: member(tlbi_op, "VALE1"), asid: asid_of(mm), range: Range.one(va) }),
    call(dsb, { cpu, op: member(dsb_op, "NSH") }),
  ];
}

const localUpgrade: Overlay = all(
  editing("ptep_set_access_flags", "flush", () => [
    when(
      upgrade.dirty,
      call(dsb, { cpu: upgrade.cpu, op: member(dsb_op, "ISHST") }),
      call(tlbi, {
        cpu: upgrade.cpu,
        op: member(tlbi_op, "VALE1"),
        asid: asid_of(upgrade.mm),
        range: Range.one(upgrade.va),
      }),
      // Where the kernel's flush_tlb_page() has its callback.
      since("6.6", notifyPage),
      call(dsb, { cpu: upgrade.cpu, op: member(dsb_op, "NSH") }),
    ),
  ]),
  editing(flush_tlb_fix_spurious_fault.name, "flush", () => localFlush(upgrade)),
);

const upgradeNotify = editing("ptep_set_access_flags", "notify", () => [
  when(upgrade.dirty, ...notifyPage),
]);

/** ATC_INV and its SYNC before TLBI and its SYNC (the order that 353e3cf8590c forbade). */
const atcBeforeTlbi: Overlay = (base) => {
  const name = "arm_smmu_mm_arch_invalidate_secondary_tlbs";
  const old = base.routines.get(name);
  if (!old) throw new MisplacedEdit(`${base.name} has no routine ${name}`);
  const body = () => [...old.body()].reverse();
  return { ...base, routines: new Map([...base.routines, [name, { ...old, body }]]) };
};

const device = local("dev", arm_smmu_attach_commit.params.dev);
const here = local("cpu", arm_smmu_atc_inv_domain.params.cpu);

/** After an ATC invalidation has timed out, those that may be meant are issued again (H3). */
const atcRetry = all(
  editing("handle_cmdq_error", "acknowledge", () => [
    // Nobody knows whose it was: whoever waits for an ATC issues its invalidation again.
    forall(t.cpu, (cpu) => [set(atc_inv_again(cpu), TRUE)]),
    set(gerror_cmdq(), FALSE),
  ]),
  editing("arm_smmu_atc_inv_domain", "issue", (issue) => [
    loop(set(atc_inv_again(here), FALSE), issue, when(not(atc_inv_again(here)), leave())),
  ]),
);

/** What VT-d's driver does for devices with `dtlb_extra_inval` (H9). */
const atcTwice = editing("arm_smmu_atc_inv_domain", "issue", (issue) => [
  issue,
  // Copies, so that they have step numbers of their own.
  ...nested(issue).flatMap((body) => body.map((s) => ({ ...s }))),
]);

export interface NamedOverlay {
  readonly name: string;
  readonly describes: string;
  readonly overlay: Overlay;
}

export const OVERLAYS: readonly NamedOverlay[] = [
  {
    name: "btm-private",
    describes: "CR2.PTM=0, SVA contexts use the CPU's ASID with ASET=1; commands still sent",
    overlay: all(listening, cpuAsid(TRUE)),
  },
  {
    name: "ptm-on",
    describes: "CR2.PTM=1, SVA contexts use the CPU's ASID with ASET=0; commands still sent",
    overlay: cpuAsid(FALSE),
  },
  {
    name: "ats-marked-first",
    describes: "master->ats_enabled is set before the function's ATS is enabled",
    overlay: editing("arm_smmu_attach_commit", "mark-first", () => [
      set(master_ats_enabled(device), TRUE),
    ]),
  },
  {
    name: "ats-counted-last",
    describes: "nr_ats_masters is counted after the function's ATS is enabled",
    overlay: all(
      editing("arm_smmu_attach_commit", "count", () => []),
      editing("arm_smmu_attach_commit", "mark", () => [
        set(master_ats_enabled(device), TRUE),
        set(nr_ats_masters(dev_mm(device)), add(nr_ats_masters(dev_mm(device)), num(1))),
      ]),
    ),
  },
  {
    name: "atc-retry",
    describes: "ATC invalidations are issued again when one has timed out",
    overlay: atcRetry,
  },
  {
    name: "atc-twice",
    describes: "each ATC invalidation is sent twice, for devices that need it",
    overlay: atcTwice,
  },
  {
    name: "gerror-ignored",
    describes: "an error of the command queue is looked at and not acknowledged",
    overlay: editing("handle_cmdq_error", "acknowledge", () => []),
  },
  {
    name: "no-atschk",
    describes: "CR0.ATSCHK=0: translated requests pass unchecked",
    overlay: editing("arm_smmu_device_reset", "cr0", () => [set(cr0_atschk(), FALSE)]),
  },
  {
    name: "btm-on",
    describes: "CR2.PTM=0, SVA contexts use the CPU's ASID with ASET=0; commands still sent",
    overlay: btmOn,
  },
  {
    name: "btm-skip",
    describes: "btm-on, and the range callback sends no CMD_TLBI (release still does)",
    overlay: btmSkip,
  },
  {
    name: "no-notifier",
    describes: "the range callback is not called; release is",
    overlay: noNotifier,
  },
  {
    name: "upgrade-notify",
    describes: "the range callback is called in ptep_set_access_flags as well",
    overlay: upgradeNotify,
  },
  {
    name: "local-upgrade",
    describes: "upgrades flush the local CPU only (TLBI VALE1, DSB NSH), callbacks unchanged",
    overlay: localUpgrade,
  },
  {
    name: "atc-before-tlbi",
    describes: "the range callback invalidates the ATCs before the SMMU's TLB",
    overlay: atcBeforeTlbi,
  },
  ...PLACEMENT_OVERLAYS,
  ...RMAP_OVERLAYS,
  ...THP_OVERLAYS,
  ...SHADOW_OVERLAYS,
  ...SMMU_OVERLAYS,
  ...MOVES_OVERLAYS,
  ...X86_OVERLAYS,
  ...ANON_OVERLAYS,
];
