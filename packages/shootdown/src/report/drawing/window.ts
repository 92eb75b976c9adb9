// SPDX-License-Identifier: Apache-2.0
// What of a run is in a window, as lines, dots and arrows: no canvas, no DOM.
//
//   top = row * row_px - scroll       x = middle of the lane's column
//
// A message is an arrow from who sent it to where it waits, and from there to who it was for.

import type { Staged } from "../../study/lanes.ts";
import type { ShownStep } from "../shown.ts";

/** A step with its lane and its messages. */
export type DrawnStep = ShownStep & Staged;

export const ROW_PX = 24;
export const NUMBER_PX = 44;

/** Where lanes are: their names from left to right, and how wide each is. */
export interface Lanes {
  readonly names: readonly string[];
  readonly lane_px: number;
  readonly row_px: number;
  /** How far below a mark its caption stands: beside the lanes, or under them. */
  readonly caption_y: number;
}

const LANE_PX = { least: 52, most: 92 } as const;
/** With less room beside the lanes captions stand under them. */
const CAPTION_PX = 190;
const UNDER = { row_px: 42, caption_y: 17 } as const;

/** Lanes that leave about half of a width to what is said of each step. */
export function lanesIn(names: readonly string[], width: number): Lanes {
  const count = Math.max(1, names.length);
  const room = (0.5 * width - NUMBER_PX) / count;
  const lane_px = Math.round(Math.max(LANE_PX.least, Math.min(LANE_PX.most, room)));
  const lanes = { names, lane_px, row_px: ROW_PX, caption_y: 0 };
  if (width - captionX(lanes) >= CAPTION_PX) return lanes;
  return { names, lane_px: Math.floor((width - NUMBER_PX) / count), ...UNDER };
}

export interface Row {
  /** Position after the step; 0 is the beginning. */
  readonly position: number;
  readonly top: number;
  /** The middle of its mark. */
  readonly y: number;
  readonly step: DrawnStep | undefined;
}

export interface Arrow {
  readonly from: number;
  readonly to: number;
  readonly y: number;
  readonly label: string;
  /** Sent and on its way, or taking effect. */
  readonly kind: "sent" | "landed" | "memory";
}

export interface Window {
  readonly rows: readonly Row[];
  readonly arrows: readonly Arrow[];
}

/** Middle of a lane; -1 if it is not drawn. */
export function laneX({ names, lane_px }: Lanes, lane: string): number {
  const n = names.indexOf(lane);
  return n < 0 ? -1 : NUMBER_PX + (n + 0.5) * lane_px;
}

/** Where captions begin. */
export const captionX = ({ names, lane_px, caption_y }: Lanes): number =>
  caption_y > 0 ? NUMBER_PX : NUMBER_PX + names.length * lane_px + 8;

/** The rows that a window of `height` pixels shows, scrolled down by `scroll`. */
export function windowOf(
  count: number,
  scroll: number,
  height: number,
  lanes: Lanes,
  stepAt: (n: number) => DrawnStep | undefined,
): Window {
  const { row_px } = lanes;
  const first = Math.max(0, Math.floor(scroll / row_px) - 1);
  const last = Math.min(count, Math.ceil((scroll + height) / row_px) + 1);
  return rowsBetween(first, last, scroll, lanes, stepAt);
}

/** The rows of some positions. */
export function rowsBetween(
  first: number,
  last: number,
  scroll: number,
  lanes: Lanes,
  stepAt: (n: number) => DrawnStep | undefined,
): Window {
  const { row_px } = lanes;
  const rows: Row[] = [];
  const arrows: Arrow[] = [];
  for (let position = first; position <= last; position++) {
    const top = position * row_px - scroll;
    const y = top + ROW_PX / 2;
    const step = position === 0 ? undefined : stepAt(position - 1);
    rows.push({ position, top, y, step });
    if (step) arrows.push(...arrowsOf(step, y, lanes));
  }
  return { rows, arrows };
}

function arrowsOf(step: DrawnStep, y: number, lanes: Lanes): Arrow[] {
  const own = laneX(lanes, step.lane);
  const to = (lane: string) => laneX(lanes, lane);
  const arrows: Arrow[] = [];
  if (step.landed && step.landed.lane !== step.lane) {
    arrows.push({
      from: to(step.landed.lane),
      to: own,
      y,
      label: step.landed.text,
      kind: "landed",
    });
  }
  for (const m of step.sent) {
    if (m.lane === step.lane) continue;
    arrows.push({ from: own, to: to(m.lane), y, label: m.text, kind: "sent" });
  }
  if (step.events.some((e) => STORES.test(e))) {
    arrows.push({ from: own, to: to("memory"), y, label: "", kind: "memory" });
  }
  if (step.kind === "fill") {
    arrows.push({ from: to("memory"), to: own, y, label: "", kind: "memory" });
  }
  return arrows.filter((a) => a.from >= 0 && a.to >= 0 && a.from !== a.to);
}

const STORES = /^(pte_store|pmd_|block_store|access)/;

/** What is said of a step in one line: its events, or what it changed, or its statement. */
export function captionOf({ kind, changed, events, statement, agent }: ShownStep): string {
  const [change = ""] = changed;
  const place = change.replace(/: .*$/, "");
  if (kind === "fill") return `${place} takes ${change.replace(/^.*-> /, "")}`;
  if (kind === "evict") return `${place} drops ${change.replace(/^[^:]*: | ->.*$/g, "")}`;
  return events.join(" · ") || change || shortened(statement) || agent;
}

const STATEMENT_CHARS = 60;

/** `retry_from_here(…)`: of a long statement only what it begins with. */
function shortened(statement: string): string {
  if (statement.length <= STATEMENT_CHARS) return statement;
  const at = statement.indexOf("(");
  return at > 0 && at < STATEMENT_CHARS
    ? `${statement.slice(0, at)}(…)`
    : `${statement.slice(0, STATEMENT_CHARS)}…`;
}

/** What stands out in a list: faults and violations, then what changes memory. */
export function toneOf(step: DrawnStep): "bad" | "store" | "free" | "plain" {
  if (step.events.some((e) => /^(fault|abort|io_page_fault|violation)/.test(e))) return "bad";
  if (step.events.some((e) => STORES.test(e))) return "store";
  return step.kind === "fill" || step.kind === "evict" ? "free" : "plain";
}

const TITLES: Readonly<Record<string, string>> = { cmdq: "CMDQ", memory: "memory" };

/** The IOMMU by the name that it has on a machine. */
export function laneTitle(lane: string, machine: string): string {
  if (lane === "IOMMU") return machine.includes("smmuv3") ? "SMMU" : "IOMMU";
  return TITLES[lane] ?? lane.replace(/\.worker$/, "'s worker");
}
