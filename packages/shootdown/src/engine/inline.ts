// SPDX-License-Identifier: Apache-2.0
// Inlining: turns nested statements into flat code, with calls replaced by the bodies they name.

import type { KeyPattern, Node } from "../ir/expr.ts";
import { unwrap } from "../ir/expr.ts";
import { inVersions } from "../ir/kernel.ts";
import type { Definition, ObserverDecl } from "../ir/machine.ts";
import type { AnySort } from "../ir/sort.ts";
import { int } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import type { Env, Scope } from "./fold.ts";
import { fold, foldPattern } from "./fold.ts";
import type { Code, Instr, Operation, Origin } from "./program.ts";
import { sizeOf } from "./program.ts";
import { stepsOf } from "./step-numbers.ts";

/** A sort with at most this many values has its `forall` unrolled. */
const UNROLL_MAX = 8;
/** Calls nest at most this deep; more is recursion. */
const CALL_DEPTH_MAX = 40;

export interface InlineContext {
  /** Of the kernel; asked for where a statement depends on it. */
  readonly version: () => string;
  /** The definition that a call of a name gets. */
  readonly find: (name: string) => Definition | undefined;
  /** Those that watch an event, by its name. */
  readonly observers: (event: string) => readonly ObserverDecl[];
  readonly scope: Scope;
  /** Hands out register numbers. */
  newRegister(): number;
}

interface Frame {
  readonly routine: string;
  readonly numbers: ReadonlyMap<Stmt, number>;
  readonly caller?: Origin;
  readonly env: Map<string, Node>;
  readonly result: { reg: number; sort: AnySort } | undefined;
  readonly returns: number[];
  readonly loops: { readonly top: number; readonly exits: number[]; readonly nexts: number[] }[];
}

type Draft = { -readonly [K in keyof Instr]: Instr[K] } & { to?: number | readonly number[] };

/** Flattens `body` with the locals of `env` known; new locals get registers. */
export function inline(
  context: InlineContext,
  routine: string,
  body: readonly Stmt[],
  env: Env,
  locals: Readonly<Record<string, AnySort>>,
): Code {
  const flat = new Flattener(context);
  flat.frame = flat.enter(routine, body, new Map(env), locals, undefined);
  flat.block(body);
  flat.patchReturns();
  flat.push({ op: "halt" });
  return { instrs: flat.instrs as readonly Instr[], registers: flat.registers };
}

class Flattener {
  readonly instrs: Draft[] = [];
  readonly registers = new Map<number, AnySort>();
  frame!: Frame;
  private depth = 0;
  /** How many atomic blocks are open, and whether the outermost has an instruction already. */
  private atomicDepth = 0;
  private atomicBegun = false;
  private origin: Origin = { routine: "", step: 0, stmt: undefined };
  private readonly context: InlineContext;

  constructor(context: InlineContext) {
    this.context = context;
  }

  enter(
    routine: string,
    body: readonly Stmt[],
    env: Map<string, Node>,
    locals: Readonly<Record<string, AnySort>>,
    result: Frame["result"],
  ): Frame {
    for (const [name, sort] of Object.entries(locals)) env.set(name, this.local(sort));
    const numbers = stepsOf(body, this.context.version);
    return { routine, numbers, env, result, returns: [], loops: [] };
  }

  local(sort: AnySort): Node & { k: "reg" } {
    const reg = this.context.newRegister();
    this.registers.set(reg, sort);
    return { k: "reg", reg, sort };
  }

  push(operation: Operation): number {
    const joined = this.atomicDepth > 0 && this.atomicBegun;
    const first = this.atomicDepth > 0 && !this.atomicBegun;
    this.atomicBegun = true;
    // The operation was made for this place: it becomes the instruction.
    const instr = operation as Draft;
    instr.origin = this.origin;
    instr.joined = joined;
    if (first) instr.first = true;
    return this.instrs.push(instr) - 1;
  }

  private here(): number {
    return this.instrs.length;
  }

  private patch(at: readonly number[], to = this.here()): void {
    for (const i of at) this.instrs[i]!.to = to;
  }

  patchReturns(): void {
    this.patch(this.frame.returns);
  }

  private fold(node: Node): Node {
    return fold(node, this.frame.env, this.context.scope);
  }

  private pattern(p: KeyPattern): KeyPattern {
    return foldPattern(p, this.frame.env, this.context.scope);
  }

  private key(p: KeyPattern): Node {
    const folded = this.pattern(p);
    if (folded.k === "any" || folded.k === "in")
      throw new Error("a key pattern where a key is due");
    return folded;
  }

  private reg(name: string): number {
    const node = this.frame.env.get(name);
    if (node?.k !== "reg") throw new Error(`${this.frame.routine}: ${name} is not a local`);
    return node.reg;
  }

  block(stmts: readonly Stmt[]): void {
    for (const s of stmts) this.statement(s);
  }

