// SPDX-License-Identifier: Apache-2.0
// What an operation touches, put onto a live machine, and read back from it when it is done.
//
//   Space ──cut──► Local, a key ──place──► live machine ──read──► what has become of it

import { wordLayout } from "../engine/word.ts";
import {
  next_free_page,
  PageAnonExclusive,
  page_refs,
  VM_NONE,
  VM_WRITE,
  vma,
} from "../kernel/state.ts";
import { ZERO_PFN } from "../live/domain.ts";
import type { LiveMachine } from "../live/live.ts";
import type { Process } from "../live/options.ts";
import { desc } from "../vocabulary/descriptor.ts";
import { life, page_life, pmd, pte_table, table_life } from "../vocabulary/state.ts";
import { isMapped, KEPT, KIND_SHIFT, PAGE } from "./page.ts";
import type { Piece } from "./space.ts";
import { TABLE_PAGES } from "./space.ts";

/** What an operation on `length` pages touches; pages are relative to its first. */
export interface Local {
  readonly length: number;
  /** Where the first page lies in its table. */
  readonly offset: number;
  readonly pieces: readonly Piece[];
  /** A vma before, or behind it, in the same table. */
  readonly before: boolean;
  readonly behind: boolean;
  /** Regions that have a table, counted from the first page's. */
  readonly tables: readonly { readonly start: number; readonly end: number }[];
}

/** What a run of pages has become. */
export interface Became {
  readonly lo: number;
  readonly hi: number;
  readonly code: number;
  /** The frame is the one that was there. */
  readonly kept: boolean;
}

export interface After {
  readonly pages: readonly Became[];
  readonly tables: readonly { readonly start: number; readonly end: number }[];
}

/** The key by which a local state is known. */
export function localKey(l: Local): string {
  let key = `${l.length} ${l.offset} ${l.before ? 1 : 0}${l.behind ? 1 : 0}`;
  for (const p of l.pieces) key += ` ${p.lo},${p.hi - p.lo},${p.code}`;
  for (const t of l.tables) key += ` t${t.start},${t.end}`;
  return key;
}

const LOW = 2 ** KEPT.length - 1;

/** Puts local states onto a machine and takes them away again. */
export class Place {
  readonly process: Process;
  /** The first page of the operation. */
  readonly base: number;
  private readonly live: LiveMachine;
  private readonly local: Local;
  private readonly loaded: Piece[] = [];

  constructor(live: LiveMachine, process: Process, region: number, local: Local) {
    this.live = live;
    this.process = process;
    this.local = local;
    this.base = region * TABLE_PAGES + local.offset;
    for (const { start, end } of local.tables) {
      for (let r = start; r < end; r++) this.addTable(region + r);
    }
    if (local.before) this.reserve(region * TABLE_PAGES, 1);
    if (local.behind) this.reserve(this.lastRegion * TABLE_PAGES + TABLE_PAGES - 1, 1);
    for (const piece of local.pieces) this.add(piece);
  }

  private get lastRegion(): number {
    return Math.floor((this.base + this.local.length - 1) / TABLE_PAGES);
  }

  private reserve(page: number, count: number): void {
    this.live.fill(vma.decl, [this.process.mm, page], count, 1);
  }

  private addTable(region: number): void {
    if (this.live.get(pmd.decl, [this.process.mm, region]) === 0) {
      this.live.newTable(this.process.mm, region);
    }
  }

  private add({ lo, hi, code }: Piece): void {
    const { live, base } = this;
    const { mm } = this.process;
    const count = hi - lo;
    const first = base + lo;
    live.fill(vma.decl, [mm, first], count, 1);
    if (code & PAGE.VM_WRITE) live.fill(VM_WRITE.decl, [mm, first], count, 1);
    if (code & PAGE.VM_NONE) live.fill(VM_NONE.decl, [mm, first], count, 1);
    if (!isMapped(code)) {
      this.loaded.push({ lo: first, hi: first + count, code, frame: -1 });
      return;
    }
    const zero = (code & PAGE.zero) !== 0;
    const frame = zero ? ZERO_PFN : live.get(next_free_page.decl, []);
    if (!zero) this.own(frame, count, code);
    const layout = wordLayout(desc, live.domain);
    const kind = (code & PAGE.kind) >> KIND_SHIFT;
    for (let at = first; at < first + count; ) {
      const end = Math.min((Math.floor(at / TABLE_PAGES) + 1) * TABLE_PAGES, first + count);
      const pfn = zero ? frame : frame + at - first;
      const word = layout.put(layout.put(code & LOW, "pfn", pfn), "kind", kind);
      live.fillFrames([this.tableOf(at), at], end - at, word, zero);
      at = end;
    }
    this.loaded.push({ lo: first, hi: first + count, code, frame });
  }

  /** Frames that the process has mapped once, and perhaps others too. */
  private own(frame: number, count: number, code: number): void {
    const { live } = this;
    live.set(next_free_page.decl, [], frame + count);
    live.fill(page_life.decl, [frame], count, life.values.indexOf("used"));
    live.fill(page_refs.decl, [frame], count, code & (PAGE.others | PAGE.file) ? 2 : 1);
    if (code & PAGE.exclusive) live.fill(PageAnonExclusive.decl, [frame], count, 1);
  }

