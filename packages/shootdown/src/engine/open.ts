// SPDX-License-Identifier: Apache-2.0
// The open executor: a program on 64-bit addresses, with sparse state, one run at a time.
//
//   program ──compile──► closures over registers
//   step:   thread │ effect of an outstanding entry │ rule │ fill │ eviction
//
// Steps begin and end where those of the packed executor do, so that one schedule gives the same
// events in both; but a bulk loop (open-bulk.ts) runs to its end within one step.

import type { FieldDecl, Node } from "../ir/expr.ts";
import type { CellEntry } from "./open-cells.ts";
import { frameFor, OpenCells } from "./open-cells.ts";
import type { Decide } from "./open-choices.ts";
import { Choices } from "./open-choices.ts";
import type { Compiled } from "./open-code.ts";
import { compileCode, neverFails, runStep, runToEnd } from "./open-code.ts";
import type { KeyTest, Num, Regs } from "./open-expr.ts";
import type { FieldOptions } from "./open-fields.ts";
import { OpenFields } from "./open-fields.ts";
import { OpenPendings } from "./open-pending.ts";
import type { OpenProgram } from "./open-program.ts";
import { fromInstances } from "./open-program.ts";
import type { Store } from "./open-store.ts";
import type { OpenLogEntry, Value } from "./open-value.ts";
import { fromPacked, Journal } from "./open-value.ts";
import type { Code, Instr, Origin, Program, Thread } from "./program.ts";

export interface OpenOptions extends FieldOptions {
  /** Receives the events of each step that is made. */
  readonly log?: (e: OpenLogEntry) => void;
  /** Receives the origin of each instruction that is run, and how often it ran in a bulk loop. */
  readonly trace?: (origin: Origin, repeat: number) => void;
  /** False: every loop goes element by element, step by step. Default true. */
  readonly bulk?: boolean;
}

export interface OpenTransition {
  readonly kind: "thread" | "effect" | "rule" | "fill" | "evict";
  /** Thread, pending set or cell with its keys, or rule with its arguments, as packed names it. */
  readonly name: string;
  /** Index of the thread, or of the declaration among the sets, rules or cells. */
  readonly index: number;
  /** Keys or arguments. */
  readonly key: readonly number[];
  /** Slot of an effect. */
  readonly slot: number;
  /** Whether it costs no step of depth: fills and evictions. */
  readonly free: boolean;
}

/** A thread of a machine. */
export interface OpenThread {
  readonly name: string;
  readonly transition: OpenTransition;
  readonly code: Compiled;
  regs: Regs;
  /** Index of the instruction at which it stands. */
  pc: number;
}

export class OpenMachine {
  readonly program: OpenProgram;
  readonly options: OpenOptions;
  readonly journal = new Journal();
  readonly choices = new Choices();
  readonly threads: OpenThread[] = [];
  readonly fields: OpenFields;
  readonly pendings: OpenPendings;
  readonly cells: OpenCells;
  /** Properties that were violated. */
  readonly latches = new Set<string>();
  /** A step is only tried: nothing is logged or traced, and no loop runs in bulk. */
  probing = false;
  private readonly compiled = new WeakMap<Code, Compiled>();
  private readonly readies = new WeakMap<Code, Num>();
  /** Events of a step that may still fail. */
  private held: OpenLogEntry[] | undefined;

  constructor(program: Program | OpenProgram, options: OpenOptions = {}) {
    this.program = "hash" in program ? fromInstances(program) : program;
    this.options = options;
    this.fields = new OpenFields(this.program.domain, options, this.journal);
    this.pendings = new OpenPendings(this.program.pending, this.journal);
    this.cells = new OpenCells(this);
    for (const decl of this.program.fields) this.fields.of(decl);
    for (const { field, index, value } of this.program.initial) {
      this.store(field).write(index, fromPacked(value, field.value, this.program.domain));
    }
    for (const e of this.program.entries) this.cells.add(e.cell.name, e.index, e.value);
    for (const t of this.program.threads) this.spawn(t);
  }

