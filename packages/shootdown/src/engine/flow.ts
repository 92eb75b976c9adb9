// SPDX-License-Identifier: Apache-2.0
// Control flow of flat code: successors, which instructions begin a step, which registers are live.

import type { KeyPattern, Node } from "../ir/expr.ts";
import type { Instr, Operation } from "./program.ts";

/** The expressions that an operation evaluates. */
export function operands(i: Operation): readonly (Node | KeyPattern)[] {
  switch (i.op) {
    case "let":
    case "yield":
      return [i.value];
    case "store":
    case "xchg":
      return [...i.index, i.value];
    case "cas":
      return [...i.index, i.expect, i.value];
    case "branch":
    case "await":
      return [i.cond];
    case "each":
      return [i.over];
    case "next":
      return [i.stride];
    case "retry":
      return [i.permitted];
    case "choose":
      return i.where ? [i.where] : [];
    case "lookup":
      return i.index;
    case "insert":
      return [...i.index, i.value];
    case "clear":
      return i.where ? [...i.index, i.where.cond] : i.index;
    case "post":
      return [...i.index, ...i.entry.map(([, e]) => e)];
    case "emit":
      return i.args.map(([, e]) => e);
    case "grow":
      return [i.by];
    default:
      return [];
  }
}

/** Calls `visit` on a node and on all below it. */
export function visitNode(node: Node | KeyPattern, visit: (n: Node) => void): void {
  if (node.k === "any") return;
  if (node.k === "in") return visitNode(node.range, visit);
  visit(node);
  switch (node.k) {
    case "read":
      for (const i of node.index) visitNode(i, visit);
      return;
    case "op":
      for (const a of node.args) visitNode(a, visit);
      return;
    case "get":
      return visitNode(node.arg, visit);
    case "with":
      visitNode(node.arg, visit);
      for (const [, e] of node.set) visitNode(e, visit);
      return;
    case "outstanding":
      for (const p of node.index) visitNode(p, visit);
      for (const [, e] of node.where) visitNode(e, visit);
      return;
    default:
  }
}

/** Whether evaluating the operands reads shared state. */
function readsShared(i: Operation): boolean {
  let found = false;
  for (const node of operands(i)) {
    visitNode(node, (n) => {
      if (n.k === "read" || n.k === "outstanding") found = true;
    });
  }
  return found;
}

/** Whether a step begins here: the instruction touches something that others can see. */
export function beginsStep(i: Instr): boolean {
  if (i.joined) return false;
  if (i.first) return true;
  switch (i.op) {
    case "jump":
    case "emit":
    case "yield":
    case "violate":
      return false;
    case "let":
    case "branch":
    case "each":
    case "next":
    case "grow":
      return readsShared(i);
    default:
      return true;
  }
}

/** Indices that may run next. */
export function successors(i: Operation, at: number): readonly number[] {
  switch (i.op) {
    case "jump":
    case "next":
      return [i.to];
    case "branch":
    case "each":
      return [at + 1, i.to];
    case "either":
      return i.to;
    case "halt":
      return [];
    default:
      return [at + 1];
  }
}

/** The register that an operation sets, or -1. `grow` and `next` also read theirs. */
export function defines(i: Operation): number {
  switch (i.op) {
    case "let":
    case "xchg":
    case "choose":
    case "lookup":
      return i.reg;
    case "cas":
      return i.reg;
    default:
      return -1;
  }
}

/** The registers that an operation reads. */
export function uses(i: Operation): number[] {
  const found: number[] = [];
  for (const node of operands(i)) {
    visitNode(node, (n) => {
      if (n.k === "reg") found.push(n.reg);
    });
  }
  if (i.op === "each" || i.op === "next" || i.op === "grow") found.push(i.reg);
  // `where` binds its own register: the value under test.
  const bound = i.op === "clear" ? i.where?.reg : i.op === "choose" ? i.reg : undefined;
  return bound === undefined ? found : found.filter((r) => r !== bound);
}

/** For each instruction the set of registers whose value matters when it is about to run. */
export function liveness(code: readonly Instr[]): readonly ReadonlySet<number>[] {
  const live = code.map(() => new Set<number>());
  const used = code.map(uses);
  for (let changed = true; changed; ) {
    changed = false;
    for (let at = code.length - 1; at >= 0; at--) {
      const i = code[at]!;
      const set = live[at]!;
      const before = set.size;
      const defined = defines(i);
      for (const next of successors(i, at)) {
        for (const r of live[next]!) if (r !== defined) set.add(r);
      }
      for (const r of used[at]!) set.add(r);
      if (set.size !== before) changed = true;
    }
  }
  return live;
}

/** Removes unreachable code, jumps to jumps, and results that nobody reads. */
export function tidy(code: readonly Instr[]): readonly Instr[] {
  let current = code;
  for (;;) {
    const next = compact(threadJumps(dropDead(current)));
    if (next.length === current.length) return next;
    current = next;
  }
}

/** Takes an instruction out; the start of an atomic block stays where it was. */
export function idle(i: Instr, at: number): Instr {
  const { origin, joined } = i;
  return { op: "jump", to: at + 1, origin, joined, ...(i.first ? { first: true } : {}) };
}

/** Whether an idle jump must stay, because the rest of its atomic block relies on it. */
function holdsStep(code: readonly Instr[], i: Instr & { op: "jump" }): boolean {
  return i.first === true && code[finalTarget(code, i.to)]!.joined;
}

function dropDead(code: readonly Instr[]): readonly Instr[] {
  const live = liveness(code);
  return code.map((i, at): Instr => {
    if (i.op !== "let") return i;
    const next = live[at + 1];
    return next?.has(i.reg) ? i : idle(i, at);
  });
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

function threadJumps(code: readonly Instr[]): readonly Instr[] {
  return code.map((i) => {
    switch (i.op) {
      case "jump":
      case "branch":
      case "each":
      case "next":
        return { ...i, to: finalTarget(code, i.to) };
      case "either":
        return { ...i, to: i.to.map((t) => finalTarget(code, t)) };
      default:
        return i;
    }
  });
}

function compact(code: readonly Instr[]): readonly Instr[] {
  const reached = new Set<number>([0]);
  const work = [0];
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    for (const next of successors(code[at]!, at)) {
      if (reached.has(next)) continue;
      reached.add(next);
      work.push(next);
    }
  }
  const keep: number[] = [];
  const moved = new Map<number, number>();
  for (let at = 0; at < code.length; at++) {
    moved.set(at, keep.length);
    const i = code[at]!;
    const useless =
      i.op === "jump" && nextKept(code, reached, at + 1) === i.to && !holdsStep(code, i);
    if (reached.has(at) && !useless) keep.push(at);
  }
  const to = (t: number): number => moved.get(t)!;
  return keep.map((at): Instr => {
    const i = code[at]!;
    switch (i.op) {
      case "jump":
      case "branch":
      case "each":
      case "next":
        return { ...i, to: to(i.to) };
      case "either":
        return { ...i, to: i.to.map(to) };
      default:
        return i;
    }
  });
}

/** The first reachable instruction from `at` on. */
function nextKept(code: readonly Instr[], reached: ReadonlySet<number>, from: number): number {
  let at = from;
  while (at < code.length && !reached.has(at)) at++;
  return at;
}
