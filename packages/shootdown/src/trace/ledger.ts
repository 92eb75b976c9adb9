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
import { MAX_ALL_OPEN, MAX_HELD, MAX_OPEN, MAX_OVERDUE, MAX_PIECES } from "./limits.ts";
import { Obligation, type ObligationSpec, type Span, type Until } from "./obligation.ts";
import type { Space, Spaces } from "./space.ts";
import { EXEMPT, type Tally, type Violation, WHY } from "./tally.ts";
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
  /** Changes whose deadline is to come, of all tasks. */
  #open = 0;

  readonly #rewalk: boolean | undefined;

  /** @param rewalk the knob denyRewalk, if it is set. */
  constructor(spaces: Spaces, contract: Contract, tally: Tally, rewalk: boolean | undefined) {
    this.#rewalk = rewalk;
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
    const { window } = space;
    const full = window.size >= MAX_OPEN || this.#open >= MAX_ALL_OPEN || window.full(spec.start);
    if (full) {
      this.#tally.evicted("MAX_OPEN");
      this.#tally.undecided(WHY.evicted);
      return undefined;
    }
    const change = new Obligation(spec, space, this.#epoch, task.during);
    space.window.open(change, spec.start, spec.end);
    task.owe(change);
    this.#open++;
    return change;
  }

  /** Nothing was changed after all. */
  drop(task: Task, change: Obligation): void {
    this.#close(change);
    this.#settled(task.settle(change));
  }

  #settled(count: number): void {
    this.#open -= count;
  }

  /** The end that `until` names has come. */
  close(task: Task, until: Until, at: RawEvent | undefined): void {
    const due = task.due(until);
    if (due.length === 0) return;
    this.#settled(due.length);
    this.#judge(task, due, at);
  }

  /** The end of one change. */
  closeOne(task: Task, change: Obligation, at: RawEvent | undefined): void {
    this.#settled(task.settle(change));
    this.#judge(task, [change], at);
  }

  /** The task's fault or system call ends: what is overdue now comes no more. */
  endOperation(task: Task): void {
    if (task.overdue.length === 0) return;
    const due = task.overdue;
    task.overdue = [];
    const cases: Case[] = [];
    for (const overdue of due) {
      const { change } = overdue;
      if (change.dissolved) continue;
      const late = change.space.window.rest(change).length === 0;
      this.#close(change);
      cases.push({ ...overdue, late });
    }
    this.#decide(cases);
  }

  /** The mm has no notifier any more: nothing is owed from now on. */
  dissolve(space: Space): void {
    for (const change of space.window.changes()) change.dissolved = true;
    space.window.clear();
  }

  /** The mm had no notifier so far: nothing that happened owed anything. */
  annul(space: Space): void {
    this.dissolve(space);
    this.#held = this.#held.filter(({ change }) => change.space !== space);
  }

  /** A task that cannot be followed further: no verdict on what is not invalidated yet. */
  abandon(task: Task, why: string): void {
    for (const change of [...task.open, ...task.overdue.map((overdue) => overdue.change)]) {
      if (!change.dissolved && !change.space.presumed) {
        if (change.space.window.rest(change).length === 0) this.#conforms(change);
        else this.#unclear(change, why);
      }
      this.#close(change);
    }
    this.#settled(task.settleAll());
    task.overdue = [];
  }

  /** The contract is known and its calls are recorded: gives the verdicts that waited. */
  decideHeld(): void {
    const held = this.#held;
    this.#held = [];
    this.#decide(held);
  }

  /** The end of the recording. */
  finish(): void {
    for (const { space } of this.#held.map(({ change }) => change)) {
      // Who names an mm says that it has a notifier; the recording had its chance to object.
      if (!space.presumed || !this.#spaces.named(space) || space.disproved) continue;
      space.presumed = false;
      this.#spaces.count++;
    }
    this.decideHeld();
    for (const { change } of this.#held) {
      if (change.space.presumed)
        this.#tally.unjudged("changes of an mm without sign of a notifier");
      else this.#unclear(change, WHY.unprobed);
    }
    this.#held = [];
  }

  #unclear(change: Obligation, why: string): void {
    this.#tally.undecided(why, change.entries);
    this.#tally.upgraded(change.spec.operation, change.spec.change, change.entries);
  }

  #close(change: Obligation): void {
    if (!change.dissolved) change.space.window.close(change);
    change.dissolved = true;
  }

  /** Only what the recording shows to be a change counts as one. */
  #conforms(change: Obligation): void {
    const { spec, entries } = change;
    if (spec.fallback === true || spec.unsure !== undefined) return;
    this.#tally.conforms(entries);
    this.#tally.upgraded(spec.operation, spec.change, entries);
  }

  #judge(task: Task, due: readonly Obligation[], deadline: RawEvent | undefined): void {
    const failed: Overdue[] = [];
    for (const change of due) {
      if (change.dissolved) continue;
      const rest = change.space.window.rest(change);
      const taken = change.spec.whole === true && change.touched;
      if (rest.length === 0 || taken) {
        this.#conforms(change);
        this.#close(change);
        continue;
      }
      const { touched } = change;
      failed.push({ change, rest, touched, doubts: [...change.doubts], deadline });
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

  /**
   * The verdicts. What one operation did alike and the same end found not invalidated is one
   * finding; whatever it did that is unclear is then no second one.
   */
  #decide(cases: readonly Case[]): void {
    const violations = new Map<string, Violation>();
    const unclear: Case[] = [];
    for (const one of cases) {
      const verdict = this.#verdict(one);
      if (verdict === "conforms") this.#conforms(one.change);
      else if (verdict === "waits") this.#hold(one);
      else if (verdict.why !== undefined) unclear.push(one);
      else if (verdict.found === "depends" && this.#rewalk === true) {
        this.#tally.exempt(EXEMPT.rewalk, one.change.entries);
        this.#tally.upgraded(one.change.spec.operation, "upgrade", one.change.entries);
      } else gather(violations, one, verdict.found);
    }
    const said = new Set([...violations.values()].map(({ first }) => operationOf(first)));
    for (const one of unclear) {
      const verdict = this.#verdict(one);
      if (typeof verdict === "string" || verdict.why === undefined) continue;
      if (!said.has(operationOf(one))) this.#unclear(one.change, verdict.why);
    }
    for (const violation of violations.values()) this.#tally.violates(violation);
  }

  #hold(one: Case): void {
    if (this.#held.length < MAX_HELD) {
      this.#held.push(one);
      return;
    }
    this.#tally.evicted("MAX_HELD");
    this.#unclear(one.change, WHY.unprobed);
  }

  #verdict(one: Case): Verdict {
    const { change, rest } = one;
    const { spec } = change;
    const at_end = this.#contract.range_end_invalidates;
    const known = one.doubts.filter((doubt) => doubt.why === "contract" && at_end === true);
    if (known.length > 0 && holds(known, rest)) return "conforms";
    if (!this.#contract.probed || at_end === undefined || change.space.presumed) return "waits";
    const doubts = one.doubts.filter(({ why }) => why === "race" || at_end);
    const doubt = holds(doubts, rest) ? doubts.find(({ why }) => why !== "contract") : undefined;
    if (doubt !== undefined) return { why: WHY[doubt.why] };
    if (change.epoch !== this.#epoch) return { why: WHY.lost };
    if (spec.unsure !== undefined && !shown(spec, rest)) return { why: spec.unsure };
    const open = spec.depends !== undefined && this.#rewalk !== false;
    return { found: open ? "depends" : classOf(one) };
  }
}

