// SPDX-License-Identifier: Apache-2.0
// Published results on I/O page faults: V13, and the rows of it that must fail.

import type { ClockAct } from "../clock-program.ts";
import { Timeline } from "../timeline.ts";
import { timed, timeOf } from "../timing.ts";
import { machine, work } from "./loop.ts";
import { type Cell, judged, type Validation } from "./result.ts";

const SOURCE = "[RFC PATCH v2 0/6] Add IOPF support for VFIO passthrough, Lu, 2021-03-09";

/** Messages of 1 MB; what they take without faults, in microseconds; how much slower with. */
interface Row {
  readonly messages: number;
  readonly warm_us: number;
  readonly slower: number;
}

const SVA_FAULTS = 512;
const SVA: readonly Row[] = [
  { messages: 1, warm_us: 1076, slower: 82.8 },
  { messages: 100, warm_us: 5880, slower: 47.9 },
  { messages: 1000, warm_us: 55_600, slower: 8.5 },
];

const VFIO_FAULTS = 518;
const VFIO: readonly Row[] = [
  { messages: 1, warm_us: 3149, slower: 63 },
  { messages: 100, warm_us: 6553, slower: 23 },
  { messages: 1000, warm_us: 56_980, slower: 2.6 },
];

/** Per cent of the throughput that the faults of the first touch cost. */
function slowdown({ messages, warm_us }: Row, faults: number): number {
  const send: ClockAct[] = [work((1000 * warm_us) / messages)];
  const fault: ClockAct[] = Array(faults).fill({ act: "fault", device: true });
  const run = (first: readonly ClockAct[]) => {
    const timeline = new Timeline();
    timeline.add(0, 0, 0, 0);
    if (messages > 1) timeline.add(0, 0, 1, 0, messages - 1);
    const courses = [{ acts: [...first, ...send] }, { acts: send }];
    return timeOf(timed(timeline, courses, machine("kunpeng-920"))).mid;
  };
  return 100 * (1 - run([]) / run(fault));
}

const cells = (rows: readonly Row[], faults: number, fitted: boolean): Cell[] =>
  rows.map((row) => {
    const { messages, slower } = row;
    const simulated = slowdown(row, faults);
    const band = [slower - 1, slower + 1] as const;
    return { label: `${messages} messages`, published: slower, simulated, band, fitted };
  });

export function v13(): Validation {
  return judged({
    ...{ id: "V13", title: "First touch by a device, SVA: what 512 faults cost", source: SOURCE },
    ...{ profile: "kunpeng-920", unit: "% slower" },
    cells: cells(SVA, SVA_FAULTS, true),
    note: "one fault cost of 10.35 us is fitted on the three; throughput without faults is given",
  });
}

export function v13Control(): Validation {
  return judged({
    ...{ id: "V13-VFIO", title: "The same constant on VFIO: has to fail", source: SOURCE },
    ...{ profile: "kunpeng-920", unit: "% slower", negative_control: true },
    cells: cells(VFIO, VFIO_FAULTS, false),
    note: "one constant does not fit VFIO, where faults may overlap: the model is wrong here",
  });
}
