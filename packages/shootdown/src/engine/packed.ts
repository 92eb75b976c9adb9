// SPDX-License-Identifier: Apache-2.0
// The packed executor: a program as a transition system over flat bit vectors.
//
//   state ──load──► scratch ──run one transition──► scratch ──close windows──► successor
//
// Transitions, in their fixed order: thread steps, effects of outstanding entries, rules; then, for
// cells with the concrete semantics, fills and evictions, which cost no depth.

import { nthBit, popcount } from "../base/bits.ts";
import type { CellDecl } from "../ir/machine.ts";
import type { PickRecord } from "./cells.ts";
import { PackedCells } from "./cells.ts";
import { Chooser } from "./chooser.ts";
import type { Layout } from "./layout.ts";
import { CELL_VALUES_MAX, layoutOf } from "./layout.ts";
import { CodeCompiler } from "./packed-code.ts";
import type { Eval } from "./packed-expr.ts";
import { DomainOverflow, ExprCompiler, entryOffsets, loader, storer } from "./packed-expr.ts";
import type { Origin, Program } from "./program.ts";
import type { Step } from "./run.ts";
import { runStep, runToEnd } from "./run.ts";

export type Semantics = "concrete" | "window";

/** What happened in a step, for logs and witnesses. */
export interface LoggedEvent {
  readonly event: string;
  readonly args: Readonly<Record<string, number>>;
}

export interface Transition {
  readonly kind: "thread" | "effect" | "rule" | "fill" | "evict";
  /** Thread, pending set or cell with its keys, or rule with its arguments. */
  readonly name: string;
  /** Index among those of its kind: thread, pending instance, rule, cell instance. */
  readonly index: number;
  /** Slot of an effect. */
  readonly slot: number;
  /** Whether it costs a step of depth. */
  readonly free: boolean;
  /** Whether it happens in the end if it can happen all the time: not what is merely allowed. */
  readonly fair: boolean;
  /** Runs on the scratch state; false if it is not enabled with these choices. */
  readonly run: () => boolean;
}

/** Choices to follow, and whether they led astray. */
interface Script {
  readonly choices: readonly number[];
  at: number;
  lost: boolean;
}

/** What a computation inside a step sets aside. */
interface Nested {
  readonly chooser: Chooser;
  readonly picks: PickRecord[];
  readonly choices: number;
  readonly script: Script | undefined;
  readonly trace: PackedMachine["trace"];
}

export interface PackedOptions {
  readonly semantics: Semantics;
  /** How many values of a word cells can tell apart; more, and `TooManyValues` is thrown. */
  readonly cell_values?: number;
}

export class PackedMachine {
  readonly program: Program;
  readonly layout: Layout;
  readonly semantics: Semantics;
  readonly words: number;
  /** How many values of a word cells can tell apart. */
  readonly cell_values: number;
  /** The state under construction; transitions change it in place. */
  readonly state: Int32Array;
  readonly registers: Int32Array;
  chooser = new Chooser();
  /** Cell lookups of the run just made. */
  picks: PickRecord[] = [];
  /** Choices of the run just made: alternatives by number, cell entries by value. */
  readonly choices: number[] = [];
  private script: Script | undefined;
  private readonly spare: Chooser[] = [];
  readonly cells: PackedCells;
  readonly transitions: readonly Transition[];
  /** How many entries the step being run has added to each pending set. */
  readonly posted: number[];
  /** If set, receives the events of the step being run. */
  log: ((e: LoggedEvent) => void) | undefined;
  /** If set, receives the origins of the instructions of the step being run. */
  trace: ((o: Origin) => void) | undefined;
  /** Lookups find only what the cell holds (for questions about repetition). */
  hitsOnly = false;
  /** Windows stay as they are after a step (for the same). */
  frozen = false;
  private readonly pcs: readonly Eval[];
  private readonly latchLoaders: readonly Eval[];
  private readonly threadSteps: readonly { readonly code: readonly Step[] }[];
  private readonly retries: readonly ReadonlyMap<number, Eval>[];
  private readonly halts: readonly number[];

  constructor(program: Program, options: PackedOptions) {
    this.program = program;
    this.semantics = options.semantics;
    this.cell_values = options.cell_values ?? CELL_VALUES_MAX;
    this.layout = layoutOf(program, this.cell_values);
    this.words = this.layout.words;
    this.state = new Int32Array(this.words);
    this.registers = new Int32Array(Math.max(1, program.registers));
    this.posted = program.pending.map(() => 0);
    const exprs = new ExprCompiler(program, this.layout, this);
    this.cells = new PackedCells(this, exprs);
    const code = new CodeCompiler(this, exprs);
    this.cells.compile(code);
    this.pcs = this.layout.threads.map((t) => loader(this.state, t.pc));
    this.latchLoaders = this.layout.latches.map((b) => loader(this.state, b));
    this.threadSteps = program.threads.map((t) => ({ code: code.compile(t) }));
    this.retries = program.threads.map((_, n) => this.retryPoints(n, exprs));
    this.halts = program.threads.map((t, n) =>
      this.layout.threads[n]!.points.findIndex((at) => t.instrs[at]!.op === "halt"),
    );
    this.transitions = [
      ...program.threads.map((t, n) => this.threadTransition(t.name, n)),
      ...program.pending.flatMap((_, n) => this.effectTransitions(n, code, exprs)),
      ...program.rules.map((r, n): Transition => {
        const steps = code.compile(r);
        const name = `${r.decl.name}(${r.args.join()})`;
        const run = () => runToEnd(steps);
        const { fair } = r.decl;
        return { kind: "rule", name, index: n, slot: 0, free: false, fair, run };
      }),
      ...this.cells.transitions(),
    ];
  }

