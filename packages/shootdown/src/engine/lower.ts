// SPDX-License-Identifier: Apache-2.0
// Lowering: binds a system's names, inlines its calls, folds its constants, and keeps what matters.
//
//   system ──► written fields ──► threads, rules ──► cells they read ──► effects ──► program
//
// What no thread, rule or property can notice is left out: cell instances that nobody looks up,
// outstanding entries without effect, stores to fields that are never read.

import type { FieldDecl, KeyPattern, Node } from "../ir/expr.ts";
import type { CellDecl, PendingDecl, RuleDecl } from "../ir/machine.ts";
import type { AnySort } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import { visitNode } from "./flow.ts";
import type { Env } from "./fold.ts";
import { fold } from "./fold.ts";
import type { InlineContext } from "./inline.ts";
import { inline } from "./inline.ts";
import { Names } from "./known.ts";
import { asksOf, Piece } from "./piece.ts";
import type { CellGroup, Code, Instr, Program, System } from "./program.ts";
import { sizeOf } from "./program.ts";
import { combinations, Instances, keysOf, mayMean } from "./reach.ts";
import { Shared } from "./shared.ts";
import { programHash } from "./text.ts";
import { idle, shorten } from "./tidy.ts";
import { rootsOf, writtenFields } from "./written.ts";

export interface LowerOptions {
  /** Keep cells, entries and stores that nothing in the program can notice. Default false. */
  readonly keepAll?: boolean;
  /** What earlier lowerings of the same scenario have found, with the same `keepAll`. */
  readonly shared?: Shared;
}

/** Lowers a system. Throws on a mistake in a routine or rule; a scenario's are found before. */
export function lower(system: System, options: LowerOptions = {}): Program {
  const { keepAll = false, shared = new Shared() } = options;
  const names = namesOf(system, keepAll, shared);
  return shared.program(system, names, (asked) => {
    const program = new Lowering(system, keepAll, shared, names).run();
    const [knobs, routines] = [names.knobs(asked), [...asked.routines.keys()]];
    return { ...program, knobs, routines, hash: programHash(program) };
  });
}

/** A rule, effect or fill on its way, for one choice of its parameters or keys. */
interface Rule {
  readonly decl: RuleDecl;
  readonly args: readonly number[];
  readonly piece: Piece;
}
interface Effect {
  readonly decl: PendingDecl;
  readonly key: readonly number[];
  readonly capacity: number;
  readonly entry: readonly number[];
  readonly ready: Node | undefined;
  readonly piece: Piece;
}
interface Cell {
  readonly key: readonly number[];
  readonly fill: Piece | undefined;
}

const constant = (value: number, sort: AnySort): Node => ({ k: "const", value, sort });
const NOTHING: Env = new Map();

/** Names bound to the values of a key. */
function bound(sorts: Readonly<Record<string, AnySort>>, key: readonly number[]) {
  return new Map<string, Node>(
    Object.entries(sorts).map(([name, sort], i) => [name, constant(key[i]!, sort)]),
  );
}

function namesOf(system: System, keepAll: boolean, shared: Shared): Names {
  return new Names(system, keepAll, shared.facts, (find) =>
    shared.written(system, () => writtenFields(rootsOf(system), find, system.kernel.version)),
  );
}

class Lowering {
  private readonly system: System;
  private readonly keepAll: boolean;
  private readonly shared: Shared;
  private readonly names: Names;
  private readonly context: InlineContext;
  private readonly neverConstant = new Set<CellDecl>();
  /** Cell instances that something looks up. */
  private readonly used = new Instances<CellDecl, Cell>();
  /** Pending sets that something posts to. */
  private readonly posted = new Instances<PendingDecl, { readonly key: readonly number[] }>();
  private readonly effects: Effect[] = [];

  constructor(system: System, keepAll: boolean, shared: Shared, names: Names) {
    this.system = system;
    this.keepAll = keepAll;
    this.shared = shared;
    this.names = names;
    this.context = {
      version: names.version,
      find: names.find,
      observers: names.observers,
      scope: names.scope,
      newRegister: () => shared.newRegister(),
    };
  }

