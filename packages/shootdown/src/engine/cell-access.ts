// SPDX-License-Identifier: Apache-2.0
// Instructions that touch cells, as closures of the packed executor.

import type { Node } from "../ir/expr.ts";
import type { CellDecl } from "../ir/machine.ts";
import type { Instance, PackedCells } from "./cells.ts";
import type { PackedMachine } from "./packed.ts";
import type { ExprCompiler } from "./packed-expr.ts";
import type { Instr } from "./program.ts";
import type { Step } from "./run.ts";

type Access = Instr & { op: "lookup" | "insert" | "clear" | "yieldHeld" };

/** Compiles one access; `next` is the index of the instruction that follows. */
export function cellAccess(
  machine: PackedMachine,
  exprs: ExprCompiler,
  i: Access,
  next: number,
): Step {
  const { cells } = machine;
  if (i.op === "clear") return clear(machine, exprs, i, next);
  const instance = instanceAt(cells, i.cell, i.index, exprs);
  switch (i.op) {
    case "lookup":
      return lookup(machine, i, instance, next);
    case "insert": {
      const value = exprs.compile(i.value);
      return () => {
        const c = instance();
        if (c) cells.put(c, value());
        return next;
      };
    }
    case "yieldHeld":
      return () => {
        const c = instance();
        if (c) cells.lend(c);
        return next;
      };
  }
}

function instanceAt(
  cells: PackedCells,
  decl: CellDecl,
  index: readonly Node[],
  exprs: ExprCompiler,
): () => Instance | undefined {
  if (index.every((i) => i.k === "const")) {
    const key = index.map((i) => (i as { value: number }).value);
    const c = cells.find(decl, key);
    return () => c;
  }
  const keys = index.map((i, d) => exprs.key(i, decl, d));
  const own = cells.instancesOf(decl);
  const wanted = keys.map(() => 0);
  const named = (c: Instance): boolean => {
    for (let i = 0; i < wanted.length; i++) if (c.key[i] !== wanted[i]) return false;
    return true;
  };
  return () => {
    for (let i = 0; i < keys.length; i++) wanted[i] = keys[i]!();
    for (let n = 0; n < own.length; n++) if (named(own[n]!)) return own[n];
    return undefined;
  };
}

/** Any entry that the cell holds or, for a walk, that its fill yields now. */
function lookup(
  machine: PackedMachine,
  i: Instr & { op: "lookup" },
  instance: () => Instance | undefined,
  next: number,
): Step {
  const { registers, cells } = machine;
  const { reg, walks } = i;
  return () => {
    const c = instance();
    if (!c) return -1;
    const held = cells.held(c);
    const fresh = walks && c.fill && !machine.hitsOnly ? cells.fillMask(c) : 0;
    const found = held | fresh;
    if (found === 0) return -1;
    const at = cells.decideBit(c, found);
    if (at < 0) return -1;
    const value = cells.value(c, at);
    registers[reg] = value;
    const isHeld = ((held >>> at) & 1) === 1 && ((fresh >>> at) & 1) === 0;
    machine.picks.push({ instance: cells.number(c), value, held: isHeld });
    return next;
  };
}

function clear(
  machine: PackedMachine,
  exprs: ExprCompiler,
  i: Instr & { op: "clear" },
  next: number,
): Step {
  const { registers, cells } = machine;
  const own = cells.instancesOf(i.cell).map((c) => ({ c, match: exprs.matcher(i.index, c.key) }));
  const cond = i.where && exprs.compile(i.where.cond);
  const reg = i.where?.reg ?? 0;
  const removed = (c: Instance, mask: number): number => {
    if (!cond) return mask;
    let gone = 0;
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const one = rest & -rest;
      registers[reg] = cells.value(c, 31 - Math.clz32(one));
      if (cond()) gone |= one;
    }
    return gone;
  };
  return () => {
    for (const { c, match } of own) {
      const held = cells.held(c);
      if (held !== 0 && match()) cells.remove(c, removed(c, held));
    }
    return next;
  };
}
