// SPDX-License-Identifier: Apache-2.0
// What the rule of a finding says: those of the model by their ids, and the few that only
// recordings of a kernel need.
import { ARM64 } from "../hardware/rules/arm64.ts";
import { OVERVIEW } from "../hardware/rules/overview.ts";
import { PCIE } from "../hardware/rules/pcie.ts";
import { SMMUV3 } from "../hardware/rules/smmuv3.ts";
import { X86 } from "../hardware/rules/x86.ts";
import type { FindingChange, FindingClass } from "./finding.ts";

/** Rules of an Intel IOMMU (VT-d), and properties of the kernel (P-), in a few words. */
export const TRACE_RULES: Readonly<Record<string, string>> = {
  V2: "a device-TLB invalidation begins when those of the IOTLB before it are done",
  V3: "the IOTLB is invalidated before the device's TLB",
  V5: "an IOTLB invalidation by address is for an aligned power of two of pages",
  V6: "a submission that failed has invalidated nothing",
  V10: "whether an IOMMU walks again on denial is specified nowhere",
  "P-RO": "nothing writes through an entry that lost its write permission",
  "P-UAF": "nothing uses a page after it was freed or mapped again",
  "P-COW": "nothing uses the old frame after it was replaced",
  "P-COVER": "every page of a change is invalidated in every TLB that may hold it",
  "P-ID": "an id is used again only when nothing is held under it",
  "P-NOTIFY": "the notifier returns before the kernel relies on it",
  "P-PAIR": "range_start and range_end of a notifier range come in pairs",
  lock: "an entry is written under the lock of its root",
};

const TITLES: ReadonlyMap<string, string> = new Map(
  [OVERVIEW, ARM64, SMMUV3, PCIE, X86].flatMap((rules) =>
    rules.map(({ id, title }) => [id, title] as const),
  ),
);

/** A few words for people; undefined for an id that nobody gave. */
export const ruleText = (id: string): string | undefined => TRACE_RULES[id] ?? TITLES.get(id);

/** What makes an invalidation due after a change of each kind. */
const DUE: Readonly<Record<FindingChange, string>> = {
  upgrade: "A3",
  flags: "A14",
  downgrade: "P-RO",
  unmap: "P-UAF",
  frame: "P-COW",
  table: "A18",
};

/** The rule of what the monitor of mm notifiers finds. */
export function ruleOf(found: FindingClass, change: FindingChange | null): string {
  switch (found) {
    case "short":
      return "P-COVER";
    case "late":
      return "P-NOTIFY";
    case "order":
      return "Z1";
    case "unpaired":
      return "P-PAIR";
    case "depends":
      return "V10";
    case "excess":
      return "A4";
    case "missing":
      return change === null ? "P-COVER" : DUE[change];
  }
}