  /**
   * Adds a thread, perhaps of another program of the same domain: fields, cells and sets are the
   * machine's own of the same names. `given`: values of its registers, by number; others are 0.
   */
  spawn(thread: Thread, given: ReadonlyMap<number, Value> = new Map()): OpenThread {
    const code = this.codeOf(thread, false);
    const regs = code.slots.initial.slice();
    for (const [reg, value] of given) regs[code.slots.of(reg)] = value;
    const index = this.threads.length;
    const base = { key: [], slot: 0, free: false } as const;
    const transition: OpenTransition = { kind: "thread", name: thread.name, index, ...base };
    const added: OpenThread = { name: thread.name, transition, code, regs, pc: 0 };
    this.threads.push(added);
    return added;
  }

  /** Forgets the threads that were spawned last, as far as they have ended, and what is empty. */
  retire(): void {
    const { threads } = this;
    while (threads.length > 0 && this.halted(threads.at(-1)!)) threads.pop();
    this.cells.prune();
  }

  halted(thread: OpenThread): boolean {
    return thread.code.instrs[thread.pc]!.op === "halt";
  }

  /** The instruction at which a thread stands. */
  at(thread: OpenThread): Instr {
    return thread.code.instrs[thread.pc]!;
  }

  /** The value of a register of a thread, by its number in the program. */
  register(thread: OpenThread, reg: number): Value {
    return thread.regs[thread.code.slots.of(reg)]!;
  }

  /** The storage of a field; made on first use. */
  store(decl: FieldDecl): Store {
    return this.fields.of(decl);
  }

  /** The value of a field element; undefined if the machine has no such field. */
  field(name: string, index: readonly number[]): Value | undefined {
    return this.fields.named(name)?.read(index);
  }

  /** The entries of a cell whose keys match: a value, a range, or undefined for any. */
  entries(cell: string, keys: readonly KeyTest[] = []): CellEntry[] {
    return this.cells.entries(cell, keys);
  }

  /** Outstanding entries of a set, in order, with their fields by name. */
  outstanding(set: string, key: readonly number[]): Readonly<Record<string, Value>>[] {
    const group = this.pendings.group(set);
    if (!group) return [];
    return group
      .entries(key)
      .map((e) => Object.fromEntries(group.fields.map((name, i) => [name, e[i]!])));
  }

  violated(observer: string): boolean {
    return this.latches.has(observer);
  }

  /** Sets the latch of an observer. */
  violate(observer: string): void {
    const { latches, journal } = this;
    if (latches.has(observer)) return;
    latches.add(observer);
    if (journal.open) journal.note(() => latches.delete(observer));
  }

  /** Whether events are wanted now. */
  get logging(): boolean {
    return this.options.log !== undefined && !this.probing;
  }

  emit(entry: OpenLogEntry): void {
    if (this.held) this.held.push(entry);
    else this.options.log!(entry);
  }

  /** Effects of the outstanding entries, enabled or not. */
  effects(): OpenTransition[] {
    return this.pendings.groups.flatMap((g, index) =>
      g.keys().flatMap((key) => {
        const name = `${g.decl.name}[${key.join()}]`;
        return g
          .entries(key)
          .map(
            (_, slot): OpenTransition => ({ kind: "effect", name, index, key, slot, free: false }),
          );
      }),
    );
  }

  /** Lets the first of `effects` happen that is enabled, and says which. */
  stepEffect(): OpenTransition | undefined {
    const { groups } = this.pendings;
    for (let index = 0; index < groups.length; index++) {
      const group = groups[index]!;
      if (!group.busy) continue;
      for (const key of group.keys()) {
        const { length } = group.entries(key);
        for (let slot = 0; slot < length; slot++) {
          const t: OpenTransition = { kind: "effect", name: "", index, key, slot, free: false };
          if (!this.step(t)) continue;
          return { ...t, name: `${group.decl.name}[${group.textOf(key)}]` };
        }
      }
    }
    return undefined;
  }

