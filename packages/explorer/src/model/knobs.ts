// SPDX-License-Identifier: Apache-2.0
// The knobs that can be set for a run: those that its programs ask for, and those that are set.

import type { Named } from "shootdown";

export interface KnobChoice {
  readonly name: string;
  readonly values: readonly string[];
  readonly describes: string;
}

export function knobsOf(
  names: readonly Named[],
  asks: readonly string[],
  set: Readonly<Record<string, string>>,
): KnobChoice[] {
  return names
    .filter((n) => n.kind === "knobs" && (asks.includes(n.name) || n.name in set))
    .map(({ name, describes }) => {
      const [values = "", ...rest] = describes.split(": ");
      return { name, values: values.split("|"), describes: rest.join(": ") };
    });
}