  run(): Omit<Program, "hash"> {
    const { system, keepAll } = this;
    let threads = system.threads.map((t) =>
      this.shared.once(t.body, t.name, this.names, () =>
        this.piece(t.name, t.body, NOTHING, t.locals),
      ),
    );
    let rules = system.machine.rules.flatMap((r) => this.ruleInstances(r));
    for (const t of [...threads, ...rules.map((r) => r.piece)]) this.collect(t);
    const order = system.machine.pending;
    let effects = order.flatMap((decl) =>
      this.posted.of(decl).map(({ key }) => {
        const e = this.effects.find((x) => x.decl === decl && x.key === key)!;
        return { ...e, ready: this.withReady(e.ready, this.posted) };
      }),
    );
    const constants = this.constantCells();
    const known = (p: Piece): Piece => this.withConstants(p, constants);
    const knownIn = <T extends { readonly piece: Piece }>(x: T): T => ({
      ...x,
      piece: known(x.piece),
    });
    effects = effects.map(knownIn);
    for (const [decl, c] of this.used.all()) {
      const fill = c.fill && known(c.fill).tidied([], this.names.scope, keepAll);
      if (fill !== c.fill) this.used.set(decl, { ...c, fill });
    }
    const live = this.liveSets(effects, [...threads, ...rules.map((r) => r.piece)]);
    const cut = (p: Piece): Piece => this.withoutDead(p, live);
    const cutIn = <T extends { readonly piece: Piece }>(x: T): T => ({ ...x, piece: cut(x.piece) });
    threads = threads.map((p) => cut(known(p)));
    rules = rules.map((r) => cutIn(knownIn(r)));
    effects = effects
      .filter((e) => live.get(e.decl, e.key))
      .map((e) => ({ ...cutIn(e), ready: this.withReady(e.ready, live) }));
    return this.finish(threads, rules, effects, this.cellGroups());
  }

  private piece(
    name: string,
    body: readonly Stmt[],
    env: Env,
    locals: Readonly<Record<string, AnySort>>,
  ): Piece {
    const code = inline(this.context, name, body, env, locals);
    return new Piece(shorten(code.instrs), code.registers);
  }

  private ruleInstances(decl: RuleDecl): Rule[] {
    const { domain } = this.system;
    const sizes = Object.values(decl.params).map((sort) => sizeOf(sort, domain));
    return combinations(sizes).flatMap((args): Rule[] => {
      const piece = this.shared.once(decl, args.join(), this.names, () => {
        const env = bound(decl.params, args);
        const guard: Stmt = { k: "await", cond: decl.when.node };
        if (isFalse(fold(decl.when.node, env, this.context.scope))) return undefined;
        const body: Stmt[] = [{ k: "atomic", body: [guard, ...decl.body()] }];
        return this.piece(decl.name, body, env, decl.locals);
      });
      return piece ? [{ decl, args, piece }] : [];
    });
  }

  /** Follows code to the cells that it looks up and the pending sets that it posts to. */
  private collect(code: Piece): void {
    for (const at of code.points) {
      const i = code.instrs[at]!;
      if (i.op === "lookup" || i.op === "yieldHeld") this.use(i.cell, i.index, i.op === "lookup");
      if (i.op === "post") this.post(i.set, i.index);
      // A pick has only what was admitted; a walk takes what the fill yields in any case.
      const held = i.op === "lookup" && !i.walks && i.cell.admits;
      if (held || i.op === "insert") this.neverConstant.add(i.cell);
    }
  }

  private use(decl: CellDecl, index: readonly KeyPattern[], looks = true): void {
    if (!looks || index.some((k) => k.k !== "const")) this.neverConstant.add(decl);
    for (const key of keysOf(decl, index, this.system.domain)) {
      if (this.used.get(decl, key)) continue;
      // Entered first: a fill may look the same cell up again.
      this.used.set(decl, { key, fill: undefined });
      if (!decl.fill) continue;
      const body = decl.fill();
      const fill = this.shared.once(decl, key.join(), this.names, () =>
        this.piece(decl.name, body, bound(decl.keys, key), decl.locals),
      );
      this.used.set(decl, { key, fill });
      this.collect(fill);
    }
  }

  private post(decl: PendingDecl, index: readonly KeyPattern[]): void {
    for (const key of keysOf(decl, index, this.system.domain)) {
      if (this.posted.get(decl, key)) continue;
      this.posted.set(decl, { key });
      const made = this.shared.once(decl, key.join(), this.names, () => this.effect(decl, key));
      this.effects.push({ decl, key, ...made });
      this.collect(made.piece);
    }
  }

  private effect(decl: PendingDecl, key: readonly number[]) {
    const capacity = this.system.domain.limits[decl.capacity];
    if (capacity === undefined) throw new Error(`the domain has no limit ${decl.capacity}`);
    const env = bound(decl.keys, key);
    const registers = new Map<number, AnySort>();
    const entry = Object.entries(decl.entry).map(([name, sort]) => {
      const reg = this.context.newRegister();
      registers.set(reg, sort);
      env.set(name, { k: "reg", reg, sort });
      return reg;
    });
    const code = this.piece(decl.name, decl.effect(), env, decl.locals);
    for (const [r, s] of code.registers) registers.set(r, s);
    const ready = decl.ready && fold(decl.ready.node, env, this.context.scope);
    return { capacity, entry, ready, piece: new Piece(code.instrs, registers) };
  }

