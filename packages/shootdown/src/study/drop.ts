// SPDX-License-Identifier: Apache-2.0
// Dropping: the kernel without one step of one routine, as `--drop ROUTINE:STEP` names it.

import type { Node } from "../ir/expr.ts";
import { expr, TRUE } from "../ir/expr.ts";
import type { Kernel, Overlay } from "../ir/kernel.ts";
import { rewrite } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { printStmt } from "../ir/print.ts";
import type { AnySort } from "../ir/sort.ts";
import { bool } from "../ir/sort.ts";
import { numberSteps } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import { desc } from "../vocabulary/descriptor.ts";
import { pmd, pte } from "../vocabulary/state.ts";

/** Why a statement cannot be dropped; the nearest of `known` is what may have been meant. */
export interface DropProblem {
  readonly message: string;
  readonly name: string;
  readonly known: readonly string[];
}

export interface Drop {
  readonly overlay: Overlay;
  /** The statement as text. */
  readonly statement: string;
}

export type DropResult =
  | { readonly ok: true; readonly drop: Drop }
  | { readonly ok: false; readonly problem: DropProblem };

/** Finds a statement by `routine:step`, as this kernel has it. */
export function dropNamed(kernel: Kernel, name: string): DropResult {
  const fail = (message: string, wrong: string, known: readonly string[]): DropResult => ({
    ok: false,
    problem: { message, name: wrong, known },
  });
  const parts = /^([A-Za-z_][A-Za-z0-9_]*):([1-9][0-9]{0,5})$/.exec(name);
  if (!parts) return fail("a statement is named ROUTINE:STEP", name, []);
  const [, routine, number] = parts as unknown as [string, string, string];
  const old = kernel.routines.get(routine);
  if (!old) return fail(`${kernel.name} has no such routine`, routine, [...kernel.routines.keys()]);
  const steps = numberSteps(old.body(), kernel.version);
  const found = [...steps].find(([, step]) => step === Number(number));
  if (!found) {
    const count = steps.size;
    const range = count === 0 ? "no steps" : count === 1 ? "step 1 only" : `steps 1 to ${count}`;
    return fail(`${routine} of ${kernel.name} has ${range}`, name, []);
  }
  const instead = withoutStore(found[0]);
  const needed = instead.length > 0 ? undefined : onlyValueOf(found[0], [...steps.keys()]);
  if (needed !== undefined) {
    return fail(`nothing else gives ${needed} its value, which later steps use`, name, []);
  }
  const overlay: Overlay = (base) => withoutStep(base, routine, Number(number));
  return { ok: true, drop: { overlay, statement: printStmt(found[0]) } };
}

/**
 * What is left of a statement without its store: a compare-and-exchange says that it happened, an
 * exchange reads. Of others nothing is left.
 */
export function withoutStore(s: Stmt): readonly Stmt[] {
  const done = (ok: string): Stmt => ({ k: "set", to: localOf(ok, bool), value: TRUE.node });
  if (s.k === "cas") return [done(s.ok)];
  if (s.k === "xchg") return [{ k: "set", to: localOf(s.into, sortOf(s.at)), value: s.at }];
  if (s.k !== "call" || s.into === undefined) return [];
  if (s.callee.startsWith("cmpxchg_")) return [done(s.into)];
  const arg = <S extends string>(name: string) => expr<S>(s.args.find(([n]) => n === name)![1]);
  const read = (value: Node): Stmt => ({ k: "set", to: localOf(s.into!, desc), value });
  if (s.callee === "xchg_desc") return [read(pte(arg("mm"), arg("va")).node)];
  if (s.callee === "xchg_pmd") return [read(pmd(arg("mm"), arg("region")).node)];
  return [];
}

const localOf = (name: string, sort: AnySort): Node => ({ k: "local", name, sort });
const sortOf = (at: Node): AnySort => (at as { readonly sort: AnySort }).sort;

/** The local that a statement gives a value. */
export function given(s: Stmt): string | undefined {
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
    default:
      return undefined;
  }
}

/** The local that would be used without a value if `s` were removed. */
export function onlyValueOf(s: Stmt, all: readonly Stmt[]): string | undefined {
  const local = given(s);
  if (local === undefined) return undefined;
  const others = all.filter((o) => o !== s);
  if (others.some((o) => given(o) === local)) return undefined;
  return others.some((o) => reads(o, local)) ? local : undefined;
}

/** Whether a statement's own expressions, or those of statements inside it, read a local. */
export function reads(s: Stmt, local: string): boolean {
  const visit = (part: unknown): boolean => {
    if (typeof part !== "object" || part === null) return false;
    if ("k" in part && part.k === "local" && "name" in part) return part.name === local;
    return Object.values(part).some(visit);
  };
  return visit(s);
}

/** The kernel without one statement; where the routine or the step is absent, the kernel itself. */
function withoutStep(base: Kernel, routine: string, step: number): Kernel {
  const old = base.routines.get(routine);
  if (!old) return base;
  let stmts: ReturnType<Definition["body"]> | undefined;
  const body = () => {
    if (stmts) return stmts;
    const all = old.body();
    const steps = numberSteps(all, base.version);
    stmts = rewrite(all, (s) => (steps.get(s) === step ? withoutStore(s) : undefined));
    return stmts;
  };
  return { ...base, routines: new Map([...base.routines, [routine, { ...old, body }]]) };
}
