// SPDX-License-Identifier: Apache-2.0
// A workload in figures: how many calls of which kind, over how many pages, how many page uses.
import { IntervalMap } from "../../base/interval-map.ts";
import type { Call, Span, Workload } from "../workload.ts";

export interface WorkloadSummary {
  readonly operations: number;
  readonly calls: Readonly<Partial<Record<Call["call"], number>>>;
  /** Calls over a range of which something may have to be flushed: munmap, mprotect and so on. */
  readonly ranges: number;
  /** Of them, those without a page that was used before. */
  readonly unused: number;
  readonly median_pages: number;
  readonly one_page: number;
  readonly many_pages: number;
  /** Pages used, one a page fault at most. */
  readonly touches: number;
  readonly processes: number;
  readonly tasks: number;
  readonly seconds: number;
}

/** From so many pages on, a range is one that thresholds treat as everything. */
const MANY = 512;

export function summarise(workload: Workload): WorkloadSummary {
  const calls: Partial<Record<Call["call"], number>> = {};
  const sizes: number[] = [];
  const used = new Map<number, IntervalMap<true>>();
  const tasks = new Set<number>();
  const processes = new Set<number>();
  let operations = 0;
  let touches = 0;
  let unused = 0;
  let last_ns = 0;
  for (const { at_ns, tid, pid, call } of workload.operations) {
    operations++;
    calls[call.call] = (calls[call.call] ?? 0) + 1;
    tasks.add(tid);
    processes.add(pid);
    last_ns = at_ns;
    let pages = used.get(pid);
    if (pages === undefined) used.set(pid, (pages = new IntervalMap()));
    const span = rangeOf(call);
    if (span !== undefined) {
      sizes.push((span.end - span.start) / 4096);
      if (pages.iterate(span.start, span.end).next().done === true) unused++;
    }
    if (call.call === "touch") touches += (call.span.end - call.span.start) / 4096;
    if (call.call === "fork") used.set(call.child, pages.clone());
    else follow(pages, call);
  }
  sizes.sort((a, b) => a - b);
  return {
    ...{ operations, calls, unused, touches },
    ranges: sizes.length,
    median_pages: sizes[Math.floor(sizes.length / 2)] ?? 0,
    one_page: sizes.filter((pages) => pages === 1).length,
    many_pages: sizes.filter((pages) => pages >= MANY).length,
    ...{ processes: processes.size, tasks: tasks.size, seconds: last_ns / 1e9 },
  };
}

function rangeOf(call: Call): Span | undefined {
  if (call.call === "mremap") return call.from;
  const ranged = call.call === "munmap" || call.call === "mprotect" || call.call === "madvise";
  return ranged ? call.span : undefined;
}

/** Which pages are in use after it. */
function follow(used: IntervalMap<true>, call: Call): void {
  switch (call.call) {
    case "touch":
    case "device":
      used.set(call.span.start, call.span.end, true);
      break;
    case "mmap":
      if (call.populate) used.set(call.span.start, call.span.end, true);
      break;
    case "munmap":
      used.delete(call.span.start, call.span.end);
      break;
    case "madvise":
      if (call.advice !== "MADV_COLD" && call.advice !== "MADV_FREE") {
        used.delete(call.span.start, call.span.end);
      }
      break;
    case "mremap":
      move(used, call.from, call.to);
      break;
    case "exec":
    case "exit":
      used.clear();
      break;
    default:
  }
}

function move(used: IntervalMap<true>, from: Span, to: Span): void {
  const length = Math.min(from.end - from.start, to.end - to.start);
  const kept = [...used.iterate(from.start, from.start + length)];
  used.delete(from.start, from.end);
  for (const { start, end } of kept) {
    used.set(start - from.start + to.start, end - from.start + to.start, true);
  }
}
