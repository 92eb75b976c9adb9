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
