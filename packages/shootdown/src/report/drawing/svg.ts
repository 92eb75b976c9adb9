// SPDX-License-Identifier: Apache-2.0
// A run as an SVG document: the shapes of the explorer's canvas, light and dark, in one file that
// needs nothing else.

import { type Colour, DOT_PX, type Shape, shapesOf } from "./shapes.ts";
import {
  captionOf,
  captionX,
  type DrawnStep,
  laneTitle,
  laneX,
  ROW_PX,
  rowsBetween,
} from "./window.ts";

export interface SvgRun {
  /** The steps that are drawn, the first of them after position `from`. */
  readonly steps: readonly DrawnStep[];
  readonly from?: number;
  readonly lanes: readonly string[];
  readonly machine: string;
  readonly title: string;
  readonly repeats_from: number | null;
  /** From this position on the steps are one's own. */
  readonly branch_from?: number | null;
}

/** More steps are no picture. */
export const SVG_STEPS_MAX = 2000;

/** Colours on paper and on a dark screen, as in the style of the explorer. */
export const PALETTE: Readonly<Record<Colour, readonly [light: string, dark: string]>> = {
  paper: ["#ffffff", "#16181d"],
  ink: ["#1b1d22", "#e6e8ec"],
  faint: ["#5f6672", "#9aa1ad"],
  line: ["#d5d9e0", "#343944"],
  bad: ["#b3261e", "#ff8a80"],
  store: ["#7a4b00", "#f0b35a"],
  message: ["#1a4fb4", "#8ab4ff"],
  cursor: ["#dde8ff", "#2a3550"],
  own: ["#6a1b9a", "#d7a8ff"],
};

const LANE_PX = 76;
const HEAD_PX = 58;
const EDGE_PX = 12;
/** Of the widest of the fonts that a reader may have. */
const CHAR_PX = 7.4;
const TITLE_CHAR_PX = 7;

export function svgOf(run: SvgRun): string {
  const { steps, from = 0, machine, title, repeats_from, branch_from = null } = run;
  const lanes = { names: run.lanes, lane_px: LANE_PX, row_px: ROW_PX, caption_y: 0 };
  const last = from + steps.length;
  const first = from === 0 ? 0 : from + 1;
  const longest = Math.max(0, ...steps.map((s) => captionOf(s).length + 2));
  const words = Math.max(captionX(lanes) + longest * CHAR_PX, title.length * TITLE_CHAR_PX);
  const width = Math.ceil(words) + 2 * EDGE_PX;
  const height = (last - first + 1) * ROW_PX;
  const seen = rowsBetween(first, last, first * ROW_PX, lanes, (n) => steps[n - from]);
  const shapes = shapesOf(seen, {
    ...{ lanes, width, height, cursor: -1, char_px: CHAR_PX },
    ...{ repeats: repeats_from, branch: branch_from },
  });
  const heads = run.lanes.map((lane): Shape => {
    const at = [laneX(lanes, lane), HEAD_PX - 14] as const;
    const text = laneTitle(lane, machine);
    return { kind: "text", at, text, font: "title", anchor: "middle", colour: "ink" };
  });
  const head: Shape = {
    ...{ kind: "text", at: [EDGE_PX, 16], text: title },
    ...{ font: "title", anchor: "start", colour: "ink" },
  };
  const all = HEAD_PX + height + EDGE_PX;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${all}" ` +
      `viewBox="0 0 ${width} ${all}" role="img" aria-labelledby="title">`,
    `<title id="title">${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${all}"/>`,
    ...[head, ...heads].map(printed),
    `<g transform="translate(0 ${HEAD_PX})">`,
    ...shapes.map(printed),
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

const style = (scheme: 0 | 1): string =>
  Object.entries(PALETTE)
    .map(([name, { [scheme]: hex }]) => `.${name}{fill:${hex}}line.${name}{stroke:${hex}}`)
    .join("");

const STYLE = [
  style(0),
  `@media(prefers-color-scheme:dark){${style(1)}}`,
  "text{dominant-baseline:central;white-space:pre}",
  ".code{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}",
  ".note{font:italic 11px system-ui,sans-serif}.title{font:600 12px system-ui,sans-serif}",
].join("");

function printed(shape: Shape): string {
  const { colour } = shape;
  switch (shape.kind) {
    case "line": {
      const [[x1, y1], [x2, y2]] = [shape.from, shape.to];
      const dashed = shape.dashed ? ' stroke-dasharray="4 3"' : "";
      return `<line class="${colour}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"${dashed}/>`;
    }
    case "rect": {
      const [[x, y], [width, height]] = [shape.at, shape.size];
      return `<rect class="${colour}" x="${x}" y="${y}" width="${width}" height="${height}"/>`;
    }
    case "dot":
      return `<circle class="${colour}" cx="${shape.at[0]}" cy="${shape.at[1]}" r="${DOT_PX}"/>`;
    case "polygon":
      return `<polygon class="${colour}" points="${shape.points.join(" ")}"/>`;
    case "text": {
      const [x, y] = shape.at;
      const { font, anchor } = shape;
      const place = `x="${x}" y="${y}" text-anchor="${anchor}"`;
      return `<text class="${font} ${colour}" ${place}>${escaped(shape.text)}</text>`;
    }
  }
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** Text in XML, which has no control characters and no half of a pair. */
export const escaped = (text: string): string =>
  text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replace(/[&<>]/g, (c) => ENTITIES[c]!);
