// SPDX-License-Identifier: Apache-2.0
// Constants that a register has wherever it is read: substituted, and the branches on them decided.

import type { KeyPattern, Node } from "../ir/expr.ts";
import type { Registers } from "./flow.ts";
import { uses } from "./flow.ts";
import type { Scope } from "./fold.ts";
import { fold, foldPattern } from "./fold.ts";
import type { Instr } from "./program.ts";
import { idle } from "./tidy.ts";

const NOTHING: ReadonlyMap<string, Node> = new Map();

/** Replaces, in place, registers that are assigned once, a constant, by that constant. */
export function propagate(code: Instr[], registers: Registers, scope: Scope): void {
  decideBranches(code, registers);
  let candidates = singleSets(code, registers);
  while (candidates.length > 0) {
    const known = new Map<number, Node>();
    const rest: number[] = [];
    for (const reg of candidates) {
      const value = constantAt(code, registers, reg);
      if (value && !matters(registers, reg)) known.set(reg, value);
      else if (value) rest.push(reg);
    }
    if (known.size === 0) return;
    candidates = [...rest, ...substitute(code, registers, known, scope)];
  }
}

/** Registers that one instruction gives a value, and no other changes. */
function singleSets(code: readonly Instr[], registers: Registers): number[] {
  const changed = new Set<number>();
  for (const i of code) if (i.op === "grow" || i.op === "next") changed.add(i.reg);
  return [...registers.sets].flatMap(([reg, at]) =>
    at.length === 1 && !changed.has(reg) ? [reg] : [],
  );
}

/** The constant that a register is set to where it is set, if it is read at all. */
function constantAt(code: readonly Instr[], registers: Registers, reg: number): Node | undefined {
  const i = code[registers.sets.get(reg)![0]!]!;
  if (i.op !== "let" || i.value.k !== "const") return undefined;
  return registers.reads.get(reg)?.length ? i.value : undefined;
}

/** Whether its value at the start matters: it may be read before it is set, and is 0 there. */
function matters(registers: Registers, reg: number): boolean {
  registers.live(reg);
  return registers.reached(0);
}

/** Puts the known registers in; yields those that are constants now. */
function substitute(
  code: Instr[],
  registers: Registers,
  known: ReadonlyMap<number, Node>,
  outer: Scope,
): number[] {
  const scope: Scope = { ...outer, register: (reg) => known.get(reg) };
  const node = (n: Node): Node => fold(n, NOTHING, scope);
  const pattern = (p: KeyPattern): KeyPattern => foldPattern(p, NOTHING, scope);
  const readers = new Set([...known.keys()].flatMap((reg) => registers.reads.get(reg)!));
  const settled: number[] = [];
  let turned = false;
  for (const at of readers) {
    const old = code[at]!;
    const now = rewritten(old, at, node, pattern);
    code[at] = now;
    const left = uses(now);
    for (const reg of new Set(uses(old))) {
      if (!left.includes(reg)) registers.unread(reg, at);
    }
    if (now.op !== old.op) turned = true;
    if (now.op === "let" && now.value.k === "const") settled.push(now.reg);
  }
  if (turned) registers.rerouted();
  return settled.filter((reg) => registers.sets.get(reg)!.length === 1);
}

/** Branches on what is constant by now. */
function decideBranches(code: Instr[], registers: Registers): void {
  for (let at = 0; at < code.length; at++) {
    const i = code[at]!;
    if (i.op !== "branch" || i.cond.k !== "const") continue;
    code[at] = decided(i, at, i.cond.value);
    registers.rerouted();
  }
}

/** The jump that a branch on a constant is. */
const decided = (i: Instr & { op: "branch" }, at: number, value: number): Instr => ({
  ...idle(i, at),
  op: "jump",
  to: value ? at + 1 : i.to,
});

/** The instruction with its expressions mapped; a decided branch becomes a jump. */
function rewritten(
  i: Instr,
  at: number,
  node: (n: Node) => Node,
  pattern: (p: KeyPattern) => KeyPattern,
): Instr {
  switch (i.op) {
    case "let":
    case "yield":
      return { ...i, value: node(i.value) };
    case "store":
    case "xchg":
      return { ...i, index: i.index.map(node), value: node(i.value) };
    case "cas": {
      const { expect, value } = i;
      return { ...i, index: i.index.map(node), expect: node(expect), value: node(value) };
    }
    case "branch": {
      const cond = node(i.cond);
      if (cond.k !== "const") return { ...i, cond };
      return decided(i, at, cond.value);
    }
    case "each":
      return { ...i, over: node(i.over) };
    case "next":
      return { ...i, stride: node(i.stride) };
    case "await":
      return { ...i, cond: node(i.cond) };
    case "retry":
      return { ...i, permitted: node(i.permitted) };
    case "choose":
      return i.where ? { ...i, where: node(i.where) } : i;
    case "lookup":
    case "yieldHeld":
      return { ...i, index: i.index.map(node) };
    case "insert":
      return { ...i, index: i.index.map(node), value: node(i.value) };
    case "clear": {
      const index = i.index.map(pattern);
      return i.where
        ? { ...i, index, where: { ...i.where, cond: node(i.where.cond) } }
        : { ...i, index };
    }
    case "post":
      return {
        ...i,
        index: i.index.map(node),
        entry: i.entry.map(([f, e]) => [f, node(e)] as const),
      };
    case "emit":
      return { ...i, args: i.args.map(([f, e]) => [f, node(e)] as const) };
    case "grow":
      return { ...i, by: node(i.by) };
    default:
      return i;
  }
}
