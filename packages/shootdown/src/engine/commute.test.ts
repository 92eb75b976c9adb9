// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { cellModel } from "../../../../bench/models/shootdown-cells.ts";
import { aloneIn } from "./commute.ts";
import { lower } from "./lower.ts";
import { PackedMachine } from "./packed.ts";
import { instrText } from "./text.ts";

test("the steps of the benchmark model, and why", () => {
  const program = lower(cellModel({ cpus: 2, upgrade: true }));
  const { alone, reasons } = aloneIn(program, "window");
  const { layout } = new PackedMachine(program, { semantics: "window" });
  const { points } = layout.threads[0]!;
  const said = points.map((at, p) => {
    const i = program.threads[0]!.instrs[at]!;
    return `${instrText(i)} | ${alone[0]![p] ? "alone, " : ""}${reasons[0]![p]}`;
  });
  expect(said).toMatchInlineSnapshot(`
    [
      "r0 := choose page | alone, commutes",
      "^ await not(locked[]) | the other waits for what it writes: locked[], CPU1 at CPU1:2",
      "^ r1 := pte[r0] | the other reads what it writes: pte[0], ipi(1,0)",
      "clear tlb[0,r0] | it clears what the other uses: tlb[0,0], tlb_used(0,0)",
      "^ ack[0,1] := 1 | alone, commutes",
      "await not(ack[0,1]) | alone, commutes",
      "^ await (q_op[0] == 0) | the other waits for what it writes: q_op[0], CPU1 at CPU1:14",
      "^ await done[0] | both write: done[0], queue_sync(0)",
      "^ free[r0] := 1 | alone, commutes",
      "r0 := choose page | alone, commutes",
      "^ await not(locked[]) | the other waits for what it writes: locked[], CPU1 at CPU1:2",
      "^ r1 := pte[r0] | the other reads what it writes: pte[0], ipi(1,0)",
      "clear tlb[0,r0] | it clears what the other uses: tlb[0,0], tlb_used(0,0)",
      "^ locked[] := 0 | alone, commutes",
      "halt | the end",
    ]
  `);
});
