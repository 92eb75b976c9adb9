// SPDX-License-Identifier: Apache-2.0
// How large the pages of a recorded kernel are: 4, 16 or 64 KiB on arm64. Everything else here
// counts in pages of 4 KiB.
//
//   ptep=..8048 addr=0x..00      entries of one table, 8 bytes apart, are one page apart
//   ptep=..8050 addr=0x..4000    so pages are of 16 KiB
import type { EntryChange } from "./importers/trace-record.ts";
import { parseWord } from "./importers/word64.ts";

/** Pages of 4 KiB in one of the kernel's. */
export type PageUnits = 1 | 4 | 16;

export const PAGE_SIZES: Readonly<Record<string, PageUnits>> = { "4K": 1, "16K": 4, "64K": 16 };

const ENTRY_BYTES = 8;
/** Two entries so near are in one table, whatever its size. */
const NEAR_BYTES = 4096;
/** Entries in a table of 4 KiB. */
const ENTRIES = 512;

interface Seen {
  readonly chunk: number;
  readonly slot: number;
  readonly page: number;
}

export class Granule {
  #units: PageUnits;
  #sure: boolean;
  #last: Seen | undefined;

  /** @param asked what the caller says; absent: told by the entries, 4 KiB until then. */
  constructor(asked: PageUnits | undefined) {
    this.#units = asked ?? 1;
    this.#sure = asked !== undefined;
  }

  /** Pages of 4 KiB that one entry of the last level maps. */
  get page(): PageUnits {
    return this.#units;
  }

  /** The same of a block one level above: 2 MiB, 32 MiB, 512 MiB. */
  get block(): number {
    return ENTRIES * this.#units ** 2;
  }

  /** The same of a group of contiguous entries: 64 KiB, or 2 MiB. */
  get group(): number {
    return this.#units === 1 ? 16 : 512;
  }

  /** How many entries make a group, of the last level or of blocks. */
  contiguous(blocks: boolean): number {
    return blocks ? (this.#units === 1 ? 16 : 32) : this.group / this.#units;
  }

  /** Learns from a change of an entry of the last level. */
  learn({ op, page, slot }: EntryChange): void {
    if (this.#sure || !op.startsWith("ptep_")) return;
    if (page % 4 !== 0) {
      this.#units = 1;
      this.#sure = true;
      return;
    }
    const word = slot === undefined ? undefined : parseWord(slot);
    if (word === undefined) return;
    const now = { chunk: word.hi, slot: word.lo, page };
    const last = this.#last;
    this.#last = now;
    if (last === undefined || last.chunk !== now.chunk || last.slot === now.slot) return;
    const table = ({ slot: at }: Seen) => Math.floor(at / NEAR_BYTES);
    if (table(last) !== table(now)) return;
    const units = (now.page - last.page) / ((now.slot - last.slot) / ENTRY_BYTES);
    if (units !== 1 && units !== 4 && units !== 16) return;
    this.#units = units;
    this.#sure = true;
  }
}