  /** The initial state, windows closed; `way`: of several ways to begin. */
  initial(way = 0): Int32Array {
    this.state.fill(0);
    const { fields } = this.layout;
    for (const f of this.program.fields) {
      if (!f.initial) continue;
      for (const b of fields.get(f.name)!.elements) storer(this.state, b, f.name)(f.initial);
    }
    for (const i of way === 0 ? this.program.initial : this.program.others[way - 1]!) {
      const f = fields.get(i.field.name)!;
      const at = i.index.reduce((n, v, d) => n * f.sizes[d]! + v, 0);
      storer(this.state, f.elements[at]!, i.field.name)(i.value);
    }
    for (const e of this.program.entries) this.cells.add(e.cell, e.index, e.value);
    this.cells.dirtyAll();
    this.close();
    return this.state.slice();
  }

  /** All states in which runs begin. */
  initials(): Int32Array[] {
    return [this.program.initial, ...this.program.others].map((_, way) => this.initial(way));
  }

  /** Brings the windows up to date after a change of the scratch state. */
  close(): void {
    if (this.semantics === "window" && !this.frozen) this.cells.close();
  }

  load(states: Int32Array, offset: number): void {
    for (let i = 0; i < this.words; i++) this.state[i] = states[offset + i]!;
    this.cells.clean();
    if (this.picks.length > 0) this.picks.length = 0;
    if (this.choices.length > 0) this.choices.length = 0;
    for (let n = 0; n < this.posted.length; n++) this.posted[n] = 0;
  }

  /** One of `count` alternatives: the script's, or the next to try. */
  decide(count: number): number {
    const scripted = this.scripted();
    if (scripted !== undefined) return scripted < count ? scripted : Math.max(0, this.derail());
    const digit = this.chooser.choose(count);
    this.note(digit);
    return digit;
  }

  note(choice: number): void {
    this.choices.push(choice);
  }

  /** The next choice of the script being replayed, if one is. */
  scripted(): number | undefined {
    if (!this.script) return undefined;
    const choice = this.script.choices[this.script.at++];
    if (choice === undefined) this.script.lost = true;
    return choice ?? 0;
  }

  /** The script asks for what is not there. */
  derail(): number {
    if (this.script) this.script.lost = true;
    return -1;
  }

  /** Sets choices aside for a computation inside a step; give the result back to `unnest`. */
  nest(): Nested {
    const outer = {
      chooser: this.chooser,
      picks: this.picks,
      choices: this.choices.length,
      script: this.script,
      trace: this.trace,
    };
    // What a fill does by itself is not the step's doing.
    this.trace = undefined;
    this.picks = [];
    this.chooser = this.spare.pop() ?? new Chooser();
    this.chooser.start();
    this.script = undefined;
    return outer;
  }

  unnest(outer: Nested): void {
    this.spare.push(this.chooser);
    this.chooser = outer.chooser;
    this.picks = outer.picks;
    // Setting a length costs, even where it is the same.
    if (this.choices.length !== outer.choices) this.choices.length = outer.choices;
    this.script = outer.script;
    this.trace = outer.trace;
  }

  /**
   * Calls `found` with the scratch state holding a successor, once for each combination of choices
   * with which the transition is enabled.
   */
  successors(t: Transition, states: Int32Array, offset: number, found: () => void): void {
    this.chooser.start();
    do {
      this.load(states, offset);
      if (t.run()) {
        this.close();
        found();
      }
    } while (this.chooser.advance());
  }

  /** Replays a transition with given choices; false if it is not enabled. */
  replay(t: Transition, choices: readonly number[], from: Int32Array): boolean {
    const script = { choices, at: 0, lost: false };
    this.load(from, 0);
    this.script = script;
    const ran = t.run();
    this.script = undefined;
    if (!ran || script.lost || script.at !== choices.length) return false;
    this.close();
    return true;
  }

  /** Index of the instruction at which a thread of the scratch state stands. */
  at(thread: number): number {
    return this.layout.threads[thread]!.points[this.pcs[thread]!()]!;
  }

  /** Number of that point among those at which the thread may stand. */
  point(thread: number): number {
    return this.pcs[thread]!();
  }

  halted(thread: number): boolean {
    return this.pcs[thread]!() === this.halts[thread];
  }

  /** Whether a thread of the scratch state is about to try again although memory permits it. */
  retrying(thread: number): boolean {
    const permitted = this.retries[thread]!.get(this.pcs[thread]!());
    if (!permitted) return false;
    this.loadRegisters(thread, this.pcs[thread]!());
    return permitted() !== 0;
  }

