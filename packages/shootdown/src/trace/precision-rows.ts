// SPDX-License-Identifier: Apache-2.0
// The rows of a precision report: one for each operation, of a bounded number.

export type PrecisionSide = "notifier" | "cpu" | "dma" | "smmu" | "vtd";

/** One operation, with the fields of the NDJSON. Pages are of 4 KiB. */
export interface PrecisionRow {
  readonly type: "precision";
  readonly side: PrecisionSide;
  /** The function, instruction, command or descriptor. */
  readonly operation: string;
  /** The system call or page fault; null outside of both, or where it is not recorded. */
  readonly during: string | null;
  readonly calls: number;
  /** Of calls by address whose reason is recorded: the pages that had changed. */
  readonly pages_asked: number;
  /** The pages that these calls were for. */
  readonly pages_invalidated: number;
  /** Calls for everything: an address space, a domain, all. */
  readonly whole: number;
  /** Of these, those whose reason is recorded, and the pages that had changed. */
  readonly whole_for_pages: number;
  readonly whole_pages_asked: number;
  /** Calls by address for fewer pages than had changed: a block told as one page. */
  readonly narrower: number;
  /** Calls for an empty range, which an SMMU's driver takes for everything. */
  readonly empty: number;
  /** Calls at which no change that is recorded was waiting. */
  readonly idle: number;
  /** Calls by address whose reason is not recorded, and the pages that they were for. */
  readonly unknown: number;
  readonly unknown_pages: number;
}

export type OpenRow = { -readonly [K in keyof PrecisionRow]: PrecisionRow[K] };

const MAX_ROWS = 1024;
const SIDES: readonly PrecisionSide[] = ["notifier", "cpu", "dma", "smmu", "vtd"];

export class Rows {
  readonly #rows = new Map<string, OpenRow>();

  get(side: PrecisionSide, operation: string, during: string | undefined): OpenRow {
    const key = `${side}\u0000${operation}\u0000${during}`;
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    if (this.#rows.size >= MAX_ROWS && operation !== "others") {
      return this.get(side, "others", undefined);
    }
    const row: OpenRow = {
      ...{ type: "precision", side, operation, during: during ?? null, calls: 0, pages_asked: 0 },
      ...{ pages_invalidated: 0, whole: 0, whole_for_pages: 0, whole_pages_asked: 0 },
      ...{ narrower: 0, empty: 0, idle: 0, unknown: 0, unknown_pages: 0 },
    };
    this.#rows.set(key, row);
    return row;
  }

  /** What a call was for, if it is known, and what it invalidated; undefined is everything. */
  add(row: OpenRow, asked: number | undefined, invalidated: number | undefined): void {
    if (invalidated === undefined) {
      row.whole++;
      if (asked === undefined) return;
      row.whole_for_pages++;
      row.whole_pages_asked += asked;
      return;
    }
    if (asked === undefined) {
      row.unknown++;
      row.unknown_pages += invalidated;
      return;
    }
    row.pages_invalidated += invalidated;
    row.pages_asked += asked;
    if (invalidated < asked) row.narrower++;
  }

  /** By side, the busiest first. */
  all(): readonly PrecisionRow[] {
    return [...this.#rows.values()].sort(
      (a, b) => SIDES.indexOf(a.side) - SIDES.indexOf(b.side) || b.calls - a.calls,
    );
  }
}
