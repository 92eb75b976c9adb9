// SPDX-License-Identifier: Apache-2.0
// Whether a step may be made before another that could as well have come first.
//
//   s ──u──► . ──t──► s'      implies      s ──t──► . ──u──► s'
//
// asked where t is enabled in s already, of one variable that both touch. Also, u leaves t enabled.
// A condition that the other's constant satisfies, whatever else is true, has become true at most.

import type { Node } from "../ir/expr.ts";
import type { Accesses, Condition, Pattern } from "./commute-access.ts";
import { constants } from "./commute-access.ts";
import type { Variables } from "./commute-variables.ts";
import { NOTHING_KNOWN } from "./commute-variables.ts";

/** Why the order of `t` and `u` may matter to a variable, or undefined. */
export function whyOrdered(
  v: number,
  t: Accesses,
  u: Accesses,
  variables: Variables,
): string | undefined {
  return (
    written(v, t, u, variables) ??
    readBy(v, t, u, variables) ??
    added(v, t, u) ??
    queued(v, t, u) ??
    cached(v, t, u)
  );
}

/** `t` writes the variable. */
function written(v: number, t: Accesses, u: Accesses, variables: Variables): string | undefined {
  if (!t.writes.has(v)) return undefined;
  const value = t.writes.get(v);
  if (u.adds.has(v)) return "both write";
  if (u.writes.has(v) && (value === undefined || u.writes.get(v) !== value)) return "both write";
  if (u.reads.has(v)) return "the other reads what it writes";
  if (!satisfies(v, value, u.conditions, variables)) return "the other waits for what it writes";
  return undefined;
}

/** `t` reads the variable, or waits for it. */
function readBy(v: number, t: Accesses, u: Accesses, variables: Variables): string | undefined {
  const changes = u.writes.has(v) || u.adds.has(v);
  if (!changes) return undefined;
  if (t.reads.has(v)) return "it reads what the other writes";
  if (!t.conditions.some((c) => c.on.has(v))) return undefined;
  // With a choice in the step, what has become true may have opened another branch.
  const value = u.adds.has(v) || t.chooses ? undefined : u.writes.get(v);
  if (satisfies(v, value, t.conditions, variables)) return undefined;
  return "it waits for what the other writes";
}

function added(v: number, t: Accesses, u: Accesses): string | undefined {
  if (!t.adds.has(v)) return undefined;
  const asked = u.reads.has(v) || u.conditions.some((c) => c.on.has(v));
  if (asked) return "the other reads what it adds to";
  return u.writes.has(v) ? "both write" : undefined;
}

/** Whether storing the value leaves every condition on the variable true. */
function satisfies(
  v: number,
  value: number | undefined,
  conditions: readonly Condition[],
  variables: Variables,
): boolean {
  return conditions.every(
    (c) =>
      !c.on.has(v) ||
      (value !== undefined &&
        variables.value(c.holds, { is: new Map([[v, value]]), not: NOTHING_KNOWN.not }) === 1),
  );
}

/** Pending sets: entries are added at the end, or to a set that is kept sorted. */
function queued(v: number, t: Accesses, u: Accesses): string | undefined {
  const own = t.posts.get(v);
  const others = u.posts.get(v);
  if (own && others) return "both post";
  if (own) {
    if (u.reads.has(v)) return "the other asks what is outstanding";
    if (!u.conditions.every((c) => !c.on.has(v) || apart(c.holds, own))) {
      return "the other waits for what it posts";
    }
    // A set that was full may have become free for another branch of the step.
    if (u.takes.has(v) && t.chooses) return "it posts after a choice";
  }
  const asks = t.conditions.filter((c) => c.on.has(v));
  if (t.reads.has(v) && (others || u.takes.has(v))) return "it asks what is outstanding";
  if (others && !asks.every((c) => apart(c.holds, others))) return "it waits for what others post";
  if (u.takes.has(v) && !asks.every((c) => absent(c.holds) && !t.chooses)) {
    return "it asks what is outstanding";
  }
  return undefined;
}

/** What must not be outstanding, if that is all that the condition says. */
function absent(n: Node): (Node & { readonly k: "outstanding" }) | undefined {
  const of = n.k === "op" && n.op === "not" ? n.args[0]! : undefined;
  return of?.k === "outstanding" ? of : undefined;
}

/** Whether the condition only forbids entries other than these. */
function apart(n: Node, entries: readonly Pattern[]): boolean {
  const asked = absent(n);
  if (!asked) return false;
  const where = constants(asked.where);
  return entries.every((e) => [...where].some(([k, x]) => e.has(k) && e.get(k) !== x));
}

/**
 * Cells: an entry that could be picked still can be after others were added. Entries added by
 * several steps are the same set in any order, and so are those removed.
 */
function cached(v: number, t: Accesses, u: Accesses): string | undefined {
  if (t.grows.has(v) && u.shrinks.has(v)) return "the other clears what it fills";
  if (t.shrinks.has(v) && (u.grows.has(v) || u.picks.has(v) || u.closes.has(v) || u.reads.has(v))) {
    return "it clears what the other uses";
  }
  if (t.grows.has(v) && u.reads.has(v)) return "the other counts what it fills";
  if (t.picks.has(v) && (u.grows.has(v) || u.shrinks.has(v))) return "it looks up what changes";
  if (t.closes.has(v) && u.shrinks.has(v)) return "it fills from what the other clears";
  return undefined;
}
