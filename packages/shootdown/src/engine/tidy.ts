// SPDX-License-Identifier: Apache-2.0
// Tidying flat code: results that nobody reads go, and so do unreachable code and idle jumps.

import { Registers, successors, uses } from "./flow.ts";
import type { Instr } from "./program.ts";

/** Removes unreachable code, jumps to jumps, and results that nobody reads. */
export function tidy(code: readonly Instr[]): readonly Instr[] {
  const short = [...shorten(code)];
  return dropDead(short, new Registers(short)) ? shorten(short) : short;
}

/** Idles, in place, what computes a result that nobody reads; whether there was any. */
export function dropDead(code: Instr[], registers: Registers): boolean {
  let found = false;
  const work = [...registers.sets.keys()];
  const waits = new Set(work);
  for (let reg = work.pop(); reg !== undefined; reg = work.pop()) {
    waits.delete(reg);
    const lets = registers.sets.get(reg)!.filter((at) => code[at]!.op === "let");
    if (lets.length === 0) continue;
    registers.live(reg);
    for (const at of lets) {
      if (registers.reached(at + 1)) continue;
      // What it was computed from may be read by nobody else.
      for (const used of new Set(uses(code[at]!))) {
        registers.unread(used, at);
        if (waits.has(used) || !registers.sets.has(used)) continue;
        waits.add(used);
        work.push(used);
      }
      code[at] = idle(code[at]!, at);
      found = true;
    }
  }
  return found;
}

/** Takes an instruction out; the start of an atomic block stays where it was. */
export function idle(i: Instr, at: number): Instr {
  const { origin, joined } = i;
  return i.first
    ? { op: "jump", to: at + 1, origin, joined, first: true }
    : { op: "jump", to: at + 1, origin, joined };
}

/** Removes unreachable code and jumps to jumps. */
export function shorten(code: readonly Instr[]): readonly Instr[] {
  const direct = code.map((i) => retargeted(i, (to) => finalTarget(code, to)));
  const reached = reachable(direct);
  // Backwards, so that a jump over what itself goes is seen to lead to the next instruction.
  const moved = new Int32Array(direct.length);
  let kept = 0;
  for (let at = direct.length - 1; at >= 0; at--) {
    const i = direct[at]!;
    const useless = i.op === "jump" && i.to > at && moved[i.to] === kept && !holdsStep(direct, i);
    if (reached[at] && !useless) kept++;
    else reached[at] = 0;
    moved[at] = kept;
  }
  if (kept === code.length) return direct;
  return direct.filter((_, at) => reached[at]).map((i) => retargeted(i, (to) => kept - moved[to]!));
}

function reachable(code: readonly Instr[]): Uint8Array {
  const reached = new Uint8Array(code.length);
  const work = [0];
  reached[0] = 1;
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    for (const next of successors(code[at]!, at)) {
      if (reached[next]) continue;
      reached[next] = 1;
      work.push(next);
    }
  }
  return reached;
}

/** Whether an idle jump must stay, because the rest of its atomic block relies on it. */
function holdsStep(code: readonly Instr[], i: Instr & { op: "jump" }): boolean {
  return i.first === true && code[finalTarget(code, i.to)]!.joined;
}

function finalTarget(code: readonly Instr[], to: number): number {
  let at = to;
  for (let hops = 0; hops < code.length; hops++) {
    const i = code[at]!;
    if (i.op !== "jump" || i.first) return at;
    at = i.to;
  }
  return at;
}

/** The instruction with its targets mapped; the same one if they stay. */
function retargeted(i: Instr, map: (to: number) => number): Instr {
  switch (i.op) {
    case "jump":
    case "branch":
    case "each":
    case "next": {
      const to = map(i.to);
      return to === i.to ? i : { ...i, to };
    }
    case "either": {
      const to = i.to.map(map);
      return to.every((t, n) => t === i.to[n]) ? i : { ...i, to };
    }
    default:
      return i;
  }
}
