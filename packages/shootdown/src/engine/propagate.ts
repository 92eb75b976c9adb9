// SPDX-License-Identifier: Apache-2.0
// Constants that a register has wherever it is read: substituted, and the branches on them decided.

import type { KeyPattern, Node } from "../ir/expr.ts";
import { defines, liveness, uses } from "./flow.ts";
import type { Scope } from "./fold.ts";
import { fold } from "./fold.ts";
import type { Instr } from "./program.ts";

const NOTHING: ReadonlyMap<string, Node> = new Map();

/** Replaces registers that are assigned once, a constant, by that constant. */
export function propagate(code: readonly Instr[], scope: Scope): readonly Instr[] {
  const known = singleConstants(code);
  if (known.size === 0) return code;
  const node = (n: Node): Node => substitute(n, known, scope);
  const pattern = (p: KeyPattern): KeyPattern =>
    p.k === "any" ? p : p.k === "in" ? { k: "in", range: node(p.range) } : node(p);
  return propagate(
    code.map((i, at) => rewritten(i, at, node, pattern)),
    scope,
  );
}

function singleConstants(code: readonly Instr[]): ReadonlyMap<number, Node> {
  const times = new Map<number, number>();
  for (const i of code) {
    const reg = i.op === "grow" || i.op === "next" ? i.reg : defines(i);
    if (reg >= 0) times.set(reg, (times.get(reg) ?? 0) + 1);
  }
  const known = new Map<number, Node>();
  for (const i of code) {
    if (i.op === "let" && i.value.k === "const" && times.get(i.reg) === 1) {
      known.set(i.reg, i.value);
    }
  }
  if (known.size === 0) return known;
  const read = new Set(code.flatMap(uses));
  const live = liveness(code);
  for (const reg of known.keys()) {
    // Live at the start: somewhere it is read before it is set, and is 0 there.
    if (!read.has(reg) || live.has(0, reg)) known.delete(reg);
  }
  return known;
}

function substitute(n: Node, known: ReadonlyMap<number, Node>, scope: Scope): Node {
  const go = (x: Node): Node => {
    switch (x.k) {
      case "reg":
        return known.get(x.reg) ?? x;
      case "read":
        return { ...x, index: x.index.map(go) };
      case "op":
        return { ...x, args: x.args.map(go) };
      case "get":
        return { ...x, arg: go(x.arg) };
      case "with":
        return { ...x, arg: go(x.arg), set: x.set.map(([f, e]) => [f, go(e)] as const) };
      case "outstanding":
        return {
          ...x,
          index: x.index.map((p) =>
            p.k === "any" ? p : p.k === "in" ? { k: "in", range: go(p.range) } : go(p),
          ),
          where: x.where.map(([f, e]) => [f, go(e)] as const),
        };
      default:
        return x;
    }
  };
  return fold(go(n), NOTHING, scope);
}

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
      const { origin, joined } = i;
      const first = i.first ? { first: true } : {};
      return { op: "jump", to: cond.value ? at + 1 : i.to, origin, joined, ...first };
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
