// SPDX-License-Identifier: Apache-2.0
// How each cell of a program is treated where cells are windows, and why.
//
//   exact      no step goes on with what it holds: the window says all that there is to say
//   refined    a step goes on with what it finds: it is tried with each value of the window
//   concrete   a window would say too much: its fills and evictions are steps of their own
//
// A window holds what the cell could hold by now. Cells are sets of entries, and nothing waits for
// an entry to be absent; so one run of single fills holds all of every window at once: the one that
// fills all as early as it can and evicts nothing. What was read stays in the set, and two cells
// looked at together show what they could show one by one. None of this hangs on `evicts`.
//
// It fails where room is bounded (`ways`): an entry keeps another out, and whoever has seen the new
// one cannot see the old one again unless it is filled again.

import type { CellDecl } from "../ir/machine.ts";
import type { CellGroup, Code, Program } from "./program.ts";

export type CellClass = "exact" | "refined" | "concrete";

export interface CellTreatment {
  readonly cell: CellDecl;
  readonly treatment: CellClass;
  /** In words, after the name of the cell and a colon. */
  readonly why: string;
}

/** The treatment of each group of cells, in their order. */
export function classify(program: Program): readonly CellTreatment[] {
  const readers = findReaders(program);
  return program.cells.map((g) => {
    const { decl } = g;
    if (isBounded(g)) {
      const entries = decl.ways === 1 ? "one entry" : `${decl.ways} entries`;
      const why = `it has room for ${entries}, so that what it holds keeps others out`;
      return { cell: decl, treatment: "concrete", why };
    }
    const own = readers.filter((r) => r.cells.has(decl));
    const goes = own.find((r) => !r.onlyReports);
    if (goes) return { cell: decl, treatment: "refined", why: `${goes.name} goes on with it` };
    const [first] = own;
    const why = first ? `${first.name} only reports it` : "only other cells take from it";
    return { cell: decl, treatment: "exact", why };
  });
}

/** The treatments in words, those that are alike together: `a, b exact (why)`. */
export function treatmentTexts(all: readonly CellTreatment[]): string[] {
  const alike = new Map<string, string[]>();
  for (const { cell, treatment, why } of all) {
    const how = `${treatment} (${why})`;
    alike.set(how, [...(alike.get(how) ?? []), cell.name]);
  }
  return [...alike].map(([how, names]) => `${names.join(", ")} ${how}`);
}

/** Whether a window is enough for a group of cells. */
export const mayBeWindow = (g: CellGroup): boolean => !isBounded(g);

/** What is put into a cell by a step is not counted; only fills wait for room. */
function isBounded(g: CellGroup): boolean {
  return g.decl.ways !== undefined && g.instances.some((c) => c.fill);
}

interface Reader {
  readonly name: string;
  readonly cells: ReadonlySet<CellDecl>;
  /** It changes nothing but what observers have seen. */
  readonly onlyReports: boolean;
}

/** What looks into cells, fills of other cells apart. */
function findReaders(program: Program): Reader[] {
  const made: Reader[] = [];
  const add = (name: string, code: Code, continues: boolean): void => {
    const cells = code.instrs.flatMap((i) => (i.op === "lookup" ? [i.cell] : []));
    if (cells.length === 0) return;
    const onlyReports = !continues && code.instrs.every((i) => REPORTS.has(i.op));
    made.push({ name, cells: new Set(cells), onlyReports });
  };
  for (const t of program.threads) add(t.name, t, true);
  // An entry that has taken effect is gone: that alone is a change.
  for (const p of program.pending) add(`the effect of ${p.decl.name}`, p, true);
  for (const r of program.rules) add(r.decl.name, r, false);
  return made;
}

const REPORTS = new Set("let branch jump await choose either lookup emit violate halt".split(" "));
