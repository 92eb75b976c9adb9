// SPDX-License-Identifier: Apache-2.0
// A thread of a herd test as memory accesses, TLB maintenance and barriers; registers are gone.
//
// What stands behind a branch carries the condition under which it is executed; what is executed
// behind a fault is a program of its own.

import type { Sym } from "./symbolic.ts";
import type { Word } from "./words.ts";

export type Barrier = "DMB" | "DMB LD" | "DMB ST" | "DSB" | "DSB LD" | "DSB ST" | "ISB";

export interface Common {
  readonly thread: number;
  readonly label: string | undefined;
  readonly text: string;
  /** Whether it is executed. */
  readonly when: Sym;
  /** Slots that branches before it look at. */
  readonly ctrl: ReadonlySet<number>;
  /** Registers before it, and flags, by number. */
  readonly before: readonly Sym[];
}

export interface Access extends Common {
  readonly k: "access";
  readonly slot: number;
  /** Number of the access in the order of decoding; those at several addresses share it. */
  readonly ordinal: number;
  readonly address: Sym;
  /** The address as it is computed: `address` is one of its values. */
  readonly pointer: Sym;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly bits: 32 | 64;
  readonly acquire: "A" | "Q" | undefined;
  readonly release: boolean;
  /** What is written; `old` is what was read. Undefined: nothing is written after all. */
  readonly update: Sym | undefined;
  /** For read-modify-write: the new value from the old one and the operands. */
  readonly modify: ((old: Word, ...operands: Word[]) => Word | undefined) | undefined;
  readonly operands: readonly Sym[];
  /** The load exclusive that a store exclusive goes with; its result is 0 if it succeeds. */
  readonly exclusive: number | undefined;
}

export interface Tlbi extends Common {
  readonly k: "tlbi";
  readonly slot: number;
  readonly op: string;
  /** Undefined: the operation has no register. */
  readonly address: Sym | undefined;
}

export interface Fence extends Common {
  readonly k: "fence";
  readonly barrier: Barrier;
}

export type Item = Access | Tlbi | Fence;

/** A program, and what comes behind its faults. */
export interface Decoded {
  readonly items: readonly Item[];
  /** Registers at the end. */
  readonly end: readonly Sym[];
  /** By slot: what is executed if that access faults; no entry: the thread ends there. */
  readonly handlers: ReadonlyMap<number, Decoded>;
  /** A run in which one of these holds is not looked at: a loop goes on. */
  readonly never: readonly Sym[];
  /** The run ends well only if nothing of this faults (an access that is made again). */
  readonly mustPass: boolean;
}

/** A way through a thread: its programs in order, and the faults that lead from one to the next. */
export interface Path {
  readonly items: readonly Item[];
  readonly faults: readonly number[];
  /** Slots of its last program. */
  readonly own: ReadonlySet<number>;
}

/** Every way through a thread, the one without a fault first. */
export function pathsOf(
  d: Decoded,
  before: readonly Item[] = [],
  faults: readonly number[] = [],
): Path[] {
  const own = new Set(d.items.flatMap((i) => (i.k === "fence" ? [] : [i.slot])));
  const path: Path = { items: [...before, ...d.items], faults, own };
  const behind = [...d.handlers].flatMap(([slot, handler]) => {
    const at = path.items.findIndex((i) => i.k !== "fence" && i.slot === slot);
    return pathsOf(handler, path.items.slice(0, at + 1), [...faults, slot]);
  });
  return [path, ...behind];
}

/** The addresses of an access that may be at several, by its ordinal. */
export type Addresses = ReadonlyMap<number, readonly Word[]>;
