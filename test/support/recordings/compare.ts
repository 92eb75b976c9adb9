// SPDX-License-Identifier: Apache-2.0
// Compares the operations of a recording with the routines of the model, one by one.

import type { Folder } from "./folder.ts";
import type { Before } from "./history.ts";
import { History } from "./history.ts";
import type { Kind } from "./kind.ts";
import { logged } from "./model.ts";
import type { Change, Operation, Pages } from "./operations.ts";
import { ALL, INTERRUPTED, operationsOf, tlbiOf } from "./operations.ts";
import { KINDS, REASONS } from "./routines.ts";

export interface Compared {
  readonly op: Operation;
  readonly kind: Kind;
  readonly recorded: readonly string[];
  readonly model: readonly string[];
  /** An interrupt's barrier stands for a DSB. */
  readonly hidden: boolean;
}

export interface Comparison {
  readonly compared: readonly Compared[];
  /** What was not compared, by reason: operation and how many. */
  readonly left: ReadonlyMap<string, readonly Operation[]>;
  /** TLBIs of processes with a notifier, of all these operations. */
  readonly tlbis: number;
  /** The same that CPU 0 executed, whenever. */
  readonly executed: number;
}

/** Every operation of watched processes that CPU 0 ran, compared or left with a reason. */
export function compareFolder(folder: Folder): Comparison {
  const compared: Compared[] = [];
  const left = new Map<string, Operation[]>();
  const history = new History();
  for (const op of operationsOf(folder)) {
    const began = op.line > op.process.line;
    const silent = op.words.length === 0;
    const kind = KINDS.find((k) => (k.silent ?? false) === silent && k.is(op));
    if (began && (!silent || kind !== undefined)) {
      const reason = REASONS.find((r) => r.is(op));
      if (kind !== undefined && reason === REASONS.at(-1)) {
        compared.push(compareOne(op, kind, folder, history.before(op)));
      } else {
        left.set(reason!.why, [...(left.get(reason!.why) ?? []), op]);
      }
    }
    history.note(op);
  }
  const all = [...compared.map((c) => c.op), ...[...left.values()].flat()];
  const tlbis = all.flatMap((op) => op.words.filter((w) => /^(r?va|aside|vmalle)/.test(w))).length;
  return { compared, left, tlbis, executed: executed(folder) };
}

/** TLBIs of the ASIDs of processes that have a notifier by then. */
function executed({ items, watched }: Folder): number {
  let line = 0;
  let found = 0;
  for (const item of items) {
    if (item.from === "trace") line = item.line;
    else if (item.kind === "TLBI") {
      const { asid } = tlbiOf(item);
      if (watched.some((w) => w.asid === asid && w.line < line)) found++;
    }
  }
  return found;
}

function compareOne(op: Operation, kind: Kind, folder: Folder, before: Before): Compared {
  const placed = typeof kind.placed === "function" ? kind.placed(folder) : kind.placed;
  const keeps = (word: string): boolean => {
    const change = /^(clear|set|change)(?: pmd)?(?= 0x)/.exec(word)?.[0] as Change | undefined;
    if (change !== undefined && !folder.probes.has(placed[change] ?? "")) return false;
    return kind.about === undefined || isAbout(word, kind.about(op));
  };
  const seen = (kind.part?.(op.words) ?? op.words).filter(keeps);
  const model = logged(kind.run(op, folder, before)).filter(keeps);
  const recorded = resolved(seen, model);
  const hidden = recorded.join() !== seen.filter((w) => w !== INTERRUPTED).join();
  return { op, kind, recorded, model, hidden };
}

/** What is recorded, with an interrupt's barrier for the one that the model has in its place. */
function resolved(recorded: readonly string[], model: readonly string[]): string[] {
  const words: string[] = [];
  recorded.forEach((word, at) => {
    if (word !== INTERRUPTED) words.push(word);
    else if (model[words.length] === "dsb ish" && recorded[at + 1] !== "dsb ish") {
      words.push("dsb ish");
    }
  });
  return words;
}

/** Whether a word is about a page of these, or of no address. */
function isAbout(word: string, { lo, hi }: Pages): boolean {
  const match = / (0x[\da-f]+)(?:\.\.(0x[\da-f]+))?/.exec(word);
  if (match === null || word.endsWith(ALL)) return true;
  const from = Number(match[1]);
  const to = match[2] === undefined ? from + 1 : Number(match[2]);
  return from < hi && lo < to;
}
