// SPDX-License-Identifier: Apache-2.0
// Where a thread waits for a lock: its step waits for what it then changes, in one atomic block.

import type { PackedMachine } from "../engine/packed.ts";

/** By thread and point: whether the step from there takes a lock. */
export function locksOf({ program, layout }: PackedMachine): readonly (readonly boolean[])[] {
  return program.threads.map(({ instrs }, n) => {
    const takes = (at: number): boolean => {
      const { op, first } = instrs[at]!;
      if (op !== "await" || first !== true) return false;
      for (let next = at + 1; instrs[next]?.joined; next++) {
        if (["store", "xchg", "cas"].includes(instrs[next]!.op)) return true;
      }
      return false;
    };
    return layout.threads[n]!.points.map(takes);
  });
}
