// SPDX-License-Identifier: Apache-2.0
// Threads that help to go through a level. All run the same code on the same memory; the first one
// calls the others, works with them, and does alone what needs everybody to stand still: growth,
// and whatever an import of the unit is for.
//
//   first    call ── run ──────── wait ── grow, or run what was handed back ── call ..
//   helper    └──► run ── done ──► ┘
//
// A helper may end at any time. Threads are ended where they call or loop, and there a helper has
// stored and listed a state, or has not; so the first thread goes on where the helper was.

import { instantiate } from "../../engine/target/wasm.ts";
import { ALL, CODE, ownOf, RUNNING } from "./plan.ts";
import type { Store } from "./store.ts";

/** What a helper needs: hand it to another thread, and there to `help`. */
export interface HelperStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Names of the functions that the module imports. */
  readonly imports: readonly string[];
  /** Where threads wait for each other: a memory that has grown is another to wait on. */
  readonly signals: SharedArrayBuffer;
  /** Number of the thread, and addresses of the word that stops all and of its own words. */
  readonly thread: number;
  readonly halt: number;
  readonly own: number;
}

/** What helpers do. */
export const MODE = { expand: 0, free: 1, quit: 2 } as const;

/**
 * Signals: what is to be done, how many of those called are through; and of each thread whether it
 * is there, how often it was called, and how its last run ended, if it has.
 */
const SIGNAL = { mode: 0, done: 1, ready: 2, call: 3, code: 4 } as const;
const signalOf = (thread: number, signal: number): number => thread * 3 + signal;

export interface Helpers {
  readonly count: number;
  /**
   * Starts a thread that calls `help`; the search does not wait for it. Once the thread has ended,
   * however that came about, someone must call `helperEnded`, or the search may wait for ever.
   */
  readonly spawn: (start: HelperStart) => void;
  /** States that must be known before helpers are worth their start. */
  readonly after?: number;
}

const HELP_AFTER_STATES = 1 << 16;
/** A level of fewer states is done before others have woken up. */
export const SHARED_LEVEL_MIN = 1 << 10;

/** The life of a helper, until the search ends. */
export function help({ module, memory, imports, thread, own, ...start }: HelperStart): void {
  const signals = new Int32Array(start.signals);
  const halt = new Int32Array(memory.buffer, start.halt, 1);
  const handBack = (): never => {
    throw new Error("for the first thread");
  };
  const exports = instantiate(
    module,
    memory,
    Object.fromEntries(imports.map((n) => [n, handBack])),
  );
  const call = signalOf(thread, SIGNAL.call);
  Atomics.store(signals, signalOf(thread, SIGNAL.ready), 1);
  for (let seen = 0; ; ) {
    Atomics.wait(signals, call, seen);
    const calls = Atomics.load(signals, call);
    if (calls === seen) continue;
    seen = calls;
    const mode = Atomics.load(signals, SIGNAL.mode);
    if (mode === MODE.quit) return;
    let code: number = CODE.threw;
    try {
      code = exports[mode === MODE.free ? "run_free" : "run"]!(own, -1);
    } catch {
      // The first thread visits the state again, and meets the same.
    }
    if (code !== CODE.done) Atomics.store(halt, 0, 1);
    Atomics.store(signals, signalOf(thread, SIGNAL.code), code);
    Atomics.add(signals, SIGNAL.done, 1);
    Atomics.notify(signals, SIGNAL.done);
  }
}

/** Tells a search that a helper is no more; no matter why, or whether the search still is. */
export function helperEnded(start: Pick<HelperStart, "signals" | "thread">): void {
  const signals = new Int32Array(start.signals);
  const code = signalOf(start.thread, SIGNAL.code);
  Atomics.store(signals, signalOf(start.thread, SIGNAL.ready), 0);
  // What it was at is for the first thread.
  Atomics.compareExchange(signals, code, RUNNING, CODE.threw);
  Atomics.add(signals, SIGNAL.done, 1);
  Atomics.notify(signals, SIGNAL.done);
}

/** What all helpers of a search are told. */
type Shared = Pick<HelperStart, "module" | "memory" | "imports">;

/** The helpers of a search, seen from its first thread. */
export class Team {
  /** Helpers that work now. */
  private working: number[] = [];
  private calls = 0;
  private started = false;
  private readonly signals: Int32Array<SharedArrayBuffer>;
  private readonly store: Store;
  private readonly helpers: Helpers;
  private readonly start: Shared;

  constructor(store: Store, helpers: Helpers, start: Shared) {
    this.store = store;
    this.helpers = helpers;
    this.start = start;
    this.signals = new Int32Array(new SharedArrayBuffer(signalOf(store.plan.threads, 5) * 4));
  }

  /** Calls those that are there. */
  call(mode: number): void {
    const { signals } = this;
    if (!this.started) this.spawn();
    const ready = this.all().filter((t) => this.there(t));
    if (ready.length === 0) return;
    this.store.setAll(ALL.halt, 0);
    Atomics.store(signals, SIGNAL.mode, mode);
    Atomics.store(signals, SIGNAL.done, 0);
    for (const t of ready) Atomics.store(signals, signalOf(t, SIGNAL.code), RUNNING);
    // Who ended meanwhile may have done so before that.
    for (const t of ready) if (!this.there(t)) helperEnded({ signals: signals.buffer, thread: t });
    this.working = ready;
    this.wake(ready);
  }

  /** Whether a thread can be called. */
  there(thread: number): boolean {
    return thread === 0 || Atomics.load(this.signals, signalOf(thread, SIGNAL.ready)) !== 0;
  }

  get busy(): boolean {
    return this.working.length > 0;
  }

  /** Makes the others stop at the next state. */
  halt(): void {
    Atomics.store(this.store.words, (this.store.plan.all + ALL.halt) >>> 2, 1);
  }

  /** Waits until all that were called are through; how they ended. */
  wait(): readonly number[] {
    const { signals } = this;
    for (;;) {
      const done = Atomics.load(signals, SIGNAL.done);
      if (!this.working.some((t) => this.code(t) === RUNNING)) break;
      Atomics.wait(signals, SIGNAL.done, done);
    }
    const codes = this.working.map((t) => this.code(t));
    this.working = [];
    this.store.setAll(ALL.halt, 0);
    return codes;
  }

  /** Sends everybody home, also those who come late. */
  quit(): void {
    if (!this.started) return;
    if (this.busy) {
      this.halt();
      this.wait();
    }
    Atomics.store(this.signals, SIGNAL.mode, MODE.quit);
    this.wake(this.all());
  }

  private code(thread: number): number {
    return Atomics.load(this.signals, signalOf(thread, SIGNAL.code));
  }

  /** Starts the others when the search has become long enough. */
  private spawn(): void {
    const { plan, states } = this.store;
    if (states < (this.helpers.after ?? HELP_AFTER_STATES)) return;
    this.started = true;
    const signals = this.signals.buffer;
    for (const thread of this.all()) {
      const places = { halt: plan.all + ALL.halt, own: ownOf(plan, thread) };
      this.helpers.spawn({ ...this.start, ...places, signals, thread });
    }
  }

  private all(): number[] {
    return Array.from({ length: this.store.plan.threads - 1 }, (_, n) => n + 1);
  }

  private wake(threads: readonly number[]): void {
    this.calls++;
    for (const t of threads) {
      const call = signalOf(t, SIGNAL.call);
      Atomics.store(this.signals, call, this.calls);
      Atomics.notify(this.signals, call);
    }
  }
}
