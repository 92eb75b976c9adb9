// SPDX-License-Identifier: Apache-2.0
// What is certain while a thread stands at a point: values that nobody else changes, and locks that
// the thread holds. Paths within a step are followed one by one, so that tests agree.
//
//   a value   stored, awaited or tested by the thread; all others write no other
//   a lock    taken where it was found free in the same step, given back by its holder alone

import type { Accesses, AccessFinder } from "./commute-access.ts";
import type { Known, Variables } from "./commute-variables.ts";
import { type Implied, implied, NOTHING_KNOWN } from "./commute-variables.ts";
import { beginsStep, defines, successors } from "./flow.ts";
import type { Code, Instr, Program } from "./program.ts";

/** What is certain where a thread stands. */
export interface Certain extends Known {
  /** Locks that the thread holds. */
  readonly held: ReadonlySet<number>;
  /** What the step being made has found to be 0. */
  readonly free: ReadonlySet<number>;
}

/** A point at which a thread may stand, and the instructions that a step from there may run. */
export interface Standing {
  readonly certain: Certain;
  readonly runs: readonly number[];
}

const NONE: ReadonlySet<number> = new Set();
export const UNCERTAIN: Certain = { ...NOTHING_KNOWN, held: NONE, free: NONE };

/** At most so many ways to reach one instruction of a step are told apart. */
const WAYS_MAX = 8;

/** By thread and instruction; nothing where the thread never stands. */
export function standings(
  program: Program,
  variables: Variables,
  finder: AccessFinder,
): readonly ReadonlyMap<number, Standing>[] {
  const threads = program.threads.map((t) => finder.all(t));
  const rest = [...program.rules, ...program.pending].map((c) => finder.all(c));
  const locks = lockCandidates(variables, threads, rest);
  const asked = new Set(locks);
  for (const a of [...threads, ...rest]) {
    for (const c of a.conditions) for (const v of c.on) asked.add(v);
  }
  const flows = program.threads.map((t, n) => {
    const others = [...threads.filter((_, m) => m !== n), ...rest];
    return new ThreadFlow(t, variables, others, asked);
  });
  for (const f of flows) f.solve(locks);
  for (const f of flows) f.refute(locks);
  return flows.map((f) => f.standings(locks));
}

/** Elements that begin as 0 and that only threads write. */
function lockCandidates(
  variables: Variables,
  threads: readonly Accesses[],
  rest: readonly Accesses[],
): Set<number> {
  const locks = new Set<number>();
  for (const t of threads) for (const v of t.writes.keys()) locks.add(v);
  for (const v of [...locks]) {
    const touched = rest.some((r) => r.writes.has(v) || r.adds.has(v));
    const added = threads.some((t) => t.adds.has(v));
    if (touched || added || variables.initial.get(v) !== 0) locks.delete(v);
  }
  return locks;
}

class ThreadFlow {
  private readonly code: Code;
  private readonly variables: Variables;
  private readonly others: readonly Accesses[];
  /** Variables and registers of which anything need be known: those that conditions speak of. */
  private readonly asked: ReadonlySet<number>;
  private readonly at = new Map<number, Certain>();
  private readonly implications = new Map<Instr, readonly (readonly Implied[])[]>();

  constructor(
    code: Code,
    variables: Variables,
    others: readonly Accesses[],
    asked: ReadonlySet<number>,
  ) {
    this.code = code;
    this.variables = variables;
    this.others = others;
    const all = new Set(asked);
    for (const i of code.instrs) {
      if (i.op !== "branch" && i.op !== "await") continue;
      const says = [implied(i.cond, false, variables), implied(i.cond, true, variables)];
      this.implications.set(i, says);
      for (const { place } of says.flat()) all.add(place);
    }
    this.asked = all;
  }

  /** Finds what holds at each point on all ways there. */
  solve(locks: ReadonlySet<number>): void {
    const is = new Map(
      [...this.variables.initial].filter(([v, x]) => this.asked.has(v) && this.steady(v, x)),
    );
    this.at.set(0, { ...UNCERTAIN, is });
    const work = new Set([0]);
    while (work.size > 0) {
      // In the order of the code, which mostly runs forward.
      const point = Math.min(...work);
      work.delete(point);
      this.walk(point, locks, undefined, (to, next) => {
        const old = this.at.get(to);
        if (old && within(old, next)) return;
        this.at.set(to, old ? join(old, next) : next);
        work.add(to);
      });
    }
  }

  /** Takes out of `locks` what the thread uses in another way than a lock. */
  refute(locks: Set<number>): void {
    for (const point of this.at.keys()) {
      this.walk(point, locks, (i, before) => {
        if (i.op !== "store" && i.op !== "xchg" && i.op !== "cas") return;
        const to = this.variables.elements(i.field, i.index);
        const value = i.op === "store" && i.value.k === "const" ? i.value.value : undefined;
        for (const v of to) {
          const takes = value === 1 && before.free.has(v);
          const gives = value === 0 && before.held.has(v);
          if (to.length !== 1 || !(takes || gives)) locks.delete(v);
        }
      });
    }
  }

  /** What was found out, with the locks that are left. */
  standings(locks: ReadonlySet<number>): Map<number, Standing> {
    const found = new Map<number, Standing>();
    for (const [point, before] of this.at) {
      const runs = new Set<number>();
      this.walk(point, locks, (_, __, at) => runs.add(at));
      const held = new Set([...before.held].filter((l) => locks.has(l)));
      const is = new Map([...before.is, ...[...held].map((l) => [l, 1] as const)]);
      found.set(point, { certain: { ...before, is, held }, runs: [...runs] });
    }
    return found;
  }

