// SPDX-License-Identifier: Apache-2.0
// Fills and evictions of concrete cells as compiled code, in the order of PackedCells.transitions.

import type { Instance } from "../cells.ts";
import type { Ex } from "../target/code.ts";
import { bin, iff, local, num, set, un } from "../target/code.ts";
import type { CompiledCells } from "./cells.ts";
import { countOf, nth } from "./cells.ts";
import { Chosen } from "./choices.ts";
import type { Writer } from "./frame.ts";
import { Frame } from "./frame.ts";

/** Writes each state that one fill or one eviction makes of the state at `src` to `out`. */
export function writeFree(cells: CompiledCells, w: Writer, src: Ex, out: number): void {
  const { machine } = cells;
  for (const c of machine.cells.instances) {
    if (cells.isWindow(c)) continue;
    const { decl } = machine.program.cells[c.group]!;
    const held = new Frame(w).original(c.bits);
    if (c.fill) {
      const fresh = cells.admitted(c.group, cells.fillMask(c, src));
      const missing = bin("and", fresh, bin("xor", held, num(-1)));
      const fill = w.apart(() => some(cells, w, missing, c, true, out));
      const room = bin("lt_u", un("popcnt", held), num(decl.ways ?? 0));
      w.push(...(decl.ways === undefined ? fill : [iff(room, fill)]));
    }
    if (decl.evicts) some(cells, w, held, c, false, out);
  }
}

/** A successor for each bit of the mask: put into the cell, or taken out of it. */
function some(
  cells: CompiledCells,
  w: Writer,
  mask: Ex,
  c: Instance,
  fills: boolean,
  out: number,
): void {
  const f = new Frame(w);
  const { bits } = c;
  const skip = w.fb.label();
  const body = w.apart(() => {
    const m = w.bind(mask);
    w.push({ k: "br_if", c: un("eqz", m), label: skip });
    const choices = new Chosen(w);
    const inner = w.apart(() => {
      const bit = bin("shl", num(1), nth(m, choices.site(countOf(m))));
      const held = f.original(bits);
      f.write(bits, fills ? bin("or", held, bit) : bin("and", held, bin("xor", bit, num(-1))));
      f.commit(local(out));
      cells.close(w, local(out), cells.machine.cells.groupBit(c.group));
      w.push(set(out, bin("add", local(out), num(4 * w.words))));
    });
    choices.wrap(inner);
  });
  w.push({ k: "block", label: skip, body });
}
