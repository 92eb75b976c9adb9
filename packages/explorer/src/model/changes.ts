// SPDX-License-Identifier: Apache-2.0
// What differs between two states, by the names of what is in them.

import type { StateView } from "shootdown";

/** Every named value of a view: entries of tables and caches, queues, rooms. */
export function valuesOf(view: StateView): Map<string, string> {
  const values = new Map<string, string>();
  for (const { mm, regions } of view.tables) {
    for (const region of regions) {
      values.set(`pmd ${mm} ${region.name}`, region.value);
      for (const e of region.entries) values.set(`pte ${mm} ${e.name}`, e.value);
    }
  }
  for (const { entries } of view.caches) {
    for (const e of entries) values.set(`${e.place} ${e.holds}`, e.stale ? "stale" : "held");
  }
  for (const q of view.queues) values.set(q.name, q.entries.join("; "));
  for (const { values: named } of view.rooms) for (const v of named) values.set(v.name, v.value);
  for (const t of view.threads) values.set(`thread ${t.name}`, `${t.status} ${t.at}`);
  return values;
}

/** Names whose value is another, is new or is gone, with the earlier value. */
export function changesOf(before: StateView | null, now: StateView): ReadonlyMap<string, string> {
  const changes = new Map<string, string>();
  if (!before) return changes;
  const was = valuesOf(before);
  const is = valuesOf(now);
  for (const [name, value] of is) {
    if (was.get(name) !== value) changes.set(name, was.get(name) ?? "");
  }
  for (const [name, value] of was) if (!is.has(name)) changes.set(name, value);
  return changes;
}

export interface Differing {
  readonly name: string;
  readonly main: string;
  readonly other: string;
}

/** An IOMMU's own ASID stands for the same as the CPUs'. */
const plain = (name: string): string => name.replaceAll("smmu-asid(", "asid(");

/** What two states of one scenario have that differs, by name; where programs stand is left out. */
export function differingIn(main: StateView, other: StateView): Differing[] {
  const plainly = (view: StateView) =>
    new Map([...valuesOf(view)].map(([name, value]) => [plain(name), plain(value)]));
  const [a, b] = [plainly(main), plainly(other)];
  const names = [...new Set([...a.keys(), ...b.keys()])].filter((n) => !n.startsWith("thread "));
  return names.flatMap((name) => {
    const [x, y] = [a.get(name) ?? "", b.get(name) ?? ""];
    // What only one program has, and what says nothing.
    const isNothing = (v: string) => /^(|-|0|none|false)$/.test(v);
    if (x === y || (isNothing(x) && isNothing(y))) return [];
    return [{ name, main: x || "none", other: y || "none" }];
  });
}
