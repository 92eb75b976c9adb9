// SPDX-License-Identifier: Apache-2.0
// Courses of single kernel routines that published measurements loop over: run, not written.

import type { OpenLogEntry } from "../../engine/open-value.ts";
import { try_to_unmap_flush, try_to_unmap_one } from "../../kernel/mm/rmap.ts";
import { next_free_page } from "../../kernel/state.ts";
import { LiveMachine } from "../../live/live.ts";
import type { Act } from "../course.ts";
import { Driver } from "../driver.ts";
import { actsOf, tlbiFeatures } from "../log.ts";
import { Runner } from "../runner.ts";
import type { Call } from "../workload.ts";

const MACHINE = "arm64";
const BYTES = 4096;

export interface Routines {
  /** mprotect() that takes write permission from one page that is populated. */
  protect(): readonly Act[];
  /** madvise(MADV_DONTNEED) of one populated page, x86, by a process that runs on so many CPUs. */
  discard(cpus: number): readonly Act[];
  /** Reclaim takes so many pages from a process: with batches (6.12), or each at once (6.1). */
  unmap(batched: boolean, pages: number): readonly Act[];
}

export const ROUTINES: Routines = { protect, discard, unmap };

function protect(): readonly Act[] {
  const runner = new Runner({ machine: MACHINE, kernel: "linux-6.12", devices: 0 });
  return last(runner, { call: "mprotect", span: PAGE, writable: false, accessible: true });
}

function discard(cpus: number): readonly Act[] {
  const runner = new Runner({ machine: "x86", kernel: "linux-6.12", devices: 0, cpus });
  return last(runner, { call: "madvise", span: PAGE, advice: "MADV_DONTNEED" }, cpus);
}

const START = 2 ** 30;
const PAGE = { start: START, end: START + BYTES };

/** What a call asks for where 64 pages from its page on are populated, and threads used one. */
function last(runner: Runner, call: Call, threads = 1): readonly Act[] {
  let found: readonly Act[] = [];
  const driver = new Driver(runner, ({ acts }) => {
    found = acts;
  });
  const span = { start: START, end: START + 64 * BYTES };
  const plain = { writable: true, accessible: true, shared: false, file: false, populate: true };
  const step = (tid: number, one: Call) =>
    driver.step({ at_ns: 0, tid, pid: 1, line: 0, call: one });
  step(1, { call: "mmap", span, ...plain });
  for (let tid = 1; tid <= threads; tid++) step(tid, { call: "touch", span: PAGE, write: true });
  step(1, call);
  return found;
}

function unmap(batched: boolean, pages: number): readonly Act[] {
  const log: { entry: OpenLogEntry; steps: number }[] = [];
  let steps = 0;
  const kernel = batched ? "linux-6.12" : "linux-6.1";
  const trace = () => {
    steps++;
  };
  const live = new LiveMachine({ machine: MACHINE, kernel, cpus: 1 }, { trace });
  const process = live.process("P");
  live.runOn(0, process);
  const frame = live.get(next_free_page.decl, []);
  const first = live.map(process, { pages }) / BYTES;
  live.takeLog();
  live.onLog = (entry) => {
    log.push({ entry, steps });
    steps = 0;
  };
  steps = 0;
  const { mm } = process;
  for (let i = 0; i < pages; i++) {
    const place = { cpu: 0, mm, va: first + i, frame: frame + i };
    const args = { ...place, batch_flush: 1, hwpoison: 0 };
    live.finish(live.start("unmap", try_to_unmap_one, args));
  }
  live.finish(live.start("flush", try_to_unmap_flush, { cpu: 0 }));
  return actsOf(log, { base: first, cpus: 1, tlbi: tlbiFeatures(MACHINE, kernel) });
}
