// SPDX-License-Identifier: Apache-2.0
// Folding: substitutes what is known into expressions and evaluates what has become constant.

import type { FieldDecl, KeyPattern, Node, Op } from "../ir/expr.ts";
import type { AnySort } from "../ir/sort.ts";
import { bool } from "../ir/sort.ts";
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
  /** Key combinations of a pending set that can hold an entry that matters. */
  live?(set: { readonly name: string }): boolean;
}

export type Env = ReadonlyMap<string, Node>;

const constant = (value: number, sort: AnySort): Node => ({ k: "const", value, sort });

/** Substitutes locals by `env`, folds knobs, limits and constants. */
export function fold(node: Node, env: Env, scope: Scope): Node {
  switch (node.k) {
    case "const":
    case "reg":
      return node;
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
    case "read": {
      const uniform = scope.uniformField?.(node.field);
      if (uniform !== undefined) return constant(uniform, node.sort);
      const index = node.index.map((i) => fold(i, env, scope));
      if (index.every((i) => i.k === "const")) {
        const value = scope.constantField(
          node.field,
          index.map((i) => (i as { value: number }).value),
        );
        if (value !== undefined) return constant(value, node.sort);
      }
      return scope.isFixed?.(node.field) ? { ...node, index, fixed: true } : { ...node, index };
    }
    case "apply":
      return fold(node.body, env, scope);
    case "get":
      return foldGet(node, fold(node.arg, env, scope), scope);
    case "with":
      return foldWith(node, env, scope);
    case "op":
      if (node.op === "and" || node.op === "or") return foldJunction(node, env, scope);
      return foldOp(
        node,
        node.args.map((a) => fold(a, env, scope)),
      );
    case "outstanding":
      if (scope.live && !scope.live(node.set)) return constant(0, bool);
      return {
        ...node,
        index: node.index.map((p) => foldPattern(p, env, scope)),
        where: node.where.map(([n, e]) => [n, fold(e, env, scope)] as const),
      };
  }
}

export function foldPattern(p: KeyPattern, env: Env, scope: Scope): KeyPattern {
  if (p.k === "any") return p;
  if (p.k === "in") return { k: "in", range: fold(p.range, env, scope) };
  return fold(p, env, scope);
}

function foldGet(node: Node & { k: "get" }, arg: Node, scope: Scope): Node {
  if (arg.k === "const") {
    return constant(wordLayout(arg.sort, scope.domain).get(arg.value, node.field), node.sort);
  }
  return { ...node, arg };
}

function foldWith(node: Node & { k: "with" }, env: Env, scope: Scope): Node {
  const arg = fold(node.arg, env, scope);
  const set = node.set.map(([n, e]) => [n, fold(e, env, scope)] as const);
  if (arg.k === "const" && set.every(([, e]) => e.k === "const")) {
    const layout = wordLayout(node.sort, scope.domain);
    const value = set.reduce(
      (v, [n, e]) => layout.put(v, n, (e as { value: number }).value),
      arg.value,
    );
    return constant(value, node.sort);
  }
  return { ...node, arg, set };
}

/** Folds from the left and stops where the result is known: the rest is never asked for. */
function foldJunction(node: Node & { k: "op" }, env: Env, scope: Scope): Node {
  const unit = node.op === "and" ? 1 : 0;
  const a = fold(node.args[0]!, env, scope);
  if (a.k === "const" && (a.value ? 1 : 0) !== unit) return a;
  const b = fold(node.args[1]!, env, scope);
  return foldAnd(a, b, unit) ?? { ...node, args: [a, b] };
}

/** Same value by construction: constants, registers, ranges of such. */
function same(a: Node, b: Node): boolean {
  if (a.k === "const" && b.k === "const") return a.value === b.value;
  return a.k === "reg" && b.k === "reg" && a.reg === b.reg;
}

function foldOp(node: Node & { k: "op" }, args: readonly Node[]): Node {
  const [a, b, c] = args;
  const plain = () => ({ ...node, args });
  switch (node.op) {
    case "and":
      return foldAnd(a!, b!, 1) ?? plain();
    case "or":
      return foldAnd(a!, b!, 0) ?? plain();
    case "ite":
      if (a!.k === "const") return a!.value ? b! : c!;
      return plain();
    case "lo":
    case "hi":
      return a!.k === "op" && a!.op === "range" ? a!.args[node.op === "lo" ? 0 : 1]! : plain();
    case "range":
      return plain();
    case "empty":
    case "contains":
    case "overlaps":
      return foldRange(node, args) ?? plain();
    case "eq":
    case "ne":
      if (same(a!, b!)) return constant(node.op === "eq" ? 1 : 0, bool);
      break;
    default:
  }
  if (args.every((x) => x.k === "const")) {
    const values = args.map((x) => (x as { value: number }).value);
    return constant(arith(node.op, values), node.sort);
  }
  return plain();
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
      return Math.floor(a / b);
    case "mul":
      return a * b;
    default:
      throw new Error(`${op} is not arithmetic`);
  }
}
