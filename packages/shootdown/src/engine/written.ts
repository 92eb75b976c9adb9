// SPDX-License-Identifier: Apache-2.0
// Which fields a system may write: those that no statement names as a target are constants.

import { unwrap } from "../ir/expr.ts";
import type { Definition } from "../ir/machine.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";

/** Names of the fields that statements reachable from `roots` write. */
export function writtenFields(
  roots: readonly (readonly Stmt[])[],
  find: (name: string) => Definition | undefined,
): Set<string> {
  const written = new Set<string>();
  const called = new Set<string>();
  const visit = (stmts: readonly Stmt[]): void => {
    for (const s of stmts) {
      if (s.k === "set" || s.k === "xchg" || s.k === "cas") {
        const to = unwrap(s.k === "set" ? s.to : s.at);
        if (to.k === "read") written.add(to.field.name);
      }
      if (s.k === "call" && !called.has(s.callee)) {
        called.add(s.callee);
        const callee = find(s.callee);
        if (callee) visit(callee.body());
      }
      nested(s).forEach(visit);
    }
  };
  roots.forEach(visit);
  return written;
}