  /** Rules with the arguments that the program lists, enabled or not. */
  rules(): OpenTransition[] {
    return this.program.rules.flatMap((r, n) => (r.listed ?? []).map((args) => this.rule(n, args)));
  }

  /** A rule, by its position or name, with these arguments. */
  rule(which: number | string, args: readonly number[]): OpenTransition {
    const { rules } = this.program;
    const index = typeof which === "number" ? which : rules.findIndex((r) => r.decl.name === which);
    const name = `${rules[index]!.decl.name}(${args.join()})`;
    return { kind: "rule", name, index, key: args, slot: 0, free: false };
  }

  /** The fill or an eviction of a cell. */
  freeTransition(kind: "fill" | "evict", cell: string, key: readonly number[]): OpenTransition {
    const index = this.cells.names().indexOf(cell);
    return { kind, name: `${cell}[${key.join()}]`, index, key, slot: 0, free: true };
  }

  /** What can happen now: threads, effects, rules. */
  enabled(): OpenTransition[] {
    const threads = this.threads.map((t) => t.transition);
    return [...threads, ...this.effects(), ...this.rules()].filter((t) => this.isEnabled(t));
  }

  /**
   * Enabled fills and evictions. Fills are tried for the keys that the program lists, evictions for
   * those with entries; ask for the fill of any other key by `freeTransition`.
   */
  enabledFree(): OpenTransition[] {
    return this.cells.names().flatMap((name) => {
      const fills = this.cells.listed(name).map((key) => this.freeTransition("fill", name, key));
      const evicts = this.cells.decl(name)!.evicts ? this.cells.keys(name) : [];
      return [
        ...fills.filter((t) => this.isEnabled(t)),
        ...evicts.map((key) => this.freeTransition("evict", name, key)),
      ];
    });
  }

  /** Whether a transition can happen now, with some choices. */
  isEnabled(t: OpenTransition): boolean {
    if (t.kind === "thread") {
      const thread = this.threads[t.index]!;
      if (this.halted(thread)) return false;
      if (!thread.code.fallible[thread.pc] && neverFails(this.at(thread))) return true;
    }
    this.probing = true;
    const mark = this.journal.mark();
    const regs = t.kind === "thread" ? this.threads[t.index]!.regs.slice() : undefined;
    const pc = t.kind === "thread" ? this.threads[t.index]!.pc : 0;
    try {
      return this.attempt(t);
    } finally {
      this.journal.rollback(mark);
      this.journal.close(mark);
      if (regs) {
        this.threads[t.index]!.regs = regs;
        this.threads[t.index]!.pc = pc;
      }
      this.probing = false;
    }
  }

  /**
   * Makes a step; false, and nothing happens, if it is not enabled.
   *
   * @param choices the choices inside it, as PackedMachine has them (alternatives by number, cell
   *     entries by value; with a wrong or left-over one the step fails), or a function that makes
   *     them; absent: the first combination with which the step is enabled.
   */
  step(t: OpenTransition, choices?: readonly number[] | Decide): boolean {
    return this.attempt(t, choices);
  }

  /**
   * Lets a thread make steps, first choices first, until it has ended or has to wait; false if it
   * makes more than `limit`.
   */
  run(thread: OpenThread, limit: number): boolean {
    const { code } = thread;
    const { instrs, fallible } = code;
    for (let n = 0; instrs[thread.pc]!.op !== "halt"; n++) {
      if (n === limit) return false;
      if (fallible[thread.pc]) {
        if (!this.attempt(thread.transition)) return true;
        continue;
      }
      this.choices.enumerate();
      const at = runStep(code, thread.regs, thread.pc);
      if (at < 0) return true;
      thread.pc = at;
    }
    return true;
  }

