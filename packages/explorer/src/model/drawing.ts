// SPDX-License-Identifier: Apache-2.0
// How a run is drawn is the library's: it prints the same drawing as SVG.

import { drawing } from "shootdown";

export type Lanes = drawing.Lanes;
export type Colour = drawing.Colour;
export type Shape = drawing.Shape;
export const { captionOf, toneOf, lanesIn, windowOf, shapesOf, laneTitle, svgOf } = drawing;
export const { COLOURS, DOT_PX, NUMBER_PX, ROW_PX, SVG_STEPS_MAX } = drawing;
