// SPDX-License-Identifier: Apache-2.0
// Times of kernels as bars one above the other, from low to high, with a stroke at the middle.
//
//   linux-6.1: 8.25 .. 20.1 .. 64.5 ms
//   ░░░░░░█░░░░░░░░░░░░░░░░░░░░░░░
//   linux-6.12: 3.76 .. 9.45 .. 28.4 ms
//   ░░█░░░░░░░░░

import type { Placement } from "../../cost/compare.ts";
import type { Interval } from "../../cost/timing.ts";
import { fixed, unitOf } from "../cost.ts";
import { label, line, linearAxis, picture, px, tickTime } from "./cost-axis.ts";
import { LINE_COLOURS } from "./cost-style.ts";

interface Bar {
  readonly name: string;
  readonly interval: Interval;
  /** Of the colour. */
  readonly look: string;
}

const WIDTH = 460;
const ROW = 36;
const EDGE = 14;
const FOOT = 26;

/** What each kernel spends. */
export function timeBars(sides: readonly Placement[]): string {
  const bars = sides.map((s, n) => {
    return { name: s.kernel, interval: s.time, look: `c${n % LINE_COLOURS}` };
  });
  return barsOf("Time, low to high", bars);
}

/** What each further kernel saves; undefined if there is none. */
export function savingBars(sides: readonly Placement[]): string | undefined {
  const bars = sides.flatMap(({ kernel, saves }): Bar[] => {
    if (saves === undefined) return [];
    const { interval, undecided } = saves;
    const look = undecided ? "unsure" : interval.mid >= 0 ? "good" : "bad";
    return [{ name: kernel, interval, look }];
  });
  return bars.length === 0 ? undefined : barsOf("Time saved, low to high", bars);
}

function barsOf(said: string, bars: readonly Bar[]): string {
  const height = bars.length * ROW + FOOT;
  const ends = bars.flatMap(({ interval }) => [interval.low, interval.high]);
  const axis = linearAxis(ends, EDGE, WIDTH - EDGE);
  const foot = bars.length * ROW;
  const grid = axis.ticks.flatMap((tick) => [
    line(tick === 0 ? "axis" : "grid", axis.at(tick), 0, axis.at(tick), foot),
    label({
      x: axis.at(tick),
      y: foot + 16,
      text: tickTime(tick),
      anchor: "middle",
      name: "faint",
    }),
  ]);
  const rows = bars.flatMap(({ name, interval, look }, n) => {
    const { low, mid, high } = interval;
    const unit = unitOf(Math.max(Math.abs(low), Math.abs(high)));
    const numbers = [low, mid, high].map((t) => fixed(t / unit.ns)).join(" .. ");
    const y = n * ROW;
    const place = `x="${px(axis.at(low))}" y="${y + 19}" height="10"`;
    const width = Math.max(1, axis.at(high) - axis.at(low));
    const text = `${name}: ${numbers} ${unit.name}`;
    return [
      label({ x: EDGE, y: y + 13, text, name: "back" }),
      label({ x: EDGE, y: y + 13, text }),
      `<rect class="bar ${look}" ${place} width="${px(width)}"/>`,
      line(`mid ${look}`, axis.at(mid), y + 16, axis.at(mid), y + 32),
    ];
  });
  return picture(WIDTH, height, said, [...grid, ...rows]);
}
