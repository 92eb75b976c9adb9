// SPDX-License-Identifier: Apache-2.0
// Steps that may be taken alone: where a thread's step commutes with whatever may run before it,
// decided from the program.
//
//   other step u may run while t's thread stands at its point,  t enabled:   u t  ==  t u
//
// Then every run that makes t later is one that makes it now, with the same end: of the states in
// which t is enabled only t's successors are needed. Violations latch, and t is not disabled by
// others, so that no violation and no final state is lost. A run of such steps ends: no loop has
// only these.

import { mayBeWindow } from "./classify.ts";
import type { Accesses } from "./commute-access.ts";
import { AccessFinder } from "./commute-access.ts";
import { withoutLoops } from "./commute-cycles.ts";
import type { Certain } from "./commute-facts.ts";
import { standings, UNCERTAIN } from "./commute-facts.ts";
import { whyOrdered } from "./commute-order.ts";
import { Variables } from "./commute-variables.ts";
import { beginsStep } from "./flow.ts";
import type { Semantics } from "./packed.ts";
import type { Program } from "./program.ts";

/** By thread and point of its control, in the order of the layout's points. */
export interface Alone {
  readonly alone: readonly (readonly boolean[])[];
  /** Why, or why not. */
  readonly reasons: readonly (readonly string[])[];
}

/** A step that a thread may meet. */
interface Other {
  /** The thread, or -1: hardware. */
  readonly thread: number;
  readonly name: string;
  readonly does: Accesses;
  readonly certain: Certain;
}

/** The points at which a thread's step may be taken alone, whenever it is enabled. */
export function aloneIn(program: Program, semantics: Semantics): Alone {
  const variables = new Variables(program);
  const finder = new AccessFinder(program, variables, semantics);
  const points = program.threads.map((t) =>
    [...t.instrs.keys()].filter((at) => at === 0 || beginsStep(t.instrs[at]!)),
  );
  // Fills and evictions beside windows are not followed.
  const mixed = semantics === "window" && !program.cells.every(mayBeWindow);
  if (finder.circular || mixed) {
    const none = points.map((p) => p.map(() => false));
    const why = mixed ? "a cell that is no window" : "cells in a circle";
    return { alone: none, reasons: points.map((p) => p.map(() => why)) };
  }
  const stands = standings(program, variables, finder);
  const steps = program.threads.map((t, n) =>
    points[n]!.map((at): Other => {
      const { routine, step } = t.instrs[at]!.origin;
      const name = `${t.name} at ${routine}:${step}`;
      const { certain, runs } = stands[n]!.get(at) ?? { certain: UNCERTAIN, runs: [] };
      return { thread: n, name, does: finder.step(t, at, runs), certain };
    }),
  );
  const met = meeting(variables.count, [...steps.flat(), ...hardware(program, finder, semantics)]);
  const reasons = steps.map((own, n) =>
    own.map((t, point) => {
      const { op } = program.threads[n]!.instrs[points[n]![point]!]!;
      return op === "halt" ? "the end" : hindered(t, met, variables);
    }),
  );
  const free = reasons.map((of) => of.map((why) => why === undefined));
  const alone = program.threads.map((t, n) => withoutLoops(t, points[n]!, free[n]!));
  return {
    alone,
    reasons: reasons.map((of, n) =>
      of.map((why, p) => why ?? (alone[n]![p] ? "commutes" : "one step of each loop stays")),
    ),
  };
}

/** Effects, rules and, where they are steps of their own, fills and evictions. */
function hardware(program: Program, finder: AccessFinder, semantics: Semantics): Other[] {
  const other = (name: string, does: Accesses): Other => {
    return { thread: -1, name, does, certain: UNCERTAIN };
  };
  return [
    ...program.pending.map((p, n) => other(`the effect of ${p.decl.name}`, finder.effect(n))),
    ...program.rules.map((r) => other(`${r.decl.name}(${r.args.join()})`, finder.whole(r))),
    ...(semantics === "window"
      ? []
      : program.cells.flatMap((g, n) =>
          g.instances.map((_, i) => other(`fills of ${g.decl.name}`, finder.free(n, i))),
        )),
  ];
}

/** For each variable the steps that touch it. */
function meeting(count: number, all: readonly Other[]): readonly (readonly Other[])[] {
  const met: Other[][] = Array.from({ length: count }, () => []);
  for (const u of all) for (const v of u.does.touched()) met[v]!.push(u);
  return met;
}

/** What keeps a step from being taken alone. */
function hindered(
  t: Other,
  met: readonly (readonly Other[])[],
  variables: Variables,
): string | undefined {
  const apart = new Map<Other, boolean>();
  for (const v of t.does.touched()) {
    for (const u of met[v]!) {
      if (u.thread === t.thread) continue;
      const why = whyOrdered(v, t.does, u.does, variables);
      if (why === undefined) continue;
      let never = apart.get(u);
      if (never === undefined) apart.set(u, (never = neverMeet(t, u, variables)));
      if (!never) return `${why}: ${variables.name(v)}, ${u.name}`;
    }
  }
  return undefined;
}

/** Whether `u` cannot be taken while t's thread stands where it does. */
function neverMeet(t: Other, u: Other, variables: Variables): boolean {
  for (const lock of t.certain.held) if (u.certain.held.has(lock)) return true;
  for (const [v, value] of t.certain.is) {
    const other = u.certain.is.get(v);
    if (other !== undefined && other !== value) return true;
  }
  return u.does.first.some((c) => variables.value(c, t.certain) === 0);
}
