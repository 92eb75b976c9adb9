// SPDX-License-Identifier: Apache-2.0
// The changes that wait for their invalidation, and the verdict on each when its deadline passes.
//
//   owe ──► open ──deadline──► nothing left: conforms
//                         └──► overdue ──end of the fault or system call──► verdict
//
// A change stays overdue until its task's operation ends, to tell `late` from `missing`. A verdict
// that would be a finding waits until the recording proves that such calls are recorded at all.
import type { Contract } from "./contract.ts";
import type { FindingClass } from "./finding.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import { MAX_HELD, MAX_OPEN, MAX_OVERDUE } from "./limits.ts";
import { Obligation, type ObligationSpec, type Span, type Until } from "./obligation.ts";
import type { Space, Spaces } from "./space.ts";
import { type Tally, WHY } from "./tally.ts";
import type { Overdue, Task } from "./task.ts";
import { holds } from "./window.ts";

/** What a verdict needs; `late` when all was invalidated after the deadline, yet in time for it. */
interface Case extends Overdue {
  readonly late: boolean;
}

export class Ledger {
  readonly #spaces: Spaces;
  readonly #contract: Contract;
  readonly #tally: Tally;
  #held: Case[] = [];
  #epoch = 0;

  constructor(spaces: Spaces, contract: Contract, tally: Tally) {
    this.#spaces = spaces;
    this.#contract = contract;
    this.#tally = tally;
  }

  /** Events are missing here: what is open may have been invalidated by one of them. */
  lost(): void {
    this.#epoch++;
  }

  /** A change that owes an invalidation. Undefined if there are too many to remember. */
  owe(task: Task, space: Space, spec: ObligationSpec): Obligation | undefined {
    const last = task.open[task.open.length - 1];
    if (last?.continues(spec) && last.epoch === this.#epoch) {
      space.window.open(last, spec.start, spec.end);
      last.end = spec.end;
      last.entries++;
      return last;
    }
    if (spec.start >= spec.end) return undefined;
    if (space.window.size >= MAX_OPEN) {
      this.#tally.evicted("MAX_OPEN");
      this.#tally.undecided(WHY.evicted);
      return undefined;
    }
    const change = new Obligation(spec, this.#epoch);
    space.window.open(change, spec.start, spec.end);
    task.open.push(change);
    return change;
  }

  /** Nothing was changed after all. */
  drop(task: Task, change: Obligation): void {
    this.#close(change);
    task.open = task.open.filter((other) => other !== change);
  }

  /** The end that `until` names has come. */
  close(task: Task, until: Until, at: RawEvent | undefined): void {
    if (task.open.length === 0) return;
    const due = task.open.filter((change) => change.spec.until === until);
    if (due.length === 0) return;
    task.open = task.open.filter((change) => change.spec.until !== until);
    this.#judge(task, due, at);
  }

  /** The end of one change. */
  closeOne(task: Task, change: Obligation, at: RawEvent | undefined): void {
    task.open = task.open.filter((other) => other !== change);
    this.#judge(task, [change], at);
  }

  /** The task's fault or system call ends: what is overdue now comes no more. */
  endOperation(task: Task): void {
    if (task.overdue.length === 0) return;
    const due = task.overdue;
    task.overdue = [];
    for (const overdue of due) {
      const { change } = overdue;
      if (change.dissolved) continue;
      const late = this.#space(change)?.window.rest(change).length === 0;
      this.#close(change);
      this.#decide({ ...overdue, late });
    }
  }

  /** The mm has no notifier any more: nothing is owed. */
  dissolve(space: Space): void {
    for (const change of space.window.changes()) change.dissolved = true;
    space.window.clear();
  }

  /** A task that cannot be remembered: its changes get no verdict. */
  abandon(task: Task, why: string): void {
    for (const change of [...task.open, ...task.overdue.map((overdue) => overdue.change)]) {
      if (!change.dissolved) this.#tally.undecided(why, change.entries);
      this.#close(change);
    }
    task.open = [];
    task.overdue = [];
  }

  /** The contract is known and its calls are recorded: gives the verdicts that waited. */
  decideHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const one of held) this.#decide(one);
  }

  /** The end of the recording. */
  finish(): void {
    for (const one of this.#held) this.#tally.undecided(WHY.unprobed, one.change.entries);
    this.#held = [];
  }

  #space(change: Obligation): Space | undefined {
    return this.#spaces.get(change.spec.mm);
  }

  #close(change: Obligation): void {
    if (!change.dissolved) this.#space(change)?.window.close(change);
    change.dissolved = true;
  }

  /** Only what the recording shows to be a change counts as one. */
  #conforms({ spec, entries }: Obligation): void {
    if (spec.fallback !== true && spec.unsure === undefined) this.#tally.conforms(entries);
  }

  #judge(task: Task, due: readonly Obligation[], deadline: RawEvent | undefined): void {
    const failed: Overdue[] = [];
    for (const change of due) {
      const space = this.#space(change);
      if (change.dissolved || space === undefined) continue;
      const rest = space.window.rest(change);
      if (rest.length === 0) {
        this.#conforms(change);
        change.dissolved = true;
        continue;
      }
      const from = change.spec.at.line;
      const stray = task.calls.findLast(
        (call) => call.stray && call.at.line > from && call.mm === space.mm,
      );
      failed.push({ change, rest, doubts: [...change.doubts], deadline, stray });
    }
    const named = failed.filter(({ change }) => change.spec.fallback !== true);
    for (const overdue of failed) {
      const { change } = overdue;
      const said = named.some((other) => meet(other.change, change));
      if (change.spec.fallback === true && said) this.#close(change);
      else task.overdue.push(overdue);
    }
    if (task.overdue.length > MAX_OVERDUE) this.endOperation(task);
  }

  #decide(one: Case): void {
    const { change, rest } = one;
    const { spec } = change;
    const at_end = this.#contract.range_end_invalidates;
    const known = one.doubts.filter((doubt) => doubt.why === "contract" && at_end === true);
    if (known.length > 0 && holds(known, rest)) {
      this.#conforms(change);
      return;
    }
    if (!this.#contract.probed || at_end === undefined) {
      if (this.#held.length < MAX_HELD) this.#held.push(one);
      else {
        this.#tally.evicted("MAX_HELD");
        this.#tally.undecided(WHY.unprobed, change.entries);
      }
      return;
    }
    const doubts = one.doubts.filter((doubt) => doubt.why !== "contract" || at_end === true);
    const doubt = holds(doubts, rest) ? doubts.find(({ why }) => why !== "contract") : undefined;
    if (doubt !== undefined) this.#tally.undecided(WHY[doubt.why], change.entries);
    else if (change.epoch !== this.#epoch) this.#tally.undecided(WHY.lost, change.entries);
    else if (spec.unsure !== undefined && !shown(spec, rest)) {
      this.#tally.undecided(spec.unsure, change.entries);
    } else this.#tally.violates(change, classOf(one), rest, one.deadline);
  }
}

function classOf({ change, late, stray }: Case): FindingClass {
  if (late) return "late";
  if (change.touched) return "short";
  if (change.spec.early !== undefined) return "order";
  return stray === undefined ? "missing" : "short";
}

/** Whether a page that is shown to owe an invalidation is among those without. */
function shown(spec: ObligationSpec, rest: readonly Span[]): boolean {
  return spec.shown?.some((span) => rest.some((part) => meet(span, part))) === true;
}

function meet(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end;
}
