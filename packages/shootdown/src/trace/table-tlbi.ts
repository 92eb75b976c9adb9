// SPDX-License-Identifier: Apache-2.0
// TLBI operations of EL2 and of stage 2, as a log names them, and which entries they reach.
import type { Step } from "./importers/casemate.ts";
import { bits, toNumber, type Word64 } from "./importers/word64.ts";
import { LEAF, type Place, type Regime } from "./page-tables.ts";

export interface Tlbi {
  readonly op: string;
  /** `other`: it reaches none of these entries. */
  readonly regime: Regime | "other";
  /** `ipa`: entries of stage 2 alone; `stage1`: those that combine both, once that is done. */
  readonly scope: "all" | "address" | "ipa" | "stage1";
  /** For every VMID. */
  readonly any_vmid: boolean;
  readonly broadcast: boolean;
  readonly leaf_only: boolean;
  /** First page that it names; undefined where a log may mean either of two. */
  readonly page: number | undefined;
  /** What it may mean: an address, or the page number that the instruction's operand has. */
  readonly as: { readonly address: number; readonly page: number } | undefined;
  readonly count: number;
  /** The level of the entry, where it is hinted. */
  readonly level: number | undefined;
}

const NAME =
  /^(r?)(vmalls12e1|vmalle1|alle1|alle2|ipas2(l?)e1|vaa?(l?)e2|vaa?l?e1)(is|os)?(?:nxs)?$/;
/** Of EL1's ASIDs and of EL3: they reach no entry of EL2 or of stage 2. */
const ELSEWHERE = /^(?:aside1|alle3|r?val?e3|vmallws2e1)(?:is|os)?(?:nxs)?$/;
const PAGE_BYTES = 4096;
const LEVEL_BITS = 9;
const RANGE_SCALE = 5;

const NOWHERE = { page: undefined, as: undefined, count: 0, level: undefined } as const;

/** What stands in the place of the operation's name. */
export const tlbiName = (step: Step): string =>
  step.text("op", "kind", "tlbi", "type", "operation") ?? step.words[0] ?? "";

/** Undefined for an operation that is not known, or lacks its address. */
export function tlbiOf(step: Step): Tlbi | undefined {
  const op = tlbiName(step).replace(/^tlbi[ _-]/, "");
  const none = { op, ...NOWHERE, any_vmid: true } as const;
  const far = {
    ...none,
    broadcast: true,
    leaf_only: false,
    scope: "all",
    regime: "other",
  } as const;
  if (ELSEWHERE.test(op)) return far;
  const [, range, base, leafIpa, leafVa, shared] = NAME.exec(op) ?? [];
  // Only those by address have a form for ranges.
  if (base === undefined || (range === "r" && !/^(?:va|ipas2)/.test(base))) return undefined;
  const broadcast = shared !== undefined;
  const leaf_only = Boolean(leafIpa ?? leafVa);
  const common = { ...none, broadcast, leaf_only };
  if (base === "alle2") return { ...common, regime: "el2", scope: "all" };
  if (base === "alle1") return { ...common, regime: "stage2", scope: "all" };
  const of_vmid = { ...common, any_vmid: false, regime: "stage2" } as const;
  if (base === "vmalls12e1") return { ...of_vmid, scope: "all" };
  if (base === "vmalle1") return { ...of_vmid, scope: "stage1" };
  // By a virtual address of EL1: which entries of both stages that reaches cannot be told.
  if (base.startsWith("va") && base.endsWith("e1")) return far;
  const where = addressOf(step, range === "r");
  if (where === undefined) return undefined;
  if (base.startsWith("ipas2")) return { ...of_vmid, ...where, scope: "ipa" };
  return { ...common, ...where, regime: "el2", scope: "address" };
}

type Where = Pick<Tlbi, "page" | "as" | "count" | "level">;

function addressOf(step: Step, range: boolean): Where | undefined {
  const hinted = step.word("level", "ttl", "level-hint");
  // 0 is no hint; a TTL has the granule above the level.
  const level = hinted === undefined ? 0 : (toNumber(hinted) ?? 0) & 3;
  const value = step.word("value", "operand", "xt");
  if (value !== undefined) return operandOf(value, range);
  const address = step.word("addr", "address", "ipa", "va", "page");
  const at = address === undefined ? undefined : toNumber(address);
  const pages = step.word("pages", "count") ?? (range ? undefined : { hi: 0, lo: 1 });
  const count = pages === undefined ? undefined : toNumber(pages);
  if (at === undefined || count === undefined) return undefined;
  const as = { address: Math.floor(at / PAGE_BYTES), page: at };
  return { page: undefined, as, count, level: level === 0 ? undefined : level };
}

/** The operand register: TTL 47:44 and a page number 43:0; a range has 36:0, SCALE and NUM. */
function operandOf(value: Word64, range: boolean): Where {
  const ttl = bits(value, 45, 44);
  if (!range) {
    const level = bits(value, 47, 46) === 0 || ttl === 0 ? undefined : ttl;
    return { page: bits(value, 43, 0), as: undefined, count: 1, level };
  }
  const count = (bits(value, 43, 39) + 1) * 2 ** (RANGE_SCALE * bits(value, 45, 44) + 1);
  return { page: bits(value, 36, 0), as: undefined, count, level: undefined };
}

/**
 * Whether a TLBI is for an entry and counts everywhere: undefined if so, "other" if it is for
 * another, else why it does not count.
 *
 * @param vmid what the thread's VTTBR_EL2 holds, if known.
 */
export function matches(tlbi: Tlbi, place: Place, vmid: number | undefined): string | undefined {
  const by_address = tlbi.scope === "address" || tlbi.scope === "ipa";
  if (by_address && !meets(tlbi, place.va, place.size)) return "other";
  if (place.root.regime === "stage2" && !tlbi.any_vmid) {
    if (vmid !== undefined && vmid !== place.root.vmid) return `is for VMID ${vmid}`;
  }
  return tlbi.broadcast ? undefined : "is for its own CPU only";
}

/**
 * Whether one by address reaches an entry itself: undefined if so, else why not.
 *
 * @param table the entry led to a table.
 */
export function reaches(tlbi: Tlbi, place: Place, table: boolean): string | undefined {
  if (table) return tlbi.leaf_only ? "is for the last level only" : undefined;
  const other = tlbi.level !== undefined && tlbi.level !== place.level;
  return other ? `is hinted for level ${tlbi.level}` : undefined;
}

/** Whether one by address reaches a page or block of this size. */
export function covers(tlbi: Tlbi, va: number, size: number): boolean {
  const level = LEAF - Math.round(Math.log2(size / PAGE_BYTES) / LEVEL_BITS);
  return (tlbi.level === undefined || tlbi.level === level) && meets(tlbi, va, size);
}

/** Whether the pages that it names are among these addresses. */
export function meets({ page, count }: Tlbi, va: number, size: number): boolean {
  const first = va / PAGE_BYTES;
  return page !== undefined && page < first + size / PAGE_BYTES && first < page + count;
}