  private statement(s: Stmt): void {
    const step = this.frame.numbers.get(s);
    if (step !== undefined) {
      const { routine, caller } = this.frame;
      this.origin = { routine, step, stmt: s, caller };
    }
    switch (s.k) {
      case "set":
        return this.assign(s.to, s.value);
      case "xchg": {
        const at = this.fold(s.at) as Node & { k: "read" };
        const value = this.fold(s.value);
        this.push({ op: "xchg", reg: this.reg(s.into), field: at.field, index: at.index, value });
        return;
      }
      case "cas": {
        const at = this.fold(s.at) as Node & { k: "read" };
        const expect = this.fold(s.expect);
        const value = this.fold(s.value);
        const { field, index } = at;
        this.push({ op: "cas", reg: this.reg(s.ok), field, index, expect, value });
        return;
      }
      case "when":
      case "since":
      case "loop":
      case "break":
      case "continue":
      case "return":
      case "each":
      case "forall":
      case "either":
      case "atomic":
      case "label":
        return this.control(s);
      case "call":
        return this.call(s);
      case "emit":
        return this.emit(s);
      default:
        return this.primitive(s);
    }
  }

  private assign(target: Node, value: Node): void {
    const to = unwrap(target);
    const v = this.fold(value);
    if (to.k === "local") {
      this.push({ op: "let", reg: this.reg(to.name), value: v });
      return;
    }
    // A field that folds to a constant is not written by anything, so this is a read.
    const at = to as Node & { k: "read" };
    const index = at.index.map((i) => this.fold(i));
    this.push({ op: "store", field: at.field, index, value: v });
  }

  private primitive(s: Stmt): void {
    switch (s.k) {
      case "await": {
        const cond = this.fold(s.cond);
        if (cond.k !== "const" || !cond.value) this.push({ op: "await", cond });
        return;
      }
      case "retry":
        this.push({ op: "retry", permitted: this.fold(s.permitted) });
        return;
      case "choose": {
        const reg = this.reg(s.into);
        const where = s.where && this.fold(s.where);
        this.push({ op: "choose", reg, sort: s.sort, where });
        return;
      }
      case "lookup": {
        const index = s.index.map((p) => this.key(p));
        this.push({ op: "lookup", reg: this.reg(s.into), cell: s.cell, index, walks: s.walks });
        return;
      }
      case "insert": {
        const index = s.index.map((p) => this.key(p));
        this.push({ op: "insert", cell: s.cell, index, value: this.fold(s.value) });
        return;
      }
      case "clear":
        return this.clear(s);
      case "post": {
        const index = s.index.map((p) => this.key(p));
        const entry = s.entry.map(([n, e]) => [n, this.fold(e)] as const);
        this.push({ op: "post", set: s.set, index, entry });
        return;
      }
      case "yield":
        this.push({ op: "yield", value: this.fold(s.value) });
        return;
      case "yieldHeld": {
        const index = s.index.map((p) => this.key(p));
        this.push({ op: "yieldHeld", cell: s.cell, index });
        return;
      }
      case "violate":
        this.push({ op: "violate", observer: s.observer });
        return;
      case "grow":
        this.push({ op: "grow", reg: this.reg(s.range), by: this.fold(s.by) });
        return;
      default:
        throw new Error(`unexpected statement ${s.k}`);
    }
  }

  private clear(s: Stmt & { k: "clear" }): void {
    const index = s.index.map((p) => this.pattern(p));
    if (!s.where) {
      this.push({ op: "clear", cell: s.cell, index, where: undefined });
      return;
    }
    const entry = this.local(s.cell.value);
    const env = new Map(this.frame.env).set("entry", entry);
    const cond = fold(s.where, env, this.context.scope);
    if (cond.k === "const" && !cond.value) return;
    const where = cond.k === "const" ? undefined : { reg: entry.reg, cond };
    this.push({ op: "clear", cell: s.cell, index, where });
  }

  private control(s: Stmt): void {
    switch (s.k) {
      case "since":
        this.block(inVersions(`${s.version}..`, this.context.version()) ? s.then : s.otherwise);
        return;
      case "label":
        this.block(s.body);
        return;
      case "atomic": {
        if (this.atomicDepth++ === 0) this.atomicBegun = false;
        this.block(s.body);
        this.atomicDepth--;
        return;
      }
      case "when":
        return this.when(s);
      case "loop": {
        const loop = { top: this.here(), exits: [] as number[], nexts: [] as number[] };
        this.frame.loops.push(loop);
        this.block(s.body);
        this.frame.loops.pop();
        this.patch(loop.nexts, loop.top);
        this.push({ op: "jump", to: loop.top });
        this.patch(loop.exits);
        return;
      }
      case "break":
      case "continue": {
        const loop = this.frame.loops.at(-1);
        if (!loop) throw new Error(`${this.frame.routine}: ${s.k} outside a loop`);
        (s.k === "break" ? loop.exits : loop.nexts).push(this.push({ op: "jump", to: -1 }));
        return;
      }
      case "return": {
        const { result } = this.frame;
        if (s.value && result) this.push({ op: "let", reg: result.reg, value: this.fold(s.value) });
        this.frame.returns.push(this.push({ op: "jump", to: -1 }));
        return;
      }
      case "each":
        return this.each(s.name, s.sort, this.fold(s.over), s.stride, s.body);
      case "forall":
        return this.forall(s);
      case "either":
        return this.either(s);
      default:
    }
  }

