// SPDX-License-Identifier: Apache-2.0
// What resolving of expressions and of calls shares: the names in sight, and words for sorts.

import { quote } from "../../base/diagnostic.ts";
import type { Node, Op, Sorts } from "../expr.ts";
import type { AnySort } from "../sort.ts";
import type { Environment } from "./environment.ts";
import type { Reporter } from "./lexer.ts";
import type { ExprSyntax } from "./syntax.ts";

export type Wanted = AnySort | undefined;
export type Found = Node | undefined;

export interface Local {
  /** How statements call it; a loop's element carries a number. */
  readonly name: string;
  readonly sort: AnySort;
  readonly kind: "parameter" | "local" | "element";
}

export interface Scope {
  readonly env: Environment;
  readonly out: Reporter;
  readonly locals: ReadonlyMap<string, Local>;
  /** How an expression inside another is resolved. */
  readonly expr: (scope: Scope, e: ExprSyntax, wanted?: AnySort) => Found;
}

export const sameSort = (a: AnySort, b: AnySort): boolean => a === b || a.name === b.name;

export const article = (s: AnySort): string =>
  `${/^[aeiou]/.test(s.name) ? "an" : "a"} ${quote(s.name)}`;

export const paramText = (params: Sorts): string =>
  Object.entries(params)
    .map(([name, sort]) => (name === sort.name ? name : `${sort.name} ${name}`))
    .join(", ");

export const operation = (op: Op, sort: AnySort, ...args: readonly Node[]): Node => ({
  ...{ k: "op", op, args, sort },
});
