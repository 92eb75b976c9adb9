// SPDX-License-Identifier: Apache-2.0
// Cells of the open executor: the entries of the keys in use, filled and evicted one by one.

import type { Node } from "../ir/expr.ts";
import type { CellDecl } from "../ir/machine.ts";
import type { OpenMachine } from "./open.ts";
import type { BulkFrame } from "./open-bulk-expr.ts";
import { BulkExprs, newFrame, resetFrame } from "./open-bulk-expr.ts";
import type { CellRun } from "./open-cell-runs.ts";
import { CellRuns, keyAt } from "./open-cell-runs.ts";
import type { Compiled, OpenStep } from "./open-code.ts";
import { compileCode, runToEnd } from "./open-code.ts";
import type { KeyTest, Regs } from "./open-expr.ts";
import { matches, OpenExprs, Slots } from "./open-expr.ts";
import { asksPending } from "./open-loop.ts";
import { compareKeys } from "./open-pending.ts";
import type { KeyedCode, OpenCell } from "./open-program.ts";
import { sweepAt } from "./open-value.ts";
import type { Instr } from "./program.ts";

/** More keys than this are not listed one by one. */
const LISTED_MAX = 1 << 16;

/** An entry of a cell. */
export interface CellEntry {
  readonly key: readonly number[];
  readonly value: number;
}

interface Contents {
  readonly key: readonly number[];
  /** Oldest first. */
  readonly values: number[];
}

interface Group {
  readonly source: OpenCell;
  readonly contents: Map<string, Contents>;
  /** What bulk loops inserted. */
  readonly runs: CellRuns;
  readonly admits: (value: number) => boolean;
  /** Fill code, compiled on first use. */
  readonly fills: Map<KeyedCode, Compiled>;
}

export class OpenCells {
  private readonly machine: OpenMachine;
  private readonly groups = new Map<string, Group>();
  private collected: Set<number> | undefined;

  constructor(machine: OpenMachine) {
    this.machine = machine;
    for (const source of machine.program.cells) {
      const contents = new Map<string, Contents>();
      const admits = this.admitter(source);
      const runs = new CellRuns(machine.journal);
      this.groups.set(source.decl.name, { source, contents, runs, admits, fills: new Map() });
    }
  }

  /** Declared cells, in order. */
  names(): string[] {
    return [...this.groups.keys()];
  }

  decl(name: string): CellDecl | undefined {
    return this.groups.get(name)?.source.decl;
  }

  /** The keys for which fills are to be tried: those that the program lists. */
  listed(name: string): readonly (readonly number[])[] {
    return this.groups.get(name)?.source.listed ?? [];
  }

  /** Runs of entries that bulk loops inserted; `entries` has them too, one by one. */
  runs(name: string): readonly CellRun[] {
    return this.groups.get(name)?.runs.list() ?? [];
  }

  /** The values that a key holds, oldest first within what was put in alone and what in runs. */
  values(name: string, key: readonly number[]): number[] {
    const group = this.groups.get(name);
    if (!group) return [];
    const alone = group.contents.size === 0 ? undefined : group.contents.get(key.join())?.values;
    const { runs } = group;
    if (runs.empty) return alone?.slice() ?? [];
    return [...new Set([...(alone ?? []), ...runs.values(key)])];
  }

  /** The keys that hold entries, least first. Throws if there are too many to list. */
  keys(name: string): (readonly number[])[] {
    const group = this.groups.get(name);
    if (!group) return [];
    const keys = new Map<string, readonly number[]>();
    for (const [text, c] of group.contents) if (c.values.length > 0) keys.set(text, c.key);
    for (const run of group.runs.list()) {
      if (keys.size + run.count > LISTED_MAX) throw new Error(`${name} holds too many to list`);
      for (let d = 0; d < run.count; d++) keys.set(keyAt(run, d).join(), keyAt(run, d));
    }
    return [...keys.values()].sort(compareKeys);
  }

