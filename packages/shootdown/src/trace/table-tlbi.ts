// SPDX-License-Identifier: Apache-2.0
// TLBI operations of EL2 and of stage 2, as a log names them, and which entries they reach.
import type { Step } from "./importers/casemate.ts";
import { bits, toNumber, type Word64 } from "./importers/word64.ts";
import { LEAF, type Place } from "./page-tables.ts";

export interface Tlbi {
  readonly op: string;
  readonly regime: "el2" | "stage2" | "both";
  /** `ipa`: entries of stage 2 alone; `stage1`: those that combine both, once that is done. */
  readonly scope: "all" | "address" | "ipa" | "stage1";
  /** For every VMID. */
  readonly any_vmid: boolean;
  readonly broadcast: boolean;
  readonly leaf_only: boolean;
  /** First pages that it may name: a log gives the address, or the operand's page number. */
  readonly pages: readonly number[];
  readonly count: number;
  /** The level of the entry, where it is hinted. */
  readonly level: number | undefined;
}

const NAME =
  /^(r?)(vmalls12e1|vmalle1|alle1|alle2|ipas2(l?)e1|vaa?(l?)e2|vaa?l?e1)(is|os)?(?:nxs)?$/;
const PAGE_BYTES = 4096;
const RANGE_SCALE = 5;

/** Undefined for an operation that is not known. */
export function tlbiOf(step: Step): Tlbi | undefined {
  const op = (step.words[0] ?? step.text("op") ?? step.text("kind") ?? "").toLowerCase();
  const [, range, base, leafIpa, leafVa, shared] = NAME.exec(op) ?? [];
  if (base === undefined) return undefined;
  const common = { op, broadcast: shared !== undefined, leaf_only: Boolean(leafIpa || leafVa) };
  const none = { pages: [], count: 0, level: undefined };
  if (base === "alle2") return { ...common, ...none, regime: "el2", scope: "all", any_vmid: true };
  if (base === "alle1")
    return { ...common, ...none, regime: "stage2", scope: "all", any_vmid: true };
  if (base === "vmalls12e1") {
    return { ...common, ...none, regime: "stage2", scope: "all", any_vmid: false };
  }
  if (base === "vmalle1") {
    return { ...common, ...none, regime: "stage2", scope: "stage1", any_vmid: false };
  }
  const where = addressOf(step, range === "r");
  if (base.startsWith("ipas2")) {
    return { ...common, ...where, regime: "stage2", scope: "ipa", any_vmid: false };
  }
  // By a virtual address of EL1: which entries of both stages that reaches cannot be told.
  const el2 = base.endsWith("e2");
  if (!el2) return { ...common, ...none, regime: "stage2", scope: "address", any_vmid: false };
  return { ...common, ...where, regime: "el2", scope: "address", any_vmid: true };
}

function addressOf(step: Step, range: boolean): Pick<Tlbi, "pages" | "count" | "level"> {
  const hinted = step.word("level") ?? step.word("ttl");
  const level = hinted === undefined ? 0 : (toNumber(hinted) ?? 0) & 3;
  const value = step.word("value") ?? step.word("operand");
  if (value !== undefined) return operandOf(value, range);
  const address = step.word("addr") ?? step.word("address") ?? step.word("ipa") ?? step.word("va");
  const at = address === undefined ? undefined : toNumber(address);
  if (at === undefined) return { pages: [], count: 0, level: undefined };
  const count = toNumber(step.word("pages") ?? { hi: 0, lo: 1 }) ?? 1;
  return {
    pages: [Math.floor(at / PAGE_BYTES), at],
    count,
    level: level === 0 ? undefined : level,
  };
}

/** The operand register: TTL 47:44 and a page number 43:0; a range has 36:0, SCALE and NUM. */
function operandOf(value: Word64, range: boolean): Pick<Tlbi, "pages" | "count" | "level"> {
  const ttl = bits(value, 45, 44);
  if (!range) {
    const level = bits(value, 47, 46) === 0 || ttl === 0 ? undefined : ttl;
    return { pages: [bits(value, 43, 0)], count: 1, level };
  }
  const count = (bits(value, 43, 39) + 1) * 2 ** (RANGE_SCALE * bits(value, 45, 44) + 1);
  return { pages: [bits(value, 36, 0)], count, level: undefined };
}

/**
 * Whether a TLBI reaches an entry: undefined if so, "other" if it is for another, else why it does
 * not count.
 *
 * @param table the entry led to a table; @param vmid what the thread's VTTBR_EL2 holds, if known.
 */
export function matches(
  tlbi: Tlbi,
  place: Place,
  table: boolean,
  vmid: number | undefined,
): string | undefined {
  const first = place.va / PAGE_BYTES;
  const pages = place.size / PAGE_BYTES;
  if (tlbi.scope === "address" || tlbi.scope === "ipa") {
    const met = tlbi.pages.some((page) => page < first + pages && first < page + tlbi.count);
    if (!met) return "other";
  }
  if (place.root.regime === "stage2" && !tlbi.any_vmid) {
    if (vmid !== undefined && vmid !== place.root.vmid) return `is for VMID ${vmid}`;
  }
  if (!tlbi.broadcast) return "is for its own CPU only";
  if (table && tlbi.leaf_only) return "is for the last level only";
  const hinted = tlbi.level !== undefined && !table && tlbi.level !== place.level;
  if (hinted && place.level <= LEAF) return `is hinted for level ${tlbi.level}`;
  return undefined;
}
