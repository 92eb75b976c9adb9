// SPDX-License-Identifier: Apache-2.0
// The search that stores states: breadth first, level by level, inside one instance.
//
//   level n ──free, until nothing is new──► level n, closed ──expand──► level n+1

import type { StepUnit } from "../../engine/compiled/unit.ts";
import type { Exports, Fn } from "../../engine/target/code.ts";
import type { Imports } from "../../engine/target/wasm.ts";
import type { Progress } from "../search.ts";
import type { ImportsOf, Target } from "./module.ts";
import { instanceOf, moduleOf, wordsOf } from "./module.ts";
import type { Latch } from "./plan.ts";
import { ALL, CODE, OWN, ownOf, planOf } from "./plan.ts";
import type { Chunks, Look } from "./store.ts";
import { Store } from "./store.ts";
import type { Helpers } from "./team.ts";
import { MODE, SHARED_LEVEL_MIN, Team } from "./team.ts";

export interface FastOptions {
  readonly states_max: number;
  readonly bytes_max: number;
  readonly target: Target;
  /** What an instance of the unit imports. */
  readonly imports?: ImportsOf;
  /** A state that passes one of these is found. */
  readonly latches?: readonly Latch[];
  /** Called for every state, level by level; one for which it returns true is found. */
  readonly onNew?: Look;
  /** The same for every state from which no run goes on, when its level is through. */
  readonly onEnd?: Look;
  /** Asked at the end of the level in which something was found: whether to search on. */
  readonly goesOn?: () => boolean;
  /** Threads that help; without shared memory there are none. */
  readonly helpers?: Helpers;
  /** More functions for the module. */
  readonly functions?: readonly Fn[];
  /** Those, in order, that bring a state into its normal form in place. */
  readonly canon?: readonly string[];
  /** Called now and then; it may throw to stop. */
  readonly progress?: (p: Progress) => void;
}

export interface FastOutcome {
  readonly states: number;
  readonly transitions: number;
  /** Steps to the last state found. */
  readonly depth: number;
  /** Every reachable state was visited. */
  readonly exhaustive: boolean;
  /** The limit that was hit. */
  readonly limit?: string;
  /** Steps to the first state that was found. */
  readonly found?: number;
  /** Of memory, as much as there ever was. */
  readonly bytes: number;
}

export function exploreFast(
  unit: StepUnit,
  initial: Int32Array,
  options: FastOptions,
): FastOutcome {
  return new Exploration(unit, initial, options, false).run();
}

/** States between two calls of `progress`; fewer at first, until the code is compiled well. */
const PROGRESS_STATES = 1 << 14;
const FIRST_BUDGET = 1 << 8;

const canShare = (): boolean => typeof SharedArrayBuffer !== "undefined";

/** What ends a search before its time. */
class LimitHit extends Error {}

/** A state that passes: its depth and, if origins are kept, its place in the pool. */
interface Found {
  readonly depth: number;
  readonly place: number;
}

export class Exploration {
  readonly store: Store;
  found: Found | undefined;
  private readonly exports: Exports;
  private readonly options: FastOptions;
  private readonly frees: boolean;
  private readonly team: Team | undefined;
  private depth = 0;
  /** The depth of what is being found. */
  private reached = 0;
  private budget = FIRST_BUDGET;
  /** States of the level that are left, and how many were known when it began. */
  private left = 0;
  private known = 0;

  constructor(unit: StepUnit, initial: Int32Array, options: FastOptions, origins: boolean) {
    const { imports = () => ({}), helpers, target, functions = [], bytes_max } = options;
    const shared =
      helpers !== undefined && helpers.count > 0 && target === "wasm" && !origins && canShare();
    const plan = planOf(unit, {
      latches: options.latches ?? [],
      ends: options.onEnd !== undefined,
      canon: options.canon ?? [],
      origins,
      threads: shared ? helpers.count + 1 : 1,
      shared,
    });
    const module = moduleOf(unit, plan, functions, bytes_max);
    const made = instanceOf(module, target, (words) => this.guarded(imports(words)));
    this.options = options;
    this.exports = made.exports;
    this.frees = unit.free !== undefined;
    this.store = new Store(plan, unit, made.exports, made.memory, wordsOf(made.memory), options);
    this.store.buffer(initial);
    if (shared && made.posted) {
      const names = unit.imports.map((f) => f.name);
      this.team = new Team(this.store, helpers, { ...made.posted, imports: names });
    }
  }

  /** What the unit imports is for the first thread alone, when nobody else works. */
  private guarded(imports: Imports): Imports {
    const wrapped = Object.entries(imports).map(([name, f]) => {
      const guarded = (...args: number[]) => {
        if (this.team?.busy) throw new Error("not now");
        return f(...args);
      };
      return [name, guarded] as const;
    });
    return Object.fromEntries(wrapped);
  }

  run(): FastOutcome {
    try {
      return this.outcome(this.levels(), undefined);
    } catch (e) {
      if (!(e instanceof LimitHit)) throw e;
      this.store.count();
      this.meetEnds(this.store.take(OWN.ends));
      this.meetNew(this.store.take(OWN.out), this.reached);
      return this.outcome(false, e.message);
    } finally {
      this.team?.quit();
    }
  }