  /** The entries of the keys that match, least key first. Throws if there are too many to list. */
  entries(name: string, tests: readonly KeyTest[] = []): CellEntry[] {
    return this.keys(name)
      .filter((key) => matches(tests, key))
      .flatMap((key) => this.values(name, key).map((value): CellEntry => ({ key, value })));
  }

  /** Puts an entry into a cell, if the program has it and the entry is not there yet. */
  add(name: string, key: readonly number[], value: number): void {
    const group = this.groups.get(name);
    if (!group?.source.exists(key)) return;
    if (!group.runs.empty && group.runs.values(key).includes(value)) return;
    const text = key.join();
    let held = group.contents.get(text);
    if (!held) {
      held = { key, values: [] };
      group.contents.set(text, held);
    }
    const { values } = held;
    if (values.includes(value)) return;
    values.push(value);
    if (this.machine.journal.open) this.machine.journal.note(() => values.pop());
  }

  /** Puts in one entry for each of `run.count` keys; the last key moves on by one each time. */
  addRun(name: string, run: CellRun): void {
    const group = this.groups.get(name);
    if (!group) return;
    if (run.count > 1 && !group.source.listed) {
      group.runs.add(run);
      return;
    }
    for (let d = 0; d < run.count; d++) this.add(name, keyAt(run, d), sweepAt(run.value, d));
  }

  /** Forgets keys that hold nothing any more. Not while changes may be taken back. */
  prune(): void {
    if (this.machine.journal.open) return;
    for (const { contents } of this.groups.values()) {
      if (contents.size === 0) continue;
      for (const [text, { values }] of contents) if (values.length === 0) contents.delete(text);
    }
  }

  /** Called by the `yield` instruction of a fill. */
  yielded(value: number): void {
    this.collected!.add(value);
  }

  /** The values that a cell could be filled with now, admitted or not, in the order found. */
  walk(name: string, key: readonly number[]): number[] {
    const group = this.groups.get(name);
    const code = group?.source.fill(key);
    if (!group || !code) return [];
    let compiled = group.fills.get(code);
    if (!compiled) {
      compiled = compileCode(this.machine, code, true);
      group.fills.set(code, compiled);
    }
    const { choices } = this.machine;
    const outer = choices.nest();
    const { collected } = this;
    const found = new Set<number>();
    this.collected = found;
    do {
      runToEnd(compiled, frameFor(compiled, code.given, key));
    } while (choices.advanceNested());
    this.collected = collected;
    choices.unnest(outer);
    return [...found];
  }

  /** Fills a cell with one of the values it could take; false if there is none. */
  fill(name: string, key: readonly number[]): boolean {
    const group = this.groups.get(name);
    if (!group) return false;
    const held = this.values(name, key);
    const { ways } = group.source.decl;
    if (ways !== undefined && held.length >= ways) return false;
    const fresh = this.walk(name, key).filter((v) => group.admits(v) && !held.includes(v));
    if (fresh.length === 0) return false;
    const at = this.machine.choices.decideValue(fresh);
    if (at < 0) return false;
    this.add(name, key, fresh[at]!);
    return true;
  }

  /** Takes one of its entries from a cell; false if it has none. */
  evict(name: string, key: readonly number[]): boolean {
    const values = this.values(name, key);
    if (values.length === 0) return false;
    const at = this.machine.choices.decideValue(values);
    if (at < 0) return false;
    const { contents, runs } = this.groups.get(name)!;
    const alone = contents.get(key.join())?.values ?? [];
    if (alone.includes(values[at]!)) this.remove(alone, alone.indexOf(values[at]!));
    runs.remove(key, values[at]!);
    return true;
  }

