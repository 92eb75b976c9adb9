// SPDX-License-Identifier: Apache-2.0
// A step in words, with all that its picture shows: for whom the picture is too small, or none.

import type { Message, StagedStep } from "shootdown";
import { captionOf, toneOf } from "./drawing.ts";

/** `titleOf` gives the name of a lane as the page shows it. */
export function saidOf(step: StagedStep, titleOf: (lane: string) => string): string {
  const { n, agent, kind, lane, sent, landed, statement } = step;
  const caption = captionOf(step);
  const words = [`${toneOf(step) === "bad" ? "! " : ""}${caption}`];
  const named = ({ text, lane: at }: Message, way: string) => `${way} ${titleOf(at)}: ${text}`;
  for (const m of sent) if (m.lane !== lane) words.push(named(m, "sent to"));
  if (landed && landed.lane !== lane) words.push(named(landed, "takes effect, from"));
  if (statement !== "" && statement !== caption) words.push(statement);
  const who = kind === "thread" ? agent : titleOf(lane);
  return `${NUMBERED.has(kind) ? `step ${n}` : `after step ${n}`}, ${who}: ${words.join("; ")}`;
}

const NUMBERED = new Set(["thread", "effect", "rule"]);