  /** Whether an element that the thread knows to have the value keeps it, whatever others do. */
  private steady(v: number, value: number): boolean {
    return this.others.every(
      (o) => !o.adds.has(v) && (!o.writes.has(v) || o.writes.get(v) === value),
    );
  }

  /** Follows the ways through one step; `reach` is called at the points where they end. */
  private walk(
    point: number,
    locks: ReadonlySet<number>,
    visit?: (i: Instr, before: Certain, at: number) => void,
    reach?: (to: number, after: Certain) => void,
  ): void {
    const ways = new Map<number, Certain[]>();
    const work = [{ at: point, before: { ...this.at.get(point)!, free: NONE } }];
    for (let way = work.pop(); way !== undefined; way = work.pop()) {
      const { at, before } = way;
      const i = this.code.instrs[at]!;
      visit?.(i, before, at);
      for (const { to, holds } of this.feasible(i, at, before)) {
        const after = this.after(i, before, holds, locks);
        if (beginsStep(this.code.instrs[to]!)) {
          reach?.(to, { ...after, free: NONE });
          continue;
        }
        const known = ways.get(to) ?? [];
        const joined = known.length < WAYS_MAX ? after : known.reduce(join, after);
        if (known.some((k) => within(k, joined))) continue;
        ways.set(to, known.length < WAYS_MAX ? [...known, after] : [joined]);
        work.push({ at: to, before: joined });
      }
    }
  }

  /** Where an instruction may go on, and whether its condition, if it has one, holds then. */
  private feasible(i: Instr, at: number, before: Certain): { to: number; holds: boolean }[] {
    const all = successors(i, at).map((to, n) => ({ to, holds: n === 0 }));
    if (i.op !== "await" && i.op !== "branch") return all;
    const value = this.variables.value(i.cond, before);
    return value === undefined ? all : all.filter(({ holds }) => holds === (value !== 0));
  }

  private after(i: Instr, before: Certain, holds: boolean, locks: ReadonlySet<number>): Certain {
    switch (i.op) {
      case "store":
      case "xchg":
      case "cas":
        return this.stored(i, before, locks);
      case "await":
      case "branch":
        return this.learnt(i, before, holds);
      case "let": {
        const to = this.variables.register(i.reg);
        const value = this.asked.has(to) ? this.variables.value(i.value, before) : undefined;
        const next = forget(before, [to]);
        return value === undefined ? next : { ...next, is: new Map(next.is).set(to, value) };
      }
      default: {
        const reg = i.op === "grow" || i.op === "next" ? i.reg : defines(i);
        return reg < 0 ? before : forget(before, [this.variables.register(reg)]);
      }
    }
  }

  private stored(
    i: Instr & { op: "store" | "xchg" | "cas" },
    before: Certain,
    locks: ReadonlySet<number>,
  ): Certain {
    const to = this.variables.elements(i.field, i.index);
    const value = i.op === "cas" ? undefined : this.variables.value(i.value, before);
    const regs = i.op === "store" ? [] : [this.variables.register(i.reg)];
    const next = forget(before, [...to, ...regs]);
    const [only] = to;
    if (only === undefined || !to.some((v) => this.asked.has(v))) return next;
    const free = new Set([...before.free].filter((v) => !to.includes(v)));
    const held = new Set([...before.held].filter((v) => !to.includes(v)));
    const is = new Map(next.is);
    if (to.length === 1 && value !== undefined) {
      if (this.steady(only, value)) is.set(only, value);
      if (value === 1 && locks.has(only)) held.add(only);
    }
    return { is, not: next.not, free, held };
  }

  private learnt(i: Instr & { op: "await" | "branch" }, before: Certain, holds: boolean): Certain {
    const says = this.implications.get(i)![holds ? 1 : 0]!;
    if (says.length === 0) return before;
    const is = new Map(before.is);
    const not = new Map(before.not);
    const free = new Set(before.free);
    for (const { place, value, equal } of says) {
      const own = place >= this.variables.count;
      if (equal && value === 0 && !own) free.add(place);
      if (equal && (own || this.steady(place, value))) is.set(place, value);
      if (!equal && own) not.set(place, value);
    }
    return { is, not, free, held: before.held };
  }
}

function forget(before: Certain, places: readonly number[]): Certain {
  if (!places.some((p) => before.is.has(p) || before.not.has(p))) return before;
  const next = { ...before, is: new Map(before.is), not: new Map(before.not) };
  for (const p of places) {
    next.is.delete(p);
    next.not.delete(p);
  }
  return next;
}

/** What holds on both ways. */
function join(a: Certain, b: Certain): Certain {
  const maps = (x: ReadonlyMap<number, number>, y: ReadonlyMap<number, number>) =>
    new Map([...x].filter(([k, v]) => y.get(k) === v));
  const sets = (x: ReadonlySet<number>, y: ReadonlySet<number>) =>
    new Set([...x].filter((k) => y.has(k)));
  return {
    is: maps(a.is, b.is),
    not: maps(a.not, b.not),
    held: sets(a.held, b.held),
    free: sets(a.free, b.free),
  };
}

/** Whether all that `a` says holds in `b` too. */
function within(a: Certain, b: Certain): boolean {
  for (const [k, v] of a.is) if (b.is.get(k) !== v) return false;
  for (const [k, v] of a.not) if (b.not.get(k) !== v) return false;
  for (const k of a.held) if (!b.held.has(k)) return false;
  for (const k of a.free) if (!b.free.has(k)) return false;
  return true;
}