  access(
    i: Instr & { op: "lookup" | "insert" | "clear" },
    next: number,
    exprs: OpenExprs,
  ): OpenStep {
    if (i.op === "clear") return this.clear(i, next, exprs);
    const { name } = i.cell;
    const key = exprs.index(i.index);
    if (i.op === "insert") {
      const value = exprs.num(i.value);
      return (r) => {
        this.add(name, key(r), value(r));
        return next;
      };
    }
    const slot = exprs.slots.of(i.reg);
    const { walks } = i;
    return (r) => {
      const group = this.groups.get(name);
      const at = key(r);
      if (!group?.source.exists(at)) return -1;
      const found = this.values(name, at);
      // What is held comes first: that is what hardware would find.
      const fresh = walks ? this.walk(name, at) : [];
      for (const v of fresh) if (!found.includes(v)) found.push(v);
      if (found.length === 0) return -1;
      const chosen = this.machine.choices.decideValue(found);
      if (chosen < 0) return -1;
      r[slot] = found[chosen]!;
      return next;
    };
  }

  /** Takes out all entries of the keys that match. */
  clearAll(name: string, tests: readonly KeyTest[]): void {
    const group = this.groups.get(name);
    if (!group) return;
    for (const { key, values } of group.contents.values()) {
      if (values.length === 0 || !matches(tests, key)) continue;
      for (let at = values.length - 1; at >= 0; at--) this.remove(values, at);
    }
    group.runs.filter(tests, (_, count) => ({ count, goes: true }));
  }

  private clear(i: Instr & { op: "clear" }, next: number, exprs: OpenExprs): OpenStep {
    const pattern = exprs.pattern(i.index);
    const { name } = i.cell;
    if (!i.where) {
      return (r) => {
        this.clearAll(name, pattern(r));
        return next;
      };
    }
    const cond = exprs.num(i.where.cond);
    const slot = exprs.slots.of(i.where.reg);
    const whole = asksPending(i) ? undefined : this.bulkCond(exprs, i.where.cond);
    const frame = newFrame();
    return (r) => {
      const group = this.groups.get(name);
      if (!group) return next;
      const tests = pattern(r);
      for (const { key, values } of group.contents.values()) {
        if (values.length === 0 || !matches(tests, key)) continue;
        for (let at = values.length - 1; at >= 0; at--) {
          r[slot] = values[at]!;
          if (cond(r)) this.remove(values, at);
        }
      }
      group.runs.filter(tests, (value, count) => {
        if (!whole || value.slope === 0) {
          r[slot] = value.base;
          return { count: value.slope === 0 ? count : 1, goes: cond(r) !== 0 };
        }
        resetFrame(frame, r, count, 1);
        frame.regs[slot] = value;
        const goes = whole(frame);
        return { count: frame.span.keys, goes };
      });
      return next;
    };
  }

  private bulkCond(exprs: OpenExprs, cond: Node): (f: BulkFrame) => boolean {
    return new BulkExprs(exprs, (decl) => this.machine.store(decl)).cond(cond);
  }

  private remove(values: number[], at: number): void {
    const [value] = values.splice(at, 1);
    if (this.machine.journal.open) this.machine.journal.note(() => values.splice(at, 0, value!));
  }

  private admitter({ admits }: OpenCell): (value: number) => boolean {
    if (!admits) return () => true;
    const { machine } = this;
    const slots = new Slots(new Map());
    const { domain } = machine.program;
    const exprs = new OpenExprs(domain, slots, (d) => machine.store(d), machine.pendings);
    const slot = slots.of(admits.reg);
    const cond = exprs.num(admits.cond);
    const regs: Regs = [];
    return (value) => {
      regs[slot] = value;
      return cond(regs) !== 0;
    };
  }
}

/** Registers of a new run of code with its keys or parameters given. */
export function frameFor(
  code: Compiled,
  given: readonly number[],
  values: readonly number[],
): Regs {
  const regs = code.slots.initial.slice();
  for (const [n, reg] of given.entries()) regs[code.slots.of(reg)] = values[n]!;
  return regs;
}
