// SPDX-License-Identifier: Apache-2.0
// Step numbers of bodies, found once for each version that numbers them in its own way.

import { nested, numberSteps } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";

/** Step numbers of a body, by version; under "" if they are the same in all. */
const numbering = new WeakMap<readonly Stmt[], Map<string, ReadonlyMap<Stmt, number>>>();

/** The numbers that a version gives to the statements of a body; asked for if it matters. */
export function stepsOf(body: readonly Stmt[], version: () => string): ReadonlyMap<Stmt, number> {
  let byVersion = numbering.get(body);
  if (!byVersion) {
    numbering.set(body, (byVersion = new Map()));
    if (!body.some(hasSince)) byVersion.set("", numberSteps(body, ""));
  }
  const always = byVersion.get("");
  if (always) return always;
  const now = version();
  let numbers = byVersion.get(now);
  if (!numbers) byVersion.set(now, (numbers = numberSteps(body, now)));
  return numbers;
}

const hasSince = (s: Stmt): boolean => s.k === "since" || nested(s).some((b) => b.some(hasSince));
