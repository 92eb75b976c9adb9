// SPDX-License-Identifier: Apache-2.0
// Several systems as one: it begins as any of them, and each thread does what it does there.
//
//   systems ──► threads with alternatives, ways to begin ──lower──► one program, one search
//
// What is never seen in the one is never seen in any of them. What can be seen in the one can be
// seen in one of them: in which, their own searches tell.

import type { FieldFn } from "../ir/expr.ts";
import { constant, eq, field } from "../ir/expr.ts";
import { enumeration } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import { whenElse } from "../ir/stmt.ts";
import type { Initial, System, ThreadSpec } from "./program.ts";

/** One system; undefined if these have too little in common. */
export function bundled(systems: readonly System[]): System | undefined {
  const [first, ...rest] = systems;
  if (!first || rest.some((s) => !alike(first, s))) return undefined;
  if (rest.length === 0) return first;
  const ways: Initial[][] = systems.map((s) => [...s.initial]);
  const threads = first.threads.map((t, n) => {
    const { thread, chosen } = withAlternatives(systems.map((s) => s.threads[n]!));
    for (const [way, initial] of chosen.entries()) if (initial) ways[way]!.push(initial);
    return thread ?? t;
  });
  const [initial, ...others] = ways as [Initial[], ...Initial[][]];
  return { ...first, threads, initial, others };
}

function alike(a: System, b: System): boolean {
  return (
    a.machine === b.machine &&
    a.kernel === b.kernel &&
    a.entries.length + b.entries.length === 0 &&
    sizesOf(a) === sizesOf(b) &&
    namesOf(a.observers) === namesOf(b.observers) &&
    namesOf(a.watched ?? []) === namesOf(b.watched ?? []) &&
    a.threads.length === b.threads.length &&
    a.threads.every((t, n) => sameNames(t, b.threads[n]!))
  );
}

/** How many there are of everything; what they are called is for people. */
const sizesOf = ({ domain, knobs }: System): string =>
  JSON.stringify([domain.sizes, domain.limits, knobs]);

const namesOf = (all: readonly { readonly name: string }[]): string =>
  all.map((o) => o.name).join();

/** Threads of one name whose locals are the same. */
const sameNames = (a: ThreadSpec, b: ThreadSpec): boolean =>
  a.name === b.name && JSON.stringify(a.locals) === JSON.stringify(b.locals);

interface Alternatives {
  readonly thread: ThreadSpec | undefined;
  /** By way to begin. */
  readonly chosen: readonly (Initial | undefined)[];
}

/** A thread that does one of several things, which is chosen where it begins. */
function withAlternatives(threads: readonly ThreadSpec[]): Alternatives {
  // All of a body: a statement as people read it is without what stands inside.
  const texts = threads.map((t) => JSON.stringify(t.body));
  const distinct = [...new Set(texts)];
  if (distinct.length === 1) return { thread: undefined, chosen: threads.map(() => undefined) };
  const sort = enumeration(
    "alternative",
    distinct.map((_, n) => `${n}`),
  );
  const which: FieldFn<[], string> = field(`alternative of ${threads[0]!.name}`, [], sort);
  const bodies = distinct.map((text) => threads[texts.indexOf(text)]!.body);
  const last = bodies.length - 1;
  let body: readonly Stmt[] = bodies[last]!;
  for (let n = last - 1; n >= 0; n--) {
    body = [whenElse(eq(which(), constant(sort, n)), bodies[n]!, body)];
  }
  const chosen = texts.map((t) => ({ field: which.decl, index: [], value: distinct.indexOf(t) }));
  return { thread: { ...threads[0]!, body }, chosen };
}
