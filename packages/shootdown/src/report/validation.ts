// SPDX-License-Identifier: Apache-2.0
// Published results beside the simulated ones.

import type { Cell, Validation } from "../cost/validate.ts";
import { asExpected } from "../cost/validate.ts";
import { type Paint, pad, wrapText } from "./columns.ts";
import { number } from "./cost.ts";

/** The cell that lies farthest out of its band, or nearest to its edge. */
function tightest(cells: readonly Cell[]): Cell {
  const room = ({ simulated, band: [low, high] }: Cell) =>
    Math.min(simulated - low, high - simulated) / Math.max(Math.abs(high - low), 1e-9);
  return cells.reduce((a, b) => (room(b) < room(a) ? b : a));
}

/** One line of NDJSON; the figures are those of the cell that decides, all of them in `cells`. */
export function validationNdjson(v: Validation): string {
  const { published = null, simulated, band } = tightest(v.cells);
  const { id, source, ok, error = null, cells, title, profile, unit } = v;
  const rest = { fitted: v.fitted, negative_control: v.negative_control };
  const head = { type: "validation", id, source, published, simulated, error, band, ok };
  return `${JSON.stringify({ ...head, ...rest, title, profile, unit, cells, note: v.note })}\n`;
}

const figure = (x: number): string =>
  Number.isFinite(x) ? number(x, Math.abs(x) >= 100 ? 0 : Math.abs(x) >= 10 ? 1 : 2) : "any";

export function validationLines(v: Validation, width: number, paint: Paint): string[] {
  const word = v.ok ? "in band" : "OUT OF BAND";
  const said = v.negative_control ? `${word}, as it must be: a negative control` : word;
  const tone = asExpected(v) ? "good" : "bad";
  const head = `${pad(v.id, 4)} ${v.title}, ${v.unit}, on ${v.profile}: ${paint(tone, said)}`;
  const rows = v.cells.map((c) => {
    const published = c.published === undefined ? "" : figure(c.published);
    const band = `${figure(c.band[0])} to ${figure(c.band[1])}`;
    const columns = [published.padStart(10), figure(c.simulated).padStart(10), `  ${band}`];
    return `     ${pad(c.label, 26)}${columns.join("")}${c.fitted ? "  fitted" : ""}`;
  });
  const about = [v.source, v.note].filter((text) => text !== "");
  const notes = about.flatMap((text) => wrapText(text, width - 5).map((l) => `     ${l}`));
  return [head, ...rows, ...notes];
}

const HEADS = ["".padStart(31), "published".padStart(10), "simulated".padStart(10), "  band"];
export const VALIDATION_HEAD = HEADS.join("");
