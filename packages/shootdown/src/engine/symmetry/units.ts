// SPDX-License-Identifier: Apache-2.0
// A program as a set of shapes: one for each thread, rule, pending set, cell, and first value.

import type { Node } from "../../ir/expr.ts";
import type { AnySort } from "../../ir/sort.ts";
import type { Layout } from "../layout.ts";
import type { Program } from "../program.ts";
import { blockShape } from "./block.ts";
import type { Shape, Shaper } from "./shape.ts";
import { touches } from "./shape.ts";

/** A program as a set of shapes: it means the same whatever their order. */
export function unitsOf(program: Program, layout: Layout, shaper: Shaper): Shape[] {
  const { points, forest } = shaper;
  const units: Shape[] = [];
  const keyed = (sorts: readonly AnySort[], key: readonly number[]) =>
    key.map((v, i) => shaper.value(v, sorts[i]!));
  for (const [n, thread] of program.threads.entries()) {
    const kept = keptRegisters(layout, n);
    const self = forest.point(points.firstThread + n);
    units.push(forest.list("thread", self, blockShape(shaper, thread, kept, true)));
    for (const reg of layout.threads[n]!.live[0]!) {
      const value = shaper.value(0, thread.registers.get(reg.reg)!);
      units.push(forest.list("begins", self, forest.text(`k${kept.indexOf(reg.reg)}`), value));
    }
  }
  for (const r of program.rules) units.push(forest.list("rule", blockShape(shaper, r, [], false)));
  for (const p of program.pending) {
    const own = blockShape(shaper, p, p.entry, false);
    const ready = p.ready ? readyShape(shaper, p.ready, p.entry) : forest.text("");
    const key = forest.list("key", ...keyed(Object.values(p.decl.keys), p.key));
    units.push(forest.list(`pending ${p.decl.name} x${p.capacity}`, key, ready, own));
  }
  for (const g of program.cells) {
    const { name, evicts, ways, keys } = g.decl;
    for (const c of g.instances) {
      const fill = c.fill ? blockShape(shaper, c.fill, [], false) : forest.text("none");
      const key = forest.list("key", ...keyed(Object.values(keys), c.key));
      units.push(forest.list(`cell ${name} ${evicts} ${ways}`, key, fill));
    }
    if (g.admits) {
      units.push(forest.list(`admits ${name}`, readyShape(shaper, g.admits.cond, [g.admits.reg])));
    }
  }
  const given = new Map(
    program.initial.map((i) => [`${i.field.name}[${i.index.join()}]`, i.value]),
  );
  for (const f of program.fields) {
    if (![...f.index, f.value].some((s) => touches(points, s))) continue;
    for (const index of elementsOf(layout.fields.get(f.name)!.sizes)) {
      const value = given.get(`${f.name}[${index.join()}]`) ?? f.initial;
      units.push(
        forest.list(`init ${f.name}`, ...keyed(f.index, index), shaper.value(value, f.value)),
      );
    }
  }
  for (const e of program.entries) {
    const key = keyed(Object.values(e.cell.keys), e.index);
    units.push(forest.list(`entry ${e.cell.name}`, ...key, shaper.value(e.value, e.cell.value)));
  }
  return units;
}

/** Registers that the state keeps for a thread, in an order that equal threads share. */
export function keptRegisters(layout: Layout, thread: number): readonly number[] {
  return [...new Set(layout.threads[thread]!.live.flatMap((at) => at.map((l) => l.reg)))];
}

function readyShape(shaper: Shaper, cond: Node, own: readonly number[]): Shape {
  const outer = shaper.registers;
  shaper.registers = (reg) => `k${own.indexOf(reg)}`;
  const shape = shaper.expr(cond);
  shaper.registers = outer;
  return shape;
}

/** The indices of all elements of an array, row-major. */
export function elementsOf(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (done, size) => done.flatMap((d) => Array.from({ length: size }, (_, i) => [...d, i])),
    [[]],
  );
}
