// SPDX-License-Identifier: Apache-2.0
// Published results beside simulated ones.
//
//   V12  in the band   SMMUv2: a write a page against one for the ASID       us; ratios
//        32 MB, a page          1033   1032.9   929.7 to 1136.3   fitted
//        2 MB, a page           67.3   66.72    60.57 to 74.03

import { asExpected, type Cell, REQUIRED, type Validation } from "../cost/validate.ts";
import { type Paint, pad, plain, wrapText } from "./columns.ts";

export interface ValidationSummary {
  readonly type: "summary";
  readonly validations: number;
  readonly ok: number;
  /** Of those that a release is judged by. */
  readonly required: number;
  readonly required_ok: number;
  /** Negative controls, and those of them that failed, as they have to. */
  readonly controls: number;
  readonly controls_failed: number;
}

/**
 * One object a result. `published`, `simulated` and `band` are those of the figure that is worst;
 * `cells` has all.
 */
export function validationObject(result: Validation): object {
  const { cells, ...rest } = result;
  const { label, published, simulated, band } = worst(cells);
  const { id, source, error = null, ok } = rest;
  return {
    ...{ type: "validation", id, title: result.title, source, published: published ?? null },
    ...{ simulated, error, band: ends(band), ok, cell: label, fitted: result.fitted },
    ...{ negative_control: result.negative_control, as_expected: asExpected(result) },
    ...{ profile: result.profile, unit: result.unit, note: result.note },
    cells: cells.map((c) => ({ ...c, published: c.published ?? null, band: ends(c.band) })),
  };
}

export function validationSummary(results: readonly Validation[]): ValidationSummary {
  const required = results.filter(({ id }) => (REQUIRED as readonly string[]).includes(id));
  const controls = results.filter((r) => r.negative_control);
  return {
    type: "summary",
    validations: results.length - controls.length,
    ok: results.filter((r) => r.ok && !r.negative_control).length,
    required: required.length,
    required_ok: required.filter((r) => r.ok).length,
    controls: controls.length,
    controls_failed: controls.filter((r) => !r.ok).length,
  };
}

export interface ValidationStyle {
  readonly width: number;
  readonly paint?: Paint;
}

/** Lines of one result. */
export function validationLines(result: Validation, style: ValidationStyle): string[] {
  const { width, paint = plain } = style;
  const { id, title, cells, unit, note, source, profile } = result;
  const verdict = verdictOf(result);
  const told = pad(verdict, VERDICT);
  const head = `${pad(id, ID)}${paint(asExpected(result) ? "good" : "bad", told)}${title}`;
  const rows = cells.map(cellTexts);
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i]!.length)));
  const table = rows.map((row, n) => {
    const text = row.map((word, i) => (i < 1 ? pad(word, widths[i]!) : align(word, i, widths)));
    const line = `${INDENT}${text.join("  ").trimEnd()}`;
    return inBand(cells[n]!) ? line : paint(result.negative_control ? "faint" : "bad", line);
  });
  const more = [`${profile}; ${unit}`, note, source].flatMap((text) =>
    wrapText(text, width - INDENT.length).map((line) => paint("faint", `${INDENT}${line}`)),
  );
  return [head, ...table, ...more];
}

export function validationSummaryLine(summary: ValidationSummary): string {
  const { validations, ok, required, required_ok, controls, controls_failed } = summary;
  return (
    `${ok} of ${validations} published results in the band (${required_ok} of the ${required} ` +
    `that count), ${controls_failed} of ${controls} negative controls outside, as they have to be`
  );
}

const ID = 10;
const VERDICT = 14;
const INDENT = " ".repeat(5);

function verdictOf({ ok, negative_control }: Validation): string {
  if (negative_control) return ok ? "MUST FAIL" : "fails, must";
  return ok ? "in the band" : "OUTSIDE";
}

/** Label, published, simulated, band, and a word on where it is from. */
function cellTexts(cell: Cell): string[] {
  const { label, published, simulated, band, fitted } = cell;
  const [low, high] = ends(band).map((end) => (end === null ? "" : digits(end)));
  const range = low === "" ? `up to ${high}` : high === "" ? `from ${low}` : `${low} to ${high}`;
  const known = published === undefined ? "-" : digits(published);
  const said = [fitted ? "fitted" : "", inBand(cell) ? "" : "outside"].filter((s) => s !== "");
  return [label, known, digits(simulated), range, said.join(", ")];
}

const align = (word: string, i: number, widths: readonly number[]): string =>
  i < 3 ? word.padStart(widths[i]!) : i === 3 ? pad(word, widths[i]!) : word;

const digits = (value: number): string => String(Number(value.toPrecision(4)));

/** JSON has no infinity. */
const ends = (band: Cell["band"]): (number | null)[] =>
  band.map((end) => (Number.isFinite(end) ? end : null));

const inBand = ({ simulated, band }: Cell): boolean => simulated >= band[0] && simulated <= band[1];

/** The cell outside its band, or with the greatest error. */
function worst(cells: readonly Cell[]): Cell {
  const error = ({ published, simulated }: Cell) =>
    published ? Math.abs(simulated / published - 1) : 0;
  const rank = (cell: Cell) => (inBand(cell) ? 0 : 1e9) + error(cell);
  return cells.reduce((a, b) => (rank(b) > rank(a) ? b : a));
}
