// SPDX-License-Identifier: Apache-2.0
// Defaults of the initial state.

import { expect, test } from "vitest";
import { parseScenario } from "./parse.ts";
import { type InitialPlace, placesOf } from "./places.ts";

/** The places of a scenario with these declarations. */
function places(items: string): InitialPlace[] {
  const head = "MM a (* It is about defaults. *)";
  const result = parseScenario(`${head} { mm A, B; page P, Q; page Z zero; ${items} }
    CPU0(A) { } exists (a)`);
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join());
  return placesOf(result.scenario);
}

/** One place in a line: the vma, then the entry. */
function words(place: InitialPlace): string {
  const { vma, pte, ownTable } = place;
  const flags = pte && [
    pte.page,
    pte.writable ? "writable" : "read-only",
    pte.dirty ? "dirty" : "clean",
    pte.young ? "young" : "old",
    pte.exclusive ? "exclusive" : "shared",
  ];
  const allowed = [vma.writable ? "writable" : "read-only", vma.backing, vma.sharing];
  const table = ownTable === undefined ? "" : ` table ${ownTable}`;
  return `${place.mm}:${place.va} ${allowed.join(" ")} | ${flags?.join(" ") ?? "none"}${table}`;
}

test.each([
  ["map A:x -> P;", "A:x writable anonymous private | P writable dirty young exclusive"],
  [
    "map A:x -> P read-only old;",
    "A:x read-only anonymous private | P read-only clean old exclusive",
  ],
  [
    "map A:x -> P read-only; vma A:x writable;",
    "A:x writable anonymous private | P read-only clean young exclusive",
  ],
  [
    "vma A:x read-only; map A:x -> P dirty;",
    "A:x read-only anonymous private | P read-only dirty young exclusive",
  ],
  ["map A:x -> P shared;", "A:x writable anonymous private | P read-only clean young shared"],
  ["map A:x -> P file;", "A:x writable file private | P read-only clean young shared"],
  [
    "map A:x -> P file shared-mapping;",
    "A:x writable file shared-mapping | P writable dirty young shared",
  ],
  [
    "map A:x -> P shared-mapping read-only; vma A:x writable;",
    "A:x writable file shared-mapping | P read-only clean young shared",
  ],
  ["map A:x -> P file exclusive;", "A:x writable file private | P writable dirty young exclusive"],
  ["map A:x -> P file absent;", "A:x writable file private | none"],
  ["map A:x -> Z;", "A:x writable anonymous private | Z read-only clean young shared"],
  ["none A:x;", "A:x writable anonymous private | none"],
  ["vma A:x read-only file;", "A:x read-only file private | none"],
])("%s", (items, expected) => {
  expect(places(items).map(words)).toEqual([expected]);
});

test("a page mapped twice is exclusive to nobody", () => {
  expect(places("map A:x -> P; map B:x -> P;").map(words)).toEqual([
    "A:x writable anonymous private | P read-only clean young shared",
    "B:x writable anonymous private | P read-only clean young shared",
  ]);
});

test("ranges, tables and the order of addresses", () => {
  const items = "va z, y, x; own-table A:z..y; own-table A:x; map A:x -> P; vma A:z..x; none B:y;";
  expect(places(items).map(words)).toEqual([
    "A:z writable anonymous private | none table 1",
    "A:y writable anonymous private | none table 1",
    "A:x writable anonymous private | P writable dirty young exclusive table 2",
    "B:y writable anonymous private | none",
  ]);
});

test("an address without a vma is nowhere", () => {
  expect(places("va x, y; map A:y -> P;").map((place) => place.va)).toEqual(["y"]);
});

test("a block maps the addresses of its table to pages in a row, said once or for each", () => {
  const whole = "va x, y, z; own-table A:x..y; own-table A:z; map A:x -> P huge read-only;";
  const expected = [
    "A:x read-only anonymous private | P read-only clean young exclusive table 1",
    "A:y read-only anonymous private | Q read-only clean young exclusive table 1",
    "A:z writable anonymous private | none table 2",
  ];
  const items = `${whole} none A:z;`;
  expect(places(items).map(words)).toEqual(expected);
  expect(places(`${items} map A:y -> Q read-only huge;`).map(words)).toEqual(expected);
  expect(places(items).map((p) => p.pte?.huge)).toEqual([true, true, undefined]);
});

test.each([
  ["va x, y; map A:y -> P huge;", "a block begins at the first address of its table"],
  ["map A:x -> P huge;", "a block of one page"],
  ["va w, x, y, z; map A:w -> P huge;", "a block of 4 pages"],
  ["va x, y; map A:x -> P huge; map A:y -> P;", "A:y lies in this block, and is declared apart"],
  ["va x, y; map A:x -> P huge; none A:y;", "A:y lies in this block, and is declared apart"],
  [
    "va u, v, w, x, y; own-table A:x..y; map A:x -> P huge; none A:u;",
    "a table has more addresses than the 2 of a block",
  ],
])("no block: %s", (items, message) => {
  expect(() => places(items)).toThrow(message);
});

test("a page of a file is cached there, a copy is not", () => {
  const items =
    "map A:x -> P file absent; map A:y -> P file shared-mapping; map B:x -> Q file exclusive;";
  expect(places(items).map((p) => p.cached)).toEqual(["P", "P", undefined]);
});

test.each([
  ["map A:x -> P absent;", "'absent' where no file has the page"],
  ["map A:x -> P file absent old;", "'old' of an absent entry"],
  ["map A:x -> Z file;", "'Z' is the zero page, and of no file"],
  ["map A:x -> P file; map B:x -> P;", "'P' is a page of a file, and anonymous"],
])("no page of a file: %s", (items, message) => {
  expect(() => places(items)).toThrow(message);
});
