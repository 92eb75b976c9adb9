// SPDX-License-Identifier: Apache-2.0
// What hardware must still do where nobody else goes on: such a state is not the end of a run.
//
// In a window only what is enabled with nothing in caches is sure to happen. A rule that leaves
// everything as it is does not count: who waits for it waits for ever.

import type { PackedMachine } from "../engine/packed.ts";
import { unsureBits } from "./unsure.ts";

/** Whether a rule that must happen in the end is due in the state at an offset. */
export type Due = (states: Int32Array, offset: number) => boolean;

/** The machine's scratch state is another afterwards. */
export function dueRules(machine: PackedMachine): Due {
  const rules = machine.transitions.filter((t) => t.kind === "rule" && t.fair);
  if (rules.length === 0) return () => false;
  const unsure = unsureBits(machine);
  return (states, offset) => {
    const sure = unsure.map((bits, w) => states[offset + w]! & ~bits);
    let due = false;
    for (const t of rules) {
      machine.successors(t, sure, 0, () => {
        due ||= unsure.some((bits, w) => ((machine.state[w]! ^ sure[w]!) & ~bits) !== 0);
      });
    }
    return due;
  };
}
