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
  vmid: number;
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

interface Stored {
  readonly value: Word64;
  readonly epoch: number;
}

/** The last level, of pages. */
export const LEAF = 3;
export const TABLE_BYTES = 4096;
export const ENTRY_BYTES = 8;
const PAGE_BITS = 12;
const LEVEL_BITS = 9;
const ADDRESS_BITS = 64;
/** Tables that a root may consist of, side by side. */
const MAX_ROOTS = 16;

const sizeAt = (level: number): number => 2 ** (PAGE_BITS + LEVEL_BITS * (LEAF - level));

export const tableAt = (at: number): number => at - (at % TABLE_BYTES);

export class PageTables {
  readonly #words = new Map<number, Stored>();
  readonly #tables = new Map<number, Table>();
  /** Tables that an entry led to, by the entry. */
  readonly #unlinked = new Map<number, Set<number>>();
  /** Pages with words, and those that were declared as one: memory of the log. */
  readonly #pages = new Set<number>();
  readonly #declared = new Set<number>();
  readonly #start: Record<Regime, { level: number; tables: number; known: boolean }> = {
    el2: { level: 0, tables: 1, known: false },
    stage2: { level: 0, tables: 1, known: false },
  };
  readonly #evicted: (limit: string) => void;
  /** Says that so much was looked at; false if that is too much. */
  readonly #spend: (work: number) => boolean;
  #epoch = 0;
  rooted = false;

  constructor(evicted: (limit: string) => void, spend: (work: number) => boolean = () => true) {
    this.#evicted = evicted;
    this.#spend = spend;
  }

  load(at: number): Word64 {
    return this.#words.get(at)?.value ?? ZERO;
  }

  /** Whether the log says what is there: nothing was lost since it was written. */
  certain(at: number): boolean {
    return this.#epoch === 0 || this.#words.get(at)?.epoch === this.#epoch;
  }

  /** From here on it is not known what is in memory: it is what was written, or something else. */
  forget(): void {
    this.#epoch++;
  }

  store(at: number, value: Word64): void {
    const zero = value.hi === 0 && value.lo === 0;
    if (zero && this.#epoch === 0) this.#words.delete(at);
    else if (this.#words.size < MAX_WORDS || this.#words.has(at)) {
      this.#words.set(at, { value, epoch: this.#epoch });
      this.#pages.add(tableAt(at));
    } else this.#evicted("MAX_WORDS");
  }

  /** This is memory that the log tells of, not what a page table maps. */
  declare(start: number, size: number): void {
    // What is declared page by page is a table; all of a machine's memory is anything.
    if (size === TABLE_BYTES && this.#declared.size < MAX_WORDS) this.#declared.add(start);
  }

  /** Whether the log says anything of this word. */
  wrote(at: number): boolean {
    return this.#words.has(at);
  }

  /** Written words of a range, and words of its tables, in order. */
  within(start: number, size: number): number[] {
    const end = start + size;
    const found: number[] = [];
    if (size / ENTRY_BYTES <= this.#words.size) {
      if (!this.#spend(size / ENTRY_BYTES)) return found;
      for (let at = start; at < end; at += ENTRY_BYTES) if (this.#words.has(at)) found.push(at);
      return found;
    }
    if (!this.#spend(this.#words.size)) return found;
    for (const at of this.#words.keys()) if (at >= start && at < end) found.push(at);
    return found.sort((a, b) => a - b);
  }

  place(at: number): Place | undefined {
    const table = this.#tables.get(tableAt(at));
    if (table === undefined) return undefined;
    const { root, level, detached } = table;
    return { root, level, ...extent(table, at), detached };
  }

  /** Whether it is known at which level entries stand: a register said so, or all four are used. */
  leveled(regime: Regime): boolean {
    return this.#start[regime].known;
  }

  /** Tables of the last level are there, so that the root stands at the first. */
  deep(regime: Regime): void {
    this.#start[regime].known = true;
  }

  /** TCR_EL2 or VTCR_EL2 says at which level the root stands: T0SZ 5:0, SL0 7:6 for stage 2. */
  startLevel(regime: Regime, tcr: Word64): void {
    const width = ADDRESS_BITS - bits(tcr, 5, 0) - PAGE_BITS;
    const least = Math.min(LEAF, Math.max(0, LEAF + 1 - Math.ceil(width / LEVEL_BITS)));
    const level = regime === "stage2" ? Math.max(0, 2 - bits(tcr, 7, 6)) : least;
    const tables = 2 ** (width - LEVEL_BITS * (LEAF + 1 - level));
    const fits = regime === "stage2" && tables <= MAX_ROOTS ? Math.max(1, tables) : 1;
    this.#start[regime] = { level, tables: fits, known: true };
  }

  /** A root register holds this table now. */
  root(at: number, regime: Regime, vmid: number): void {
    this.rooted = true;
    const known = this.#tables.get(at)?.root;
    if (known !== undefined && known.at === at && known.regime === regime) {
      // The same tables under another VMID.
      known.vmid = vmid;
      return;
    }
    const root = { at, regime, vmid };
    const { level, tables } = this.#start[regime];
    for (let n = 0; n < tables; n++) {
      const va = n * 2 ** LEVEL_BITS * sizeAt(level);
      this.#attach(at + n * TABLE_BYTES, { root, level, va, detached: undefined });
    }
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

  /** The pages and blocks that the table of an entry maps: address to size. */
  leavesBelow(place: Place, entry: Word64): Map<number, number> {
    const found = new Map<number, number>();
    const at = place.level < LEAF ? tableOf(entry) : undefined;
    if (at !== undefined) this.#leaves(at, { ...place, level: place.level + 1 }, found);
    return found;
  }

  #leaves(at: number, table: { level: number; va: number }, found: Map<number, number>): void {
    this.#entries(at, (entry, value) => {
      const { va, size } = extent(table, entry);
      const child = table.level < LEAF ? tableOf(value) : undefined;
      if (child !== undefined) this.#leaves(child, { level: table.level + 1, va }, found);
      else if (table.level < LEAF || bit(value, 1)) found.set(va, size);
    });
  }

  /** The entry is clean: nobody finds what it led to any more. */
  released(at: number): void {
    const tables = this.#unlinked.get(at) ?? [];
    this.#unlinked.delete(at);
    for (const table of tables) {
      if (this.#tables.get(table)?.detached === at) this.#tables.delete(table);
    }
  }

  #attach(at: number, table: Table): void {
    const known = this.#tables.get(at);
    // A table may be linked twice, or to itself: once is enough, and ends.
    if (known !== undefined && known.detached === undefined) return;
    if (this.#tables.size >= MAX_TABLES) return this.#evicted("MAX_TABLES");
    this.#tables.set(at, table);
    if (table.level === LEAF) {
      if (this.#pages.has(at) || this.#declared.has(at)) this.deep(table.root.regime);
      return;
    }
    this.#entries(at, (entry, value) => {
      const child = tableOf(value);
      const { va } = extent(table, entry);
      const { root, level } = table;
      if (child !== undefined) {
        this.#attach(child, { root, level: level + 1, va, detached: undefined });
      }
    });
  }

  #detach(at: number, entry: number, level: number): void {
    const table = this.#tables.get(at);
    if (table === undefined || table.detached !== undefined || table.level !== level) return;
    table.detached = entry;
    const tables = this.#unlinked.get(entry);
    if (tables === undefined) this.#unlinked.set(entry, new Set([at]));
    else tables.add(at);
    if (level === LEAF) return;
    this.#entries(at, (_, value) => {
      const child = tableOf(value);
      if (child !== undefined) this.#detach(child, entry, level + 1);
    });
  }

  /** The valid entries of a table. */
  #entries(table: number, each: (entry: number, value: Word64) => void): void {
    if (!this.#pages.has(table) || !this.#spend(TABLE_BYTES / ENTRY_BYTES)) return;
    for (let entry = table; entry < table + TABLE_BYTES; entry += ENTRY_BYTES) {
      const value = this.load(entry);
      if (bit(value, 0)) each(entry, value);
    }
  }
}

/** The addresses that an entry of a table translates. */
function extent(table: { readonly level: number; readonly va: number }, entry: number) {
  const size = sizeAt(table.level);
  return { va: table.va + ((entry % TABLE_BYTES) / ENTRY_BYTES) * size, size };
}

/** The table that an entry above the last level leads to. */
function tableOf(value: Word64): number | undefined {
  return bit(value, 0) && bit(value, 1) ? bits(value, 47, 12) * TABLE_BYTES : undefined;
}
