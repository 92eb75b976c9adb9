// SPDX-License-Identifier: Apache-2.0
// Step numbers: how a statement is named, `routine:step`, by `show`, `--drop` and every witness.

import { inVersions } from "./kernel.ts";
import type { Stmt } from "./stmt.ts";

/** The statements nested in one, in order of appearance; empty for a leaf. */
export function nested(s: Stmt): readonly (readonly Stmt[])[] {
  switch (s.k) {
    case "when":
    case "since":
      return [s.then, s.otherwise];
    case "loop":
    case "each":
    case "forall":
    case "atomic":
    case "label":
      return [s.body];
    case "either":
      return s.branches;
    default:
      return [];
  }
}

/** Brackets that carry no step number of their own. */
const unnumbered = new Set<Stmt["k"]>(["since", "label", "atomic"]);

/** Numbers the statements of a body from 1 in order of appearance, as this version has them. */
export function numberSteps(body: readonly Stmt[], version: string): ReadonlyMap<Stmt, number> {
  const numbers = new Map<Stmt, number>();
  const visit = (stmts: readonly Stmt[]) => {
    for (const s of stmts) {
      if (s.k === "since") {
        visit(inVersions(`${s.version}..`, version) ? s.then : s.otherwise);
        continue;
      }
      // A statement value that stands in two places has one number.
      if (!unnumbered.has(s.k) && !numbers.has(s)) numbers.set(s, numbers.size + 1);
      nested(s).forEach(visit);
    }
  };
  visit(body);
  return numbers;
}
