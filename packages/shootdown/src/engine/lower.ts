// SPDX-License-Identifier: Apache-2.0
// Lowering: binds a system's names, inlines its calls, folds its constants, and keeps what matters.
//
//   system ──► written fields ──► threads, rules ──► cells they read ──► effects ──► program
//
// What no thread, rule or property can notice is left out: cell instances that nobody looks up,
// outstanding entries without effect, stores to fields that are never read.

import { hashText } from "../base/hash.ts";
import type { FieldDecl, KeyPattern, Node } from "../ir/expr.ts";
import { unsetKnob } from "../ir/expr.ts";
import type { CellDecl, Definition, PendingDecl } from "../ir/machine.ts";
import type { AnySort } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import { liveness, operands, Registers, visitNode } from "./flow.ts";
import type { Env, Scope } from "./fold.ts";
import { fold } from "./fold.ts";
import type { InlineContext } from "./inline.ts";
import { inline } from "./inline.ts";
import type {
  CellGroup,
  CellInstance,
  Code,
  Instr,
  PendingInstance,
  Program,
  RuleInstance,
  System,
  Thread,
} from "./program.ts";
import { sizeOf } from "./program.ts";
import { propagate } from "./propagate.ts";
import { programText } from "./text.ts";
import { dropDead, idle, shorten } from "./tidy.ts";
import { writtenFields } from "./written.ts";

export interface LowerOptions {
  /** Keep cells, entries and stores that nothing in the program can notice. Default false. */
  readonly keepAll?: boolean;
}

/** Lowers a system. Throws on a mistake in a routine or rule; a scenario's are found before. */
export function lower(system: System, options: LowerOptions = {}): Program {
  return new Lowering(system, options.keepAll ?? false).run();
}

const constant = (value: number, sort: AnySort): Node => ({ k: "const", value, sort });
const keyText = (name: string, key: readonly number[]): string => `${name}[${key.join()}]`;

/** Every combination of values below the given sizes, first position slowest. */
function combinations(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (done, size) => done.flatMap((d) => Array.from({ length: size }, (_, i) => [...d, i])),
    [[]],
  );
}

class Lowering {
  private readonly system: System;
  private readonly keepAll: boolean;
  private readonly knobs = new Set<string>();
  private readonly neverConstant = new Set<string>();
  private readonly written: Set<string>;
  private readonly initial = new Map<string, number>();
  private readonly definitions: ReadonlyMap<string, Definition>;
  private readonly context: InlineContext;
  private readonly uniforms = new Map<string, { readonly value: number | undefined }>();
  private registers = 0;
  /** Cell instances that something looks up: text of the key -> instance. */
  private readonly used = new Map<string, CellInstance>();
  private readonly posted = new Map<string, { decl: PendingDecl; key: number[] }>();

  constructor(system: System, keepAll: boolean) {
    this.system = system;
    this.keepAll = keepAll;
    const { machine, kernel } = system;
    this.definitions = new Map(machine.definitions.map((d) => [d.name, d]));
    const find = (name: string) => kernel.routines.get(name) ?? this.definitions.get(name);
    this.written = writtenFields(
      [
        ...system.threads.map((t) => t.body),
        ...machine.rules.map((r) => r.body()),
        ...machine.pending.map((p) => p.effect()),
        ...machine.cells.flatMap((c) => (c.fill ? [c.fill()] : [])),
        ...system.observers.flatMap((o) => o.on.map((r) => r.body())),
      ],
      find,
    );
    for (const i of system.initial) this.initial.set(keyText(i.field.name, i.index), i.value);
    this.context = {
      kernel,
      definitions: this.definitions,
      observers: system.observers,
      scope: this.scope(),
      newRegister: () => this.registers++,
    };
  }

  /** Fields that nothing writes and whose elements all begin alike. */
  private uniform(field: FieldDecl): number | undefined {
    if (this.keepAll || this.written.has(field.name)) return undefined;
    let known = this.uniforms.get(field.name);
    if (known === undefined) {
      const size = field.index.reduce((n, s) => n * sizeOf(s, this.system.domain), 1);
      const given = this.system.initial.filter((i) => i.field.name === field.name);
      const values = new Set(given.map((i) => i.value));
      if (given.length < size) values.add(field.initial);
      known = { value: values.size === 1 ? [...values][0] : undefined };
      this.uniforms.set(field.name, known);
    }
    return known.value;
  }

