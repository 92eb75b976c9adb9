// SPDX-License-Identifier: Apache-2.0
// Machines, named by their architecture and parts: `arm64+smmuv3+btm+ats`, `x86`.

import type { Machine } from "../ir/machine.ts";
import type { Architecture } from "../vocabulary/architecture.ts";
import { ARCHITECTURES, architectureOf } from "../vocabulary/architecture.ts";
import {
  activate_mm_definition,
  cpu_access_definition,
  cpu_any_definition,
  cpu_any_try_definition,
  cpu_try_definition,
  leave_mm_definition,
} from "./arm64/access.ts";
import {
  cmpxchg_definition,
  cmpxchg_pmd_definition,
  observe_definition,
  store_definition,
  store_pmd_definition,
  store_pte_definition,
  xchg_definition,
  xchg_pmd_definition,
} from "./arm64/memory.ts";
import {
  speculative_access,
  speculative_block_access,
  speculative_smmu_walk,
  speculative_walk,
  speculative_write,
} from "./arm64/speculation.ts";
import {
  block_tlb,
  combined,
  prefetched,
  s2_tlb,
  tlb,
  unordered_store,
  unordered_upper,
  walk_cache,
  walk_under_way,
} from "./arm64/tlb.ts";
import {
  dma_wmb_definition,
  dsb_definition,
  dvm_pe,
  eret_definition,
  isb_definition,
  tlbi_definition,
} from "./arm64/tlbi.ts";
import {
  device_access_definition,
  device_any_definition,
  device_any_retry_definition,
  device_any_try_definition,
  device_try_definition,
} from "./device.ts";
import { atc, atc_global, atc_wide, translation_completion } from "./pcie/ats.ts";
import {
  function_level_reset_definition,
  stop_pasid_definition,
  write_ats_enable_definition,
} from "./pcie/control.ts";
import { invalidate_completion, invalidate_request, late_invalidation } from "./pcie/invalidate.ts";
import {
  await_prg_response_definition,
  cmd_pri_resp_definition,
  page_request,
  priq,
  priq_cons_definition,
  send_page_request_definition,
  send_stop_marker_definition,
} from "./pcie/page-requests.ts";
import { PCIE_PARTS } from "./pcie/parts.ts";
import { posted_write, read_request } from "./pcie/requests.ts";
import { shadow_definitions, shadow_tlb } from "./shadow.ts";
import {
  cerror_atc_inv_sync,
  cmdq,
  cmdq_insert_definition,
  cmdq_wait_definition,
} from "./smmuv3/cmdq.ts";
import { cd_cache, cd_ttb0_cache, ste_cache } from "./smmuv3/config.ts";
import { dvm_smmu, snoop } from "./smmuv3/dvm.ts";
import { request_makes_block_dirty, request_makes_dirty } from "./smmuv3/httu.ts";
import { SMMU_PARTS } from "./smmuv3/parts.ts";
import { smmu_block_tlb, smmu_tlb, smmu_walk_cache } from "./smmuv3/tlb.ts";
import { transaction } from "./smmuv3/transactions.ts";
import { X86_MACHINE } from "./x86/machine.ts";

/** A two-valued choice of a machine: what the architecture leaves open, or a part. */
export interface Knob {
  readonly name: string;
  readonly values: readonly [string, string];
  readonly describes: string;
  /** Value when nothing is said; absent: both are explored. */
  readonly value?: string;
  /** A fault, or a detail that changes no answer of a machine that conforms: not asked about. */
  readonly unasked?: true;
}

/** Parts that a machine's name may add; each is a knob with the values no and yes. */
export const PARTS: readonly Knob[] = [
  {
    name: "smmuv3",
    values: ["no", "yes"],
    describes: "an SMMUv3 that devices translate through",
    value: "no",
  },
  {
    name: "btm",
    values: ["no", "yes"],
    describes: "SMMU_IDR0.BTM=1: the SMMU can take part in broadcast TLB maintenance (S5)",
    value: "no",
  },
  {
    name: "ats",
    values: ["no", "yes"],
    describes: "devices are PCIe functions with ATS and an ATC",
    value: "no",
  },
  {
    name: "atcsnoop",
    values: ["no", "yes"],
    describes: "imagined: the SMMU turns each broadcast it applies into ATC invalidations",
    value: "no",
  },
  {
    name: "tlbirange",
    values: ["no", "yes"],
    describes:
      "FEAT_TLBIRANGE: the kernel flushes large ranges by address, and seldom a whole ASID",
    value: "no",
    unasked: true,
  },
  {
    name: "cnp",
    values: ["no", "yes"],
    describes: "TTBR.CnP=1 everywhere: PEs use each other's TLB entries (A10)",
    value: "no",
    unasked: true,
  },
  {
    name: "amalgam",
    values: ["no", "yes"],
    describes: "PEs that mix fields of several entries that match one address (A19)",
    value: "no",
    unasked: true,
  },
  {
    name: "tlbilies",
    values: ["no", "yes"],
    describes: "fault: a TLBI and its DSB may complete too early unless repeated (erratum 1286807)",
    value: "no",
    unasked: true,
  },
  ...PCIE_PARTS,
  ...SMMU_PARTS,
];

