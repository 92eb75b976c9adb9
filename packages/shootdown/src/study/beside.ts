// SPDX-License-Identifier: Apache-2.0
// Two programs of one scenario side by side: the run of the first is taken in the second as far as
// it goes, statement by statement, and the steps at which they differ are found.
//
//   first    1 ─ 2 ─ 3 ──────────────── 4 ─ 5
//   second   1 ─ 2 ─ 3 ─ 4'─ 5'─ 6' ─── 7 ─ 8'      more: 4' to 6'; other outcome: 5 against 8'

import type { Transition } from "../engine/packed.ts";
import { printStmt } from "../ir/print.ts";
import type { Stmt } from "../ir/stmt.ts";
import { isShared, toldOrigin, type WitnessRow } from "./player.ts";
import type { Move, Walk } from "./walk.ts";

/** A step of each run that is the same, or one of one run alone. Steps are numbered from 1. */
export interface Pair {
  readonly first: number | null;
  readonly second: number | null;
}

export type DifferenceKind =
  /** The second does more before it goes on like the first. */
  | "more"
  /** The second leaves out what the first does. */
  | "less"
  /** Each does something else. */
  | "instead"
  /** The same statement, and something else comes of it. */
  | "outcome"
  /** Where the first can do no more, the second goes on. */
  | "goes on"
  /** The second has a next step that cannot be made now; it has ended; hardware cannot do it. */
  | "waits"
  | "ended"
  | "impossible";

/** Where two runs differ. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** Whose steps these are. */
  readonly agent: string;
  /** The first of its pairs. */
  readonly at: number;
  /** The steps of each run that it is about. */
  readonly first: readonly number[];
  readonly second: readonly number[];
  /** The step of the first run with which both go on. */
  readonly on: number | null;
}

export interface Beside {
  readonly pairs: readonly Pair[];
  readonly differences: readonly Difference[];
}

/** So far a program is run ahead to find where it meets the other again. */
const AHEAD_STEPS = 96;
/** So near a single statement that is the same is where they meet. */
const CHANCE_STEPS = 8;

/** Follows the steps of `first` in `second`, which is at its beginning. */
export function follow(first: Walk, second: Walk): Beside {
  const follower = new Follower(first, second);
  for (let n = 1; n <= first.length; n++) follower.next(n);
  follower.end();
  return { pairs: follower.pairs, differences: follower.differences };
}

/** A run in which programs go one after the other, and hardware where they wait. */
export function playThrough(walk: Walk): void {
  const names = walk.view(0).threads.map((t) => t.name);
  for (const name of [...names, ...names]) runAlone(walk, name);
}

/** Runs one program as far as it goes; where it waits, hardware goes on. Its own steps. */
function runAlone(walk: Walk, name: string): number[] {
  const own: number[] = [];
  const first = (is: (t: Transition) => boolean) => walk.moves(walk.length, is)[0];
  for (let n = 0; n < 4 * AHEAD_STEPS && own.length < AHEAD_STEPS; n++) {
    const move = first((t) => t.kind === "thread" && t.name === name);
    if (move) {
      walk.take(move.step);
      own.push(walk.length);
      continue;
    }
    if (isEnded(walk, name)) break;
    const effect = first((t) => t.kind === "effect");
    if (!effect) break;
    walk.take(effect.step);
  }
  return own;
}

const isEnded = (walk: Walk, name: string): boolean =>
  walk.view(walk.length).threads.find((t) => t.name === name)?.status === "ended";

class Follower {
  readonly pairs: Pair[] = [];
  readonly differences: Difference[] = [];
  private readonly first: Walk;
  private readonly second: Walk;
  /** Agents whose programs have parted for good: no more is said of them. */
  private readonly parted = new Set<string>();
  /** Up to which step a difference tells what the first does alone, by agent. */
  private readonly told = new Map<string, number>();

  constructor(first: Walk, second: Walk) {
    this.first = first;
    this.second = second;
  }

  next(n: number): void {
    const row = this.first.row(n);
    const { kind, name } = this.first.steps[n - 1]!;
    if (kind !== "thread") return this.hardware(n, row);
    if (this.parted.has(name) || (this.told.get(name) ?? 0) >= n) return this.alone(n);
    const found = this.same(row, name);
    if (found) return this.both(n, row, found);
    if (!this.apart(n, name)) return this.alone(n);
    const again = this.same(row, name);
    return again ? this.both(n, row, again) : this.alone(n);
  }

  /** What the second goes on to do where the first can do no more. */
  end(): void {
    const { first, second } = this;
    if (this.differences.length > 0) return;
    const idle = first.view(first.length).threads.flatMap(({ name }) => {
      const is = (t: Transition) => t.kind === "thread" && t.name === name;
      return first.moves(first.length, is).length === 0 ? [name] : [];
    });
    for (const name of [...idle, ...idle]) {
      const at = this.pairs.length;
      const start = second.length;
      runAlone(this.second, name);
      if (second.length === start) continue;
      const added = Array.from({ length: second.length - start }, (_, i) => start + 1 + i);
      for (const m of added) this.pairs.push({ first: null, second: m });
      const kind = "goes on";
      this.differences.push({ kind, agent: name, at, first: [], second: added, on: null });
    }
  }

  private alone(n: number): void {
    this.pairs.push({ first: n, second: null });
  }

  private both(n: number, row: WitnessRow, { step, row: other }: Move): void {
    this.second.take(step);
    const { length } = this.second;
    this.pairs.push({ first: n, second: length });
    if (eventsOf(other) === eventsOf(row)) return;
    this.differ({ kind: "outcome", agent: row.agent, first: [n], second: [length], on: null });
  }

