// SPDX-License-Identifier: Apache-2.0
// Lowerings that share pieces of code yield what each would yield by itself.

import { expect, test } from "vitest";
import { constant, eq, field, knobIs, num, place, varies } from "../ir/expr.ts";
import { kernelAt } from "../ir/kernel.ts";
import { cell, declare, define, event, pending } from "../ir/machine.ts";
import { int, symbol } from "../ir/sort.ts";
import * as s from "../ir/stmt.ts";
import { lower } from "./lower.ts";
import type { System } from "./program.ts";
import { Shared } from "./shared.ts";
import { programText } from "./text.ts";

const core = symbol("core");
const source = { file: "toy" };
const memory = field("memory", [], int);
const other = field("other", [], int);
const x = place<"int">({ k: "local", name: "x", sort: int });
const seen = event("seen", { n: int });
const work = declare("work", {});
const calm = define(work, { source, body: () => [s.set(memory(), num(1))] });
const alike = define(work, { source, body: () => [s.set(memory(), num(3))] });
const busy = define(work, {
  source,
  body: () => [s.set(memory(), num(2)), s.set(other(), num(1))],
});

const cache = cell("cache", {
  keys: { core },
  value: int,
  fill: () => [s.yields(memory()), s.since("2.0", [s.yields(other())])],
  source,
});
const flush = pending("flush", {
  keys: {},
  entry: {},
  capacity: "N",
  effect: () => [s.when(knobIs("lazy", "no"), s.clear(cache({ core: constant(core, 0) })))],
  source,
});
const body = [
  s.call(work, {}),
  s.post(flush({}), {}),
  s.lookup(x, cache({ core: constant(core, 0) })),
  s.emit(seen, { n: x }),
  s.when(varies(other), s.await_(eq(other(), num(1)))),
];

const threads = [{ name: "T", locals: { x: int }, body }];
const machine = { cells: [cache.decl], pending: [flush.decl], rules: [], definitions: [] };
const domain = { sizes: { core: 2, int: 4 }, names: {}, limits: { N: 1 } };
const nothing: System["initial"] = [];
const begins = [{ field: other.decl, index: [], value: 2 }];
const kernel = (version: string, definition = calm) => kernelAt("toy", version, [definition]);
const base: System = {
  ...{ machine, threads, domain, observers: [], initial: nothing, entries: [] },
  kernel: kernel("1.0"),
  knobs: { lazy: "no", unasked: "no" },
};

const watching = {
  name: "watching",
  describes: "that it happens",
  on: [{ event: seen, locals: {}, body: () => [s.violate("watching")] }],
};

const SYSTEMS: readonly System[] = [
  base,
  { ...base, knobs: { ...base.knobs, lazy: "yes" } },
  { ...base, kernel: kernel("2.0") },
  { ...base, kernel: kernel("1.0", alike) },
  { ...base, kernel: kernel("1.0", busy) },
  { ...base, initial: [{ field: memory.decl, index: [], value: 2 }] },
  { ...base, initial: begins },
  { ...base, initial: begins, kernel: kernel("2.0", busy) },
  { ...base, entries: [{ cell: cache.decl, index: [0], value: 3 }] },
  { ...base, observers: [watching] },
  { ...base, initial: begins, others: [nothing] },
];

/** The text with registers called by appearance. */
function text(system: System, shared?: Shared): string {
  const names = new Map<string, string>();
  return programText(lower(system, shared ? { shared } : {})).replace(/\br\d+\b/g, (r) => {
    if (!names.has(r)) names.set(r, `r${names.size}`);
    return names.get(r)!;
  });
}

test("no lowering is another because of those before it", () => {
  const hashes = SYSTEMS.map((system) => lower(system).hash);
  expect(new Set(hashes).size).toBe(SYSTEMS.length);
  for (const order of [SYSTEMS, [...SYSTEMS].reverse()]) {
    const shared = new Shared();
    for (const system of [...order, ...order]) {
      expect(text(system, shared)).toBe(text(system));
      expect(lower(system, { shared })).toMatchObject({
        hash: hashes[SYSTEMS.indexOf(system)],
        knobs: lower(system).knobs,
        initial: lower(system).initial,
      });
    }
  }
});

test("a knob that is not asked for does not make another program", () => {
  const shared = new Shared();
  const program = lower(base, { shared });
  expect(program.knobs).toEqual(["lazy"]);
  expect(lower({ ...base, knobs: { lazy: "no", unasked: "yes" } }, { shared })).toBe(program);
  expect(lower({ ...base, kernel: kernel("1.5") }, { shared })).not.toBe(program);
});

test("what has not changed is the same code, whatever else has", () => {
  const shared = new Shared();
  const one = lower(base, { shared }).cells[0]!.instances[0]!.fill!.instrs;
  const two = lower({ ...base, entries: SYSTEMS.at(-1)!.entries }, { shared });
  expect(two.cells[0]!.instances[0]!.fill!.instrs).toBe(one);
});