  private tableOf(page: number): number {
    const region = Math.floor(page / TABLE_PAGES);
    this.addTable(region);
    const upper = this.live.get(pmd.decl, [this.process.mm, region]);
    return wordLayout(desc, this.live.domain).get(upper, "next");
  }

  /** What it has become; then it is as if nothing had been there. */
  take(): After {
    const after = { pages: this.read(), tables: this.readTables() };
    this.clear();
    return after;
  }

  private readTables(): { start: number; end: number }[] {
    const { mm } = this.process;
    const first = Math.floor(this.base / TABLE_PAGES);
    const found: { start: number; end: number }[] = [];
    const count = this.lastRegion - first + 1;
    for (const { start, end, value } of this.live.runs(pmd.decl, [mm, first], count)) {
      if (value !== 0) found.push({ start: start - first, end: end - first });
    }
    return found;
  }

  private read(): Became[] {
    const { live, base, local } = this;
    const { mm } = this.process;
    const end = base + local.length;
    const cuts = new Set([base, end]);
    const cut = (lo: number, hi: number) => {
      if (lo > base && lo < end) cuts.add(lo);
      if (hi > base && hi < end) cuts.add(hi);
    };
    for (const p of this.loaded) cut(p.lo, p.hi);
    for (const f of [vma, VM_WRITE, VM_NONE]) {
      for (const r of live.runs(f.decl, [mm, base], local.length)) cut(r.start, r.end);
    }
    for (const [region, table] of this.tablesNow()) {
      const at = Math.max(base, region * TABLE_PAGES);
      const to = Math.min(end, (region + 1) * TABLE_PAGES);
      cut(at, to);
      for (const r of live.runs(pte_table.decl, [table, at], to - at)) cut(r.start, r.end);
    }
    const sorted = [...cuts].sort((a, b) => a - b);
    let at = 0;
    const parts = sorted.slice(0, -1).map((lo, n) => {
      while (at < this.loaded.length && this.loaded[at]!.hi <= lo) at++;
      const was = this.loaded[at];
      return this.became(lo, sorted[n + 1]!, was && was.lo <= lo ? was : undefined);
    });
    return joined(parts);
  }

  /** The tables that are there now, each with its region. */
  private *tablesNow(): Generator<readonly [region: number, table: number], void, undefined> {
    const { live } = this;
    const { mm } = this.process;
    const first = Math.floor(this.base / TABLE_PAGES);
    const layout = wordLayout(desc, live.domain);
    // A change of the upper level is not seen by who is going through it.
    for (const run of [...live.runs(pmd.decl, [mm, first], this.lastRegion - first + 1)]) {
      for (let region = run.start; region < run.end; region++) {
        const upper = live.get(pmd.decl, [mm, region]);
        if (upper !== 0) yield [region, layout.get(upper, "next")];
      }
    }
  }

  private became(lo: number, hi: number, was: Piece | undefined): Became {
    const { live, base } = this;
    const { mm } = this.process;
    const flag = (f: typeof vma, bit: number) => (live.get(f.decl, [mm, lo]) === 1 ? bit : 0);
    let code = flag(vma, PAGE.vma) | flag(VM_WRITE, PAGE.VM_WRITE) | flag(VM_NONE, PAGE.VM_NONE);
    if ((code & PAGE.vma) === 0) code = 0;
    if (was && code !== 0) code |= was.code & (PAGE.shared | PAGE.file);
    const upper = live.get(pmd.decl, [mm, Math.floor(lo / TABLE_PAGES)]);
    const layout = wordLayout(desc, live.domain);
    const word = upper === 0 ? 0 : live.get(pte_table.decl, [layout.get(upper, "next"), lo]);
    let kept = false;
    const low = word % 2 ** KEPT.length;
    const kind = layout.get(word, "kind");
    if (low % 2 === 1 || kind !== 0) {
      const frame = layout.get(word, "pfn");
      kept = was !== undefined && was.frame >= 0 && frame === was.frame + lo - was.lo;
      code |= low | (kind << KIND_SHIFT);
      if (live.get(PageAnonExclusive.decl, [frame]) === 1) code |= PAGE.exclusive;
      if (frame === ZERO_PFN) code |= PAGE.zero;
    }
    return { lo: lo - base, hi: hi - base, code, kept };
  }

  private clear(): void {
    const { live, local } = this;
    const { mm } = this.process;
    const first = Math.floor(this.base / TABLE_PAGES);
    const last = this.lastRegion;
    const lo = first * TABLE_PAGES;
    const count = (last - first + 1) * TABLE_PAGES;
    for (const f of [vma, VM_WRITE, VM_NONE]) live.fill(f.decl, [mm, lo], count, 0);
    for (const [region, table] of this.tablesNow()) {
      live.fillFrames([table, region * TABLE_PAGES], TABLE_PAGES, 0);
      live.set(table_life.decl, [table], life.values.indexOf("freed"));
      live.set(pmd.decl, [mm, region], 0);
    }
    if (local.pieces.length > 0) this.loaded.length = 0;
  }
}

/** Neighbours that are alike become one. */
function joined(parts: readonly Became[]): Became[] {
  const found: Became[] = [];
  for (const part of parts) {
    const last = found.at(-1);
    if (last && last.code === part.code && last.kept === part.kept) {
      found[found.length - 1] = { ...last, hi: part.hi };
    } else found.push(part);
  }
  return found;
}
