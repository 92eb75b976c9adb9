// SPDX-License-Identifier: Apache-2.0
// Which loops may run many elements at once: decided once for each loop, from its code alone.
//
//   top:  each r in over, else exit
//         body                          registers are set before they are read, or only add up
//   end:  next r += stride, to top      nothing leaves the loop from within
//
// Fields are not looked at here: whether the elements that the repetitions touch are different ones
// is known when it runs (open-bulk.ts).

import type { Node } from "../ir/expr.ts";
import { defines, operands, successors, uses, visitNode } from "./flow.ts";
import type { Instr } from "./program.ts";

/** How a register that all repetitions add to changes: by widening, or by adding or subtracting. */
export type Sum = { readonly kind: "grow" } | { readonly kind: "add"; readonly sign: 1 | -1 };

/** A loop whose repetitions do not depend on one another through registers. */
export interface SafeLoop {
  readonly top: number;
  readonly end: number;
  readonly reg: number;
  /** For each instruction that adds to a register that outlives a repetition: what it does. */
  readonly sums: ReadonlyMap<number, Sum>;
}

const SIMPLE = new Set<Instr["op"]>([
  "let",
  "store",
  "xchg",
  "cas",
  "branch",
  "jump",
  "each",
  "next",
  "emit",
  "insert",
  "clear",
  "violate",
  "grow",
]);

/** The safe loops of a piece of code, by the index of their `each`. */
export function findLoops(code: readonly Instr[]): ReadonlyMap<number, SafeLoop> {
  const found = new Map<number, SafeLoop>();
  for (const [end, i] of code.entries()) {
    if (i.op !== "next") continue;
    const top = code[i.to]!;
    if (top.op !== "each" || top.reg !== i.reg) continue;
    const loop = safe(code, i.to, end);
    if (loop) found.set(i.to, loop);
  }
  return found;
}

function safe(code: readonly Instr[], top: number, end: number): SafeLoop | undefined {
  const each = code[top] as Instr & { op: "each" };
  const next = code[end] as Instr & { op: "next" };
  const body = code.slice(top + 1, end);
  for (const [n, i] of body.entries()) {
    const at = top + 1 + n;
    if (i.op !== "await" && (!SIMPLE.has(i.op) || asksPending(i))) return undefined;
    if (i.op === "clear" && (i.where || inserts(body, i.cell.name))) return undefined;
    if (successors(i, at).some((to) => to <= top || to > end)) return undefined;
  }
  const written = new Set(body.flatMap(changed));
  const fixed = [each.reg, ...uses(each), ...uses(next)];
  if (fixed.some((r) => written.has(r))) return undefined;
  const waits = body.filter((i) => i.op === "await").map((i) => i.cond);
  if (!waits.every((cond) => staysTrue(cond, written, each.reg))) return undefined;
  const sums = new Map<number, Sum>();
  for (const reg of exposed(code, top, end)) {
    if (!written.has(reg)) continue;
    for (const [n, i] of body.entries()) {
      const touches = changed(i).includes(reg) || uses(i).includes(reg);
      if (!touches) continue;
      const sum = sumOf(i, reg);
      if (!sum) return undefined;
      sums.set(top + 1 + n, sum);
    }
  }
  return { top, end, reg: each.reg, sums };
}

/** Whether something is put into a cell: what one repetition clears, another may have put in. */
const inserts = (body: readonly Instr[], cell: string): boolean =>
  body.some((i) => i.op === "insert" && i.cell.name === cell);

/** Whether a condition is the same in each repetition: of sets that nothing in it adds to. */
function staysTrue(cond: Node, written: ReadonlySet<number>, counter: number): boolean {
  let still = true;
  visitNode(cond, (n) => {
    if (n.k === "reg" && (n.reg === counter || written.has(n.reg))) still = false;
    if (n.k !== "reg" && n.k !== "const" && n.k !== "op" && n.k !== "outstanding") still = false;
  });
  return still;
}

/** The registers that an instruction changes. */
function changed(i: Instr): number[] {
  if (i.op === "next" || i.op === "grow") return [i.reg];
  const reg = defines(i);
  return reg < 0 ? [] : [reg];
}

/** Whether it asks what is outstanding. */
export function asksPending(i: Instr): boolean {
  let found = false;
  for (const node of operands(i)) {
    visitNode(node, (n) => {
      if (n.k === "outstanding") found = true;
    });
  }
  return found;
}

/** Registers that a repetition may read before it sets them. */
function exposed(code: readonly Instr[], top: number, end: number): ReadonlySet<number> {
  const live = new Map<number, Set<number>>();
  for (let at = top + 1; at <= end; at++) live.set(at, new Set(uses(code[at]!)));
  for (let again = true; again; ) {
    again = false;
    for (let at = end - 1; at > top; at--) {
      const i = code[at]!;
      const set = live.get(at)!;
      const before = set.size;
      for (const to of successors(i, at)) {
        for (const r of live.get(to)!) if (r !== defines(i)) set.add(r);
      }
      if (set.size !== before) again = true;
    }
  }
  return live.get(top + 1)!;
}

/** What an instruction adds to a register, if that is all that it does with it. */
function sumOf(i: Instr, reg: number): Sum | undefined {
  const mentions = (node: Node): boolean => {
    let found = false;
    visitNode(node, (n) => {
      if (n.k === "reg" && n.reg === reg) found = true;
    });
    return found;
  };
  if (i.op === "grow") return i.reg === reg && !mentions(i.by) ? { kind: "grow" } : undefined;
  const term = i.op === "let" && i.reg === reg ? added(i.value, reg) : undefined;
  if (!term || mentions(term.node)) return undefined;
  return { kind: "add", sign: term.sign };
}

/** The other operand of `reg + x`, `x + reg` or `reg - x`. */
export function added(
  value: Node,
  reg: number,
): { readonly node: Node; readonly sign: 1 | -1 } | undefined {
  if (value.k !== "op" || (value.op !== "add" && value.op !== "sub")) return undefined;
  const [a, b] = value.args as [Node, Node];
  if (a.k === "reg" && a.reg === reg) return { node: b, sign: value.op === "add" ? 1 : -1 };
  if (value.op === "add" && b.k === "reg" && b.reg === reg) return { node: a, sign: 1 };
  return undefined;
}
