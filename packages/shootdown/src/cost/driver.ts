// SPDX-License-Identifier: Apache-2.0
// Goes through a workload: which routines each operation calls, on what, and what becomes of the
// address spaces.
//
//   operation ──► parts in one vma, one table ... ──Runner──► course, and the space after it

import { PAGE_SIZE } from "../live/live.ts";
import type { Course } from "./course.ts";
import type { After, Local } from "./local.ts";
import { faults, forbidden, isMapped, PAGE, VMA_BITS } from "./page.ts";
import type { Access, Routine, Runs } from "./runner.ts";
import type { Piece } from "./space.ts";
import { Frames, Space, TABLE_PAGES } from "./space.ts";
import type { Call, Operation, Span } from "./workload.ts";

export interface DriverOptions {
  /** Which processes have a device: the first of the workload (default), or all. */
  readonly bound?: "first" | "all";
}

/** Receives what is run: `repeat` times in a row, one page further on each time. */
export type Sink<C = Course> = (
  course: C,
  base: number,
  repeat: number,
  space: Space,
  operation: Operation,
) => void;

const PROTECTION = { ro: 0, rw: PAGE.VM_WRITE, none: PAGE.VM_NONE } as const;

const pagesOf = ({ start, end }: Span): [number, number] => [
  Math.floor(start / PAGE_SIZE),
  Math.ceil(end / PAGE_SIZE),
];

/** `C`: what stands for a course. */
export class Driver<C = Course> {
  readonly spaces = new Map<number, Space>();
  /** Accesses that a vma does not permit, and operations that are not modelled, by name. */
  readonly skipped = new Map<string, number>();
  private readonly runner: Runs<C>;
  private readonly all: boolean;
  private readonly sink: Sink<C>;
  private readonly frames = new Frames();
  /** The first process has begun; it may have ended since. */
  private begun = false;

  constructor(runner: Runs<C>, sink: Sink<C>, options: DriverOptions = {}) {
    this.runner = runner;
    this.sink = sink;
    this.all = options.bound === "all";
  }

  /** The address space of a process; a new one is empty. */
  space(pid: number): Space {
    let space = this.spaces.get(pid);
    if (!space) {
      space = new Space(this.frames, this.all || !this.begun);
      this.begun = true;
      this.spaces.set(pid, space);
    }
    return space;
  }

  step(operation: Operation): void {
    const space = this.space(operation.pid);
    const { call, tid } = operation;
    space.tids.add(tid);
    switch (call.call) {
      case "mmap":
        return this.mmap(space, call, operation);
      case "munmap":
        return this.munmap(space, ...pagesOf(call.span), operation);
      case "mprotect":
        return this.mprotect(space, call, operation);
      case "madvise":
        return this.madvise(space, call, operation);
      case "mremap":
        return this.mremap(space, call, operation);
      case "fork":
        this.whole("fork", space, operation);
        this.spaces.set(call.child, space.fork(this.all));
        return;
      case "exec":
        this.whole("exit", space, operation);
        return space.clear();
      case "exit":
        this.whole("exit", space, operation);
        space.clear();
        this.spaces.delete(operation.pid);
        return;
      case "touch":
        return this.touch(space, call.span, call.write, false, operation);
      case "device":
        return this.touch(space, call.span, call.write, true, operation);
      case "dma_map":
      case "dma_unmap":
        return this.skip(call.call);
    }
  }

  private skip(what: string, count = 1): void {
    this.skipped.set(what, (this.skipped.get(what) ?? 0) + count);
  }

  private mmap(space: Space, call: Call & { call: "mmap" }, operation: Operation): void {
    const [lo, hi] = pagesOf(call.span);
    // MAP_FIXED over something; the importer says so as a munmap, too.
    if (space.hasVma(lo, hi)) this.munmap(space, lo, hi, operation);
    const bits =
      (call.writable ? PAGE.VM_WRITE : 0) |
      (call.accessible ? 0 : PAGE.VM_NONE) |
      (call.shared ? PAGE.shared : 0) |
      (call.file && !call.shared ? PAGE.file : 0);
    space.mapVma(lo, hi, bits);
    if (call.populate && call.accessible) {
      this.touch(space, call.span, call.writable, false, operation);
    }
  }

  private munmap(space: Space, lo: number, hi: number, operation: Operation): void {
    if (!space.hasVma(lo, hi)) return;
    this.ranged("munmap", space, lo, hi, operation);
  }

