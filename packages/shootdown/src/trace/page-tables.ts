// SPDX-License-Identifier: Apache-2.0
// Page tables as a log of writes builds them: which words are entries, of which level and address.
//
//   root (level 0) ──entry──► table (level 1) ──► table (level 2) ──► table (level 3) ──► page
//   a table that was unlinked stays known until the entry that led to it is clean
import { bit, bits, type Word64, ZERO } from "./importers/word64.ts";
import { MAX_TABLES, MAX_WORDS } from "./limits.ts";

export type Regime = "el2" | "stage2";

export interface Root {
  readonly at: number;
  readonly regime: Regime;
  readonly vmid: number;
}

/** Where an entry stands. */
export interface Place {
  readonly root: Root;
  readonly level: number;
  /** First address that it translates, and how many. */
  readonly va: number;
  readonly size: number;
  /** The entry that led to its table before that was unlinked. */
  readonly detached: number | undefined;
}

interface Table {
  readonly root: Root;
  readonly level: number;
  readonly va: number;
  detached: number | undefined;
}

/** The last level, of pages. */
export const LEAF = 3;
export const TABLE_BYTES = 4096;
const ENTRY_BYTES = 8;
const PAGE_BITS = 12;
const LEVEL_BITS = 9;
const ADDRESS_BITS = 64;
/** Words of one mem-set or mem-init that are looked at one by one. */
const MAX_STEPS = 65_536;

const sizeAt = (level: number): number => 2 ** (PAGE_BITS + LEVEL_BITS * (LEAF - level));

export class PageTables {
  readonly #words = new Map<number, Word64>();
  readonly #tables = new Map<number, Table>();
  readonly #start: Record<Regime, number> = { el2: 0, stage2: 0 };
  readonly #evicted: (limit: string) => void;
  rooted = false;

  constructor(evicted: (limit: string) => void) {
    this.#evicted = evicted;
  }

  load(at: number): Word64 {
    return this.#words.get(at) ?? ZERO;
  }

  store(at: number, value: Word64): void {
    if (value.hi === 0 && value.lo === 0) this.#words.delete(at);
    else if (this.#words.size < MAX_WORDS || this.#words.has(at)) this.#words.set(at, value);
    else this.#evicted("MAX_WORDS");
  }

  /** Written words of a range, in order. */
  within(start: number, size: number): number[] {
    if (size / ENTRY_BYTES > MAX_STEPS) {
      const all = [...this.#words.keys()].filter((at) => at >= start && at < start + size);
      return all.sort((a, b) => a - b);
    }
    const found: number[] = [];
    for (let at = start; at < start + size; at += ENTRY_BYTES) {
      if (this.#words.has(at)) found.push(at);
    }
    return found;
  }

  place(at: number): Place | undefined {
    const table = this.#tables.get(at - (at % TABLE_BYTES));
    if (table === undefined) return undefined;
    const size = sizeAt(table.level);
    const va = table.va + ((at % TABLE_BYTES) / ENTRY_BYTES) * size;
    const { root, level, detached } = table;
    return { root, level, va, size, detached };
  }

  /** TCR_EL2 or VTCR_EL2 says at which level the root stands: T0SZ 5:0, SL0 7:6 for stage 2. */
  startLevel(regime: Regime, tcr: Word64): void {
    if (regime === "stage2") this.#start.stage2 = Math.max(0, 2 - bits(tcr, 7, 6));
    else {
      const width = ADDRESS_BITS - bits(tcr, 5, 0) - PAGE_BITS;
      this.#start.el2 = Math.min(LEAF, Math.max(0, LEAF + 1 - Math.ceil(width / LEVEL_BITS)));
    }
  }

  /** A root register holds this table now. */
  root(at: number, regime: Regime, vmid: number): void {
    this.rooted = true;
    const known = this.#tables.get(at)?.root;
    if (known !== undefined && known.at === at && known.vmid === vmid) return;
    this.#attach(at, {
      root: { at, regime, vmid },
      level: this.#start[regime],
      va: 0,
      detached: undefined,
    });
  }

  /** The entry at `at` has changed: tables below it come or go. */
  relink(place: Place, at: number, old: Word64, value: Word64): void {
    if (place.level === LEAF || place.detached !== undefined) return;
    const before = tableOf(old);
    const after = tableOf(value);
    if (before === after) return;
    if (before !== undefined) this.#detach(before, at, place.level + 1);
    if (after === undefined) return;
    const { root, level, va } = place;
    this.#attach(after, { root, level: level + 1, va, detached: undefined });
  }

  /** The entry is clean: nobody finds what it led to any more. */
  released(at: number): void {
    for (const [table, { detached }] of this.#tables) {
      if (detached === at) this.#tables.delete(table);
    }
  }

  #attach(at: number, table: Table): void {
    const known = this.#tables.get(at);
    // A table may be linked twice, or to itself: once is enough, and ends.
    if (known !== undefined && known.detached === undefined) return;
    if (this.#tables.size >= MAX_TABLES) return this.#evicted("MAX_TABLES");
    this.#tables.set(at, table);
    this.#below(at, table.level, (child, entry) => {
      const va = table.va + ((entry % TABLE_BYTES) / ENTRY_BYTES) * sizeAt(table.level);
      this.#attach(child, { root: table.root, level: table.level + 1, va, detached: undefined });
    });
  }

  #detach(at: number, entry: number, level: number): void {
    const table = this.#tables.get(at);
    if (table === undefined || table.detached !== undefined || table.level !== level) return;
    table.detached = entry;
    this.#below(at, level, (child) => this.#detach(child, entry, level + 1));
  }

  #below(at: number, level: number, each: (child: number, entry: number) => void): void {
    if (level >= LEAF) return;
    for (let entry = at; entry < at + TABLE_BYTES; entry += ENTRY_BYTES) {
      const child = tableOf(this.load(entry));
      if (child !== undefined) each(child, entry);
    }
  }
}

/** The table that an entry above the last level leads to. */
function tableOf(value: Word64): number | undefined {
  return bit(value, 0) && bit(value, 1) ? bits(value, 47, 12) * TABLE_BYTES : undefined;
}
