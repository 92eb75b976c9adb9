// SPDX-License-Identifier: Apache-2.0
// Axes of pictures of costs: where a value lies, which values are written, and how.
//
// Line plots with marks at cliffs are some two hundred lines of SVG as text: no library of charts
// prints them without a browser, and the core takes no packages.

import { fixed, number, unitOf } from "../cost.ts";
import { escaped } from "../drawing/svg.ts";

export interface Axis {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** Logarithmic, from the least to the greatest of `values`, at pixels `from` to `to`. */
export function logAxis(values: readonly number[], from: number, to: number, base = 10): Axis {
  const least = Math.min(...values);
  const most = Math.max(...values, least * 1.01);
  const low = Math.log(least);
  const scale = (to - from) / (Math.log(most) - low);
  const ticks: number[] = [];
  const end = Math.ceil(Math.log(most) / Math.log(base));
  for (let power = Math.floor(low / Math.log(base)); power <= end; power++) {
    const steps = base === 10 && most / least < 50 ? [1, 2, 5] : [1];
    for (const step of steps) ticks.push(step * base ** power);
  }
  const inside = ticks.filter((t) => t >= least * 0.999 && t <= most * 1.001);
  return { at: (value) => from + (Math.log(value) - low) * scale, ticks: inside };
}

/** Straight, from 0 or what is less to the greatest, with ticks at round numbers. */
export function linearAxis(values: readonly number[], from: number, to: number): Axis {
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const width = high - low || 1;
  const step = roundStep(width / 4);
  const ticks: number[] = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) ticks.push(n * step);
  return { at: (value) => from + ((value - low) / width) * (to - from), ticks };
}

function roundStep(about: number): number {
  const decade = 10 ** Math.floor(Math.log10(about));
  return decade * ([1, 2, 5].find((n) => n * decade >= about) ?? 10);
}

/** A time with its unit, as short as can be: `20 us`. */
export function tickTime(ns: number): string {
  if (ns === 0) return "0";
  const size = Math.abs(ns);
  const [name, unit] = size >= 1e9 ? ["s", 1e9] : size >= 1e6 ? ["ms", 1e6] : ["us", 1e3];
  const value = ns / (unit as number);
  return `${Number(value.toPrecision(3))} ${name}`;
}

/** A time in words: `12.3 us`. */
export function time(ns: number): string {
  const unit = unitOf(Math.abs(ns));
  return `${fixed(ns / unit.ns)} ${unit.name}`;
}

/** Text in an attribute. */
export const quoted = (text: string): string => escaped(text).replaceAll('"', "&quot;");

export const px = (x: number): string => String(Math.round(10 * x) / 10);

interface Placed {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly name?: string;
}

export function label({ x, y, text, anchor = "start", name = "" }: Placed): string {
  const place = `x="${px(x)}" y="${px(y)}" text-anchor="${anchor}"`;
  return `<text class="${name}" ${place}>${escaped(text)}</text>`;
}

export const line = (name: string, x1: number, y1: number, x2: number, y2: number): string =>
  `<line class="${name}" x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}"/>`;

/** A picture that says in words what it is. */
export const picture = (
  width: number,
  height: number,
  said: string,
  parts: readonly string[],
): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" class="cost" width="${width}" height="${height}" ` +
      `viewBox="0 0 ${width} ${height}" role="img" aria-label="${quoted(said)}">`,
    ...parts,
    "</svg>",
  ].join("\n");

export { escaped, number };