  /**
   * Cells whose fill yields one constant, and into which nothing else puts values: a look-up is it.
   */
  private constantCells(): Instances<CellDecl, { key: readonly number[]; value: Node }> {
    const found = new Instances<CellDecl, { key: readonly number[]; value: Node }>();
    if (this.keepAll) return found;
    const holds = (decl: CellDecl, key: readonly number[]): boolean =>
      this.system.entries.some((e) => e.cell === decl && e.index.join() === key.join());
    for (const [decl, { key, fill }] of [...this.used.all()]) {
      const [only, end] = fill?.instrs ?? [];
      if (only?.op !== "yield" || end?.op !== "halt" || only.value.k !== "const") continue;
      if (this.neverConstant.has(decl) || holds(decl, key)) continue;
      found.set(decl, { key, value: only.value });
      this.used.delete(decl, key);
    }
    return found;
  }

  private withConstants(
    code: Piece,
    constants: Instances<CellDecl, { key: readonly number[]; value: Node }>,
  ): Piece {
    const edits = new Map<number, Instr>();
    for (const at of code.points) {
      const i = code.instrs[at]!;
      if (i.op !== "lookup" || !i.index.every((k) => k.k === "const")) continue;
      const key = i.index.map((k) => (k as { value: number }).value);
      const known = constants.get(i.cell, key);
      if (known) edits.set(at, { ...idle(i, at), op: "let", reg: i.reg, value: known.value });
    }
    return code.with(edits);
  }

  /** An entry does not wait for what nobody issues, nor for what was left out. */
  private withReady(ready: Node | undefined, live: typeof this.posted): Node | undefined {
    const left = ready && this.without(ready, live);
    return left && isTrue(left) ? undefined : left;
  }

  /** An expression in which nothing is outstanding but in the sets that are live. */
  private without(node: Node, live: typeof this.posted): Node {
    if (node.k === "outstanding" && !live.some(node.set, node.index)) return constant(0, node.sort);
    if (node.k !== "op") return node;
    const args = node.args.map((a) => this.without(a, live));
    if (args.every((a, n) => a === node.args[n])) return node;
    return fold({ ...node, args }, NOTHING, this.context.scope);
  }

  /** The pending sets whose entries change something that is kept, or are asked for by `code`. */
  private liveSets(effects: readonly Effect[], code: readonly Piece[]): typeof this.posted {
    const live: typeof this.posted = new Instances();
    const harmless = (i: Instr): boolean => {
      if (i.op === "clear" || i.op === "insert") return !this.used.some(i.cell, i.index);
      return ["emit", "halt", "jump", "branch", "let"].includes(i.op);
    };
    const changes = (e: Effect) => this.keepAll || e.ready || !e.piece.instrs.every(harmless);
    const active = effects.filter(changes);
    const fills = [...this.used.all()].flatMap(([, { fill }]) => fill ?? []);
    const asks = [...code, ...fills, ...active.map((e) => e.piece)].flatMap((p) => p.asks);
    for (const { ready } of active) if (ready) asks.push(...asksOf(ready, true));
    for (const e of effects) {
      const asked = asks.some((n) => n.set === e.decl && mayMean(n.index, e.key));
      if (asked || active.includes(e)) live.set(e.decl, { key: e.key });
    }
    return live;
  }

  /** The code without posts to dead sets, and without conditions that speak of them. */
  private withoutDead(code: Piece, live: typeof this.posted): Piece {
    if (this.keepAll) return code;
    const edits = new Map<number, Instr>();
    for (const at of code.points) {
      const i = code.instrs[at]!;
      if (i.op === "post" && !live.some(i.set, i.index)) edits.set(at, idle(i, at));
      if (i.op !== "branch" && i.op !== "await") continue;
      const cond = this.without(i.cond, live);
      if (cond === i.cond) continue;
      edits.set(at, i.op === "await" && isTrue(cond) ? idle(i, at) : { ...i, cond });
    }
    return code.with(edits);
  }

  /** Whether an instruction can matter: not a store that nobody reads, nor to a cell left out. */
  private noticed(i: Instr, read: ReadonlyMap<string, FieldDecl>): boolean {
    if (i.op === "store") return read.has(i.field.name);
    if (i.op !== "clear" && i.op !== "insert") return true;
    return this.used.some(i.cell, i.index);
  }

