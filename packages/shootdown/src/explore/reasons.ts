// SPDX-License-Identifier: Apache-2.0
// Why a run could go as it did: which stale entry a step found, who put it there, which step made
// memory say something else, and what should have removed the entry after that.
//
//   filled ──────── revoked ──────── attempts that missed it ──────── found
//
// All is read off the schedule: states, look-ups, clears, and what is still outstanding.

import { PackedMachine } from "../engine/packed.ts";
import type { Origin } from "../engine/program.ts";
import { entriesOf } from "./outstanding.ts";
import type { PathStep } from "./search.ts";
import { cellBits, entryBit } from "./unsure.ts";

/** An entry by cell instance and value. */
export interface Entry {
  readonly instance: number;
  readonly value: number;
}

export interface Filled {
  /** The step that put it there; undefined: it was there at the start. */
  readonly by: number | undefined;
  /** The stale entry of another cell that it came from. */
  readonly from?: Stale;
}

export interface Stale extends Entry {
  readonly filled: Filled;
}

export type Attempt =
  /** Cleared the cell elsewhere. */
  | { readonly kind: "outside"; readonly step: number }
  /** Would have removed the entry, had it gone otherwise. */
  | { readonly kind: "lost"; readonly step: number }
  /** Removed it before it came back. */
  | { readonly kind: "early"; readonly step: number }
  /** Would remove it, and is still outstanding; `posted` is the step that asked for it. */
  | {
      readonly kind: "outstanding";
      readonly set: number;
      readonly entry: number;
      readonly posted: number | undefined;
    };

export interface Reason extends Stale {
  /** The step that found the entry; the number of steps if it is asked for after all of them. */
  readonly found: number;
  /** The step after which memory says something else. */
  readonly revoked: number | undefined;
  readonly attempts: readonly Attempt[];
}

/** A step of a run on the concrete machine, as made. */
interface Made {
  readonly step: PathStep;
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly held: readonly Entry[];
  /** Cells of which the step cleared something, by name. */
  readonly cleared: ReadonlySet<string>;
}

/** The reason of a run; `hitsFrom`: from this step on look-ups find only what is held. */
export function reasonOf(
  machine: PackedMachine,
  steps: readonly PathStep[],
  hitsFrom: number,
): Reason | undefined {
  return new Inquiry(machine, steps, hitsFrom).reason();
}

/** The same of an entry that is held after the steps, stale or not; undefined if none is. */
export function reasonHeld(
  machine: PackedMachine,
  steps: readonly PathStep[],
  entry: Entry,
): Reason | undefined {
  return new Inquiry(machine, steps, Number.POSITIVE_INFINITY).held(entry);
}

class Inquiry {
  private readonly machine: PackedMachine;
  private readonly window: PackedMachine;
  private readonly made: Made[] = [];
  private readonly permitted = new Map<number, readonly ReadonlySet<number>[]>();
  private readonly end: Int32Array;

  constructor(machine: PackedMachine, steps: readonly PathStep[], hitsFrom: number) {
    this.machine = machine;
    this.window = new PackedMachine(machine.program, { semantics: "window" });
    let before = machine.initial();
    for (const [n, step] of steps.entries()) {
      const cleared = new Set<string>();
      machine.trace = ({ stmt }: Origin) => {
        if (stmt?.k === "clear") cleared.add(stmt.cell.name);
      };
      machine.hitsOnly = n >= hitsFrom;
      machine.replay(machine.transitions[step.transition]!, step.choices, before);
      machine.hitsOnly = false;
      machine.trace = undefined;
      const held = machine.picks.filter((p) => p.held);
      const after = machine.state.slice();
      this.made.push({ step, before, after, held, cleared });
      before = after;
    }
    this.end = before;
  }

  reason(): Reason | undefined {
    const found = this.lastStale();
    return found && this.of(found.entry, found.step);
  }

  held(entry: Entry): Reason | undefined {
    if (!this.holds(this.end, entry)) return undefined;
    return this.of(entry, this.made.length);
  }

  private of(entry: Entry, step: number): Reason {
    const revoked = this.revokedBefore(entry, step);
    const filled = this.filledBefore(entry, step, 0);
    const attempts = this.attempts(entry, revoked ?? 0, filled.by, step);
    return { ...entry, filled, found: step, revoked, attempts };
  }

  /** The last step that found an entry which memory would not give any more. */
  private lastStale(): { step: number; entry: Entry } | undefined {
    for (let step = this.made.length - 1; step >= 0; step--) {
      const { held } = this.made[step]!;
      const stale = held.filter((e) => this.isFillable(e) && !this.gives(step, e));
      const entry = stale.at(-1);
      if (entry) return { step, entry };
    }
    return undefined;
  }

  private isFillable({ instance }: Entry): boolean {
    return this.machine.cells.instances[instance]!.fill !== undefined;
  }

  /** Whether memory alone, before a step, would give a cell this value. */
  private gives(step: number, { instance, value }: Entry): boolean {
    let known = this.permitted.get(step);
    if (!known) {
      const { window, machine } = this;
      const state = this.before(step).slice();
      for (const [w, bits] of cellBits(machine).entries()) state[w]! &= ~bits;
      window.load(state, 0);
      window.cells.dirtyAll();
      window.close();
      known = window.cells.instances.map((c) => new Set(window.contents(c.group, c.index)));
      this.permitted.set(step, known);
    }
    return known[instance]!.has(value);
  }

