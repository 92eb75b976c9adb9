// SPDX-License-Identifier: Apache-2.0
// Shapes on a canvas, in the colours of the page's style.

import type { Colour, Shape } from "../model/drawing.ts";
import { COLOURS, DOT_PX } from "../model/drawing.ts";

export type Colours = Readonly<Record<Colour, string>>;

/** What the style gives to an element. */
export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const pairs = COLOURS.map((c) => [c, style.getPropertyValue(`--${c}`).trim()]);
  return Object.fromEntries(pairs) as Colours;
}

const FONTS = {
  code: "12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
  note: "italic 11px system-ui, sans-serif",
  title: "600 12px system-ui, sans-serif",
} as const;

const DASHES = [4, 3];

/** Width of a character of code. */
export function charPx(g: CanvasRenderingContext2D): number {
  g.font = FONTS.code;
  return g.measureText("m").width;
}

/** Makes a canvas as large as its box, as sharp as the screen, and empty. */
export function cleared(board: HTMLCanvasElement, width: number, height: number) {
  const ratio = devicePixelRatio || 1;
  if (board.width !== Math.round(width * ratio) || board.height !== Math.round(height * ratio)) {
    board.width = Math.round(width * ratio);
    board.height = Math.round(height * ratio);
    board.style.width = `${width}px`;
    board.style.height = `${height}px`;
  }
  const g = board.getContext("2d");
  g?.setTransform(ratio, 0, 0, ratio, 0, 0);
  g?.clearRect(0, 0, width, height);
  return g;
}

export function paintShapes(
  g: CanvasRenderingContext2D,
  shapes: readonly Shape[],
  colours: Colours,
): void {
  g.textBaseline = "middle";
  g.lineWidth = 1;
  for (const shape of shapes) {
    g.fillStyle = colours[shape.colour];
    g.strokeStyle = g.fillStyle;
    paintShape(g, shape);
  }
}

function paintShape(g: CanvasRenderingContext2D, shape: Shape): void {
  switch (shape.kind) {
    case "text":
      g.font = FONTS[shape.font];
      g.textAlign = shape.anchor === "middle" ? "center" : shape.anchor;
      g.fillText(shape.text, ...shape.at);
      return;
    case "rect":
      g.fillRect(...shape.at, ...shape.size);
      return;
    case "line":
      g.setLineDash(shape.dashed ? DASHES : []);
      g.beginPath();
      g.moveTo(...shape.from);
      g.lineTo(...shape.to);
      g.stroke();
      return;
    case "dot":
      g.beginPath();
      g.arc(...shape.at, DOT_PX, 0, 2 * Math.PI);
      g.fill();
      return;
    case "polygon":
      g.beginPath();
      for (const point of shape.points) g.lineTo(...point);
      g.closePath();
      g.fill();
      return;
  }
}
