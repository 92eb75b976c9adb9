// SPDX-License-Identifier: Apache-2.0
// Kernels: which definition each routine has at a version, and overlays that change some of them.

import type { FieldDecl } from "./expr.ts";
import type { Definition } from "./machine.ts";
import type { Stmt } from "./stmt.ts";

/** A map from routine names to definitions; `version` decides `since(...)` statements. */
export interface Kernel {
  readonly name: string;
  readonly version: string;
  readonly routines: ReadonlyMap<string, Definition>;
  /** Fields that edits have brought. */
  readonly fields?: readonly FieldDecl[];
}

export type Overlay = (base: Kernel) => Kernel;

/** Compares dotted versions number by number. */
export function compareVersions(a: string, b: string): number {
  const x = a.split(".").map(Number);
  const y = b.split(".").map(Number);
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const d = (x[i] ?? 0) - (y[i] ?? 0);
    if (d !== 0) return d;
  }
  return 0;
}

/** Whether `version` lies in `from..to` (end exclusive; either side may be absent). */
export function inVersions(interval: string | undefined, version: string): boolean {
  if (interval === undefined) return true;
  const [from, to] = interval.split("..");
  if (from && compareVersions(version, from) < 0) return false;
  return !to || compareVersions(version, to) < 0;
}

/** The kernel of a version: exactly one definition a name must hold it. */
export function kernelAt(name: string, version: string, all: readonly Definition[]): Kernel {
  const routines = new Map<string, Definition>();
  for (const d of all) {
    if (!inVersions(d.kernels, version)) continue;
    if (routines.has(d.name)) throw new Error(`${d.name} has two definitions at ${version}`);
    routines.set(d.name, d);
  }
  return { name, version, routines };
}

/** Rewrites a statement list, innermost blocks too. */
export function rewrite(
  stmts: readonly Stmt[],
  edit: (s: Stmt) => readonly Stmt[] | undefined,
): readonly Stmt[] {
  return stmts.flatMap((s) => {
    const replaced = edit(s);
    if (replaced) return replaced;
    switch (s.k) {
      case "when":
      case "since":
        return [{ ...s, then: rewrite(s.then, edit), otherwise: rewrite(s.otherwise, edit) }];
      case "loop":
      case "each":
      case "forall":
      case "atomic":
      case "label":
        return [{ ...s, body: rewrite(s.body, edit) }];
      case "either":
        return [{ ...s, branches: s.branches.map((b) => rewrite(b, edit)) }];
      default:
        return [s];
    }
  });
}

/** The statement that an overlay replaces is not there. */
export class MisplacedEdit extends Error {}

/** An overlay that replaces the statement that `routine` labels `at`. It must exist. */
export const editing =
  (routine: string, at: string, to: (old: Stmt) => readonly Stmt[]): Overlay =>
  (base) => {
    const old = base.routines.get(routine);
    if (!old) throw new MisplacedEdit(`${base.name} has no routine ${routine}`);
    let found = false;
    const body = () => {
      const stmts = rewrite(old.body(), (s) => {
        if (s.k !== "label" || s.name !== at) return undefined;
        found = true;
        return to(s);
      });
      if (!found) throw new MisplacedEdit(`${routine} has no statement labelled ${at}`);
      return stmts;
    };
    return { ...base, routines: new Map([...base.routines, [routine, { ...old, body }]]) };
  };
