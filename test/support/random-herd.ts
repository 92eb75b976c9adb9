// SPDX-License-Identifier: Apache-2.0
// Small random tests in herd's language: two threads that access x and y and change the entry of x.

import type { Random } from "../../packages/shootdown/src/base/random.ts";

/** What a thread's registers hold at first; X9 is the page of x after the first instruction. */
const REGISTERS = [
  ...["X0=x", "X1=y", "X2=PTE(x)", "X3=(oa:PA(x), valid:0)", "X4=(oa:PA(y))"],
  ...["X5=1", "X6=2"],
];

const ENTRIES = ["", "", "(valid:0)", "(db:0)", "(af:0)", "(db:0, dbm:1)", "(oa:PA(y))"];
const FEATURES = ["", "", "TTHM=HA\n", "TTHM=HA HD\n"];

/** `%` is a register for a value that is read. */
const ACCESSES = [
  ...["LDR W%,[X0]", "LDR W%,[X0]", "LDR W%,[X1]", "LDR X%,[X2]", "LDAR W%,[X1]"],
  ...["STR W6,[X0]", "STR W5,[X1]", "STLR W5,[X1]", "STR X3,[X2]", "STR X4,[X2]"],
];

const INVALIDATION = ["DSB ISH", "TLBI VAAE1IS,X9", "DSB ISH"];

/** What stands between two accesses. */
const SEPARATORS: readonly (readonly string[])[] = [
  ...[[], [], ["DSB ISH"], ["DSB ISH", "ISB"], ["DMB SY"], ["DMB LD"], ["DMB ST"], ["ISB"]],
  ...[INVALIDATION, INVALIDATION, [...INVALIDATION, "ISB"], ["DSB ISH", "TLBI VMALLE1IS"]],
];

/** First register for values. */
const FIRST_VALUE = 10;
const ACCESSES_MIN = 2;

export function randomHerdTest(random: Random): string {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const shown: string[] = ["x", "y", "pte_x"];
  const columns = [0, 1].map((thread) => {
    let value = FIRST_VALUE;
    const cells = ["LSR X9,X0,#12"];
    for (let n = ACCESSES_MIN + random.below(2); n > 0; n--) {
      const form = pick(ACCESSES);
      if (form.includes("%")) shown.push(`${thread}:X${value}`);
      const faults = form.includes("[X0]");
      if (faults) shown.push(`fault(P${thread}:L${cells.length},x)`);
      const label = faults ? `L${cells.length}: ` : "";
      cells.push(label + form.replace("%", () => String(value++)));
      if (n > 1) cells.push(...pick(SEPARATORS));
    }
    return cells;
  });
  const length = Math.max(...columns.map((cells) => cells.length));
  const rows = Array.from({ length }, (_, i) =>
    columns.map((cells) => (cells[i] ?? "").padEnd(22)).join("| "),
  );
  const entry = pick(ENTRIES);
  const registers = [0, 1].map((t) => REGISTERS.map((r) => `${t}:${r};`).join(" "));
  return `AArch64 random
${pick(FEATURES)}{
${entry === "" ? "" : `pte_x=${entry};\n`}${registers.join("\n")}
}
P0 | P1 ;
${rows.map((row) => `${row} ;`).join("\n")}
locations [${shown.join("; ")};]
exists (x=1)
`;
}
