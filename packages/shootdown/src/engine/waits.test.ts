// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { search } from "../explore/search.ts";
import { constant, eq, field, local } from "../ir/expr.ts";
import { cell } from "../ir/machine.ts";
import { symbol } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { lower } from "./lower.ts";
import { PackedMachine } from "./packed.ts";
import { waitsForEntries } from "./waits.ts";

const value = symbol("value");
const source = { file: "waits.test.ts" };
const memory = field("memory", [], value);
const x = local("x", value);
const one = constant(value, 1);
const made = (name: string, evicts: boolean) => cell(name, { keys: {}, value, evicts, source });
const loose = made("loose", true);
const kept = made("kept", false);

const program = (...body: Stmt[]) =>
  lower({
    machine: { cells: [loose.decl, kept.decl], pending: [], rules: [], definitions: [] },
    kernel: { name: "toy", version: "0", routines: new Map() },
    domain: { sizes: { value: 3 }, names: {}, limits: {} },
    knobs: {},
    threads: [{ name: "T", locals: { x: value }, body }],
    observers: [],
    initial: [],
    entries: [],
  });

const put = s.insert(loose({}), one);
const take = s.pick(x, loose({}));
const use = s.set(memory(), x);
const open = s.await_(eq(memory(), one));

test.each<[string, boolean, Stmt[]]>([
  ["nothing else can be done", true, [put, take, use]],
  ["there is a way without it", false, [put, s.atomic(s.either([], [take]), use)]],
  ["that way may be closed", true, [put, s.atomic(s.either([open], [take]), use)]],
  ["it is closed behind the choice", true, [put, s.atomic(s.either([], [take]), open, use)]],
  [
    "the way goes round both",
    false,
    [put, s.atomic(s.either([], [take]), s.either([], [take]), use)],
  ],
  ["only in some states", true, [put, s.atomic(s.when(eq(memory(), one), take), use)]],
  ["the entry stays", false, [s.insert(kept({}), one), s.pick(x, kept({})), use]],
])("a step that takes what may go: %s", (_, waits, body) => {
  expect(waitsForEntries(program(...body, s.await_(eq(memory(), one))))).toBe(waits);
});

test("windows lose the run that ends there", () => {
  const p = program(put, take, use, s.await_(eq(memory(), one)));
  const stops = { final: (m: PackedMachine) => !m.halted(0) };
  const found = (semantics: "window" | "concrete") =>
    search(new PackedMachine(p, { semantics }), stops, { states_max: 100, bytes_max: 2 ** 20 });
  expect(found("concrete").observed).toBe("sometimes");
  expect(found("window").observed).toBe("never");
});
