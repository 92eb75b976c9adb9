// SPDX-License-Identifier: Apache-2.0
// What workers do for studies; loaded with the first such task.

import { auditPair } from "../api/index.ts";
import type { StudyTask } from "./jobs.ts";

const clock = (): number => performance.now() / 1000;

export function studied(task: StudyTask): unknown {
  return auditPair(task.audit, clock);
}
