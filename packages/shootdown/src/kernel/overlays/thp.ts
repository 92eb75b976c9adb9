// SPDX-License-Identifier: Apache-2.0
// Overlays of huge pages: what other trees do, and bugs that were mended.

import { eq, FALSE, local, TRUE } from "../../ir/expr.ts";
import type { Overlay } from "../../ir/kernel.ts";
import { editing } from "../../ir/kernel.ts";
import { call, callInto, ret, when } from "../../ir/stmt.ts";
import { pagesOf } from "../../vocabulary/blocks.ts";
import { __flush_tlb_range } from "../arch/arm64/asm/tlbflush.ts";
import { contpte_ptep_set_access_flags } from "../arch/arm64/mm/contpte.ts";
import { pmdp_set_access_flags, ptep_get } from "../asm/pgtable.ts";

const upgrade = {
  cpu: local("cpu", pmdp_set_access_flags.params.cpu),
  mm: local("mm", pmdp_set_access_flags.params.mm),
  region: local("region", pmdp_set_access_flags.params.region),
  dirty: local("dirty", pmdp_set_access_flags.params.dirty),
};

/** The flush, and what secondary TLBs are told, is of the size of the mapping. */
const hugeUpgradeWhole = editing("pmdp_set_access_flags", "flush", () => [
  when(
    upgrade.dirty,
    call(__flush_tlb_range, {
      ...{ cpu: upgrade.cpu, mm: upgrade.mm, range: pagesOf(upgrade.region) },
      ...{ last_level: TRUE, by_table: TRUE },
    }),
  ),
]);

/** Before f268f6cf875f. */
const collapseUnnotified: Overlay = (base) =>
  ["start", "end"].reduce(
    (kernel, label) => editing("retract_page_tables", label, () => [])(kernel),
    base,
  );

const contpte = {
  mm: local("mm", contpte_ptep_set_access_flags.params.mm),
  va: local("va", contpte_ptep_set_access_flags.params.va),
  entry: local("entry", contpte_ptep_set_access_flags.params.entry),
  old: local("old", contpte_ptep_set_access_flags.params.entry),
};

/** Before 97c5550b7631: what was compared is what ptep_get() says, of all entries together. */
const contpteGathered = editing("contpte_ptep_set_access_flags", "no-op", () => [
  callInto(contpte.old, ptep_get, { mm: contpte.mm, va: contpte.va }),
  when(eq(contpte.old, contpte.entry), ret(FALSE)),
]);

const contpteNeverUnfolded = editing("contpte_try_unfold", "unfold", () => []);

export const THP_OVERLAYS = [
  {
    name: "contpte-never-unfolded",
    describes: "an entry of a group changes while the others say that they are joined to it",
    overlay: contpteNeverUnfolded,
  },
  {
    name: "contpte-gathered",
    describes: "a group's access flags are compared as gathered, as before 97c5550b7631",
    overlay: contpteGathered,
  },
  {
    name: "huge-upgrade-whole",
    describes: "an upgrade of a huge page flushes and tells of all of it, not of its first page",
    overlay: hugeUpgradeWhole,
  },
  {
    name: "retract-unnotified",
    describes: "khugepaged takes page tables out without notifier calls, as before f268f6cf875f",
    overlay: collapseUnnotified,
  },
];
