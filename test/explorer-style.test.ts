// SPDX-License-Identifier: Apache-2.0
// Words can be read: the contrast of each colour of words on each ground, light and dark.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { drawing } from "../packages/shootdown/src/api/index.ts";
import { root } from "./support/files.ts";

const css = readFileSync(join(root, "packages/explorer/src/style.css"), "utf8");
const colours = new Map(
  [...css.matchAll(/--(\w+): light-dark\((#[\da-f]{6}), (#[\da-f]{6})\);/g)].map(
    ([, name, light, dark]) => [name!, [light!, dark!] as const],
  ),
);
const GROUNDS = ["paper", "room", "cursor"];
/** Lines between things; no words. */
const NO_WORDS = ["line"];
/** WCAG AA for text of any size. */
const AA = 4.5;

const channel = (hex: string, n: number) => {
  const part = Number.parseInt(hex.slice(1 + 2 * n, 3 + 2 * n), 16) / 255;
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
};
const luminance = (hex: string) =>
  0.2126 * channel(hex, 0) + 0.7152 * channel(hex, 1) + 0.0722 * channel(hex, 2);
function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high! + 0.05) / (low! + 0.05);
}

describe.each([
  ["light", 0],
  ["dark", 1],
] as const)("%s", (_, scheme) => {
  const words = [...colours.keys()].filter((n) => !GROUNDS.includes(n) && !NO_WORDS.includes(n));
  test.each(words.flatMap((w) => GROUNDS.map((g) => [w, g] as const)))(
    "%s on %s",
    (word, ground) => {
      const on = contrast(colours.get(word)![scheme], colours.get(ground)![scheme]);
      expect(on).toBeGreaterThanOrEqual(AA);
    },
  );
});

test("pictures that are saved have the same colours", () => {
  for (const [name, pair] of Object.entries(drawing.PALETTE))
    expect(pair).toEqual(colours.get(name));
  expect(Object.keys(drawing.PALETTE).sort()).toEqual([...drawing.COLOURS].sort());
});

test("colours have names: the rest of the style has none of its own", () => {
  expect(colours.size).toBeGreaterThan(9);
  const rest = css.slice(css.indexOf("}"));
  expect(rest.match(/#[\da-f]{3,8}\b|rgba?\(/gi)).toBeNull();
});
