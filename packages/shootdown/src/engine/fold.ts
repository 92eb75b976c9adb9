// SPDX-License-Identifier: Apache-2.0
// Folding: substitutes what is known into expressions and evaluates what has become constant.

import type { FieldDecl, KeyPattern, Node, Op } from "../ir/expr.ts";
import type { AnySort } from "../ir/sort.ts";
import { bool } from "../ir/sort.ts";
import type { Pairs } from "../ir/stmt.ts";
import type { Domain } from "./program.ts";
import { wordLayout } from "./word.ts";

/** What a lowering knows about names. */
export interface Scope {
  readonly domain: Domain;
  knob(name: string): string;
  /** Value of a field element that nothing writes, if it is such a one. */
  constantField(field: FieldDecl, index: readonly number[]): number | undefined;
  /** The value that every element of a field has for ever, if there is one. */
  uniformField?(field: FieldDecl): number | undefined;
  /** Whether nothing writes a field. */
  isFixed?(field: FieldDecl): boolean;
  /** Whether anything writes a field, whatever else is kept; absent: nothing does. */
  varies?(field: FieldDecl, written: boolean): boolean;
  /** The value of a register, where it is known. */
  register?(reg: number): Node | undefined;
}

export type Env = ReadonlyMap<string, Node>;

const constant = (value: number, sort: AnySort): Node => ({ k: "const", value, sort });

/** Substitutes locals by `env`, folds knobs, limits and constants; the same node if nothing is. */
export function fold(node: Node, env: Env, scope: Scope): Node {
  switch (node.k) {
    case "const":
      return node;
    case "reg":
      return scope.register?.(node.reg) ?? node;
    case "named": {
      const at = scope.domain.names[node.sort.name]?.indexOf(node.name) ?? -1;
      if (at < 0) throw new Error(`the domain has no ${node.sort.name} ${node.name}`);
      return constant(at, node.sort);
    }
    case "local": {
      const known = env.get(node.name);
      if (!known) throw new Error(`unknown local ${node.name}`);
      return known;
    }
    case "knob":
      return constant(scope.knob(node.knob) === node.is ? 1 : 0, bool);
    case "limit": {
      const value = scope.domain.limits[node.name];
      if (value === undefined) throw new Error(`the domain has no limit ${node.name}`);
      return constant(value, node.sort);
    }
    case "varies":
      return constant(scope.varies?.(node.field, node.written) ? 1 : 0, bool);
    case "read":
      return foldRead(node, env, scope);
    case "apply":
      return fold(node.body, env, scope);
    case "get":
      return foldGet(node, fold(node.arg, env, scope), scope);
    case "with":
      return foldWith(node, env, scope);
    case "op":
      if (node.op === "and" || node.op === "or") return foldJunction(node, env, scope);
      return foldOp(node, foldAll(node.args, env, scope));
    case "outstanding": {
      const index = node.index.map((p) => foldPattern(p, env, scope));
      const where = foldPairs(node.where, env, scope);
      const same = where === node.where && index.every((p, n) => p === node.index[n]);
      return same ? node : { k: "outstanding", set: node.set, index, where, sort: node.sort };
    }
  }
}

/** The nodes folded; the same array if none changes. */
function foldAll(nodes: readonly Node[], env: Env, scope: Scope): readonly Node[] {
  let folded: Node[] | undefined;
  for (let n = 0; n < nodes.length; n++) {
    const now = fold(nodes[n]!, env, scope);
    if (now === nodes[n] && !folded) continue;
    folded ??= nodes.slice(0, n);
    folded.push(now);
  }
  return folded ?? nodes;
}

function foldPairs(pairs: Pairs, env: Env, scope: Scope): Pairs {
  const folded = pairs.map((pair): Pairs[number] => {
    const now = fold(pair[1], env, scope);
    return now === pair[1] ? pair : [pair[0], now];
  });
  return folded.every((pair, n) => pair === pairs[n]) ? pairs : folded;
}

const numberOf = (n: Node): number => (n as { value: number }).value;
const isConst = (n: Node): boolean => n.k === "const";

function foldRead(node: Node & { k: "read" }, env: Env, scope: Scope): Node {
  const { field, sort } = node;
  const uniform = scope.uniformField?.(field);
  if (uniform !== undefined) return constant(uniform, sort);
  const index = foldAll(node.index, env, scope);
  if (index.every(isConst)) {
    const value = scope.constantField(field, index.map(numberOf));
    if (value !== undefined) return constant(value, sort);
  }
  const fixed = node.fixed ?? scope.isFixed?.(field) ?? false;
  if (index === node.index && fixed === (node.fixed ?? false)) return node;
  return fixed ? { k: "read", field, index, sort, fixed: true } : { k: "read", field, index, sort };
}

export function foldPattern(p: KeyPattern, env: Env, scope: Scope): KeyPattern {
  if (p.k === "any") return p;
  if (p.k !== "in") return fold(p, env, scope);
  const range = fold(p.range, env, scope);
  return range === p.range ? p : { k: "in", range };
}

