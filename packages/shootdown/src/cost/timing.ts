// SPDX-License-Identifier: Apache-2.0
// The time of a run on a profile as an interval, and of two runs their difference.
//
//   time = sum of (how often) x (quantity)  +  waits at servers
//          exact, linear: intervals follow     simulated at low, mid and high
//
// A quantity that two runs spend equally often does not blur their difference.

import { type Outcome, simulate, WAITS, type Wait } from "./clock.ts";
import {
  type AmountRows,
  type Amounts,
  addRow,
  type ClockCourse,
  clockProgram,
  noAmounts,
  priced,
} from "./clock-program.ts";
import { type Corner, type Profile, valuesAt } from "./profile.ts";
import { QUANTITY_INDEX, QUANTITY_NAMES, type QuantityName } from "./quantities.ts";
import type { Timeline } from "./timeline.ts";

export interface Interval {
  readonly low: number;
  readonly mid: number;
  readonly high: number;
}

export interface Timing {
  readonly profile: Profile;
  /** How often each quantity is spent. */
  readonly amounts: Amounts;
  readonly outcomes: Readonly<Record<Corner, Outcome>>;
}

export const CORNERS = ["low", "mid", "high"] as const satisfies readonly Corner[];

/** What the wait at a server is blamed on: the quantity that measures would be made of. */
const BLAMED: Readonly<Record<Wait, QuantityName>> = {
  dvm: "dvm_per_sender_ns",
  ipi: "ipi_handler_ns",
  queue: "cmdq_lock_per_cpu_ns",
};

/** `also`: what is spent outside the courses, such as walks after lost entries. */
export function timed(
  timeline: Timeline,
  courses: readonly ClockCourse[],
  profile: Profile,
  also: Partial<Record<QuantityName, number>> = {},
): Timing {
  const { features } = profile;
  const program = clockProgram(courses, features);
  const at = (corner: Corner) => simulate(timeline, program, features, valuesAt(profile, corner));
  const outcomes = { low: at("low"), mid: at("mid"), high: at("high") };
  const amounts = linear(timeline, program.linear);
  for (let q = 0; q < amounts.length; q++) amounts[q]! += outcomes.mid.atc[q]!;
  for (const name of QUANTITY_NAMES) amounts[QUANTITY_INDEX[name]]! += also[name] ?? 0;
  return { profile, amounts, outcomes };
}

/** Time of all operations, and of what is spent outside them. */
export function timeOf({ profile, amounts, outcomes }: Timing): Interval {
  const [low, mid, high] = CORNERS.map(
    (corner) => priced(amounts, valuesAt(profile, corner)) + waited(outcomes[corner]),
  );
  return { low: Math.min(low!, mid!), mid: mid!, high: Math.max(mid!, high!) };
}

/** The quantity whose sweep moves the time most; none if nothing is spent. */
export function decidedBy({ profile, amounts, outcomes }: Timing): QuantityName | undefined {
  const spread = (wait: Wait) => outcomes.high.waits_ns[wait] - outcomes.low.waits_ns[wait];
  return widest(profile, amounts, spread);
}

export interface Difference {
  /** Of the first run less that of the second. */
  readonly interval: Interval;
  /** The sign is not the same in all of the sweep. */
  readonly undecided: boolean;
  readonly decided_by: QuantityName | undefined;
}

/** Both on the same profile. */
export function difference(a: Timing, b: Timing): Difference {
  const { profile } = a;
  const amounts = a.amounts.map((times, q) => times - b.amounts[q]!);
  const waits = CORNERS.map((corner) => waited(a.outcomes[corner]) - waited(b.outcomes[corner]));
  const [atLow, atHigh] = [valuesAt(profile, "low"), valuesAt(profile, "high")];
  const least = amounts.map((times, q) => times * (times > 0 ? atLow : atHigh)[q]!);
  const most = amounts.map((times, q) => times * (times > 0 ? atHigh : atLow)[q]!);
  const interval = {
    low: sum(least) + Math.min(...waits),
    mid: priced(amounts, valuesAt(profile, "mid")) + waits[1]!,
    high: sum(most) + Math.max(...waits),
  };
  const spread = (wait: Wait) => {
    const at = CORNERS.map((c) => a.outcomes[c].waits_ns[wait] - b.outcomes[c].waits_ns[wait]);
    return Math.max(...at) - Math.min(...at);
  };
  return {
    interval,
    undecided: interval.low < 0 && interval.high > 0,
    decided_by: widest(profile, amounts, spread),
  };
}

function widest(
  profile: Profile,
  amounts: Amounts,
  spread: (wait: Wait) => number,
): QuantityName | undefined {
  const widths = new Map<QuantityName, number>();
  for (const name of QUANTITY_NAMES) {
    const given = profile.quantities[name];
    if (given === undefined) continue;
    widths.set(name, Math.abs(amounts[QUANTITY_INDEX[name]]!) * (given.high - given.low));
  }
  for (const wait of WAITS) {
    const name = BLAMED[wait];
    widths.set(name, (widths.get(name) ?? 0) + Math.abs(spread(wait)));
  }
  let found: QuantityName | undefined;
  for (const [name, width] of widths) {
    if (width > (found === undefined ? 0 : widths.get(found)!)) found = name;
  }
  return found;
}

function linear(timeline: Timeline, ofCourses: AmountRows): Amounts {
  const times = new Float64Array(ofCourses.length);
  for (let i = 0; i < timeline.length; i++) times[timeline.course[i]!]! += timeline.repeat[i]!;
  const total = noAmounts();
  for (let n = 0; n < times.length; n++) addRow(ofCourses, n, times[n]!, total);
  return total;
}

const waited = (outcome: Outcome) => WAITS.reduce((sum, wait) => sum + outcome.waits_ns[wait], 0);

const sum = (numbers: Amounts) => numbers.reduce((a, b) => a + b, 0);
