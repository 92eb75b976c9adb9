// SPDX-License-Identifier: Apache-2.0
// Which bits of a state are the contents of cells, and of those which nobody can be sure of.

import type { Instance } from "../engine/cells.ts";
import type { PackedMachine } from "../engine/packed.ts";

/** Bits of windows whose entries come and go by themselves; none of a concrete machine. */
export const unsureBits = (machine: PackedMachine): Int32Array =>
  bitsOf(machine, (c, n) => {
    if (!machine.cells.isWindow(c.group)) return false;
    return c.fill !== undefined || machine.cells.decl(n).evicts;
  });

/** Bits of all cells. */
export const cellBits = (machine: PackedMachine): Int32Array => bitsOf(machine, () => true);

/** A value of a cell instance as a bit of its word. */
export function entryBit(machine: PackedMachine, instance: number, value: number) {
  const { word, shift } = machine.cells.instances[instance]!.bits;
  return { word, bit: machine.cells.bit(instance, value) << shift };
}

function bitsOf(machine: PackedMachine, which: (c: Instance, n: number) => boolean): Int32Array {
  const bits = new Int32Array(machine.words);
  for (const [n, c] of machine.cells.instances.entries()) {
    const { word, shift, mask } = c.bits;
    if (which(c, n)) bits[word]! |= mask << shift;
  }
  return bits;
}
