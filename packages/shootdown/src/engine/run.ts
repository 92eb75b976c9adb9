// SPDX-License-Identifier: Apache-2.0
// Running compiled code of the packed executor: one step of a thread, or a body to its end.

/** Runs one instruction; the index of the next, or -1 if it cannot run now. */
export type Step = () => number;

/** A thread step runs at most this many instructions; more is a loop without a shared access. */
export const STEP_INSTRUCTIONS_MAX = 100_000;

/** Runs one step from `start`; the index where the next begins, or -1 if it is not enabled. */
export function runStep(code: readonly Step[], start: number, pointOf: readonly number[]): number {
  let at = code[start]!();
  for (let n = 0; at >= 0; n++) {
    if (pointOf[at]! >= 0) return at;
    at = code[at]!();
    if (n > STEP_INSTRUCTIONS_MAX) throw new Error("a step that does not end");
  }
  return -1;
}

/** Runs code as one step to its end; false if something in it is not enabled. */
export function runToEnd(code: readonly Step[]): boolean {
  let at = 0;
  for (let n = 0; at >= 0 && at < code.length - 1; n++) {
    at = code[at]!();
    if (n > STEP_INSTRUCTIONS_MAX) throw new Error("a step that does not end");
  }
  return at >= 0;
}