  private attempt(t: OpenTransition, choices?: readonly number[] | Decide): boolean {
    if (choices === undefined) this.choices.enumerate();
    else if (typeof choices === "function") this.choices.ask(choices);
    else this.choices.follow(choices);
    do {
      if (this.once(t, choices !== undefined)) return true;
    } while (this.choices.advance());
    return false;
  }

  /** One try, with one combination of choices; a try that fails changes nothing. */
  private once(t: OpenTransition, chosen: boolean): boolean {
    const thread = t.kind === "thread" ? this.threads[t.index]! : undefined;
    if (!chosen && !this.fallible(t, thread)) return this.perform(t);
    const mark = this.journal.mark();
    const regs = thread?.regs.slice();
    const pc = thread?.pc;
    const outer = this.held;
    const held: OpenLogEntry[] = [];
    this.held = held;
    let done = false;
    try {
      done = this.perform(t) && this.choices.followed;
    } finally {
      this.held = outer;
      if (!done) this.journal.rollback(mark);
      this.journal.close(mark);
      if (!done && thread) {
        thread.regs = regs!;
        thread.pc = pc!;
      }
    }
    if (done) for (const entry of held) this.emit(entry);
    return done;
  }

  /** Whether a step may turn out not to be enabled after it has changed something. */
  private fallible(t: OpenTransition, thread: OpenThread | undefined): boolean {
    if (thread) return thread.code.fallible[thread.pc]!;
    if (t.kind !== "effect") return true;
    const code = this.pendings.groups[t.index]!.effect(t.key);
    // The entry is gone before its code begins, so its first instruction counts too.
    return code === undefined || !this.neverStuck(code);
  }

  private neverStuck(code: Code): boolean {
    const { fallible, instrs } = this.codeOf(code, true);
    return !fallible[0] && neverFails(instrs[0]!);
  }

  private perform(t: OpenTransition): boolean {
    switch (t.kind) {
      case "thread": {
        const thread = this.threads[t.index]!;
        if (this.halted(thread)) return false;
        const at = runStep(thread.code, thread.regs, thread.pc);
        if (at >= 0) thread.pc = at;
        return at >= 0;
      }
      case "effect":
        return this.takeEffect(t);
      case "rule": {
        const code = this.program.rules[t.index]!.at(t.key);
        if (!code) return false;
        const compiled = this.codeOf(code, true);
        return runToEnd(compiled, frameFor(compiled, code.given, t.key));
      }
      case "fill":
        return this.cells.fill(this.cells.names()[t.index]!, t.key);
      case "evict":
        return this.cells.evict(this.cells.names()[t.index]!, t.key);
    }
  }

  private takeEffect(t: OpenTransition): boolean {
    const set = this.pendings.groups[t.index]!;
    if (!set.mayGo(t.key, t.slot)) return false;
    const code = set.effect(t.key)!;
    const compiled = this.codeOf(code, true);
    const regs = frameFor(compiled, code.given, t.key);
    const entry = set.entries(t.key)[t.slot]!;
    for (let n = 0; n < entry.length; n++) regs[compiled.slots.of(code.entry[n]!)] = entry[n]!;
    if (code.ready && !this.readiness(code, code.ready, compiled)(regs)) return false;
    // Removed first, so that an effect may post to the same set.
    set.remove(t.key, t.slot);
    return runToEnd(compiled, regs);
  }

  private readiness(code: Code, ready: Node, compiled: Compiled): Num {
    let test = this.readies.get(code);
    if (!test) {
      test = compiled.exprs.num(ready);
      this.readies.set(code, test);
    }
    return test;
  }

  private codeOf(code: Code, whole: boolean): Compiled {
    let compiled = this.compiled.get(code);
    if (!compiled) {
      compiled = compileCode(this, code, whole);
      this.compiled.set(code, compiled);
    }
    return compiled;
  }
}
