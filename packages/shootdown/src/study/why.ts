// SPDX-License-Identifier: Apache-2.0
// Why a witness goes as it does, as plain data: an entry, its history, what should have removed it.

import { showValue } from "../engine/describe.ts";
import type { PackedMachine } from "../engine/packed.ts";
import { entryOffsets } from "../engine/packed-expr.ts";
import { entriesOf } from "../explore/outstanding.ts";
import type { Attempt, Entry, Filled, Reason } from "../explore/reasons.ts";
import { waitsForEver } from "../explore/search.ts";
import { formatValue } from "./format.ts";
import type { WitnessRow } from "./player.ts";

/** A step of the witness. */
export interface StepName {
  readonly n: number;
  /** Its place among all steps, from 1: fills and evictions have no number of their own. */
  readonly at: number;
  readonly agent: string;
  readonly kind: WitnessRow["kind"];
  /** `routine:step` of each statement that ran. */
  readonly where: readonly string[];
}

export interface CachedEntry {
  /** `smmu_tlb[asid(A),x]`, and the cell's name alone. */
  readonly place: string;
  readonly cell: string;
  readonly value: string;
  /** The step that put it there; null: there at the start. */
  readonly filled: StepName | null;
  /** The stale entry that it was filled from. */
  readonly from: CachedEntry | null;
}

export type Miss =
  | { readonly kind: "outside" | "lost" | "early"; readonly step: StepName }
  | {
      readonly kind: "outstanding";
      readonly set: string;
      readonly entry: string;
      readonly posted: StepName | null;
    };

export type Why =
  | {
      readonly kind: "entry";
      /** The step that found the entry; null: it is asked for when all steps have been made. */
      readonly found: StepName | null;
      readonly entry: CachedEntry;
      /** The step after which memory says something else. */
      readonly revoked: StepName | null;
      readonly misses: readonly Miss[];
    }
  | {
      readonly kind: "waits";
      readonly threads: readonly { readonly agent: string; readonly at: string }[];
      readonly outstanding: readonly { readonly set: string; readonly entry: string }[];
    };

/** `rowAt` tells what each of `count` steps did; few are asked for. */
export function whyEntry(
  machine: PackedMachine,
  reason: Reason,
  count: number,
  rowAt: (n: number) => WitnessRow,
): Why {
  const step = (n: number): StepName => {
    const { n: number, agent, kind, where } = rowAt(n);
    return { n: number, at: n + 1, agent, kind, where: where.map((w) => `${w.routine}:${w.step}`) };
  };
  const maybe = (n: number | undefined) => (n === undefined ? null : step(n));
  const entryOf = (e: Entry & { readonly filled: Filled }): CachedEntry => ({
    ...cellText(machine, e),
    filled: maybe(e.filled.by),
    from: e.filled.from ? entryOf(e.filled.from) : null,
  });
  const miss = (a: Attempt): Miss => {
    if (a.kind !== "outstanding") return { kind: a.kind, step: step(a.step) };
    return { kind: a.kind, ...pendingText(machine, a.set, a.entry), posted: maybe(a.posted) };
  };
  return {
    kind: "entry",
    found: reason.found < count ? step(reason.found) : null,
    entry: entryOf(reason),
    revoked: maybe(reason.revoked),
    misses: reason.attempts.map(miss),
  };
}

/** Who waits in a state, and for what is outstanding; undefined if nobody does. */
export function whyWaits(
  machine: PackedMachine,
  state: Int32Array,
  threads: readonly number[],
): Why | undefined {
  machine.load(state, 0);
  const waiting = threads
    .filter((n) => waitsForEver(machine, n) && !canMove(machine, n, state))
    .map((n) => {
      machine.load(state, 0);
      const { name, instrs } = machine.program.threads[n]!;
      const { routine, step } = instrs[machine.at(n)]!.origin;
      return { agent: name, at: `${routine}:${step}` };
    });
  const outstanding = machine.program.pending.flatMap((_, set) =>
    entriesOf(machine, set, state, 0).map((e) => pendingText(machine, set, e)),
  );
  if (waiting.length + outstanding.length === 0) return undefined;
  return { kind: "waits", threads: waiting, outstanding };
}

function canMove(machine: PackedMachine, thread: number, state: Int32Array): boolean {
  let can = false;
  machine.successors(machine.transitions[thread]!, state, 0, () => {
    can = true;
  });
  return can;
}

function cellText(machine: PackedMachine, { instance, value }: Entry) {
  const { domain } = machine.program;
  const decl = machine.cells.decl(instance);
  const sorts = Object.values(decl.keys);
  const key = machine.cells.instances[instance]!.key.map((v, i) =>
    showValue(sorts[i]!, v, domain, formatValue),
  ).join();
  return {
    place: `${decl.name}[${key}]`,
    cell: decl.name,
    value: showValue(decl.value, value, domain, formatValue),
  };
}

function pendingText(machine: PackedMachine, set: number, entry: number) {
  const { domain, pending } = machine.program;
  const { decl, key } = pending[set]!;
  const fields = Object.entries(decl.entry);
  const offsets = entryOffsets(fields, domain);
  const words = fields.map(([, sort], f) =>
    showValue(sort, (entry >>> offsets[f]!.offset) & offsets[f]!.mask, domain, formatValue),
  );
  const sorts = Object.values(decl.keys);
  const at = key.map((v, i) => showValue(sorts[i]!, v, domain, formatValue)).join();
  return { set: at === "" ? decl.name : `${decl.name}[${at}]`, entry: words.join(" ") };
}