function foldGet(node: Node & { k: "get" }, arg: Node, scope: Scope): Node {
  if (arg.k === "const") {
    return constant(wordLayout(arg.sort, scope.domain).get(arg.value, node.field), node.sort);
  }
  return arg === node.arg ? node : { k: "get", field: node.field, arg, sort: node.sort };
}

function foldWith(node: Node & { k: "with" }, env: Env, scope: Scope): Node {
  const arg = fold(node.arg, env, scope);
  const set = foldPairs(node.set, env, scope);
  const layout = wordLayout(node.sort, scope.domain);
  const fits = (name: string, e: Node): boolean =>
    e.k === "const" && e.value >= 0 && e.value < 2 ** layout.field(name).width;
  if (arg.k === "const" && set.every(([name, e]) => fits(name, e))) {
    const value = set.reduce((v, [n, e]) => layout.put(v, n, numberOf(e)), arg.value);
    return constant(value, node.sort);
  }
  return arg === node.arg && set === node.set ? node : { k: "with", arg, set, sort: node.sort };
}

/** Folds from the left and stops where the result is known: the rest is never asked for. */
function foldJunction(node: Node & { k: "op" }, env: Env, scope: Scope): Node {
  const unit = node.op === "and" ? 1 : 0;
  const a = fold(node.args[0]!, env, scope);
  if (a.k === "const" && (a.value ? 1 : 0) !== unit) return a;
  const b = fold(node.args[1]!, env, scope);
  return foldAnd(a, b, unit) ?? withArgs(node, [a, b]);
}

function withArgs(node: Node & { k: "op" }, args: readonly Node[]): Node {
  if (args === node.args || args.every((a, n) => a === node.args[n])) return node;
  return { k: "op", op: node.op, args, sort: node.sort };
}

/** Same value by construction: constants, registers, ranges of such. */
function same(a: Node, b: Node): boolean {
  if (a.k === "const" && b.k === "const") return a.value === b.value;
  return a.k === "reg" && b.k === "reg" && a.reg === b.reg;
}

function foldOp(node: Node & { k: "op" }, args: readonly Node[]): Node {
  const [a, b, c] = args;
  switch (node.op) {
    case "and":
      return foldAnd(a!, b!, 1) ?? withArgs(node, args);
    case "or":
      return foldAnd(a!, b!, 0) ?? withArgs(node, args);
    case "ite":
      if (a!.k === "const") return a!.value ? b! : c!;
      return withArgs(node, args);
    case "lo":
    case "hi":
      return a!.k === "op" && a!.op === "range"
        ? a!.args[node.op === "lo" ? 0 : 1]!
        : withArgs(node, args);
    case "range":
      return withArgs(node, args);
    case "empty":
    case "contains":
    case "overlaps":
      return foldRange(node, args) ?? withArgs(node, args);
    case "eq":
    case "ne":
      if (same(a!, b!)) return constant(node.op === "eq" ? 1 : 0, bool);
      break;
    default:
  }
  const known = args.every(isConst) && !(node.op === "div" && numberOf(b!) === 0);
  if (known) return constant(arith(node.op, args.map(numberOf)), node.sort);
  return withArgs(node, args);
}

/** Absorbs constants of a conjunction (`unit` 1) or disjunction (`unit` 0). */
function foldAnd(a: Node, b: Node, unit: number): Node | undefined {
  if (a.k === "const") return a.value === unit ? b : a;
  if (b.k === "const") return b.value === unit ? a : b;
  return undefined;
}

function foldRange(node: Node & { k: "op" }, args: readonly Node[]): Node | undefined {
  const bounds = args.map((x) =>
    x.k === "op" && x.op === "range" && x.args.every((y) => y.k === "const")
      ? x.args.map((y) => (y as { value: number }).value)
      : x.k === "const" && x.sort.kind !== "range"
        ? [x.value, x.value + 1]
        : undefined,
  );
  if (bounds.some((x) => !x)) return undefined;
  const [[lo, hi], second] = bounds as [[number, number], [number, number] | undefined];
  if (node.op === "empty") return constant(lo >= hi ? 1 : 0, bool);
  const [from, to] = second!;
  return constant(Math.max(lo, from) < Math.min(hi, to) ? 1 : 0, bool);
}

/** Arithmetic and comparison on plain numbers; ranges are not handled here. */
export function arith(op: Op, v: readonly number[]): number {
  const [a, b] = v as [number, number];
  switch (op) {
    case "eq":
      return a === b ? 1 : 0;
    case "ne":
      return a !== b ? 1 : 0;
    case "lt":
      return a < b ? 1 : 0;
    case "le":
      return a <= b ? 1 : 0;
    case "not":
      return a ? 0 : 1;
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "div":
      return Math.trunc(a / b);
    case "mul":
      return a * b;
    default:
      throw new Error(`${op} is not arithmetic`);
  }
}
