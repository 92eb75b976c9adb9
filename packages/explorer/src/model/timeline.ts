// SPDX-License-Identifier: Apache-2.0
// Findings on a line of time, by CPU or by address space: where each is, and what a window holds.

import type { Finding } from "shootdown";

export interface Span {
  readonly from_s: number;
  readonly to_s: number;
}

export type Lanes = "cpu" | "mm";

export interface Mark {
  readonly x: number;
  readonly lane: number;
  readonly worst: Finding["class"];
  readonly count: number;
  /** The first of the findings that share the place. */
  readonly finding: Finding;
}

/** Worst first: of several in one place that one is shown. */
const ORDER: readonly Finding["class"][] = [
  ...(["missing", "short", "late", "order", "unpaired", "depends", "excess"] as const),
];

export const laneOf = (finding: Finding, by: Lanes): string =>
  by === "cpu" ? `CPU ${finding.cpu}` : (finding.mm ?? finding.domain ?? "no mm");

export function lanesOf(findings: readonly Finding[], by: Lanes): string[] {
  const lanes = [...new Set(findings.map((f) => laneOf(f, by)))];
  return lanes.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** The time that all findings take, never empty. */
export function spanOf(findings: readonly Finding[]): Span {
  let [from_s, to_s] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { time } of findings) {
    from_s = Math.min(from_s, time);
    to_s = Math.max(to_s, time);
  }
  if (from_s > to_s) return { from_s: 0, to_s: 1 };
  const room = Math.max(1e-6, (to_s - from_s) * 0.02);
  return { from_s: from_s - room, to_s: to_s + room };
}

/** One mark for each place of `place_px` pixels that has findings. */
export function marksIn(
  findings: readonly Finding[],
  lanes: readonly string[],
  by: Lanes,
  { from_s, to_s }: Span,
  width_px: number,
  place_px = 6,
): Mark[] {
  const lane = new Map(lanes.map((name, n) => [name, n]));
  const places = new Map<string, Mark>();
  for (const finding of findings) {
    const { time } = finding;
    if (time < from_s || time > to_s) continue;
    const place = Math.floor((((time - from_s) / (to_s - from_s)) * width_px) / place_px);
    const n = lane.get(laneOf(finding, by)) ?? 0;
    const key = `${n} ${place}`;
    const old = places.get(key);
    const count = (old?.count ?? 0) + 1;
    const isWorse = !old || ORDER.indexOf(finding.class) < ORDER.indexOf(old.worst);
    const worst = isWorse ? finding.class : old.worst;
    const shown = isWorse ? finding : old.finding;
    places.set(key, { x: (place + 0.5) * place_px, lane: n, worst, count, finding: shown });
  }
  return [...places.values()];
}

const TICK_PX = 110;

/** Round moments of a window, so far apart that their texts do not touch, and all of them in it. */
export function ticksIn({ from_s, to_s }: Span, width_px: number): { x: number; text: string }[] {
  const per_px = (to_s - from_s) / width_px;
  const least_s = per_px * TICK_PX;
  const power = 10 ** Math.floor(Math.log10(least_s));
  const step_s = [1, 2, 5, 10].map((n) => n * power).find((s) => s >= least_s)!;
  const digits = Math.max(0, -Math.floor(Math.log10(step_s) + 1e-9));
  const edge_s = (per_px * TICK_PX) / 2;
  const ticks = [];
  const first = Math.ceil((from_s + edge_s) / step_s);
  for (let n = first; n * step_s <= to_s - edge_s; n++) {
    const s = n * step_s;
    ticks.push({ x: (s - from_s) / per_px, text: `${s.toFixed(digits)} s` });
  }
  return ticks;
}

/** Closer to or further from a moment, within the whole. */
export function zoomed(span: Span, whole: Span, at_s: number, factor: number): Span {
  const from_s = Math.max(whole.from_s, at_s - (at_s - span.from_s) * factor);
  const to_s = Math.min(whole.to_s, at_s + (span.to_s - at_s) * factor);
  // Closer than a nanosecond there is nothing to see.
  return to_s - from_s < 1e-9 ? span : { from_s, to_s };
}

/** Moved by a part of its length, within the whole. */
export function panned(span: Span, whole: Span, part: number): Span {
  const length = span.to_s - span.from_s;
  const from_s = Math.max(whole.from_s, Math.min(whole.to_s - length, span.from_s + part * length));
  return { from_s, to_s: from_s + length };
}
