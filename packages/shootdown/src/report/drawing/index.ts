// SPDX-License-Identifier: Apache-2.0
// A run drawn: rows and arrows of a window, those as shapes, and shapes as SVG.

export { COLOURS, type Colour, DOT_PX, type Shape, shapesOf } from "./shapes.ts";
export { PALETTE, SVG_STEPS_MAX, type SvgRun, svgOf } from "./svg.ts";
export {
  type Arrow,
  captionOf,
  captionX,
  type Lanes,
  lanesIn,
  laneTitle,
  laneX,
  NUMBER_PX,
  ROW_PX,
  type Row,
  toneOf,
  type Window,
  windowOf,
} from "./window.ts";
