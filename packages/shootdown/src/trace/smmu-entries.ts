// SPDX-License-Identifier: Apache-2.0
// The translations that an SMMU's TLB is known to hold, by ASID and page, in bounded memory.
//
//   inserted ──────► live ──── an invalidation of it is complete ────► gone ──── used: too late
import { ALL_PAGES, type SmmuAccess } from "./importers/smmu.ts";
import { MAX_IOTLB_ENTRIES } from "./limits.ts";

interface Entry {
  /** Where it was inserted. */
  readonly line: number;
  /** The line of the SYNC that should have removed it. */
  gone: number | undefined;
}

interface Space {
  readonly entries: Map<number, Entry>;
  /** Pages whose entry is not gone. */
  readonly live: Set<number>;
  /** Some entry is of more than a page: a hit does not name it. */
  blocks: boolean;
}

/** What an invalidation is for: pages [start, end), of every ASID where it names none. */
interface Scope {
  readonly asid: number | undefined;
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

const PAGE_LEVEL = 3;

/** Entries looked at: at once, and for each event. More is no SMMU's log. */
const WORK = 100_000_000;
const WORK_AN_EVENT = 1024;

export class SmmuEntries {
  readonly #spaces = new Map<number, Space>();
  readonly #evicted: (limit: string) => void;
  #size = 0;
  #work = WORK;
  /** Some entry was forgotten for want of room. */
  #forgot = false;

  constructor(evicted: (limit: string) => void) {
    this.#evicted = evicted;
  }

  clear(): void {
    this.#spaces.clear();
    this.#size = 0;
  }

  insert({ asid, page, level, line }: SmmuAccess): void {
    this.#work = Math.min(WORK, this.#work + WORK_AN_EVENT);
    let space = this.#spaces.get(asid);
    if (space === undefined) {
      space = { entries: new Map(), live: new Set(), blocks: false };
      this.#spaces.set(asid, space);
    }
    space.blocks ||= level !== PAGE_LEVEL;
    // The newest comes last.
    if (!space.entries.delete(page)) this.#size++;
    space.entries.set(page, { line, gone: undefined });
    space.live.add(page);
    if (this.#size > MAX_IOTLB_ENTRIES) this.#shrink();
  }

  /** A device used the entry; the entry, if it should have been gone. */
  used(asid: number, page: number): { line: number; gone: number } | "forgotten" | undefined {
    const space = this.#spaces.get(asid);
    const entry = space?.entries.get(page);
    if (entry === undefined) return this.#forgot ? "forgotten" : undefined;
    const { line, gone } = entry;
    if (space === undefined || gone === undefined || space.blocks) return undefined;
    entry.gone = undefined;
    space.live.add(page);
    return { line, gone };
  }

  /** An invalidation is complete with the SYNC of line `sync`; how many entries are gone. */
  drop(scope: Scope, sync: number): number {
    this.#work = Math.min(WORK, this.#work + WORK_AN_EVENT);
    const { asid, start, end } = scope;
    const own = asid === undefined ? undefined : this.#spaces.get(asid);
    const spaces = asid === undefined ? [...this.#spaces.values()] : own === undefined ? [] : [own];
    let dropped = 0;
    for (const space of spaces) {
      dropped += this.#dropOf(space, scope, sync);
      if (start === 0 && end === ALL_PAGES) space.blocks = false;
    }
    return dropped;
  }

  #dropOf({ entries, live }: Space, { start, end, line }: Scope, sync: number): number {
    let dropped = 0;
    const drop = (page: number) => {
      const entry = entries.get(page);
      if (entry === undefined || entry.gone !== undefined || entry.line > line) return;
      entry.gone = sync;
      live.delete(page);
      dropped++;
    };
    const pages = end - start;
    this.#work -= Math.min(pages, live.size);
    if (this.#work < 0) this.#forget();
    else if (pages <= live.size) for (let page = start; page < end; page++) drop(page);
    else for (const page of live) if (page >= start && page < end) drop(page);
    return dropped;
  }

  #forget(): void {
    this.clear();
    this.#work = WORK;
    this.#forgot = true;
    this.#evicted("MAX_WORK");
  }

  /** The oldest goes. */
  #shrink(): void {
    this.#forgot = true;
    this.#evicted("MAX_IOTLB_ENTRIES");
    for (const [asid, space] of this.#spaces) {
      for (const page of space.entries.keys()) {
        space.entries.delete(page);
        space.live.delete(page);
        this.#size--;
        break;
      }
      if (space.entries.size === 0) this.#spaces.delete(asid);
      return;
    }
  }
}
