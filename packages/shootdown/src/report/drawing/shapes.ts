// SPDX-License-Identifier: Apache-2.0
// A window of a run as shapes, from the back to the front: a canvas paints them, SVG prints them.

import type { Arrow, Lanes, Row, Window } from "./window.ts";
import { captionOf, captionX, laneX, toneOf } from "./window.ts";

/** Names of the page's colours. */
export const COLOURS = [
  ...(["paper", "ink", "faint", "line", "bad", "store", "message", "cursor", "own"] as const),
];
export type Colour = (typeof COLOURS)[number];

export type Shape =
  | {
      readonly kind: "line";
      readonly from: Point;
      readonly to: Point;
      readonly dashed: boolean;
      readonly colour: Colour;
    }
  | {
      readonly kind: "rect";
      readonly at: Point;
      readonly size: Point;
      readonly colour: Colour;
    }
  | { readonly kind: "dot"; readonly at: Point; readonly colour: Colour }
  | { readonly kind: "polygon"; readonly points: readonly Point[]; readonly colour: Colour }
  | {
      readonly kind: "text";
      readonly at: Point;
      readonly text: string;
      readonly font: "code" | "note" | "title";
      readonly anchor: "start" | "middle" | "end";
      readonly colour: Colour;
    };

export type Point = readonly [x: number, y: number];

export const DOT_PX = 3;
const MARK_PX = 5;
const EDGE_PX = 8;
/** Between the middle of a mark and what points at it. */
const GAP_PX = 6;

export interface Setting {
  readonly lanes: Lanes;
  readonly width: number;
  readonly height: number;
  readonly cursor: number;
  /** From this position on the run repeats. */
  readonly repeats: number | null;
  /** From this position on the steps are one's own. */
  readonly branch: number | null;
  /** Width of a character of "code". */
  readonly char_px: number;
}

export function shapesOf({ rows, arrows }: Window, setting: Setting): Shape[] {
  const { lanes, height } = setting;
  const shapes: Shape[] = lanes.names.map((lane) => {
    const x = Math.round(laneX(lanes, lane)) + 0.5;
    return { kind: "line", from: [x, 0], to: [x, height], dashed: false, colour: "line" };
  });
  for (const row of rows) shapes.push(...rowShapes(row, setting));
  for (const arrow of arrows) shapes.push(...arrowShapes(arrow));
  return shapes;
}

const text = (at: Point, words: string, colour: Colour): Shape => ({
  ...{ kind: "text", at, text: words, font: "code", anchor: "start", colour },
});

function rowShapes({ position, top, y, step }: Row, setting: Setting): Shape[] {
  const { lanes, width, cursor, repeats, branch, char_px } = setting;
  const shapes: Shape[] = [];
  if (position === cursor) {
    shapes.push({ kind: "rect", at: [0, top], size: [width, lanes.row_px], colour: "cursor" });
  }
  if (!step) {
    shapes.push(text([EDGE_PX, y], position === 0 ? "start" : "…", "faint"));
  } else {
    const tone = toneOf(step);
    const number = tone === "free" ? "  ·" : `${step.n}`.padStart(3);
    const colour: Colour = tone === "bad" ? "bad" : tone === "free" ? "faint" : "ink";
    const x = captionX(lanes);
    const fits = Math.floor((width - x - EDGE_PX) / char_px);
    const caption = cut(`${tone === "bad" ? "! " : ""}${captionOf(step)}`, fits);
    shapes.push(
      text([EDGE_PX, y], number, "faint"),
      mark(laneX(lanes, step.lane), y, tone, colour),
    );
    if (lanes.caption_y > 0) {
      // No lane goes through the words.
      const size: Point = [caption.length * char_px, 14];
      const under: Colour = position === cursor ? "cursor" : "paper";
      shapes.push({ kind: "rect", at: [x, y + lanes.caption_y - 7], size, colour: under });
    }
    shapes.push(text([x, y + lanes.caption_y], caption, colour));
  }
  const bottom = top + lanes.row_px;
  if (repeats === position) shapes.push(...divider(bottom, width, "from here on it repeats"));
  if (branch === position) shapes.push(...divider(bottom, width, "your own steps"));
  return shapes;
}

const cut = (words: string, fits: number): string =>
  words.length <= fits ? words : `${words.slice(0, Math.max(0, fits - 1))}…`;

/** A square for a step, a triangle for a fault, a dot for what a cache does by itself. */
function mark(x: number, y: number, tone: ReturnType<typeof toneOf>, colour: Colour): Shape {
  if (tone === "free") return { kind: "dot", at: [x, y], colour };
  if (tone === "bad") {
    const points: Point[] = [
      [x, y - 7],
      [x + 7, y + 6],
      [x - 7, y + 6],
    ];
    return { kind: "polygon", points, colour };
  }
  const size: Point = [2 * MARK_PX, 2 * MARK_PX];
  return { kind: "rect", at: [x - MARK_PX, y - MARK_PX], size, colour };
}

const NOTE_CHAR_PX = 5.5;

/** A line between two rows; its words stand on it, where no row has any. */
function divider(y: number, width: number, words: string): Shape[] {
  const at = Math.round(y) + 0.5;
  const room = words.length * NOTE_CHAR_PX + 2 * EDGE_PX;
  return [
    { kind: "line", from: [0, at], to: [width, at], dashed: true, colour: "own" },
    { kind: "rect", at: [width - room, at - 6], size: [room, 12], colour: "paper" },
    {
      ...{ kind: "text", at: [width - EDGE_PX, at], text: words },
      ...{ font: "note", anchor: "end", colour: "own" },
    },
  ];
}

function arrowShapes({ from, to, y, kind }: Arrow): Shape[] {
  const colour: Colour = kind === "memory" ? "store" : "message";
  const sign = Math.sign(to - from);
  const [start, end]: Point[] = [
    [from + sign * GAP_PX, y],
    [to - sign * GAP_PX, y],
  ];
  const points: Point[] = [
    [to - sign * 2, y],
    [to - sign * 9, y - 4],
    [to - sign * 9, y + 4],
  ];
  return [
    { kind: "line", from: start!, to: end!, dashed: kind === "sent", colour },
    { kind: "polygon", points, colour },
  ];
}
