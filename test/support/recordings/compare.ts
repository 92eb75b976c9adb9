// SPDX-License-Identifier: Apache-2.0
// Compares the operations of a recording with the routines of the model, one by one.

import type { Folder } from "./folder.ts";
import type { Operation, Pages } from "./operations.ts";
import { ALL, argPages, operationsOf } from "./operations.ts";
import type { Kind } from "./routines.ts";
import { KINDS, REASONS } from "./routines.ts";

export interface Compared {
  readonly op: Operation;
  readonly kind: Kind;
  readonly recorded: readonly string[];
  readonly model: readonly string[];
  /** Equal but for a DSB that an interrupt's barrier stands for. */
  readonly hidden: boolean;
}

export interface Comparison {
  readonly compared: readonly Compared[];
  /** What was not compared, by reason: operation and how many. */
  readonly left: ReadonlyMap<string, readonly Operation[]>;
}

/** Every operation of watched processes that CPU 0 ran, compared or left with a reason. */
export function compareFolder(folder: Folder): Comparison {
  const compared: Compared[] = [];
  const left = new Map<string, Operation[]>();
  const gone = new Set<string>();
  for (const op of operationsOf(folder)) {
    const key = (page: number) => `${op.process.mm} ${page}`;
    const began = op.line > op.process.line;
    if (began && op.words.length > 0) {
      const kind = KINDS.find((k) => k.is(op));
      const reason = REASONS.find((r) => r.is(op));
      if (kind !== undefined && reason === REASONS.at(-1)) {
        compared.push(compareOne(op, kind, folder, (page) => !gone.has(key(page))));
      } else {
        left.set(reason!.why, [...(left.get(reason!.why) ?? []), op]);
      }
    }
    for (const page of zapped(op)) gone.add(key(page));
    for (const page of faulted(op)) gone.delete(key(page));
  }
  return { compared, left };
}

function compareOne(
  op: Operation,
  kind: Kind,
  folder: Folder,
  present: (page: number) => boolean,
): Compared {
  const placed = typeof kind.placed === "function" ? kind.placed(folder) : kind.placed;
  const keeps = (word: string): boolean => {
    const change = /^(clear|set|change) /.exec(word)?.[1] as "clear" | "set" | "change" | undefined;
    if (change !== undefined && !folder.probes.has(placed[change] ?? "")) return false;
    return kind.about === undefined || isAbout(word, kind.about(op));
  };
  const recorded = (kind.part?.(op.words) ?? op.words).filter(keeps);
  const model = kind.run(op, folder, present).filter(keeps);
  const hidden = op.interrupted && recorded.join() !== model.join();
  if (!hidden) return { op, kind, recorded, model, hidden };
  const seen = (words: readonly string[]) => words.filter((w) => w !== "dsb ish");
  return { op, kind, recorded: seen(recorded), model: seen(model), hidden };
}

/** Whether a word is about a page of these, or of no address. */
function isAbout(word: string, { lo, hi }: Pages): boolean {
  const match = / (0x[\da-f]+)(?:\.\.(0x[\da-f]+))?/.exec(word);
  if (match === null || word.endsWith(ALL)) return true;
  const from = Number(match[1]);
  const to = match[2] === undefined ? from + 1 : Number(match[2]);
  return from < hi && lo < to;
}

/** Pages that an operation unmaps. */
function zapped(op: Operation): number[] {
  if (op.kind === "sys_munmap") return pagesOf(argPages(op, "addr", "len"));
  if (op.kind !== "sys_ftruncate") return [];
  return op.words.flatMap((word) => {
    const [, from, to] = /^r?vale1is (0x[\da-f]+)(?:\.\.(0x[\da-f]+))?/.exec(word) ?? [];
    if (from === undefined) return [];
    return pagesOf({ lo: Number(from), hi: to === undefined ? Number(from) + 1 : Number(to) });
  });
}

/** Pages that a fault maps: a read of a file maps those around it, all that the step reads. */
function faulted(op: Operation): number[] {
  if (op.kind !== "fault") return [];
  const page = Number(BigInt(op.args["addr"]!) >> 12n);
  const { lo, hi } = op.marked;
  return op.intent === "read" && lo <= page && page < hi ? pagesOf(op.marked) : [page];
}

const pagesOf = ({ lo, hi }: Pages): number[] =>
  hi - lo > 4096 ? [] : Array.from({ length: hi - lo }, (_, n) => lo + n);