  private scope(): Scope {
    const { domain, knobs, initial } = this.system;
    const begins = (f: FieldDecl) =>
      initial.some((i) => i.field.name === f.name && i.value !== f.initial);
    return {
      domain,
      knob: (name) => {
        const value = knobs[name] ?? unsetKnob(name);
        if (name in knobs) this.knobs.add(name);
        if (value === undefined) throw new Error(`knob ${name} has no value`);
        return value;
      },
      uniformField: (field) => this.uniform(field),
      varies: (f, written) => this.written.has(f.name) || (!written && begins(f)),
      isFixed: (field) => !this.keepAll && !this.written.has(field.name),
      constantField: (field, index) => {
        if (this.keepAll || this.written.has(field.name)) return undefined;
        return this.initial.get(keyText(field.name, index)) ?? field.initial;
      },
    };
  }

  run(): Program {
    const { system } = this;
    let threads = system.threads.map((t): Thread => {
      return { name: t.name, ...this.code(t.name, t.body, new Map(), t.locals) };
    });
    let rules = system.machine.rules.flatMap((r) => this.ruleInstances(r));
    for (const t of [...threads, ...rules]) this.collect(t);
    const made = this.effects().map((e) => this.withReady(e, new Set()));
    const constants = this.constantCells();
    const known = <C extends Code>(code: C): C => this.withConstants(code, constants);
    const effects = made.map(known);
    threads = threads.map(known);
    rules = rules.map(known);
    for (const [text, c] of this.used) {
      if (!c.fill) continue;
      const fill = known(c.fill);
      this.used.set(text, { ...c, fill: { ...fill, instrs: this.tidied(fill.instrs) } });
    }
    const dead = this.deadSets(effects);
    threads = threads.map((t) => this.withoutDead(t, dead));
    rules = rules.map((r) => this.withoutDead(r, dead));
    const live = effects.filter((p) => !dead.has(p));
    const pending = live.map((p) => this.withReady(this.withoutDead(p, dead), dead));
    return this.finish(threads, rules, pending, this.cellGroups());
  }

  private code(
    name: string,
    body: readonly Stmt[],
    env: Env,
    locals: Readonly<Record<string, AnySort>>,
  ): Code {
    const code = inline(this.context, name, body, env, locals);
    return { instrs: shorten(code.instrs), registers: code.registers };
  }

  private ruleInstances(decl: System["machine"]["rules"][number]): RuleInstance[] {
    const { domain } = this.system;
    const params = Object.entries(decl.params);
    return combinations(params.map(([, sort]) => sizeOf(sort, domain))).flatMap((args) => {
      const env = new Map(params.map(([name, sort], i) => [name, constant(args[i]!, sort)]));
      const guard: Stmt = { k: "await", cond: decl.when.node };
      if (isFalse(fold(decl.when.node, env, this.context.scope))) return [];
      const body: Stmt[] = [{ k: "atomic", body: [guard, ...decl.body()] }];
      return [{ decl, args, ...this.code(decl.name, body, env, decl.locals) }];
    });
  }

  /** Notes the cells that code looks up and the pending sets that it posts to. */
  private collect(code: Code): void {
    for (const i of code.instrs) {
      if (i.op === "lookup" || i.op === "yieldHeld") this.use(i.cell, i.index, i.op === "lookup");
      if (i.op === "post") {
        for (const key of this.keys(Object.values(i.set.keys), i.index)) {
          this.posted.set(keyText(i.set.name, key), { decl: i.set, key });
        }
      }
    }
  }

  /** All key combinations that a pattern may mean. */
  private keys(sorts: readonly AnySort[], pattern: readonly KeyPattern[]): number[][] {
    const choices = sorts.map((s, i): number[] => {
      const p = pattern[i]!;
      if (p.k === "const") return [p.value];
      return Array.from({ length: sizeOf(s, this.system.domain) }, (_, v) => v);
    });
    return choices.reduce<number[][]>(
      (done, values) => done.flatMap((d) => values.map((v) => [...d, v])),
      [[]],
    );
  }

  private use(decl: CellDecl, index: readonly KeyPattern[], looks = true): void {
    if (!looks || index.some((k) => k.k !== "const")) this.neverConstant.add(decl.name);
    const names = Object.entries(decl.keys);
    for (const key of this.keys(Object.values(decl.keys), index)) {
      const text = keyText(decl.name, key);
      if (this.used.has(text)) continue;
      const env = new Map(names.map(([name, sort], i) => [name, constant(key[i]!, sort)]));
      // Entered first: a fill may look the same cell up again.
      this.used.set(text, { decl, key, fill: undefined });
      const fill = decl.fill && this.code(decl.name, decl.fill(), env, decl.locals);
      this.used.set(text, { decl, key, fill });
      if (fill) this.collect(fill);
    }
  }

