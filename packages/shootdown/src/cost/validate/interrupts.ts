// SPDX-License-Identifier: Apache-2.0
// A published result on interrupts and INVLPGB: V14.

import { loop, machine, work } from "./loop.ts";
import { type Cell, judged, type Validation } from "./result.ts";
import type { Routines } from "./routines.ts";

/** tlb_flush2_threads: threads of one process, each discards a page it has touched. */
const RIEL = { cpus: 36, loops: 527_000, share: 40 };
const ROUNDS = 100;

export function v14(routines: Routines): Validation {
  const { cpus, loops, share } = RIEL;
  // What is no flush: the published loop less its published share.
  const own = ((1e9 * cpus) / loops) * (1 - share / 100);
  const acts = routines.discard(cpus);
  const flushShare = (invlpgb: boolean) => {
    const profile = machine("amd-invlpgb", { cpus, invlpgb });
    const { time_ns, bystander_ns } = loop(profile, cpus, ROUNDS, [work(own), ...acts]).outcomes
      .mid;
    const all = time_ns + bystander_ns;
    return (100 * (all - own * cpus * ROUNDS)) / all;
  };
  const cell = (label: string, published: number, invlpgb: boolean, band: Cell["band"]): Cell => ({
    ...{ label, published, simulated: flushShare(invlpgb), band, fitted: false },
  });
  return judged({
    ...{ id: "V14", title: "INVLPGB instead of interrupts: the share of flushes in CPU time" },
    source: "[PATCH] AMD broadcast TLB invalidation, v2 to v7, van Riel, 2024-12 on",
    ...{ profile: "amd-invlpgb", unit: "% of CPU time" },
    cells: [cell("interrupts", share, false, [30, 50]), cell("INVLPGB", 4, true, [0, 6])],
    note:
      "what a handler takes is assumed, 400 ns (200 to 1000), and decides the first row; the " +
      "work beside the flush is that of the published loop; throughput, which the LRU lock " +
      "holds where it was, is not compared: locks of the kernel are not modelled",
  });
}
