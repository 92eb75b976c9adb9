// SPDX-License-Identifier: Apache-2.0

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bool, enumeration, ordered, symbol, word } from "../ir/sort.ts";
import { wordLayout } from "./word.ts";

const frame = symbol("frame");
const table = symbol("table");
const kind = enumeration("kind", ["none", "leaf", "branch"]);
const entry = word("entry", [
  { name: "valid", sort: bool },
  { name: "kind", sort: kind },
  { name: "frame", sort: frame },
  { name: "table", sort: table, overlay: "frame" },
  { name: "used", sort: bool },
]);
const domain = (frames: number, tables: number) => ({
  sizes: { frame: frames, table: tables },
  names: {},
  limits: {},
});

test("fields lie one after the other, overlaid ones on their host", () => {
  const layout = wordLayout(entry, domain(3, 9));
  expect(layout.width).toBe(1 + 2 + 4 + 1);
  expect(layout.fields.map(({ name, offset, width }) => [name, offset, width])).toEqual([
    ["valid", 0, 1],
    ["kind", 1, 2],
    ["frame", 3, 4],
    ["table", 3, 4],
    ["used", 7, 1],
  ]);
  expect(layout.get(layout.put(0, "frame", 2), "table")).toBe(2);
});

test("a sort of one value takes no bits", () => {
  const layout = wordLayout(entry, domain(1, 1));
  expect(layout.width).toBe(4);
  expect(layout.get(0b1111, "frame")).toBe(0);
});

test("what is put in comes out, and nothing else changes", () => {
  const wide = word("wide", [
    { name: "low", sort: ordered("low") },
    { name: "mid", sort: bool },
    { name: "high", sort: ordered("high") },
  ]);
  const layout = wordLayout(wide, {
    sizes: { low: 2 ** 30, high: 2 ** 22 },
    names: {},
    limits: {},
  });
  expect(layout.width).toBe(53);
  const field = (max: number) => fc.integer({ min: 0, max: max - 1 });
  fc.assert(
    fc.property(field(2 ** 30), field(2), field(2 ** 22), (low, mid, high) => {
      const value = layout.put(layout.put(layout.put(0, "high", high), "low", low), "mid", mid);
      expect(value).toBe(low + mid * 2 ** 30 + high * 2 ** 31);
      expect(["low", "mid", "high"].map((f) => layout.get(value, f))).toEqual([low, mid, high]);
      expect(layout.put(value, "low", 0)).toBe(value - low);
    }),
    { seed: 1 },
  );
});

test("the layout of a domain is made once", () => {
  const d = domain(2, 2);
  expect(wordLayout(entry, d)).toBe(wordLayout(entry, d));
  expect(wordLayout(entry, domain(2, 2))).not.toBe(wordLayout(entry, d));
});

test("mistakes are named", () => {
  expect(() => wordLayout(bool, domain(2, 2))).toThrow("bool is not a word");
  expect(() => wordLayout(entry, domain(2 ** 60, 2))).toThrow("64 bits wide; 53 are the most");
  expect(() => wordLayout(entry, domain(2, 2)).field("colour")).toThrow(
    "entry has no field colour",
  );
});
