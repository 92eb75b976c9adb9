// SPDX-License-Identifier: Apache-2.0
// Loops: a thread that went round one by steps taken alone would keep all others waiting for ever.

import { defines, successors } from "./flow.ts";
import type { Code } from "./program.ts";

/** The points of `free` less those without which some loop would have no other. */
export function withoutLoops(
  code: Code,
  points: readonly number[],
  free: readonly boolean[],
): boolean[] {
  const left = [...free];
  for (;;) {
    const blocked = new Set(points.filter((_, p) => !left[p]));
    const inside = [...code.instrs.keys()].filter((at) => !blocked.has(at));
    const endless = endlessPart(code, new Set(inside));
    if (!endless) return left;
    const point = points.findIndex((at, p) => left[p]! && endless.has(at));
    if (point < 0) return left;
    left[point] = false;
  }
}

/**
 * Instructions among these that may run round and round. A loop that counts a register up, which
 * nothing else in it sets, ends.
 */
function endlessPart(code: Code, inside: ReadonlySet<number>): ReadonlySet<number> | undefined {
  for (const part of components(code, inside)) {
    const counter = [...part].find((at) => {
      const i = code.instrs[at]!;
      if (i.op !== "next" || i.stride.k !== "const" || i.stride.value <= 0) return false;
      return ![...part].some((other) => {
        const o = code.instrs[other]!;
        const sets = o.op === "grow" || o.op === "next" ? o.reg : defines(o);
        return other !== at && sets === i.reg;
      });
    });
    if (counter === undefined) return part;
    const rest = new Set(part);
    rest.delete(counter);
    const endless = endlessPart(code, rest);
    if (endless) return endless;
  }
  return undefined;
}

/** Strongly connected parts with a cycle in them. */
function components(code: Code, inside: ReadonlySet<number>): Set<number>[] {
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const stack: number[] = [];
  const open = new Set<number>();
  const found: Set<number>[] = [];
  const next = (at: number): number[] =>
    successors(code.instrs[at]!, at).filter((to) => inside.has(to));
  const enter = (at: number) => {
    index.set(at, index.size);
    low.set(at, index.get(at)!);
    stack.push(at);
    open.add(at);
    return { at, to: next(at) };
  };
  for (const root of inside) {
    if (index.has(root)) continue;
    const path = [enter(root)];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { at } = top;
      const to = top.to.pop();
      if (to !== undefined) {
        if (!index.has(to)) path.push(enter(to));
        else if (open.has(to)) low.set(at, Math.min(low.get(at)!, index.get(to)!));
        continue;
      }
      path.pop();
      const parent = path.at(-1)?.at;
      if (parent !== undefined) low.set(parent, Math.min(low.get(parent)!, low.get(at)!));
      if (low.get(at) !== index.get(at)) continue;
      const part = new Set<number>();
      for (let member = -1; member !== at; ) {
        member = stack.pop()!;
        open.delete(member);
        part.add(member);
      }
      if (part.size > 1 || next(at).includes(at)) found.push(part);
    }
  }
  return found;
}
