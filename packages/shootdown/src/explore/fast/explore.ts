// SPDX-License-Identifier: Apache-2.0
// The search that stores states: breadth first, level by level, inside one instance.
//
//   level n ──free, until nothing is new──► level n, closed ──expand──► level n+1

import type { StepUnit } from "../../engine/compiled/unit.ts";
import type { Seen } from "../../engine/model-limit.ts";
import { limited } from "../../engine/model-limit.ts";
import type { Fn } from "../../engine/target/code.ts";
import type { Imports } from "../../engine/target/wasm.ts";
import type { Progress } from "../search.ts";
import type { ImportsOf, Instance, Target } from "./module.ts";
import { instanceOf, moduleOf, wordsOf } from "./module.ts";
import type { Latch, Plan } from "./plan.ts";
import { ALL, CODE, OWN, ownOf, planOf } from "./plan.ts";
import type { Shard } from "./shards.ts";
import { enter, post } from "./shards.ts";
import type { Chunks, Look } from "./store.ts";
import { MEMORY_MAX, memoryLimit, Store } from "./store.ts";
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
  /** Bytes of one memory; what needs more is searched again in several. */
  readonly memory_max?: number;
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

/** Searches from some states, one behind the other. */
export function exploreFast(
  unit: StepUnit,
  initial: Int32Array,
  options: FastOptions,
): FastOutcome {
  const { memory_max = MEMORY_MAX, bytes_max } = options;
  const one = new Exploration(unit, initial, options, { origins: false, shards: 1 }).run();
  // The host had no more, or one memory holds no more.
  const full = one.limit === memoryLimit(bytes_max) && one.bytes > memory_max * 0.9;
  const shards = Math.min(SHARDS_MAX, Math.ceil(bytes_max / memory_max));
  if (!full || shards <= 1) return one;
  return new Exploration(unit, initial, options, { origins: false, shards }).run();
}

const SHARDS_MAX = 64;

/** States between two calls of `progress`; fewer at first, until the code is compiled well. */
const PROGRESS_STATES = 1 << 14;
const FIRST_BUDGET = 1 << 8;

const GROWING = [CODE.table, CODE.pad, CODE.pool];

const canShare = (): boolean => typeof SharedArrayBuffer !== "undefined";

/** What ends a search before its time. */
class LimitHit extends Error {}

/** A state that passes: its depth and, if origins are kept, its place in the pool. */
interface Found {
  readonly depth: number;
  readonly place: number;
}

/** How an exploration stores states. */
interface Form {
  /** With what is needed to tell the way to a state. */
  readonly origins: boolean;
  /** In how many memories. */
  readonly shards: number;
}

type Run = "run" | "run_free";
const NONE: Chunks = { head: 0, tail: 0 };

export class Exploration {
  found: Found | undefined;
  private readonly shards: Shard[] = [];
  private readonly options: FastOptions;
  private readonly frees: boolean;
  /** Words of the states in which runs begin. */
  private readonly initial: number;
  private readonly team: Team | undefined;
  private depth = 0;
  /** The depth of what is being found. */
  private reached = 0;
  /** What was seen when this level began. */
  private through: Seen = { states: 0, transitions: 0, depth: 0 };
  private budget = FIRST_BUDGET;
  /** States of the level that are left, and how many were known when it began. */
  private left = 0;
  private known = 0;

  constructor(unit: StepUnit, initial: Int32Array, options: FastOptions, form: Form) {
    const { helpers, target } = options;
    const helped = helpers !== undefined && helpers.count > 0 && target === "wasm" && canShare();
    const shared = helped && !form.origins && form.shards === 1;
    const plan = planOf(unit, {
      ...form,
      latches: options.latches ?? [],
      ends: options.onEnd !== undefined,
      canon: options.canon ?? [],
      threads: shared ? helpers.count + 1 : 1,
      shared,
    });
    this.options = options;
    this.frees = unit.free !== undefined;
    let posted: Instance["posted"];
    for (let n = 0; n < plan.shards; n++) posted = this.addShard(unit, plan);
    this.store.buffer(initial);
    this.initial = initial.length;
    if (shared && posted) {
      const names = unit.imports.map((f) => f.name);
      this.team = new Team(this.store, helpers, { ...posted, imports: names });
    }
  }

  /** The memory, or the first of several. */
  get store(): Store {
    return this.shards[0]!.store;
  }

