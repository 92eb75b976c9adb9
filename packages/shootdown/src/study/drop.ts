// SPDX-License-Identifier: Apache-2.0
// Dropping: the kernel without one step of one routine, as `--drop ROUTINE:STEP` names it.

import type { Kernel, Overlay } from "../ir/kernel.ts";
import { rewrite } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { printStmt } from "../ir/print.ts";
import { numberSteps } from "../ir/steps.ts";

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
  const overlay: Overlay = (base) => withoutStep(base, routine, Number(number));
  return { ok: true, drop: { overlay, statement: printStmt(found[0]) } };
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
    stmts = rewrite(all, (s) => (steps.get(s) === step ? [] : undefined));
    return stmts;
  };
  return { ...base, routines: new Map([...base.routines, [routine, { ...old, body }]]) };
}
