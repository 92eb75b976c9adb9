// SPDX-License-Identifier: Apache-2.0
// Whether routines can be put into each other: calls do not go round, and the whole stays small.

import type { Definition } from "../ir/machine.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";

/**
 * Statements of a block's routine with all that it calls, and of what calls it: the access of a
 * device, which calls the fault handler more than once, has 180,000 as it is.
 */
const MAX_STATEMENTS = 200_000;
const MAX_AROUND = 1_000_000;
/** Calls inside each other. */
const MAX_CALLS = 32;

interface Measured {
  readonly statements: number;
  readonly calls: number;
}

/** The first of `own` that calls itself or grows too large; what else calls it is measured too. */
export function nestingProblem(
  definitions: readonly Definition[],
  own: readonly string[],
): { readonly routine: string; readonly message: string } | undefined {
  const byName = new Map(definitions.map((d) => [d.name, d]));
  const known = new Map<string, Measured>();
  const open: string[] = [];
  let round: string[] | undefined;
  const measure = (name: string): Measured => {
    const before = known.get(name);
    if (before) return before;
    if (open.includes(name)) {
      round ??= [...open.slice(open.indexOf(name)), name];
      return { statements: 0, calls: 0 };
    }
    open.push(name);
    const found = sum(byName.get(name)?.body() ?? [], measure);
    open.pop();
    known.set(name, found);
    return found;
  };
  for (const routine of [...own, ...byName.keys()]) {
    const { statements, calls } = measure(routine);
    const at = own.includes(routine) ? routine : own[0]!;
    if (round) {
      const named = round.find((r) => own.includes(r)) ?? at;
      return {
        routine: named,
        message: `routines call each other in a circle: ${round.join(", ")}`,
      };
    }
    const most = own.includes(routine) ? MAX_STATEMENTS : MAX_AROUND;
    if (statements > most || calls > MAX_CALLS) {
      return { routine: at, message: `'${routine}' with all that it calls is too large` };
    }
  }
  return undefined;
}

function sum(stmts: readonly Stmt[], measure: (name: string) => Measured): Measured {
  let statements = 0;
  let calls = 0;
  for (const s of stmts) {
    const parts = nested(s).map((b) => sum(b, measure));
    const called = s.k === "call" ? measure(s.callee) : undefined;
    for (const p of parts) {
      statements += p.statements;
      calls = Math.max(calls, p.calls);
    }
    if (called) calls = Math.max(calls, called.calls + 1);
    statements = Math.min(1 + statements + (called?.statements ?? 0), Number.MAX_SAFE_INTEGER);
  }
  return { statements, calls };
}
