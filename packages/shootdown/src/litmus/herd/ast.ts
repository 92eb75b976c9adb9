// SPDX-License-Identifier: Apache-2.0
// A litmus test in herd's AArch64 language with page-table entries (VMSA), as plain data.

import type { Span } from "../../base/span.ts";

/** A page-table entry as herd writes it: `(oa:PA(x), af:0, db:0, dbm:1, valid:0)`. */
export interface Descriptor {
  /** The data location whose page it maps; undefined: not said, and nothing to default to. */
  readonly oa: string | undefined;
  readonly valid: number;
  readonly af: number;
  readonly db: number;
  readonly dbm: number;
  readonly el0: number;
  /** Memory attributes as written; empty = normal, cacheable, inner shareable. */
  readonly attrs: readonly string[];
}

/** Fields that are not written have these values; `oa` of `pte_x` is then PA(x). */
export const DESCRIPTOR_DEFAULTS = { valid: 1, af: 1, db: 1, dbm: 0, el0: 1, attrs: [] } as const;

/** What a register or a location holds. */
export type Value =
  | { readonly k: "int"; readonly value: bigint }
  /** The virtual address of a data location. */
  | { readonly k: "va"; readonly name: string }
  /** The address of the page-table entry of a data location: `pte_x`, `PTE(x)`. */
  | { readonly k: "pte"; readonly name: string }
  /** A physical address: `PA(x)`, `phy_x`. */
  | { readonly k: "pa"; readonly name: string }
  | { readonly k: "desc"; readonly desc: Descriptor }
  /** The address of an instruction. */
  | { readonly k: "label"; readonly thread: number; readonly label: string };

export type Operand =
  /** `X4`, `W4` (bits 32), `XZR`; number 0..31, 31 is the zero register. */
  | { readonly k: "reg"; readonly number: number; readonly bits: 32 | 64 }
  | { readonly k: "imm"; readonly value: bigint }
  /** `[X1]`, `[X1,#8]`, `[X1,X2]`, `[X1,W2,SXTW]`. */
  | {
      readonly k: "mem";
      readonly base: number;
      readonly offset?: Operand;
      readonly extend?: string;
    }
  /** A label, a barrier's option (`ISH`), a TLBI operation, a condition, a system register. */
  | { readonly k: "word"; readonly text: string };

export interface Instruction {
  /** Upper case: `LDR`, `B.EQ`, `TLBI`. */
  readonly mnemonic: string;
  readonly operands: readonly Operand[];
  /** As written, for messages. */
  readonly text: string;
  readonly span: Span;
}

export interface Thread {
  readonly instructions: readonly Instruction[];
  /** Index of the instruction that a label stands before; the length of the program is its end. */
  readonly labels: ReadonlyMap<string, number>;
  /** The program of its fault handler (column `P0.F`), if there is one. */
  readonly handler?: Thread;
  /** TCR_EL1.HA and HD of its PE (header line `TTHM=`). */
  readonly HA: boolean;
  readonly HD: boolean;
  /** Whether it runs unprivileged (header line `EL0=`). */
  readonly el0: boolean;
}

/** What a final state is asked for: `0:X1`, `x`, `PTE(x)`. */
export type Location =
  | { readonly k: "reg"; readonly thread: number; readonly number: number; readonly bits: 32 | 64 }
  | { readonly k: "data"; readonly name: string }
  | { readonly k: "pte"; readonly name: string };

export type FaultType = "Translation" | "AccessFlag" | "Permission";

/** `fault(P0:L0, x, MMU:Translation)`; parts that are not said match all. */
export interface FaultPattern {
  readonly thread: number;
  readonly label?: string;
  readonly location?: string;
  /** Whether `location` stands for its entry: `fault(P0, pte_x)`. */
  readonly pte?: true;
  readonly type?: FaultType;
  /** The type as written, `MMU:Permission`: printed so. */
  readonly typeText?: string;
}

export type Condition =
  | { readonly k: "and" | "or"; readonly parts: readonly Condition[] }
  | { readonly k: "not"; readonly of: Condition }
  | { readonly k: "equal"; readonly location: Location; readonly value: Value }
  | { readonly k: "same"; readonly left: Location; readonly right: Location }
  | { readonly k: "fault"; readonly fault: FaultPattern }
  | { readonly k: "true" };

export interface HerdTest {
  readonly name: string;
  readonly threads: readonly Thread[];
  /** Words of the header line `Variant=`, lower case: `precise`, `imprecise`, `fatal`. */
  readonly variants: readonly string[];
  /** Every data location, in order of first mention, with its initial value; absent = 0. */
  readonly data: ReadonlyMap<string, Value>;
  /** The initial entry of a data location; absent = the default with its own page. */
  readonly ptes: ReadonlyMap<string, Descriptor>;
  readonly registers: readonly {
    readonly thread: number;
    readonly number: number;
    readonly value: Value;
  }[];
  /** What a final state prints, in herd's order: from `locations` and the condition. */
  readonly shown: readonly Location[];
  /** The faults that a final state prints, `~Fault(...)` included, in herd's order. */
  readonly shownFaults: readonly FaultPattern[];
  readonly quantifier: "exists" | "~exists" | "forall";
  readonly condition: Condition;
  /** Why this reader cannot take the test although it is well-formed; the first reason found. */
  readonly unsupported?: string;
}

/** A fault that was taken. */
export interface Fault {
  readonly thread: number;
  /** The label of the instruction; undefined if it has none. */
  readonly label: string | undefined;
  /** The data location that it accessed, or the one whose entry (`pte`). */
  readonly location: string;
  readonly pte: boolean;
  readonly type: FaultType;
}

/** The end of one execution. */
export interface FinalState {
  register(thread: number, number: number): Value;
  data(name: string): Value;
  pte(name: string): Descriptor;
  readonly faults: readonly Fault[];
}
