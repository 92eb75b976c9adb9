// SPDX-License-Identifier: Apache-2.0
// CPUs that run the same things over and over: what most published measurements are.

import { seededRandom } from "../../base/random.ts";
import type { ClockAct, ClockCourse } from "../clock-program.ts";
import type { Profile } from "../profile.ts";
import { profileNamed } from "../profiles.ts";
import type { QuantityName } from "../quantities.ts";
import { Timeline } from "../timeline.ts";
import { type Timing, timed } from "../timing.ts";

/** A shipped profile, with features or single values changed. */
export function machine(
  name: string,
  features: Partial<Profile["features"]> = {},
  values: Partial<Record<QuantityName, number>> = {},
): Profile {
  const profile = profileNamed(name)!;
  const quantities = { ...profile.quantities };
  for (const [key, value] of Object.entries(values)) {
    const quantity = key as QuantityName;
    quantities[quantity] = { ...quantities[quantity]!, value, low: value, high: value };
  }
  return { ...profile, features: { ...profile.features, ...features }, quantities };
}

/** Each CPU runs `acts` so many times; those that spend work do so with 20 % more or less. */
export function loop(
  profile: Profile,
  cpus: number,
  rounds: number,
  acts: readonly ClockAct[],
): Timing {
  const timeline = new Timeline();
  const random = seededRandom(1);
  const courses: ClockCourse[] = JITTER.map((factor) => ({ acts: acts.map((a) => of(a, factor)) }));
  for (let round = 0; round < rounds; round++) {
    for (let cpu = 0; cpu < cpus; cpu++) {
      timeline.add(cpu, 0, random.below(courses.length), round);
    }
  }
  return timed(timeline, courses, profile);
}

/** Rounds a second of all CPUs together. */
export const rate = (timing: Timing, cpus: number, rounds: number): number =>
  (1e9 * cpus * rounds) / timing.outcomes.mid.makespan_ns;

export const work = (ns: number): ClockAct => ({ act: "spend", quantity: "work_ns", n: ns });

const JITTER = Array.from({ length: 41 }, (_, i) => 0.8 + i / 100);
const WORK = ["work_ns", "dma_work_ns"];

function of(act: ClockAct, factor: number): ClockAct {
  if (act.act !== "spend" || !WORK.includes(act.quantity)) return act;
  return { ...act, n: act.n * factor };
}