  private cellGroups(): CellGroup[] {
    const { cells } = this.system.machine;
    if (this.keepAll) {
      for (const decl of cells) {
        const exists = decl.exists && fold(decl.exists.node, NOTHING, this.context.scope);
        const any = Object.values(decl.keys).map((): KeyPattern => ({ k: "any" }));
        if (!exists || isTrue(exists)) this.use(decl, any);
      }
    }
    return cells.flatMap((decl): CellGroup[] => {
      const instances = this.used.of(decl).map((c) => ({ decl, ...c }));
      if (instances.length === 0) return [];
      const admits = this.shared.once(decl, "admits", this.names, () => this.admits(decl));
      return [{ decl, instances, admits }];
    });
  }

  private admits(decl: CellDecl): CellGroup["admits"] {
    if (!decl.admits) return undefined;
    const reg = this.context.newRegister();
    const env = new Map<string, Node>([["entry", { k: "reg", reg, sort: decl.value }]]);
    const cond = fold(decl.admits.node, env, this.context.scope);
    // It is asked once for each value.
    visitNode(cond, (n) => {
      const by = n.k === "read" && !n.fixed ? n.field : n.k === "outstanding" ? n.set : undefined;
      if (by) throw new Error(`${decl.name} admits entries by ${by.name}, which may change`);
    });
    return isTrue(cond) ? undefined : { reg, cond };
  }

  /** Every field that something reads. */
  private fieldsRead(pieces: readonly Piece[], effects: readonly Effect[]) {
    const read = new Map(this.system.watched?.map((f) => [f.name, f]));
    for (const piece of pieces) {
      for (const f of piece.reads) read.set(f.name, f);
      if (!this.keepAll) continue;
      for (const i of piece.instrs) if (i.op === "store") read.set(i.field.name, i.field);
    }
    const note = (n: Node) => {
      if (n.k === "read") read.set(n.field.name, n.field);
    };
    for (const e of effects) if (e.ready) visitNode(e.ready, note);
    return read;
  }

  private finish(
    threads: readonly Piece[],
    rules: readonly Rule[],
    effects: readonly Effect[],
    cells: readonly CellGroup[],
  ): Omit<Program, "hash"> {
    const { system, shared } = this;
    const fills = cells.flatMap((g) =>
      g.instances.flatMap((c) => (c.fill ? [c.fill as Piece] : [])),
    );
    const pieces = [...threads, ...[...rules, ...effects].map((x) => x.piece), ...fills];
    const read = this.fieldsRead(pieces, effects);
    const kept = (code: Piece): Piece => {
      const unnoticed = code.points.filter((at) => !this.noticed(code.instrs[at]!, read));
      return code.tidied(unnoticed, this.context.scope, this.keepAll);
    };
    for (const g of cells) {
      for (const { fill } of g.instances) {
        assertSet(g.decl.name, fill as Piece);
        assertQuiet(g.decl.name, fill);
      }
    }
    const program = {
      domain: system.domain,
      fields: [...read.values()],
      initial: system.initial.filter((i) => read.has(i.field.name)),
      others: (system.others ?? []).map((o) => o.filter((i) => read.has(i.field.name))),
      entries: system.entries.filter((e) => this.used.get(e.cell, e.index)),
      threads: threads.map((p, n) => ({ name: system.threads[n]!.name, ...codeOf(kept(p)) })),
      rules: rules.map(({ decl, args, piece }) => {
        const code = kept(piece);
        assertSet(decl.name, code);
        return { decl, args, ...codeOf(code) };
      }),
      cells: cells.map((g) => ({
        ...g,
        instances: g.instances.map((c) => ({ ...c, fill: c.fill && codeOf(c.fill as Piece) })),
      })),
      pending: effects.map((e) => {
        const code = kept(e.piece);
        assertSet(e.decl.name, code, e.entry);
        const { decl, key, capacity, entry, ready } = e;
        return { decl, key, capacity, entry, ready, ...codeOf(code) };
      }),
      observers: system.observers.map((o) => o.name),
      knobs: [],
      routines: [],
      registers: shared.registers,
    };
    return program;
  }
}

const codeOf = ({ instrs, registers }: Piece) => ({ instrs, registers });

/** Code that runs as one step has no state of its own: it must set a local before it reads it. */
function assertSet(name: string, code: Piece | undefined, given: readonly number[] = []): void {
  if (code?.unset.some((reg) => !given.includes(reg))) {
    throw new Error(`${name} reads a local before it sets it`);
  }
}

/** Fills are tried at any time, whether or not anything is taken: they must leave no trace. */
function assertQuiet(name: string, code: Code | undefined): void {
  if (code?.instrs.some((i) => LEAVES_TRACE.has(i.op))) {
    throw new Error(`the fill of ${name} changes something, or an observer watches it`);
  }
}

const LEAVES_TRACE = new Set(["store", "xchg", "cas", "post", "insert", "clear", "violate"]);

const isTrue = (node: Node): boolean => node.k === "const" && node.value !== 0;
const isFalse = (node: Node): boolean => node.k === "const" && node.value === 0;
