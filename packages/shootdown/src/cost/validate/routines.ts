// SPDX-License-Identifier: Apache-2.0
// Courses of single kernel routines that published measurements loop over: run, not written.

import type { OpenLogEntry } from "../../engine/open-value.ts";
import { try_to_unmap_flush, try_to_unmap_one } from "../../kernel/mm/rmap.ts";
import { next_free_page } from "../../kernel/state.ts";
import { LiveMachine } from "../../live/live.ts";
import type { Act } from "../course.ts";
import { Driver } from "../driver.ts";
import { actsOf } from "../log.ts";
import { Runner } from "../runner.ts";
import type { Call } from "../workload.ts";

const MACHINE = "arm64";
const BYTES = 4096;

export interface Routines {
  /** mprotect() that takes write permission from one page that is populated. */
  protect(): readonly Act[];
  /** Reclaim takes so many pages from a process: with batches (6.12), or each at once (6.1). */
  unmap(batched: boolean, pages: number): readonly Act[];
}

export const ROUTINES: Routines = { protect, unmap };

function protect(): readonly Act[] {
  let last: readonly Act[] = [];
  const runner = new Runner({ machine: MACHINE, kernel: "linux-6.12", devices: 0 });
  const driver = new Driver(runner, ({ acts }) => {
    last = acts;
  });
  const span = { start: 2 ** 30, end: 2 ** 30 + 64 * BYTES };
  const page = { start: 2 ** 30, end: 2 ** 30 + BYTES };
  const step = (call: Call) => driver.step({ at_ns: 0, tid: 1, pid: 1, line: 0, call });
  const plain = { writable: true, accessible: true, shared: false, file: false, populate: true };
  step({ call: "mmap", span, ...plain });
  step({ call: "mprotect", span: page, writable: false, accessible: true });
  return last;
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
  return actsOf(log, first, 1);
}
