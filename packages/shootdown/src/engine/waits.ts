// SPDX-License-Identifier: Apache-2.0
// Whether a step may wait for an entry of a cell that may go.
//
//   either([], [pick(x, c)])     does not wait: it can always be finished without the entry
//   pick(x, c)                   waits; a run in which the entry has gone ends here
//
// Windows keep all that was ever there, and have no counterpart of that end.

import { beginsStep, successors } from "./flow.ts";
import type { Code, Instr, Program } from "./program.ts";

/** Whether a thread or an effect of the program may wait so. */
export const waitsForEntries = (program: Program): boolean =>
  [...program.threads, ...program.pending].some(
    (code) => code.instrs.some(takesEvictable) && waits(code),
  );

const takesEvictable = (i: Instr): boolean => i.op === "lookup" && !i.walks && i.cell.evicts;

/** Whether some way through a step comes to such a look-up with no choice left. */
function waits(code: Code): boolean {
  const { instrs } = code;
  const sure = new Map<number, boolean>();
  /** The step can be finished from here, whatever the state. */
  const finishes = (at: number): boolean => {
    let known = sure.get(at);
    if (known === undefined) {
      // A step that comes back here is not known to end.
      sure.set(at, false);
      const i = instrs[at]!;
      const next = successors(i, at).map((to) => () => isEnd(to) || finishes(to));
      if (MAY_BLOCK.has(i.op)) known = false;
      else if (i.op === "either") known = next.some((f) => f());
      else known = next.every((f) => f());
      sure.set(at, known);
    }
    return known;
  };
  const isEnd = (at: number): boolean => instrs[at]!.op === "halt" || beginsStep(instrs[at]!);
  const seen = new Set<number>();
  const work = [...instrs.keys()].filter((at) => at === 0 || isEnd(at));
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    const i = instrs[at]!;
    if (takesEvictable(i)) return true;
    if (i.op === "either" && finishes(at)) continue;
    work.push(...successors(i, at).filter((to) => !isEnd(to)));
  }
  return false;
}

const MAY_BLOCK = new Set<Instr["op"]>(["await", "retry", "choose", "lookup", "post"]);