  private mprotect(space: Space, call: Call & { call: "mprotect" }, operation: Operation): void {
    const to = !call.accessible ? "none" : call.writable ? "rw" : "ro";
    const [lo, hi] = pagesOf(call.span);
    const protection = PAGE.VM_WRITE | PAGE.VM_NONE;
    for (const part of vmasOf(space, lo, hi)) {
      if ((part.code & protection) === PROTECTION[to]) continue;
      this.ranged(`mprotect ${to}`, space, part.lo, part.hi, operation);
    }
  }

  private madvise(space: Space, call: Call & { call: "madvise" }, operation: Operation): void {
    const [lo, hi] = pagesOf(call.span);
    const advice = call.advice.slice("MADV_".length);
    if (advice === "PAGEOUT" || advice === "REMOVE") return this.skip(call.advice);
    for (const part of vmasOf(space, lo, hi)) {
      // madvise_free_single_vma(): anonymous memory alone.
      if (advice === "FREE" && (part.code & (PAGE.shared | PAGE.file)) !== 0) continue;
      this.ranged(`madvise ${advice}` as Routine, space, part.lo, part.hi, operation);
    }
  }

  private mremap(space: Space, call: Call & { call: "mremap" }, operation: Operation): void {
    const [from, end] = pagesOf(call.from);
    const [to, toEnd] = pagesOf(call.to);
    const code = space.pieces(from, end)[0]?.code ?? 0;
    if (toEnd - to < end - from) this.munmap(space, from + toEnd - to, end, operation);
    const length = Math.min(end - from, toEnd - to);
    if (from !== to) {
      if (space.hasVma(to, toEnd)) this.munmap(space, to, toEnd, operation);
      this.move(space, from, length, to, operation);
    }
    if (toEnd - to > length && code !== 0) space.mapVma(to + length, toEnd, code);
  }

  /** move_vma(): the pages move, and what is left is unmapped. */
  private move(space: Space, from: number, length: number, to: number, op: Operation): void {
    const end = from + length;
    const vmas = vmasOf(space, from, end);
    if (vmas.length === 0) return;
    for (let done = 0; done < length; ) {
      // As far as one table of the old and of the new place goes, each time.
      const left = (at: number) => TABLE_PAGES - ((at + done) % TABLE_PAGES);
      const extent = Math.min(length - done, left(from), left(to));
      this.moveTable(space, from + done, extent, to + done, op);
      done += extent;
    }
    for (const { lo, hi, code } of vmas) space.mapVma(lo, hi, code);
    const { course } = this.runner.run("mremap end", space, cut(space, from, end, false));
    this.sink(course, from, 1, space, op);
    this.munmap(space, from, end, op);
  }

  /** move_page_tables() of one extent. */
  private moveTable(space: Space, lo: number, extent: number, to: number, op: Operation): void {
    const region = Math.floor(lo / TABLE_PAGES);
    const target = Math.floor(to / TABLE_PAGES);
    if (space.hasTable(region)) {
      const whole = extent === TABLE_PAGES && !space.hasTable(target);
      space.setTables(target, target + 1, !whole);
      const local = cut(space, lo, lo + extent, false);
      const there = cut(space, to, to + extent, false);
      const vmas = local.pieces.map((p) => ({ ...p, code: p.code & VMA_BITS }));
      const routine = whole ? "mremap table" : "mremap entries";
      const { course } = this.runner.run(routine, space, local, { ...there, pieces: vmas });
      this.sink(course, lo, 1, space, op);
      space.setTables(target, target + 1, true);
      if (whole) space.setTables(region, region + 1, false);
    }
    space.move(lo, lo + extent, to);
  }

  /** A routine on a range; the space becomes what it leaves. */
  private ranged(r: Routine, space: Space, lo: number, hi: number, operation: Operation): void {
    const local = cut(space, lo, hi, r === "munmap");
    const { course, after } = this.runner.run(r, space, local);
    this.sink(course, lo, 1, space, operation);
    apply(space, lo, hi, local, after);
  }

  /** A routine on all of an address space. */
  private whole(routine: "fork" | "exit", space: Space, operation: Operation): void {
    const { lo, hi } = space.extent();
    if (lo === hi) return;
    const local = cut(space, lo, hi, true);
    const { course, after } = this.runner.run(routine, space, local);
    this.sink(course, lo, 1, space, operation);
    if (routine === "fork") apply(space, lo, hi, local, withoutShared(after));
  }

  private touch(
    space: Space,
    span: Span,
    write: boolean,
    device: boolean,
    operation: Operation,
  ): void {
    const [lo, hi] = pagesOf(span);
    const routine: Access = device
      ? write
        ? "device write"
        : "device read"
      : write
        ? "write"
        : "read";
    if (device && !space.bound) return this.skip("device without a binding");
    for (const piece of space.pieces(lo, hi)) {
      if (forbidden(piece.code, write)) this.skip("forbidden access", piece.hi - piece.lo);
      else if (faults(piece.code, write)) this.fault(routine, space, piece, operation);
    }
  }