  private addShard(unit: StepUnit, plan: Plan): Instance["posted"] {
    const { imports = () => ({}), functions = [], target, bytes_max, states_max } = this.options;
    const most = Math.min(this.options.memory_max ?? MEMORY_MAX, MEMORY_MAX);
    const memory_max = Math.min(most, Math.floor(bytes_max / plan.shards));
    const module = moduleOf(unit, plan, functions, memory_max);
    const made = instanceOf(module, target, (words) => this.guarded(imports(words)));
    const { exports, memory } = made;
    const elsewhere = () => this.sum((s) => (s === store ? 0 : s.states));
    const limits = { states_max, bytes_max, memory_max, elsewhere };
    const store: Store = new Store(plan, unit, exports, memory, wordsOf(memory), limits);
    store.setAll(ALL.self, this.shards.push({ store, exports }) - 1);
    return made.posted;
  }

  private sum(of: (store: Store) => number): number {
    return this.shards.reduce((n, { store }) => n + of(store), 0);
  }

  private get states(): number {
    return this.sum((s) => s.states);
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
      const through = limited(
        () => this.levels(),
        () => this.through,
      );
      return this.outcome(through, undefined);
    } catch (e) {
      if (!(e instanceof LimitHit)) throw e;
      for (const { store } of this.shards) store.count();
      this.meetEnds(this.taken(OWN.ends));
      this.meetNew(this.taken(OWN.out), this.reached);
      return this.outcome(false, e.message);
    } finally {
      this.team?.quit();
    }
  }

  /** Goes through the levels; whether there are no more. */
  private levels(): boolean {
    const { options } = this;
    let next = this.seed();
    // The least memory that there can be may be more already.
    const { bytes_max } = options;
    if (this.sum((s) => s.bytes) > bytes_max) throw new LimitHit(memoryLimit(bytes_max));
    for (let before = 0; ; ) {
      const level = this.close(next, this.states - before);
      const count = this.states - before;
      before = this.states;
      const { states, depth } = this;
      const transitions = this.sum((s) => s.transitions);
      this.through = { states, transitions, depth };
      this.reached = this.depth + 1;
      this.work("run", level, count);
      const ends = this.taken(OWN.ends);
      this.meetEnds(ends);
      for (const [n, { store }] of this.shards.entries()) store.drop(ends[n]!);
      next = this.taken(OWN.out);
      this.meetNew(next, this.reached);
      if (next.every((c) => c.head === 0)) return true;
      if (this.found && !options.goesOn?.()) return false;
      this.depth++;
    }
  }

  private taken(list: number): Chunks[] {
    return this.shards.map(({ store }) => store.take(list));
  }

  private seed(): Chunks[] {
    const [first] = this.shards as [Shard];
    const { plan } = first.store;
    const own = ownOf(plan, 0);
    const end = own + plan.buffer + this.initial * 4;
    const here = plan.shards > 1 ? first.exports["route"]!(own, end) >>> 0 : end;
    enter(first, here, (shard, code) => this.grow(shard, code));
    this.post(first);
    const level = this.taken(OWN.out);
    this.meetNew(level, 0);
    return level;
  }

  private post(from: Shard): void {
    if (this.shards.length > 1) post(this.shards, from.store, (to, code) => this.grow(to, code));
  }

  /** Adds to a level what costs no step. */
  private close(level: readonly Chunks[], count: number): readonly Chunks[] {
    if (!this.frees) return level;
    let closed: readonly Chunks[] = this.shards.map(() => NONE);
    let fresh = count;
    for (let open = level; open.some((c) => c.head !== 0); ) {
      const before = this.states;
      this.work("run_free", open, fresh);
      fresh = this.states - before;
      closed = this.shards.map(({ store }, n) => store.join(closed[n]!, store.takeKept()));
      open = this.taken(OWN.out);
      this.meetNew(open, this.depth);
    }
    return closed;
  }

  /** Visits all states of some chunks, so many of them. */
  private work(name: Run, chunks: readonly Chunks[], count: number): void {
    this.left = count;
    this.known = this.states;
    this.tell();
    for (const [n, shard] of this.shards.entries()) {
      shard.store.count();
      shard.store.setAll(ALL.level, chunks[n]!.head);
      this.workIn(shard, name, count);
      this.post(shard);
    }
  }

  private workIn(shard: Shard, name: Run, count: number): void {
    const { team } = this;
    const { store } = shard;
    const callAll = () => {
      if (team?.busy || count < SHARED_LEVEL_MIN || store.nearlyFull) return;
      team?.call(name === "run" ? MODE.expand : MODE.free);
    };
    do {
      callAll();
      const codes = [this.drive(shard, name, callAll)];
      if (team?.busy) {
        if (codes[0] !== CODE.done) team.halt();
        codes.push(...team.wait());
      }
      store.count();
      for (const c of GROWING) if (codes.includes(c)) this.grow(shard, c);
      if (codes.includes(CODE.post)) {
        this.post(shard);
        store.count();
      }
      const orphaned = team && store.unfinished().some((t) => !team.there(t));
      if (orphaned || (team && (codes.includes(CODE.threw) || store.nearlyFull))) {
        this.alone(shard, name);
      }
    } while (store.unfinished().length > 0 || store.all(ALL.level) !== 0);
  }

  /** Lets the first thread work until it is through or something is needed. */
  private drive({ store, exports }: Shard, name: Run, between = () => {}): number {
    for (;;) {
      let code: number;
      try {
        code = exports[name]!(ownOf(store.plan, 0), this.budget);
      } catch (e) {
        if (!this.team?.busy) throw e;
        return CODE.threw;
      }
      if (code !== CODE.budget) return code;
      this.left = Math.max(0, this.left - this.budget);
      this.budget = Math.min(PROGRESS_STATES, this.budget * 2);
      this.tell();
      // Helpers that have come meanwhile.
      between();
    }
  }

  /** The first thread visits, while nobody else works, what is left of all chunks being read. */
  private alone(shard: Shard, name: Run): void {
    const { store } = shard;
    const level = store.all(ALL.level);
    store.setAll(ALL.level, 0);
    for (const t of store.unfinished()) {
      store.adopt(t);
      for (;;) {
        const code = this.drive(shard, name);
        if (code === CODE.done) break;
        this.grow(shard, code);
      }
    }
    store.count();
    store.setAll(ALL.level, level);
  }

  private tell(): void {
    const { progress } = this.options;
    if (!progress) return;
    const counts = this.shards.map(({ store }) => store.peek());
    const states = counts.reduce((n, c) => n + c.states, 0);
    const transitions = counts.reduce((n, c) => n + c.transitions, 0);
    const queue = this.left + states - this.known;
    const { bytes } = this.store;
    progress({ states, transitions, depth: this.depth, queue, bytes });
  }

  private grow({ store }: Shard, code: number): void {
    store.count();
    const limit = code === CODE.pool ? store.growPool() : store.growTable(code === CODE.pad);
    if (limit !== undefined) throw new LimitHit(limit);
  }

  /** The first that passes counts, unless another that is met later is less deep. */
  private find(depth: number, place: number): void {
    if (!this.found || depth < this.found.depth) this.found = { depth, place };
  }

  private meetLatched(depth: number): void {
    for (const { store } of this.shards) {
      const place = store.found();
      if (place !== 0) this.find(depth, place - 1);
    }
  }

  private meetNew(chunks: readonly Chunks[], depth: number): void {
    this.meetLatched(depth);
    const { onNew } = this.options;
    if (!onNew) return;
    this.each(chunks, (store, place) => {
      if (onNew(store.words, store.at(place))) this.find(depth, place);
    });
  }

  private each(chunks: readonly Chunks[], look: (store: Store, place: number) => void): void {
    for (const [n, { store }] of this.shards.entries()) {
      store.each(chunks[n]!, (place) => look(store, place));
    }
  }

  private meetEnds(chunks: readonly Chunks[]): void {
    const { onEnd } = this.options;
    if (!onEnd) return;
    this.each(chunks, (store, place) => {
      const at = store.at(place);
      // Where records have origins, that of an end is itself.
      const self = store.plan.origins ? store.words[at + store.plan.words]! - 1 : 0;
      if (onEnd(store.words, at)) this.find(this.depth, self >>> 0);
    });
  }

  private outcome(exhaustive: boolean, limit: string | undefined): FastOutcome {
    const { states, depth, found } = this;
    const transitions = this.sum((s) => s.transitions);
    const bytes = this.sum((s) => s.bytes);
    const base = { states, transitions, depth, exhaustive, bytes };
    return {
      ...base,
      ...(limit !== undefined && { limit }),
      ...(found && { found: found.depth }),
    };
  }
}
