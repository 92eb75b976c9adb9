// SPDX-License-Identifier: Apache-2.0
// Printing of expressions: C's operators, with as few parentheses as they need.

import type { KeyPattern, Node, Op } from "./expr.ts";
import { ruleKnob } from "./expr.ts";
import type { AnySort } from "./sort.ts";
import type { Pairs } from "./stmt.ts";

/** An expression on its own. */
export const printExpr = (n: Node | KeyPattern): string => expression(n, 0, new Names([]));

/** Loop variables carry a number that makes them unique; text shows the shortest free name. */
export class Names {
  private readonly taken: Set<string>;
  private readonly given = new Map<string, string>();

  constructor(taken: readonly string[]) {
    this.taken = new Set(taken);
  }

  of(name: string): string {
    const at = name.indexOf("#");
    if (at < 0) return name;
    let chosen = this.given.get(name);
    if (chosen === undefined) {
      const stem = name.slice(0, at);
      chosen = stem;
      for (let n = 2; this.taken.has(chosen); n++) chosen = `${stem}${n}`;
      this.taken.add(chosen);
      this.given.set(name, chosen);
    }
    return chosen;
  }
}

/** Parts with commas between them; empty ones are left out. */
export const list = (...parts: readonly string[]): string =>
  parts.filter((p) => p !== "").join(", ");

/** Named arguments; the name is left out where the value says it already. */
export const pairs = (args: Pairs, names: Names): string =>
  args
    .map(([name, n]) => {
      const value = expression(n, 0, names);
      return value === name ? name : `${name}: ${value}`;
    })
    .join(", ");

/** An element of a field, a cell or a pending set. */
export const place = (name: string, index: readonly KeyPattern[], names: Names): string =>
  `${name}(${index.map((p) => expression(p, 0, names)).join(", ")})`;

/** C's operators with their precedence; comparisons do not chain. */
const infix: Readonly<Partial<Record<Op, readonly [sign: string, precedence: number]>>> = {
  or: ["||", 3],
  and: ["&&", 4],
  eq: ["==", 8],
  ne: ["!=", 8],
  lt: ["<", 9],
  le: ["<=", 9],
  add: ["+", 11],
  sub: ["-", 11],
  mul: ["*", 12],
  div: ["/", 12],
};
const CONDITIONAL = 2;
const EQUALITY = 8;
const UNARY = 14;
const POSTFIX = 15;

/** `outer` is the weakest precedence that needs no parentheses. */
export function expression(n: Node | KeyPattern, outer: number, names: Names): string {
  const e = (x: Node | KeyPattern, at = 0): string => expression(x, at, names);
  const wrapped = (precedence: number, t: string): string => (precedence < outer ? `(${t})` : t);
  switch (n.k) {
    case "any":
      return "*";
    case "in":
      return `in ${e(n.range, CONDITIONAL + 1)}`;
    case "const":
      return constantText(n.value, n.sort);
    case "named":
    case "limit":
      return n.name;
    case "local":
      return names.of(n.name);
    case "reg":
      return `r${n.reg}`;
    case "knob":
      return n.knob.startsWith(ruleKnob(""))
        ? n.knob.replace(" ", "_")
        : wrapped(EQUALITY, `knob(${n.knob}) == ${n.is}`);
    case "varies":
      return `${n.written ? "changes" : "varies"}(${n.field.name})`;
    case "read":
      return place(n.field.name, n.index, names);
    case "apply":
      return `${n.name}(${list(...n.args.map((a) => e(a)))})`;
    case "get":
      return `${e(n.arg, POSTFIX)}.${n.field}`;
    case "with": {
      const fresh = n.arg.k === "const" && n.arg.value === 0;
      const set = n.set.map(([name, value]) => `.${name} = ${e(value)}`);
      return `{ ${[...(fresh ? [] : [e(n.arg)]), ...set].join(", ")} }`;
    }
    case "outstanding":
      return `outstanding(${list(place(n.set.name, n.index, names), pairs(n.where, names))})`;
    case "op": {
      const [precedence, t] = operation(n.op, n.args, e);
      return wrapped(precedence, t);
    }
  }
}

function operation(
  op: Op,
  args: readonly Node[],
  e: (x: Node, outer?: number) => string,
): readonly [precedence: number, text: string] {
  const [a, b, c] = args as [Node, Node, Node];
  const sign = infix[op];
  if (sign) {
    const [symbol, precedence] = sign;
    const left = precedence === 8 || precedence === 9 ? precedence + 1 : precedence;
    return [precedence, `${e(a, left)} ${symbol} ${e(b, precedence + 1)}`];
  }
  switch (op) {
    case "not":
      return [UNARY, `!${e(a, UNARY)}`];
    case "ite":
      return [CONDITIONAL, `${e(a, 3)} ? ${e(b)} : ${e(c, CONDITIONAL)}`];
    case "range":
      return [POSTFIX, `[${e(a)}, ${e(b)})`];
    case "lo":
      return [POSTFIX, `${e(a, POSTFIX)}.start`];
    case "hi":
      return [POSTFIX, `${e(a, POSTFIX)}.end`];
    default:
      return [POSTFIX, `${op}(${args.map((x) => e(x)).join(", ")})`];
  }
}

function constantText(value: number, sort: AnySort): string {
  if (sort.kind === "bool") return value ? "true" : "false";
  if (sort.kind === "enumeration") return sort.values?.[value] ?? `${value}`;
  return `${value}`;
}