type Verdict =
  | "conforms"
  | "waits"
  | { readonly why: string }
  | { readonly why?: undefined; readonly found: FindingClass };

/** The same operation, by the event at which it should have been done. */
function operationOf({ change, deadline }: Overdue): string {
  const { until, operation, mm } = change.spec;
  // Whatever kinds of entries a fork write-protects, one invalidation at its end is for all.
  return `${deadline?.line} ${until === "fork" ? until : operation} ${mm}`;
}

function gather(violations: Map<string, Violation>, one: Case, found: FindingClass): void {
  const { change, rest, deadline } = one;
  const key = `${operationOf(one)} ${found} ${change.spec.change}`;
  const same = deadline === undefined ? undefined : violations.get(key);
  violations.set(deadline === undefined ? `${key} ${violations.size}` : key, {
    first: same?.first ?? one,
    found,
    start: Math.min(change.start, same?.start ?? change.start),
    end: Math.max(change.end, same?.end ?? change.end),
    entries: change.entries + (same?.entries ?? 0),
    rest: [...(same?.rest ?? []), ...rest].slice(0, MAX_PIECES),
  });
}

function classOf({ change, touched, late }: Case): FindingClass {
  if (late) return "late";
  if (touched) return "short";
  if (change.spec.early !== undefined) return "order";
  return change.astray ? "short" : "missing";
}

/** Whether a page that is shown to owe an invalidation is among those without. */
function shown(spec: ObligationSpec, rest: readonly Span[]): boolean {
  return spec.shown?.some((span) => rest.some((part) => meet(span, part))) === true;
}

function meet(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end;
}
