// SPDX-License-Identifier: Apache-2.0
// What workers do for studies; loaded with the first such task.

import { auditPair, mutateRoutine } from "../api/index.ts";
import type { StudyTask } from "./jobs.ts";

const clock = (): number => performance.now() / 1000;

export function studied(task: StudyTask): unknown {
  return "audit" in task ? auditPair(task.audit, clock) : mutateRoutine(task.mutate, clock);
}
