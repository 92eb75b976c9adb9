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

/** Whether evaluating an expression reads shared state. */
function readsShared(n: Node | KeyPattern): boolean {
  switch (n.k) {
    case "read":
      return !n.fixed || n.index.some(readsShared);
    case "outstanding":
      return true;
    case "op":
      return n.args.some(readsShared);
    case "get":
      return readsShared(n.arg);
    case "with":
      return readsShared(n.arg) || n.set.some(([, e]) => readsShared(e));
    case "in":
      return readsShared(n.range);
    default:
      return false;
  }
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
      return operands(i).some(readsShared);
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

/** The registers that an operation reads; one twice if it does. */
export function uses(i: Operation): readonly number[] {
  const found: number[] = [];
  for (const node of operands(i)) collectRegisters(node, found);
  if (i.op === "each" || i.op === "next" || i.op === "grow") found.push(i.reg);
  // `where` binds its own register: the value under test.
  const bound = i.op === "clear" ? i.where?.reg : i.op === "choose" ? i.reg : undefined;
  return bound === undefined ? found : found.filter((r) => r !== bound);
}

function collectRegisters(n: Node | KeyPattern, found: number[]): void {
  switch (n.k) {
    case "reg":
      found.push(n.reg);
      return;
    case "op":
      for (const a of n.args) collectRegisters(a, found);
      return;
    case "get":
      return collectRegisters(n.arg, found);
    case "read":
      for (const a of n.index) collectRegisters(a, found);
      return;
    case "in":
      return collectRegisters(n.range, found);
    case "with":
      collectRegisters(n.arg, found);
      for (const [, e] of n.set) collectRegisters(e, found);
      return;
    case "outstanding":
      for (const p of n.index) collectRegisters(p, found);
      for (const [, e] of n.where) collectRegisters(e, found);
      return;
    default:
  }
}

/** Where the registers of a code are read and set, and from where on each still matters. */
export class Registers {
  /** For each register the instructions that read it. */
  readonly reads = new Map<number, number[]>();
  /** For each register the instructions that give it a value of their own. */
  readonly sets = new Map<number, number[]>();
  private readonly code: readonly Instr[];
  private previous: readonly number[][] | undefined;
  private readonly marks: Int32Array;
  private mark = 0;

  constructor(code: readonly Instr[]) {
    this.code = code;
    this.marks = new Int32Array(code.length + 1);
    for (let at = 0; at < code.length; at++) {
      const i = code[at]!;
      for (const reg of uses(i)) note(this.reads, reg, at);
      const reg = defines(i);
      if (reg >= 0) note(this.sets, reg, at);
    }
  }

  /** Calls `found` with each instruction before which the register's value matters. */
  live(reg: number, found: (at: number) => void = () => {}): void {
    const { marks } = this;
    const mark = ++this.mark;
    const work: number[] = [];
    const reach = (at: number): void => {
      if (marks[at] === mark) return;
      marks[at] = mark;
      work.push(at);
      found(at);
    };
    for (const at of this.reads.get(reg) ?? []) reach(at);
    this.previous ??= predecessors(this.code);
    for (let at = work.pop(); at !== undefined; at = work.pop()) {
      for (const before of this.previous[at]!) {
        if (defines(this.code[before]!) !== reg) reach(before);
      }
    }
  }

  /** Whether the register that `live` was last asked for matters before an instruction. */
  reached(at: number): boolean {
    return this.marks[at] === this.mark;
  }

  /** An instruction does not read the register any more. */
  unread(reg: number, at: number): void {
    const reads = this.reads.get(reg)!;
    reads.splice(reads.indexOf(at), 1);
  }

  /** The code's jumps have changed. */
  rerouted(): void {
    this.previous = undefined;
  }
}

function note(map: Map<number, number[]>, reg: number, at: number): void {
  const known = map.get(reg);
  if (known === undefined) map.set(reg, [at]);
  else if (known.at(-1) !== at) known.push(at);
}

function predecessors(code: readonly Instr[]): number[][] {
  const found: number[][] = code.map(() => []);
  for (let at = 0; at < code.length; at++) {
    for (const to of successors(code[at]!, at)) found[to]!.push(at);
  }
  return found;
}

/** Sets of registers, one for each instruction. */
export interface Liveness {
  /** Whether the register's value matters when the instruction is about to run. */
  has(at: number, reg: number): boolean;
  /** The registers that matter when the instruction is about to run, in ascending order. */
  at(at: number): number[];
}

const known = new WeakMap<readonly Instr[], Liveness>();

/** Which registers are live before each instruction. Code is not changed any more. */
export function liveness(code: readonly Instr[]): Liveness {
  let live = known.get(code);
  if (!live) known.set(code, (live = findLive(code)));
  return live;
}

function findLive(code: readonly Instr[]): Liveness {
  const registers = new Registers(code);
  const rows: number[][] = code.map(() => []);
  const ascending = [...registers.reads.keys()].sort((a, b) => a - b);
  for (const reg of ascending) registers.live(reg, (at) => rows[at]!.push(reg));
  return { has: (at, reg) => rows[at]!.includes(reg), at: (at) => [...rows[at]!] };
}
