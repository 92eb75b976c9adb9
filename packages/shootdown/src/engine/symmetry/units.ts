// SPDX-License-Identifier: Apache-2.0
// A program as a set of shapes: one for each thread, rule, pending set, cell and thing it begins as.

import type { Node } from "../../ir/expr.ts";
import type { AnySort } from "../../ir/sort.ts";
import type { Layout } from "../layout.ts";
import type { Program } from "../program.ts";
import { blockShape } from "./block.ts";
import type { Shape, Shaper } from "./shape.ts";
import { list, text, touches } from "./shape.ts";

/** A program as a set of shapes: it means the same whatever their order. */
export function unitsOf(program: Program, layout: Layout, shaper: Shaper): Shape[] {
  const { points } = shaper;
  const units: Shape[] = [];
  const keyed = (sorts: readonly AnySort[], key: readonly number[]) =>
    key.map((v, i) => shaper.value(v, sorts[i]!));
  for (const [n, thread] of program.threads.entries()) {
    const kept = keptRegisters(layout, n);
    const self: Shape = { k: "point", point: points.firstThread + n };
    units.push(list("thread", self, blockShape(shaper, thread, kept, true)));
    for (const reg of layout.threads[n]!.live[0]!) {
      const value = shaper.value(0, thread.registers.get(reg.reg)!);
      units.push(list("begins", self, text(`k${kept.indexOf(reg.reg)}`), value));
    }
  }
  for (const r of program.rules) units.push(list("rule", blockShape(shaper, r, [], false)));
  for (const p of program.pending) {
    const own = blockShape(shaper, p, p.entry, false);
    const ready = p.ready ? readyShape(shaper, p.ready, p.entry) : text("");
    const key = list("key", ...keyed(Object.values(p.decl.keys), p.key));
    units.push(list(`pending ${p.decl.name} x${p.capacity}`, key, ready, own));
  }
  for (const g of program.cells) {
    const { name, evicts, ways, keys } = g.decl;
    for (const c of g.instances) {
      const fill = c.fill ? blockShape(shaper, c.fill, [], false) : text("none");
      const key = list("key", ...keyed(Object.values(keys), c.key));
      units.push(list(`cell ${name} ${evicts} ${ways}`, key, fill));
    }
    if (g.admits) {
      units.push(list(`admits ${name}`, readyShape(shaper, g.admits.cond, [g.admits.reg])));
    }
  }
  const given = new Map(program.initial.map((i) => [`${i.field.name}[${i.index.join()}]`, i.value]));
  for (const f of program.fields) {
    if (![...f.index, f.value].some((s) => touches(points, s))) continue;
    for (const index of elementsOf(layout.fields.get(f.name)!.sizes)) {
      const value = given.get(`${f.name}[${index.join()}]`) ?? f.initial;
      units.push(list(`init ${f.name}`, ...keyed(f.index, index), shaper.value(value, f.value)));
    }
  }
  for (const e of program.entries) {
    const key = keyed(Object.values(e.cell.keys), e.index);
    units.push(list(`entry ${e.cell.name}`, ...key, shaper.value(e.value, e.cell.value)));
  }
  const names = new Map<string, string>();
  return units.map((u) => reduced(u, names));
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

/** The same shape with parts that have no points as text: short names, one for each such part. */
function reduced(shape: Shape, names: Map<string, string>): Shape {
  if (shape.k !== "node") return shape;
  const kids = shape.kids.map((s) => reduced(s, names));
  if (!kids.every((s) => s.k === "text")) return { ...shape, kids };
  const texts = kids.map((s) => (s as { text: string }).text);
  const whole = [shape.bag, shape.tag, ...(shape.bag ? texts.sort() : texts)].join("\n");
  let name = names.get(whole);
  if (name === undefined) names.set(whole, (name = `#${names.size}`));
  return text(name);
}