  private when(s: Stmt & { k: "when" }): void {
    const cond = this.fold(s.cond);
    if (cond.k === "const") return this.block(cond.value ? s.then : s.otherwise);
    const branch = this.push({ op: "branch", cond, to: -1 });
    this.block(s.then);
    if (s.otherwise.length === 0) return this.patch([branch]);
    const skip = this.push({ op: "jump", to: -1 });
    this.patch([branch]);
    this.block(s.otherwise);
    this.patch([skip]);
  }

  /** A place for the value if evaluating it twice could differ or cost a second access. */
  private stable(value: Node, sort: AnySort): Node {
    if (value.k === "reg" || constant(value)) return value;
    const reg = this.local(sort);
    this.push({ op: "let", reg: reg.reg, value });
    return reg;
  }

  private each(
    name: string,
    sort: AnySort,
    range: Node,
    stride: Node | undefined,
    body: readonly Stmt[],
  ): void {
    const over = this.stable(range, range.sort);
    const reg = this.local(sort);
    const lo: Node = { k: "op", op: "lo", args: [over], sort };
    this.push({ op: "let", reg: reg.reg, value: fold(lo, new Map(), this.context.scope) });
    const top = this.push({ op: "each", reg: reg.reg, over, to: -1 });
    const loop = { top, exits: [top], nexts: [] as number[] };
    this.frame.env.set(name, reg);
    this.frame.loops.push(loop);
    this.block(body);
    this.frame.loops.pop();
    this.patch(loop.nexts);
    const step: Node = stride ? this.fold(stride) : { k: "const", value: 1, sort: int };
    this.push({ op: "next", reg: reg.reg, stride: step, to: top });
    this.patch(loop.exits);
  }

  private forall(s: Stmt & { k: "forall" }): void {
    const size = sizeOf(s.sort, this.context.scope.domain);
    const constant = (value: number): Node => ({ k: "const", value, sort: s.sort });
    if (size > UNROLL_MAX) {
      const sort: AnySort = { name: `all ${s.sort.name}`, kind: "range", element: s.sort };
      const all: Node = { k: "op", op: "range", args: [constant(0), constant(size)], sort };
      return this.each(s.name, s.sort, all, undefined, s.body);
    }
    for (let value = 0; value < size; value++) {
      this.frame.env.set(s.name, constant(value));
      this.block(s.body);
    }
  }

  private either(s: Stmt & { k: "either" }): void {
    const choice = this.push({ op: "either", to: [] });
    const starts: number[] = [];
    const ends: number[] = [];
    for (const branch of s.branches) {
      starts.push(this.here());
      this.block(branch);
      ends.push(this.push({ op: "jump", to: -1 }));
    }
    this.patch(ends);
    this.instrs[choice]!.to = starts;
  }

  private call(s: Stmt & { k: "call" }): void {
    const callee = this.context.find(s.callee);
    if (!callee) throw new Error(`${this.frame.routine} calls ${s.callee}, which is not defined`);
    if (++this.depth > CALL_DEPTH_MAX) throw new Error(`${s.callee} calls itself`);
    const given = new Map(s.args);
    const env = new Map<string, Node>();
    for (const [name, sort] of Object.entries(callee.params)) {
      const arg = given.get(name);
      if (!arg) throw new Error(`${s.callee}: argument ${name} is missing`);
      env.set(name, this.stable(this.fold(arg), sort));
    }
    const result =
      s.into !== undefined && callee.result
        ? { reg: this.reg(s.into), sort: callee.result }
        : undefined;
    const outer = this.frame;
    const { origin } = this;
    const body = callee.body();
    this.frame = { ...this.enter(s.callee, body, env, callee.locals, result), caller: origin };
    this.block(body);
    this.patchReturns();
    this.frame = outer;
    this.origin = origin;
    this.depth--;
  }

  private emit(s: Stmt & { k: "emit" }): void {
    const args = s.args.map(([n, e]) => [n, this.fold(e)] as const);
    this.push({ op: "emit", event: s.event, args });
    const outer = this.frame;
    for (const o of this.context.observers(s.event.name)) {
      for (const rule of o.on) {
        if (rule.event.name !== s.event.name) continue;
        // An observer sees the event in the step that makes it.
        this.atomicDepth++;
        this.atomicBegun = true;
        const body = rule.body();
        this.frame = this.enter(o.name, body, new Map(args), rule.locals, undefined);
        this.block(body);
        this.patchReturns();
        this.frame = outer;
        this.atomicDepth--;
      }
    }
  }
}

/** Made of constants alone: a constant, or a range between two. */
function constant(node: Node): boolean {
  return node.k === "const" || (node.k === "op" && node.args.every(constant));
}