  /**
   * Cells whose fill yields one constant, and into which nothing else puts values: a look-up is it.
   */
  private constantCells(): ReadonlyMap<string, Node> {
    const found = new Map<string, Node>();
    if (this.keepAll) return found;
    const initial = new Set(this.system.entries.map((e) => keyText(e.cell.name, e.index)));
    for (const [text, c] of this.used) {
      const [only, end] = c.fill?.instrs ?? [];
      if (only?.op !== "yield" || end?.op !== "halt" || only.value.k !== "const") continue;
      if (!initial.has(text) && !this.neverConstant.has(c.decl.name)) found.set(text, only.value);
    }
    for (const text of found.keys()) this.used.delete(text);
    return found;
  }

  private tidied(instrs: readonly Instr[]): readonly Instr[] {
    const code = [...instrs];
    const registers = new Registers(code);
    if (!this.keepAll) propagate(code, registers, this.context.scope);
    dropDead(code, registers);
    return shorten(code);
  }

  private withConstants<C extends Code>(code: C, constants: ReadonlyMap<string, Node>): C {
    if (constants.size === 0) return code;
    const instrs = code.instrs.map((i): Instr => {
      if (i.op !== "lookup" || !i.index.every((k) => k.k === "const")) return i;
      const key = i.index.map((k) => (k as { value: number }).value);
      const value = constants.get(keyText(i.cell.name, key));
      if (!value) return i;
      const { origin, joined } = i;
      return { op: "let", reg: i.reg, value, origin, joined, ...(i.first ? { first: true } : {}) };
    });
    return { ...code, instrs };
  }

  private effects(): PendingInstance[] {
    const done = new Map<string, PendingInstance>();
    // An effect may post too, so this goes on until nothing new appears.
    for (;;) {
      const next = [...this.posted].find(([text]) => !done.has(text));
      if (!next) break;
      const [text, { decl, key }] = next;
      const keys = Object.entries(decl.keys);
      const env = new Map(keys.map(([name, sort], i) => [name, constant(key[i]!, sort)]));
      const registers = new Map<number, AnySort>();
      const entry = Object.entries(decl.entry).map(([name, sort]) => {
        const reg = this.registers++;
        registers.set(reg, sort);
        env.set(name, { k: "reg", reg, sort } as never);
        return reg;
      });
      const code = this.code(decl.name, decl.effect(), env, decl.locals);
      for (const [r, s] of code.registers) registers.set(r, s);
      const capacity = this.system.domain.limits[decl.capacity];
      if (capacity === undefined) throw new Error(`the domain has no limit ${decl.capacity}`);
      const ready = decl.ready && fold(decl.ready.node, env, this.context.scope);
      done.set(text, {
        decl,
        key,
        capacity,
        entry,
        ready: ready && isTrue(ready) ? undefined : ready,
        instrs: code.instrs,
        registers,
      });
      this.collect(code);
    }
    const order = this.system.machine.pending;
    return [...done.values()].sort(
      (a, b) => order.indexOf(a.decl) - order.indexOf(b.decl) || compareKeys(a.key, b.key),
    );
  }

  /** An entry does not wait for what nobody issues, nor for what was left out. */
  private withReady(p: PendingInstance, dead: ReadonlySet<PendingInstance>): PendingInstance {
    if (!p.ready) return p;
    const ready = this.without(p.ready, this.isGone(dead));
    return { ...p, ready: isTrue(ready) ? undefined : ready };
  }

  /** Whether the sets that a pattern means never hold an entry that is kept. */
  private isGone(dead: ReadonlySet<PendingInstance>) {
    const gone = new Set([...dead].map((d) => keyText(d.decl.name, d.key)));
    return (decl: PendingDecl, index: readonly KeyPattern[]): boolean =>
      this.keys(Object.values(decl.keys), index).every(
        (key) => gone.has(keyText(decl.name, key)) || !this.posted.has(keyText(decl.name, key)),
      );
  }

  /** An expression in which nothing is outstanding in the sets that `gone` names. */
  private without(
    node: Node,
    gone: (set: PendingDecl, index: readonly KeyPattern[]) => boolean,
  ): Node {
    if (node.k === "outstanding" && gone(node.set, node.index)) return constant(0, node.sort);
    if (node.k !== "op") return node;
    const args = node.args.map((a) => this.without(a, gone));
    return fold({ ...node, args }, new Map(), this.context.scope);
  }

  /** Pending sets whose entries change nothing that is kept. */
  private deadSets(effects: readonly PendingInstance[]): Set<PendingInstance> {
    const harmless = (i: Instr): boolean => {
      if (i.op === "clear" || i.op === "insert") {
        return this.keys(Object.values(i.cell.keys), i.index).every(
          (key) => !this.used.has(keyText(i.cell.name, key)),
        );
      }
      return ["emit", "halt", "jump", "branch", "let"].includes(i.op);
    };
    if (this.keepAll) return new Set();
    return new Set(effects.filter((e) => !e.ready && e.instrs.every(harmless)));
  }