  /** The state in which a step was made, or the last. */
  private before(step: number): Int32Array {
    return this.made[step]?.before ?? this.end;
  }

  private revokedBefore(entry: Entry, step: number): number | undefined {
    for (let n = step - 1; n >= 0; n--) {
      if (this.gives(n, entry) && !this.gives(n + 1, entry)) return n;
    }
    return undefined;
  }

  private holds(state: Int32Array, { instance, value }: Entry): boolean {
    const { machine } = this;
    machine.load(state, 0);
    return (machine.cells.mask(instance) & machine.cells.bit(instance, value)) !== 0;
  }

  private filledBefore(entry: Entry, step: number, depth: number): Filled {
    for (let by = step - 1; by >= 0; by--) {
      const { before, step: made } = this.made[by]!;
      if (this.holds(before, entry)) continue;
      if (this.machine.transitions[made.transition]!.kind !== "fill" || depth > 2) return { by };
      this.machine.load(before, 0);
      const option = this.machine.cells
        .fillOptions(entry.instance)
        .find((o) => o.value === entry.value);
      const source = option?.picks.find((p) => p.held && this.isFillable(p) && !this.gives(by, p));
      if (!source) return { by };
      const from = { instance: source.instance, value: source.value };
      return { by, from: { ...from, filled: this.filledBefore(from, by, depth + 1) } };
    }
    return { by: undefined };
  }

  private attempts(
    entry: Entry,
    revoked: number,
    filled: number | undefined,
    found: number,
  ): Attempt[] {
    const attempts: Attempt[] = [];
    const cell = this.machine.cells.decl(entry.instance).name;
    for (let step = revoked + 1; step < found; step++) {
      const { before, after, cleared } = this.made[step]!;
      const held = this.holds(before, entry);
      if (!held && cleared.has(cell) && filled !== undefined && step < filled) {
        if (this.wouldRemove(step, entry)) attempts.push({ kind: "early", step });
        continue;
      }
      if (!held || !this.holds(after, entry)) continue;
      if (cleared.has(cell)) attempts.push({ kind: "outside", step });
      else if (this.couldRemove(step, entry)) attempts.push({ kind: "lost", step });
    }
    return [...attempts, ...this.outstanding(entry, found)];
  }

  /** Whether a step, as it was made, would have removed the entry. */
  private wouldRemove(step: number, entry: Entry): boolean {
    const { machine } = this;
    const { before, step: made } = this.made[step]!;
    const with_ = this.with(before, entry);
    const t = machine.transitions[made.transition]!;
    return machine.replay(t, made.choices, with_) && !this.holds(machine.state.slice(), entry);
  }

  private with(state: Int32Array, { instance, value }: Entry): Int32Array {
    const { machine } = this;
    const changed = state.slice();
    const { word, bit } = entryBit(machine, instance, value);
    changed[word]! |= bit;
    return changed;
  }

  /** Whether the effect that was made could, with other choices, have removed the entry. */
  private couldRemove(step: number, entry: Entry): boolean {
    const { before, step: made } = this.made[step]!;
    const t = this.machine.transitions[made.transition]!;
    return t.kind === "effect" && this.removes(made.transition, before, entry);
  }

  private removes(transition: number, state: Int32Array, entry: Entry): boolean {
    const { machine } = this;
    const { word, bit } = entryBit(machine, entry.instance, entry.value);
    let removed = false;
    machine.successors(machine.transitions[transition]!, state, 0, () => {
      if ((machine.state[word]! & bit) === 0) removed = true;
    });
    return removed;
  }

  /** What is outstanding when the entry is found, and would remove it. */
  private outstanding(entry: Entry, found: number): Attempt[] {
    const { machine } = this;
    const before = this.before(found);
    return machine.program.pending.flatMap((_, set) =>
      entriesOf(machine, set, before, 0).flatMap((e): Attempt[] => {
        const first = machine.transitions.findIndex(
          (t) => t.kind === "effect" && t.index === set && t.slot === 0,
        );
        if (!this.removes(first, this.alone(before, set, e), entry)) return [];
        return [{ kind: "outstanding", set, entry: e, posted: this.posted(set, e, found) }];
      }),
    );
  }

  /** The state with this one entry in the set. */
  private alone(state: Int32Array, set: number, entry: number): Int32Array {
    const changed = state.slice();
    for (const [slot, { word, shift, mask }] of this.machine.layout.pending[set]!.entries()) {
      changed[word] = (changed[word]! & ~(mask << shift)) | ((slot === 0 ? entry : 0) << shift);
    }
    return changed;
  }

  private posted(set: number, entry: number, found: number): number | undefined {
    const count = (state: Int32Array) =>
      entriesOf(this.machine, set, state, 0).filter((e) => e === entry).length;
    for (let n = found - 1; n >= 0; n--) {
      const { before, after } = this.made[n]!;
      if (count(after) > count(before)) return n;
    }
    return undefined;
  }
}