  /** A step of hardware is the same if it does the same. */
  private hardware(n: number, row: WitnessRow): void {
    const { kind, name } = this.first.steps[n - 1]!;
    const [what] = name.split("[");
    const moves = this.movesOf((t) => t.kind === kind && t.name.split("[")[0] === what);
    const found = moves.find((m) => doneBy(m.row) === doneBy(row));
    if (found) return this.both(n, row, found);
    this.alone(n);
    // Later it may follow from what differed before.
    if (this.differences.length > 0) return;
    this.differ({ kind: "impossible", agent: row.agent, first: [n], second: [], on: null });
  }

  /** The same step of a program: begun by the same statement, best with the same outcome. */
  private same(row: WitnessRow, name: string): Move | undefined {
    const moves = this.movesOf((t) => t.kind === "thread" && t.name === name);
    const alike = moves.filter((m) => isSame(m.row, row));
    return (
      alike.find((m) => doneBy(m.row) === doneBy(row)) ??
      alike.find((m) => eventsOf(m.row) === eventsOf(row)) ??
      alike[0]
    );
  }

  /**
   * The program of step `n` goes another way in the second, which does what it does up to where
   * they meet again; whether that is step `n`.
   */
  private apart(n: number, name: string): boolean {
    const { first, second } = this;
    const start = second.length;
    const own = this.ownSteps(n, name);
    const ahead = runAlone(this.second, name);
    const met = meeting(
      own.map((m) => first.row(m)),
      ahead.map((m) => second.row(m)),
      (ahead[0] ?? 0) > start + 1,
    );
    // While a program waited, hardware went on.
    const otherwise = ahead.find((m) => !this.isQuiet([], [m])) ?? ahead[0] ?? start;
    const keep = met ? ahead[met.second]! - 1 : otherwise;
    second.cut(keep);
    const alone = met ? own.slice(0, met.first) : [n];
    const added = Array.from({ length: keep - start }, (_, i) => start + 1 + i);
    const difference = {
      ...{ agent: name, at: this.pairs.length, first: alone, second: added },
      on: met ? own[met.first]! : null,
    };
    for (const m of added) this.pairs.push({ first: null, second: m });
    if (met) this.told.set(name, alone.at(-1) ?? 0);
    else this.parted.add(name);
    const kind = added.length > 0 ? "instead" : isEnded(second, name) ? "ended" : "waits";
    if (!met) this.differences.push({ kind, ...difference });
    else if (!this.isQuiet(alone, added)) {
      const isMore = alone.length === 0;
      const how = isMore ? "more" : added.length === 0 ? "less" : "instead";
      this.differences.push({ kind: how, ...difference });
    }
    return met !== undefined && alone.length === 0;
  }

  /** Whether nobody can notice any of these steps: what only differs in how it was lowered. */
  private isQuiet(first: readonly number[], second: readonly number[]): boolean {
    const quiet = (row: WitnessRow) =>
      row.events.length === 0 && row.changed.length === 0 && !isShared(row);
    return (
      first.every((n) => quiet(this.first.row(n))) && second.every((n) => quiet(this.second.row(n)))
    );
  }

  /** Steps of the first from `n` on that one agent makes. */
  private ownSteps(n: number, name: string): number[] {
    const own: number[] = [];
    for (let m = n; m <= this.first.length && own.length < AHEAD_STEPS; m++) {
      const step = this.first.steps[m - 1]!;
      if (step.kind === "thread" && step.name === name) own.push(m);
    }
    return own;
  }

  private movesOf(is: (t: Transition) => boolean): Move[] {
    return this.second.moves(this.second.length, is);
  }

  private differ(difference: Omit<Difference, "at">): void {
    this.differences.push({ ...difference, at: this.pairs.length - 1 });
  }
}

/** How much each leaves behind until both do the same again; the least in all. */
function meeting(
  first: readonly WitnessRow[],
  second: readonly WitnessRow[],
  waited: boolean,
): { readonly first: number; readonly second: number } | undefined {
  const is = (i: number, j: number): boolean => isSame(first[i]!, second[j]!);
  const isAgain = (i: number, j: number): boolean =>
    is(i, j) && (i + 1 >= first.length || j + 1 >= second.length || is(i + 1, j + 1));
  const search = (most: number, meets: typeof is) => {
    for (let sum = waited ? 0 : 1; sum <= most; sum++) {
      for (
        let i = Math.max(0, sum - second.length + 1);
        i <= Math.min(sum, first.length - 1);
        i++
      ) {
        if (meets(i, sum - i)) return { first: i, second: sum - i };
      }
    }
    return undefined;
  };
  // One statement alone may be the same by chance, far from here.
  return search(first.length + second.length, isAgain) ?? search(CHANCE_STEPS, is);
}

/** The same statement; or the same is told of both, under whatever name. */
const isSame = (a: WitnessRow, b: WitnessRow): boolean =>
  statementOf(a) === statementOf(b) || (a.events.length > 0 && eventsOf(a) === eventsOf(b));

const printed = new WeakMap<Stmt, string>();

/** The statement that a step is about, with its routine: versions number statements differently. */
function statementOf(row: WitnessRow): string {
  const told = toldOrigin(row);
  if (!told) return "";
  const { routine, step, stmt } = told;
  if (!stmt) return `${routine}:${step}`;
  let text = printed.get(stmt);
  if (text === undefined) printed.set(stmt, (text = printStmt(stmt)));
  return `${routine} ${text}`;
}

/** An IOMMU may have an ASID of its own for what CPUs have another for: the entry is the same. */
const plain = (text: string): string => text.replace(/\bsmmu-asid\(/g, "asid(");

const eventsOf = ({ events }: WitnessRow): string => plain(JSON.stringify(events));
const doneBy = (row: WitnessRow): string => eventsOf(row) + plain(JSON.stringify(row.changed));