  violated(observer: number): boolean {
    return this.latchLoaders[observer]!() !== 0;
  }

  /** The value of a field element of the scratch state. */
  field(name: string, index: readonly number[]): number | undefined {
    const f = this.layout.fields.get(name);
    if (!f) return undefined;
    const at = index.reduce((n, v, d) => n * f.sizes[d]! + v, 0);
    return loader(this.state, f.elements[at]!)();
  }

  /** Sets the latch of an observer in the scratch state. */
  violate(observer: string): void {
    const at = this.program.observers.indexOf(observer);
    if (at >= 0) storer(this.state, this.layout.latches[at]!, observer)(1);
  }

  private retryPoints(n: number, exprs: ExprCompiler): ReadonlyMap<number, Eval> {
    const { points } = this.layout.threads[n]!;
    const { instrs } = this.program.threads[n]!;
    return new Map(
      points.flatMap((at, pc) => {
        const i = instrs[at]!;
        return i.op === "retry" ? [[pc, exprs.compile(i.permitted)] as const] : [];
      }),
    );
  }

  private loadRegisters(thread: number, pc: number): void {
    for (const { reg, bits } of this.layout.threads[thread]!.live[pc]!) {
      this.registers[reg] = (this.state[bits.word]! >>> bits.shift) & bits.mask;
    }
  }

  private threadTransition(name: string, n: number): Transition {
    const { state, registers } = this;
    const { points, pointOf, live, clear, pc } = this.layout.threads[n]!;
    const { code } = this.threadSteps[n]!;
    const setPc = storer(state, pc, `${name}.pc`);
    const run = (): boolean => {
      const point = this.pcs[n]!();
      if (point === this.halts[n]) return false;
      this.loadRegisters(n, point);
      const at = runStep(code, points[point]!, pointOf);
      if (at < 0) return false;
      for (const c of clear) state[c.word] = state[c.word]! & c.keep;
      const next = pointOf[at]!;
      setPc(next);
      for (const { reg, bits } of live[next]!) {
        const v = registers[reg]!;
        if ((v & bits.mask) !== v) throw new DomainOverflow(`a local of ${name}`);
        state[bits.word] = state[bits.word]! | (v << bits.shift);
      }
      return true;
    };
    return { kind: "thread", name, index: n, slot: 0, free: false, fair: true, run };
  }

  private effectTransitions(n: number, code: CodeCompiler, exprs: ExprCompiler): Transition[] {
    const p = this.program.pending[n]!;
    const slots = this.layout.pending[n]!;
    const loaders = slots.map((b) => loader(this.state, b));
    const storers = slots.map((b) => storer(this.state, b, p.decl.name));
    const offsets = entryOffsets(Object.entries(p.decl.entry), this.program.domain);
    const effect = code.compile(p);
    const ready = p.ready && exprs.compile(p.ready);
    const before = orderMatrix(p.decl);
    const key = Object.keys(p.decl.entry).indexOf(p.decl.orderBy ?? "");
    const kind = (entry: number) =>
      key < 0 ? 0 : (entry >>> offsets[key]!.offset) & offsets[key]!.mask;
    const name = `${p.decl.name}[${p.key.join()}]`;
    return slots.map((_, slot): Transition => {
      const run = (): boolean => {
        const entry = loaders[slot]!();
        if (!entry) return false;
        for (let i = 0; i < slot; i++) if (before(kind(loaders[i]!()), kind(entry))) return false;
        for (const [f, reg] of p.entry.entries()) {
          this.registers[reg] = (entry >>> offsets[f]!.offset) & offsets[f]!.mask;
        }
        if (ready && !ready()) return false;
        // Removed first, so that an effect may post to the same set.
        for (let i = slot; i < slots.length; i++) storers[i]!(loaders[i + 1]?.() ?? 0);
        return runToEnd(effect);
      };
      return { kind: "effect", name, index: n, slot, free: false, fair: true, run };
    });
  }

  /** The interned values that a cell instance of the scratch state holds (or may hold). */
  contents(group: number, instance: number): number[] {
    const mask = loader(this.state, this.layout.cells[group]![instance]!)();
    return Array.from(
      { length: popcount(mask) },
      (_, i) => this.cells.values(group)[nthBit(mask, i)]!,
    );
  }

  /** Position of a cell declaration among the groups, or -1. */
  group(decl: CellDecl): number {
    return this.program.cells.findIndex((g) => g.decl === decl);
  }
}

/** Whether an entry of the first kind, if earlier, keeps one of the second from taking effect. */
export function orderMatrix(
  decl: Program["pending"][number]["decl"],
): (earlier: number, later: number) => boolean {
  if (decl.order.length === 0) return () => false;
  const values = decl.orderBy ? decl.entry[decl.orderBy]!.values! : ["*"];
  const matrix = values.map((a) =>
    values.map((b) =>
      decl.order.some(([x, y]) => (x === "*" || x === a) && (y === "*" || y === b)),
    ),
  );
  return (a, b) => matrix[a]![b]!;
}
