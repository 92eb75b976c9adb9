// SPDX-License-Identifier: Apache-2.0
// What workers do for studies; loaded with the first such task.

import type { KnownOutcomes } from "../api/index.ts";
import { auditPair, mutateRoutine } from "../api/index.ts";
import type { StudyTask } from "./jobs.ts";
import { outcomesIn } from "./known-outcomes.ts";

const clock = (): number => performance.now() / 1000;

const caches = new Map<string, KnownOutcomes>();

export function studied(task: StudyTask): unknown {
  if (!("audit" in task)) return mutateRoutine(task.mutate, clock);
  const { audit, cache } = task;
  if (cache === undefined) return auditPair(audit, clock);
  let known = caches.get(cache);
  if (!known) caches.set(cache, (known = outcomesIn(cache)));
  return auditPair(audit, clock, known);
}
