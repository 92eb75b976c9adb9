// SPDX-License-Identifier: Apache-2.0
// A kind of operation: how it is known in a recording, and which routine of the model it is.

import type { Folder, Probe } from "./folder.ts";
import type { Before } from "./history.ts";
import type { Change, Operation, Pages } from "./operations.ts";

type Placed = { readonly [C in Change]?: string };

export interface Kind {
  readonly name: string;
  readonly is: (op: Operation) => boolean;
  /** Operations that did nothing that is recorded are of it. */
  readonly silent?: boolean;
  /** The words of the routine that it is; `before`: what it finds. */
  readonly run: (op: Operation, folder: Folder, before: Before) => string[];
  /** The probe that places a change of an entry. What none places is left out of both. */
  readonly placed: Placed | ((folder: Folder) => Placed);
  /** The words of the operation that are the routine's, if others are about. */
  readonly part?: (recorded: readonly string[]) => readonly string[];
  /** Only words about these pages are compared, and those without an address. */
  readonly about?: (op: Operation) => Pages;
}

export const has = (op: Operation, ...events: string[]): boolean =>
  op.probes.some((p) => events.includes(p.event));
export const probe = (op: Operation, event: string): Probe =>
  op.probes.find((p) => p.event === event)!;
export const does = (op: Operation, ...words: string[]): boolean =>
  words.some((word) => op.words.some((w) => w.startsWith(word)));

/** The page of a fault; of any probe. */
export const page = (op: Operation): number => pageOf(op.args);
export const pageOf = (args: Readonly<Record<string, string>>): number =>
  Number(BigInt(args["addr"]!) >> 12n);
export const one = (at: number): Pages => ({ lo: at, hi: at + 1 });

/** A process of 6.12 whose flushes are put off begins with one that is owed. */
export const is61 = ({ kernel }: Folder): boolean => kernel === "linux-6.1";

/** Where the flush is put off, an entry is cleared by what has no probe. */
export const PUT_OFF = (folder: Folder): Placed =>
  is61(folder) ? { clear: "ptep_clear_flush" } : {};

/** TTU_BATCH_FLUSH of a probe's flags. */
export const batched = ({ args }: Probe): boolean => (BigInt(args["flags"]!) & 0x40n) !== 0n;