  /** Goes through the levels; whether there are no more. */
  private levels(): boolean {
    const { store, options } = this;
    let next = this.seed();
    for (let before = 0; ; ) {
      const level = this.close(next, store.states - before);
      const count = store.states - before;
      before = store.states;
      this.reached = this.depth + 1;
      this.work("run", level, count);
      const ends = store.take(OWN.ends);
      this.meetEnds(ends);
      store.drop(ends);
      next = store.take(OWN.out);
      this.meetNew(next, this.reached);
      if (next.head === 0) return true;
      if (this.found && !options.goesOn?.()) return false;
      this.depth++;
    }
  }

  private seed(): Chunks {
    const { plan } = this.store;
    const own = ownOf(plan, 0);
    const end = own + plan.buffer + plan.words * 4;
    for (;;) {
      const code = this.exports["insert"]!(own, 0, end, 0);
      if (code === CODE.done) break;
      this.grow(code);
    }
    this.store.count();
    const first = this.store.take(OWN.out);
    this.meetNew(first, 0);
    return first;
  }

  /** Adds to a level what costs no step. */
  private close(level: Chunks, count: number): Chunks {
    if (!this.frees) return level;
    const { store } = this;
    let closed: Chunks = { head: 0, tail: 0 };
    let fresh = count;
    for (let open = level; open.head !== 0; ) {
      const before = store.states;
      this.work("run_free", open, fresh);
      fresh = store.states - before;
      closed = store.join(closed, store.takeKept());
      open = store.take(OWN.out);
      this.meetNew(open, this.depth);
    }
    return closed;
  }

  /** Visits all states of some chunks, so many of them. */
  private work(name: "run" | "run_free", chunks: Chunks, count: number): void {
    const { store, team } = this;
    this.left = count;
    this.known = store.states;
    store.setAll(ALL.level, chunks.head);
    this.tell();
    do {
      if (count >= SHARED_LEVEL_MIN && !store.nearlyFull)
        team?.call(name === "run" ? MODE.expand : MODE.free);
      const codes = [this.drive(name)];
      if (team?.busy) {
        if (codes[0] !== CODE.done) team.halt();
        codes.push(...team.wait());
      }
      store.count();
      for (const c of [CODE.table, CODE.pad, CODE.pool]) if (codes.includes(c)) this.grow(c);
      if (codes.includes(CODE.threw) || store.nearlyFull) this.alone(name);
    } while (store.unfinished().length > 0 || store.all(ALL.level) !== 0);
  }

  /** Lets the first thread work until it is through or something is needed. */
  private drive(name: "run" | "run_free"): number {
    for (;;) {
      let code: number;
      try {
        code = this.exports[name]!(ownOf(this.store.plan, 0), this.budget);
      } catch (e) {
        if (!this.team?.busy) throw e;
        return CODE.threw;
      }
      if (code !== CODE.budget) return code;
      this.left = Math.max(0, this.left - this.budget);
      this.budget = Math.min(PROGRESS_STATES, this.budget * 2);
      this.tell();
    }
  }

  /** The first thread visits, while nobody else works, what is left of all chunks being read. */
  private alone(name: "run" | "run_free"): void {
    const { store } = this;
    const level = store.all(ALL.level);
    store.setAll(ALL.level, 0);
    for (const t of store.unfinished()) {
      store.adopt(t);
      for (let code = this.drive(name); code !== CODE.done; code = this.drive(name)) {
        this.grow(code);
      }
    }
    store.count();
    store.setAll(ALL.level, level);
  }

  private tell(): void {
    const { progress } = this.options;
    if (!progress) return;
    const { states, transitions } = this.store.peek();
    const queue = this.left + states - this.known;
    const { bytes } = this.store;
    progress({ states, transitions, depth: this.depth, queue, bytes });
  }

  private grow(code: number): void {
    const { store } = this;
    store.count();
    const limit = code === CODE.pool ? store.growPool() : store.growTable(code === CODE.pad);
    if (limit !== undefined) throw new LimitHit(limit);
  }

  /** The first that passes counts, unless another that is met later is less deep. */
  private find(depth: number, place: number): void {
    if (!this.found || depth < this.found.depth) this.found = { depth, place };
  }

  private meetLatched(depth: number): void {
    const place = this.store.found();
    if (place !== 0) this.find(depth, place - 1);
  }

  private meetNew(chunks: Chunks, depth: number): void {
    const { store, options } = this;
    this.meetLatched(depth);
    const { onNew } = options;
    if (!onNew) return;
    store.each(chunks, (place) => {
      if (onNew(store.words, store.at(place))) this.find(depth, place);
    });
  }

  private meetEnds(chunks: Chunks): void {
    const { store, options } = this;
    const { onEnd } = options;
    if (!onEnd) return;
    store.each(chunks, (place) => {
      const at = store.at(place);
      // Where records have origins, that of an end is itself.
      const self = store.plan.origins ? store.words[at + store.plan.words]! - 1 : 0;
      if (onEnd(store.words, at)) this.find(this.depth, self >>> 0);
    });
  }

  private outcome(exhaustive: boolean, limit: string | undefined): FastOutcome {
    const { states, transitions, bytes } = this.store;
    const { depth, found } = this;
    const base = { states, transitions, depth, exhaustive, bytes };
    return {
      ...base,
      ...(limit !== undefined && { limit }),
      ...(found && { found: found.depth }),
    };
  }
}
