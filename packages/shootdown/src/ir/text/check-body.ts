// SPDX-License-Identifier: Apache-2.0
// What a body must be beside well typed: it ends with its result, and no local is read in vain.

import type { AnySort } from "../sort.ts";
import { nested } from "../steps.ts";
import type { Stmt } from "../stmt.ts";

/** Whether the body is fine; `complain` is told what is not. */
export function checkBody(
  body: readonly Stmt[],
  result: AnySort | undefined,
  locals: readonly string[],
  complain: (message: string) => void,
): boolean {
  if (result && !ends(body)) {
    complain("it may end without a result");
    return false;
  }
  const all = flat(body);
  const read = new Set(all.flatMap((s) => [...readsOf(s)]));
  const unset = locals.find((l) => read.has(l) && !all.some((s) => givenBy(s) === l));
  if (unset === undefined) return true;
  complain(`nothing gives '${unset}' a value`);
  return false;
}

const flat = (stmts: readonly Stmt[]): Stmt[] =>
  stmts.flatMap((s) => [s, ...nested(s).flatMap(flat)]);

/** Whether control cannot run out at the end. */
function ends(stmts: readonly Stmt[]): boolean {
  return stmts.some((s) => {
    switch (s.k) {
      case "return":
      case "break":
      case "continue":
        return true;
      case "when":
      case "since":
        return ends(s.then) && ends(s.otherwise);
      case "either":
        return s.branches.every(ends);
      case "atomic":
      case "label":
        return ends(s.body);
      case "loop":
        return !leaves(s.body);
      default:
        return false;
    }
  });
}

/** Whether a `break` of this loop stands in its body. */
const leaves = (stmts: readonly Stmt[]): boolean =>
  stmts.some((s) => {
    if (s.k === "break") return true;
    if (s.k === "loop" || s.k === "each" || s.k === "forall") return false;
    return nested(s).some(leaves);
  });

/** The local that a statement gives a value. */
export function givenBy(s: Stmt): string | undefined {
  switch (s.k) {
    case "set":
      return s.to.k === "local" ? s.to.name : undefined;
    case "cas":
      return s.ok;
    case "xchg":
    case "choose":
    case "lookup":
    case "call":
      return s.into;
    case "grow":
      return s.range;
    default:
      return undefined;
  }
}

/** The locals that a statement's own expressions read. */
function readsOf(s: Stmt): Set<string> {
  const found = new Set<string>();
  const visit = (part: unknown): void => {
    if (typeof part !== "object" || part === null || "kind" in part) return;
    if ("k" in part && part.k === "local" && "name" in part) found.add(String(part.name));
    for (const [name, inner] of Object.entries(part)) {
      if (!BLOCKS.has(name)) visit(inner);
    }
  };
  if (s.k !== "set" || s.to.k !== "local") visit(s);
  else visit(s.value);
  return found;
}

/** Where statements hold others. */
const BLOCKS: ReadonlySet<string> = new Set(["then", "otherwise", "body", "branches"]);