/** What the architecture leaves open. */
export const KNOBS: readonly Knob[] = [
  {
    name: "ets2",
    values: ["no", "yes"],
    describes:
      "FEAT_ETS2: a DSB alone orders the PE's own later data accesses behind its TLBI (A27)",
  },
  {
    name: "hafdbs",
    values: ["no", "yes"],
    describes: "CPUs manage access flag and dirty state in hardware (FEAT_HAFDBS, TCR_EL1.HA/HD)",
  },
  {
    name: "httu",
    values: ["no", "yes"],
    describes: "the SMMU manages dirty state for SVA contexts (CD.HA/HD; mainline sets neither)",
  },
  {
    name: "atcReRequest",
    values: ["no", "yes"],
    describes: "an ATC asks for a fresh translation when an entry denies an access (P3)",
  },
  {
    name: "atcSnoopWait",
    values: ["no", "yes"],
    describes: "imagined: the CPU's DSB waits for the ATC invalidations that it caused",
  },
  {
    name: "atcSnoopOrder",
    values: ["after-tlb", "before-tlb"],
    describes: "imagined: the ATC is invalidated after the SMMU's own TLB, or before it",
  },
  {
    name: "pcid",
    values: ["no", "yes"],
    describes: "x86: TLB entries are tagged with a PCID and may outlive a switch (CR4.PCIDE)",
  },
];

/** arm64: all rules of all parts; what a knob excludes folds away. Cells: sources before users. */
export const MACHINE: Machine = {
  cells: [
    ...[unordered_store.decl, unordered_upper.decl],
    ...[walk_cache.decl, walk_under_way.decl, tlb.decl],
    ...[block_tlb.decl, s2_tlb.decl, combined.decl, prefetched.decl],
    ste_cache.decl,
    cd_cache.decl,
    cd_ttb0_cache.decl,
    smmu_walk_cache.decl,
    ...[smmu_tlb.decl, smmu_block_tlb.decl],
    translation_completion.decl,
    atc.decl,
    atc_global.decl,
    atc_wide.decl,
    shadow_tlb.decl,
  ],
  pending: [
    ...[dvm_pe.decl, dvm_smmu.decl, snoop.decl, cmdq.decl],
    ...[transaction.decl, posted_write.decl, read_request.decl],
    ...[page_request.decl, priq.decl],
    ...[invalidate_request.decl, invalidate_completion.decl, late_invalidation.decl],
  ],
  rules: [
    ...[speculative_access, speculative_block_access, speculative_write],
    ...[speculative_walk, speculative_smmu_walk],
    cerror_atc_inv_sync,
    ...[request_makes_dirty, request_makes_block_dirty],
  ],
  definitions: [
    cpu_access_definition,
    cpu_try_definition,
    cpu_any_definition,
    cpu_any_try_definition,
    activate_mm_definition,
    leave_mm_definition,
    store_definition,
    xchg_definition,
    xchg_pmd_definition,
    cmpxchg_definition,
    cmpxchg_pmd_definition,
    observe_definition,
    store_pte_definition,
    store_pmd_definition,
    tlbi_definition,
    dsb_definition,
    isb_definition,
    eret_definition,
    dma_wmb_definition,
    cmdq_insert_definition,
    cmdq_wait_definition,
    device_access_definition,
    send_page_request_definition,
    send_stop_marker_definition,
    await_prg_response_definition,
    cmd_pri_resp_definition,
    priq_cons_definition,
    write_ats_enable_definition,
    function_level_reset_definition,
    stop_pasid_definition,
    device_try_definition,
    device_any_definition,
    device_any_try_definition,
    device_any_retry_definition,
    ...shadow_definitions,
  ],
};

/** By architecture. */
export const MACHINES: Readonly<Record<Architecture, Machine>> = {
  arm64: MACHINE,
  x86: X86_MACHINE,
};

/** Every rule of every part of the architecture that the knobs name. */
export const machineOf = (knobs: Readonly<Record<string, string>>): Machine =>
  MACHINES[architectureOf(knobs)];

/** The machine with these parts: caches that it does not have hold nothing. */
export function machineWith(knobs: Readonly<Record<string, string>>): Machine {
  const functions = [translation_completion, atc, atc_global, atc_wide].map((c) => c.decl);
  const ofSmmu = [smmu_walk_cache, smmu_tlb, smmu_block_tlb].map((c) => c.decl);
  const lacking = new Set([
    // What tables of their own are for is not asked where nobody has any.
    shadow_tlb.decl,
    ...(knobs["smmuv3"] === "yes" ? [] : [...ofSmmu, ...functions]),
    ...(knobs["ats"] === "yes" ? [] : functions),
  ]);
  const machine = machineOf(knobs);
  return { ...machine, cells: machine.cells.filter((c) => !lacking.has(c)) };
}

export type MachineName =
  | { readonly ok: true; readonly knobs: Readonly<Record<string, string>> }
  | {
      readonly ok: false;
      readonly unknown: string;
      /** Why a known part does not fit here; absent if the part is not known. */
      readonly why?: string;
    };

/** The parts of a machine's name as knob values. */
export function machineKnobs(name: string): MachineName {
  const [base, ...parts] = name.split("+");
  const architecture = ARCHITECTURES.find((a) => a === base);
  if (!architecture) return { ok: false, unknown: base ?? "" };
  const knobs: Record<string, string> = architecture === "arm64" ? {} : { arch: architecture };
  for (const p of PARTS) knobs[p.name] = p.value ?? "no";
  for (const part of parts) {
    if (!PARTS.some((p) => p.name === part)) return { ok: false, unknown: part };
    if (architecture !== "arm64") {
      return {
        ok: false,
        unknown: part,
        why: `is no part of ${architecture}: it has no IOMMU yet`,
      };
    }
    if (knobs[part] === "yes") return { ok: false, unknown: part, why: "is named twice" };
    knobs[part] = "yes";
  }
  return { ok: true, knobs };
}
