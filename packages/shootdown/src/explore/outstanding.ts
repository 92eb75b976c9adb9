// SPDX-License-Identifier: Apache-2.0
// Outstanding entries followed from state to state: places move as others leave and come.

import type { PackedMachine, Transition } from "../engine/packed.ts";

/** The entries of a pending set in a state, by place. */
export function entriesOf(
  machine: PackedMachine,
  set: number,
  states: Int32Array,
  offset: number,
): number[] {
  const entries: number[] = [];
  for (const { word, shift, mask } of machine.layout.pending[set]!) {
    const entry = (states[offset + word]! >>> shift) & mask;
    if (entry === 0) break;
    entries.push(entry);
  }
  return entries;
}

/** Where an entry is after a step; -1 if the step was its own effect. */
export function followed(
  set: number,
  slot: number,
  before: readonly number[],
  by: Transition,
  after: readonly number[],
): number {
  const gone = by.kind === "effect" && by.index === set ? by.slot : -1;
  if (slot === gone) return -1;
  // What stays keeps its order; of equal entries the new one is the later.
  let at = -1;
  for (const [n, entry] of before.entries()) {
    if (n === gone) continue;
    at = after.indexOf(entry, at + 1);
    if (at < 0) throw new Error("an entry vanished without taking effect");
    if (n === slot) return at;
  }
  throw new Error("no such entry");
}
