// SPDX-License-Identifier: Apache-2.0
// Which fields a system may write: those that no statement names as a target are constants.

import { unwrap } from "../ir/expr.ts";
import { inVersions } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import type { System } from "./program.ts";

/** What a body writes by itself, and whom it calls. */
interface Writes {
  readonly fields: ReadonlySet<string>;
  readonly callees: ReadonlySet<string>;
}

/** Where the code of a system begins: threads, rules, effects, fills and what observes. */
export const rootsOf = ({ threads, machine, observers }: System): (readonly Stmt[])[] => [
  ...threads.map((t) => t.body),
  ...machine.rules.map((r) => r.body()),
  ...machine.pending.map((p) => p.effect()),
  ...machine.cells.flatMap((c) => (c.fill ? [c.fill()] : [])),
  ...observers.flatMap((o) => o.on.map((r) => r.body())),
];

/** By version. Bodies are made once and do not change. */
const known = new WeakMap<readonly Stmt[], Map<string, Writes>>();

/** Names of the fields that statements reachable from `roots` write, in a version of the kernel. */
export function writtenFields(
  roots: readonly (readonly Stmt[])[],
  find: (name: string) => Definition | undefined,
  version: string,
): Set<string> {
  const written = new Set<string>();
  const called = new Set<string>();
  const work = [...roots];
  for (let body = work.pop(); body !== undefined; body = work.pop()) {
    const { fields, callees } = writesOf(body, version);
    for (const name of fields) written.add(name);
    for (const name of callees) {
      if (called.has(name)) continue;
      called.add(name);
      const callee = find(name);
      if (callee) work.push(callee.body());
    }
  }
  return written;
}

function writesOf(body: readonly Stmt[], version: string): Writes {
  let versions = known.get(body);
  if (!versions) known.set(body, (versions = new Map()));
  let writes = versions.get(version);
  if (!writes) versions.set(version, (writes = lookThrough(body, version)));
  return writes;
}

function lookThrough(body: readonly Stmt[], version: string): Writes {
  const fields = new Set<string>();
  const callees = new Set<string>();
  const visit = (stmts: readonly Stmt[]): void => {
    for (const s of stmts) {
      if (s.k === "set" || s.k === "xchg" || s.k === "cas") {
        const to = unwrap(s.k === "set" ? s.to : s.at);
        if (to.k === "read") fields.add(to.field.name);
      }
      if (s.k === "call") callees.add(s.callee);
      if (s.k === "since") visit(inVersions(`${s.version}..`, version) ? s.then : s.otherwise);
      else nested(s).forEach(visit);
    }
  };
  visit(body);
  return { fields, callees };
}
