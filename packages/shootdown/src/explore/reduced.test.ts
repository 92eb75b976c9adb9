// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { cellModel } from "../../../../bench/models/shootdown-cells.ts";
import { aloneIn } from "../engine/commute.ts";
import { lower } from "../engine/lower.ts";
import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { System } from "../engine/program.ts";
import { reduced } from "./reduced.ts";
import type { AloneTable, Outcome, Question } from "./search.ts";
import { search } from "./search.ts";

const LIMITS = { states_max: 1e6, bytes_max: 2 ** 30 };
const violated: Question = { latched: (m) => m.violated(0) };

function both(system: System, semantics: Semantics, question = violated, limits = LIMITS) {
  const program = lower(system);
  const make = () => new PackedMachine(program, { semantics });
  return {
    all: search(make(), question, limits),
    some: reduced(
      question,
      () => aloneIn(program, semantics).alone,
      (alone) => search(make(), question, limits, undefined, alone),
    ),
  };
}

test.each([
  [{ cpus: 2, upgrade: true }, 1_318],
  [{ cpus: 3, upgrade: false }, 5_988],
])("windows of %o: fewer states, the same answer", (options, states) => {
  const { all, some } = both(cellModel(options), "window");
  expect(some).toMatchObject({ observed: "never", exhaustive: true, states, depth: all.depth });
});

test.each([1, 2] as const)("bug %i: the witness is that of the search of everything", (bug) => {
  const { all, some } = both(cellModel({ cpus: 2, upgrade: true, bug }), "window");
  expect(some).toEqual(all);
  expect(some.path).toHaveLength(some.depth);
});

const never: Outcome = {
  observed: "never",
  exhaustive: true,
  states: 1,
  transitions: 0,
  depth: 0,
};

test("a thread that could be stuck is looked for among all runs", () => {
  const tables: (AloneTable | undefined)[] = [];
  const run = (table: AloneTable | undefined) => {
    tables.push(table);
    return never;
  };
  reduced({ stuck: 0 }, () => [[true]], run);
  reduced({}, () => [[false]], run);
  reduced({}, () => [[true]], run);
  expect(tables).toEqual([undefined, undefined, [[true]]]);
});

test("what was found stays found if the search of everything meets a limit", () => {
  const run = (table: AloneTable | undefined): Outcome =>
    table
      ? { ...never, observed: "sometimes", path: [] }
      : { ...never, observed: "inconclusive", exhaustive: false, limit: "--max-states 1" };
  expect(reduced({}, () => [[true]], run)).toMatchObject({
    observed: "sometimes",
    exhaustive: false,
    path: [],
  });
});
