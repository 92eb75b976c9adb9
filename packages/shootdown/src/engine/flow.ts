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
    case "yieldHeld":
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
      if ((n.k === "read" && !n.fixed) || n.k === "outstanding") found = true;
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
    case "yieldHeld":
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

const usesOf = new WeakMap<Operation, readonly number[]>();

/** The registers that an operation reads. */
export function uses(i: Operation): readonly number[] {
  let known = usesOf.get(i);
  if (!known) usesOf.set(i, (known = findUses(i)));
  return known;
}

function findUses(i: Operation): number[] {
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

/** Sets of registers, one row of 32-bit words for each instruction. */
export interface Liveness {
  /** Whether the register's value matters when the instruction is about to run. */
  has(at: number, reg: number): boolean;
  /** The registers that matter when the instruction is about to run, in ascending order. */
  at(at: number): number[];
}

/** Which registers are live before each instruction. */
export function liveness(code: readonly Instr[]): Liveness {
  const numbers = new Map<number, number>();
  const number = (reg: number): number => {
    let n = numbers.get(reg);
    if (n === undefined) numbers.set(reg, (n = numbers.size));
    return n;
  };
  const used = code.map((i) => uses(i).map(number));
  const defined = code.map((i) => {
    const reg = defines(i);
    return reg < 0 ? -1 : number(reg);
  });
  const words = Math.max(1, (numbers.size + 31) >>> 5);
  const live = new Int32Array(code.length * words);
  const flow = code.map((i, at) => successors(i, at));
  for (let changed = true; changed; ) {
    changed = false;
    for (let at = code.length - 1; at >= 0; at--) {
      const row = at * words;
      const d = defined[at]!;
      for (let w = 0; w < words; w++) {
        let bits = 0;
        for (const next of flow[at]!) bits |= live[next * words + w]!;
        if (d >>> 5 === w) bits &= ~(1 << (d & 31));
        for (const u of used[at]!) if (u >>> 5 === w) bits |= 1 << (u & 31);
        if (bits !== live[row + w]) {
          live[row + w] = bits;
          changed = true;
        }
      }
    }
  }
  const regs = [...numbers.keys()];
  const test = (at: number, n: number) => ((live[at * words + (n >>> 5)]! >>> (n & 31)) & 1) === 1;
  return {
    has: (at, reg) => numbers.has(reg) && test(at, numbers.get(reg)!),
    at: (at) => regs.filter((_, n) => test(at, n)).sort((a, b) => a - b),
  };
}

/** Removes unreachable code, jumps to jumps, and results that nobody reads. */
export function tidy(code: readonly Instr[]): readonly Instr[] {
  let current = shorten(code);
  for (;;) {
    const live = liveness(current);
    const dead = (i: Instr, at: number) => i.op === "let" && !live.has(at + 1, i.reg);
    if (!current.some(dead)) return current;
    current = shorten(current.map((i, at) => (dead(i, at) ? idle(i, at) : i)));
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

/** Removes unreachable code and jumps to jumps. */
export function shorten(code: readonly Instr[]): readonly Instr[] {
  const direct = threadJumps(code);
  const reached = new Uint8Array(direct.length);
  const work = [0];
  reached[0] = 1;
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    for (const next of successors(direct[at]!, at)) {
      if (reached[next]) continue;
      reached[next] = 1;
      work.push(next);
    }
  }
  const moved = new Int32Array(direct.length);
  const keep: Instr[] = [];
  for (let at = 0; at < direct.length; at++) {
    moved[at] = keep.length;
    const i = direct[at]!;
    if (!reached[at]) continue;
    const useless = i.op === "jump" && nextReached(reached, at + 1) === i.to;
    if (useless && !holdsStep(direct, i)) continue;
    keep.push(i);
  }
  return keep.map((i): Instr => {
    switch (i.op) {
      case "jump":
      case "branch":
      case "each":
      case "next":
        return { ...i, to: moved[i.to]! };
      case "either":
        return { ...i, to: i.to.map((t) => moved[t]!) };
      default:
        return i;
    }
  });
}

/** The first reachable instruction from an index on. */
function nextReached(reached: Uint8Array, from: number): number {
  let at = from;
  while (at < reached.length && !reached[at]) at++;
  return at;
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
      case "next": {
        const to = finalTarget(code, i.to);
        return to === i.to ? i : { ...i, to };
      }
      case "either":
        return { ...i, to: i.to.map((t) => finalTarget(code, t)) };
      default:
        return i;
    }
  });
}