  /**
   * A fault on each page of a piece. That a table is made where there is none is nothing that
   * anybody is told: the routines have it already.
   */
  private fault(routine: Access, space: Space, piece: Piece, operation: Operation): void {
    const { lo, hi } = piece;
    const { course, after } = this.runner.access(routine, space, piece.code);
    this.sink(course, lo, hi - lo, space, operation);
    const { code, kept } = after.pages[0]!;
    space.put(lo, hi, { code: landed(code, routine), frame: kept ? piece.frame : "new" });
    space.setTables(Math.floor(lo / TABLE_PAGES), Math.ceil(hi / TABLE_PAGES), true);
  }
}

/** A page of the page cache is nobody's own until it is copied. */
function landed(code: number, routine: Routine): number {
  const reads = routine.endsWith("read");
  if ((code & PAGE.file) !== 0 && reads) return code & ~(PAGE.exclusive | PAGE.zero);
  return code & PAGE.file ? code & ~PAGE.file : code;
}

/** Parts of [lo, hi) that lie in vmas of one kind each. */
function vmasOf(space: Space, lo: number, hi: number): Piece[] {
  const bits = PAGE.VM_WRITE | PAGE.VM_NONE | PAGE.shared | PAGE.file;
  const found: Piece[] = [];
  for (const piece of space.pieces(lo, hi)) {
    const last = found.at(-1);
    if (last && last.hi === piece.lo && (last.code & bits) === (piece.code & bits)) {
      found[found.length - 1] = { ...last, hi: piece.hi };
    } else found.push(piece);
  }
  return found;
}

/** What an operation on [lo, hi) touches; `frees`: it frees tables that nobody uses any more. */
export function cut(space: Space, lo: number, hi: number, frees: boolean): Local {
  const length = hi - lo;
  const pieces = relative(space.pieces(lo, hi), lo);
  const few = length < TABLE_PAGES;
  if (few && !frees) return stays(length, pieces);
  const region = Math.floor(lo / TABLE_PAGES);
  const last = Math.floor((hi - 1) / TABLE_PAGES);
  const before = space.hasVma(region * TABLE_PAGES, lo);
  const behind = space.hasVma(hi, (last + 1) * TABLE_PAGES);
  const used = region === last ? before || behind : before && behind && last === region + 1;
  if (few && used) return stays(length, pieces);
  const tables = space.tableRuns(region, last + 1).map((t) => {
    return { start: t.start - region, end: t.end - region };
  });
  return { length, offset: lo % TABLE_PAGES, before, behind, pieces, tables };
}

const FIRST_TABLES = [{ start: 0, end: 1 }];

/** Every table stays: it is all the same where the range lies, and whether in one table or two. */
const stays = (length: number, pieces: readonly Piece[]): Local => {
  return { length, offset: 1, before: true, behind: false, pieces, tables: FIRST_TABLES };
};

/** Whether every table stays, as `cut` has found it. */
const tablesStay = (local: Local): boolean => local.tables === FIRST_TABLES;

/** Pieces from `lo` on. Which frames they have, one after the other or not, is all the same. */
function relative(pieces: readonly Piece[], lo: number): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const [n, p] of pieces.entries()) {
    const next = pieces[n + 1];
    if (next?.lo === p.hi && next.code === p.code) continue;
    found.push({ lo: pieces[from]!.lo - lo, hi: p.hi - lo, code: p.code, frame: 0 });
    from = n + 1;
  }
  return found;
}

function apply(space: Space, lo: number, hi: number, local: Local, after: After): void {
  const region = Math.floor(lo / TABLE_PAGES);
  const last = Math.floor((hi - 1) / TABLE_PAGES);
  for (const p of after.pages) {
    if (p.kept) space.recode(lo + p.lo, lo + p.hi, p.code);
    else space.put(lo + p.lo, lo + p.hi, { code: p.code, frame: isMapped(p.code) ? "new" : -1 });
  }
  if (tablesStay(local)) return;
  space.setTables(region, last + 1, false);
  for (const t of after.tables) space.setTables(region + t.start, region + t.end, true);
}

/** copy_present_pte(): pages of shared mappings stay as they are. */
function withoutShared(after: After): After {
  return { ...after, pages: after.pages.filter((p) => (p.code & PAGE.shared) === 0) };
}