  /** The code without posts to dead sets, and without conditions that speak of them. */
  private withoutDead<C extends Code>(code: C, dead: ReadonlySet<PendingInstance>): C {
    if (dead.size === 0) return code;
    const isDead = this.isGone(dead);
    const cut = (node: Node): Node => this.without(node, isDead);
    const instrs = code.instrs.map((i, at): Instr => {
      const skip = idle(i, at);
      if (i.op === "post" && isDead(i.set, i.index)) return skip;
      if (i.op === "branch") return { ...i, cond: cut(i.cond) };
      if (i.op !== "await") return i;
      const cond = cut(i.cond);
      return isTrue(cond) ? idle(i, at) : { ...i, cond };
    });
    return { ...code, instrs };
  }

  /** Whether an instruction can matter: not a store that nobody reads, nor to a cell left out. */
  private noticed(i: Instr, read: ReadonlyMap<string, FieldDecl>): boolean {
    if (i.op === "store") return read.has(i.field.name);
    if (i.op !== "clear" && i.op !== "insert") return true;
    return this.keys(Object.values(i.cell.keys), i.index).some((key) =>
      this.used.has(keyText(i.cell.name, key)),
    );
  }

  private cellGroups(): CellGroup[] {
    const { cells } = this.system.machine;
    if (this.keepAll) {
      for (const decl of cells) {
        const exists = decl.exists && fold(decl.exists.node, new Map(), this.context.scope);
        const any = Object.values(decl.keys).map((): KeyPattern => ({ k: "any" }));
        if (!exists || isTrue(exists)) this.use(decl, any);
      }
    }
    return cells.flatMap((decl): CellGroup[] => {
      const instances = [...this.used.values()]
        .filter((c) => c.decl === decl)
        .sort((a, b) => compareKeys(a.key, b.key));
      if (instances.length === 0) return [];
      if (!decl.admits) return [{ decl, instances, admits: undefined }];
      const reg = this.registers++;
      const env = new Map<string, Node>([["entry", { k: "reg", reg, sort: decl.value }]]);
      const cond = fold(decl.admits.node, env, this.context.scope);
      return [{ decl, instances, admits: isTrue(cond) ? undefined : { reg, cond } }];
    });
  }

  private finish(
    threads: readonly Thread[],
    rules: readonly RuleInstance[],
    pending: readonly PendingInstance[],
    cells: readonly CellGroup[],
  ): Program {
    const read = new Map(this.system.watched?.map((f) => [f.name, f]));
    const note = (n: Node) => {
      if (n.k === "read") read.set(n.field.name, n.field);
    };
    const fills = cells.flatMap((g) => g.instances.flatMap((c) => (c.fill ? [c.fill] : [])));
    for (const code of [...threads, ...rules, ...pending, ...fills]) {
      for (const i of code.instrs) {
        for (const node of operands(i)) visitNode(node, note);
        if (i.op === "xchg" || i.op === "cas") read.set(i.field.name, i.field);
        if (i.op === "store" && this.keepAll) read.set(i.field.name, i.field);
      }
    }
    for (const p of pending) if (p.ready) visitNode(p.ready, note);
    const kept = <C extends Code>(code: C): C => ({
      ...code,
      instrs: this.tidied(
        code.instrs.map((i, at): Instr => {
          if (this.noticed(i, read)) return i;
          return idle(i, at);
        }),
      ),
    });
    const program = {
      domain: this.system.domain,
      fields: [...read.values()],
      initial: this.system.initial.filter((i) => read.has(i.field.name)),
      entries: this.system.entries.filter((e) => this.used.has(keyText(e.cell.name, e.index))),
      threads: threads.map(kept),
      rules: rules.map(kept),
      cells,
      pending: pending.map(kept),
      observers: this.system.observers.map((o) => o.name),
      knobs: [...this.knobs].sort(),
      registers: this.registers,
    };
    for (const r of program.rules) assertSet(r.decl.name, r, []);
    for (const p of program.pending) assertSet(p.decl.name, p, p.entry);
    for (const g of cells)
      for (const c of g.instances) if (c.fill) assertSet(g.decl.name, c.fill, []);
    return { ...program, hash: hashText(programText(program)) };
  }
}

/** Code that runs as one step has no state of its own: it must set a local before it reads it. */
function assertSet(name: string, code: Code, given: readonly number[]): void {
  const unset = liveness(code.instrs)
    .at(0)
    .filter((reg) => !given.includes(reg));
  if (unset.length > 0) throw new Error(`${name} reads a local before it sets it`);
}

function isTrue(node: Node): boolean {
  return node.k === "const" && node.value !== 0;
}

function isFalse(node: Node): boolean {
  return node.k === "const" && node.value === 0;
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((v, i) => v !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}
