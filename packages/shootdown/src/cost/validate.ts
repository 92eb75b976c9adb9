// SPDX-License-Identifier: Apache-2.0
// Every published result that is compared, in the order of its number.

import { v5, v6, v7, v8, v10 } from "./validate/dvm.ts";
import { v13, v13Control } from "./validate/faults.ts";
import { v14 } from "./validate/interrupts.ts";
import { PROGRAMS, v11, v18, v19, v20, type Workloads } from "./validate/placements.ts";
import { v1, v3, v4, v12, v21 } from "./validate/queue.ts";
import type { Validation } from "./validate/result.ts";
import { ROUTINES } from "./validate/routines.ts";
import type { Workload } from "./workload.ts";

export { asExpected, type Cell, type Validation } from "./validate/result.ts";

/** The twelve that a release is judged by. */
export const REQUIRED = [
  ...["V1", "V3", "V4", "V5", "V7", "V10", "V11", "V12", "V13", "V18", "V19", "V20"],
] as const;

/** Shipped workloads that are needed. */
export const NEEDED: readonly string[] = PROGRAMS;

/** `load` opens a shipped workload. Each result is given as soon as it is there. */
export async function* validate(
  load: (name: string) => Promise<Workload>,
): AsyncGenerator<Validation> {
  for (const check of [v1, v3, v4]) yield check();
  for (const check of [v5, v6, v7, v8]) yield check(ROUTINES);
  yield v10();
  yield v11();
  for (const check of [v12, v13, v13Control]) yield check();
  yield v14(ROUTINES);
  const workloads: Workloads = new Map(
    await Promise.all(PROGRAMS.map(async (name) => [name, await load(name)] as const)),
  );
  for (const check of [v18, v19, v20]) yield check(workloads);
  yield v21();
}
