// SPDX-License-Identifier: Apache-2.0
// What herd prints of a final state, in its order: registers by thread and number, data, entries;
// then faults. Each once.

import type { FaultPattern, Location } from "./ast.ts";

const KINDS = ["reg", "data", "pte"] as const;

export function shownLocations(locations: readonly Location[]): Location[] {
  const each = new Map<string, Location>();
  for (const location of locations) {
    const key =
      location.k === "reg" ? `${location.thread}:${location.number}` : JSON.stringify(location);
    if (!each.has(key)) each.set(key, location);
  }
  return [...each.values()].sort(compareLocations);
}

/** Herd keeps them in a set and prints those that were not taken from its end. */
export function shownFaults(faults: readonly FaultPattern[]): FaultPattern[] {
  const each = new Map(faults.map((fault) => [JSON.stringify(fault), fault]));
  return [...each.values()].sort((a, b) => comparePatterns(b, a));
}

function compareLocations(a: Location, b: Location): number {
  if (a.k === "reg" && b.k === "reg") return a.thread - b.thread || a.number - b.number;
  if (a.k !== "reg" && a.k === b.k) return compareText(a.name, b.name);
  return KINDS.indexOf(a.k) - KINDS.indexOf(b.k);
}

/** Nothing said comes before anything said. */
export function comparePatterns(a: FaultPattern, b: FaultPattern): number {
  return (
    a.thread - b.thread ||
    compareText(a.label ?? "", b.label ?? "") ||
    Number(a.pte ?? false) - Number(b.pte ?? false) ||
    compareText(a.location ?? "", b.location ?? "") ||
    compareText(a.typeText ?? "", b.typeText ?? "")
  );
}

/** Byte by byte, whatever the language of the user. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
