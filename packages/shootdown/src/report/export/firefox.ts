// SPDX-License-Identifier: Apache-2.0
// A timeline as a profile for the Firefox Profiler: Gecko's format, version 24.
//
//   { meta, libs, threads: [ { name, markers: { schema, data: [[name, start, end, ...]] } } ] }
//
// It is the version that Linux's own tools/perf/scripts/python/gecko.py writes; the profiler reads
// every older version. Markers of a thread stand together in the file, so each thread has a part of
// its own until the end of the recording: memory does not grow with it.
import { FirefoxStacks, FRAME_SCHEMA, STACK_SCHEMA } from "./firefox-stacks.ts";
import type { Details, Instant, Lane, Part, PartedSink, SpanOfTime, Timeline } from "./timeline.ts";

export const GECKO_VERSION = 24;

const CATEGORIES = [
  { name: "Kernel", color: "blue", subcategories: ["Other"] },
  { name: "Finding", color: "red", subcategories: ["Other"] },
];
const KERNEL = 0;
const FINDING = 1;
const MARKER_SCHEMA = { name: 0, startTime: 1, endTime: 2, phase: 3, category: 4, data: 5 };
const SAMPLE_SCHEMA = { stack: 0, time: 1, responsiveness: 2 };
const PHASE = { instant: 0, interval: 1 } as const;
const NS_PER_MS = 1e6;
/** Threads of their own; what is beyond shares the last one. */
const MAX_THREADS = 256;
const PID = 1;

const field = (key: string, label: string, format = "string") => ({
  ...{ key, label, format, searchable: true },
});
const DISPLAY = ["marker-chart", "marker-table", "timeline-overview"];

/** What each kind of marker says, for the profiler's tables and tooltips. */
export const MARKERS = [
  {
    name: "kernel",
    display: DISPLAY,
    tooltipLabel: "{marker.name}, {marker.data.row}",
    tableLabel: "{marker.name} {marker.data.arguments}",
    chartLabel: "{marker.name}",
    data: [field("line", "Line", "integer"), field("row", "Of"), field("arguments", "Arguments")],
  },
  {
    name: "finding",
    display: DISPLAY,
    tooltipLabel: "{marker.name}",
    tableLabel: "{marker.name}: {marker.data.message}",
    chartLabel: "{marker.name}",
    data: [
      field("line", "Line", "integer"),
      ...[field("message", "What"), field("rule", "Rule"), field("mm", "Address space")],
      ...[field("old", "Old entry"), field("new", "New entry"), field("task", "Task")],
      field("arguments", "More"),
    ],
  },
] as const;

const FINDING_FIELDS: readonly string[] = MARKERS[1].data.map(({ key }) => key);

interface Thread {
  readonly name: string;
  readonly tid: number;
  readonly part: Part;
  readonly stacks: FirefoxStacks;
  markers: number;
}

const encoder = new TextEncoder();

export class FirefoxTimeline implements Timeline {
  readonly #sink: PartedSink;
  readonly #threads = new Map<string, Thread>();
  #start_ms: number | undefined;

  constructor(sink: PartedSink) {
    this.#sink = sink;
  }

  span(lane: Lane, { name, from_ns, to_ns, details, stack }: SpanOfTime): void {
    this.#marker(lane, name, { from_ns, to_ns, phase: PHASE.interval }, details, stack);
  }

  instant(lane: Lane, { name, at_ns, details, stack }: Instant): void {
    this.#marker(lane, name, { from_ns: at_ns, to_ns: 0, phase: PHASE.instant }, details, stack);
  }

  finish(): void {
    const meta = {
      interval: 1,
      processType: 0,
      product: "shootdown",
      stackwalk: 1,
      debug: 0,
      gcpoison: 0,
      asyncstack: 1,
      startTime: 0,
      shutdownTime: null,
      version: GECKO_VERSION,
      presymbolicated: true,
      categories: CATEGORIES,
      markerSchema: MARKERS,
    };
    this.#write(`{"meta":${JSON.stringify(meta)},"libs":[],"threads":[`);
    let first = true;
    for (const thread of this.#threads.values()) {
      this.#thread(thread, first ? "" : ",\n");
      first = false;
    }
    this.#write('],"processes":[],"pausedRanges":[]}\n');
  }

  #marker(
    lane: Lane,
    name: string,
    when: { readonly from_ns: number; readonly to_ns: number; readonly phase: number },
    details: Details,
    stack: readonly string[] | undefined,
  ): void {
    const thread = this.#threadOf(lane);
    const start_ms = when.from_ns / NS_PER_MS;
    this.#start_ms ??= start_ms;
    const found = lane.group === "findings";
    const data = {
      ...(found ? findingData(details) : kernelData(lane, details)),
      ...(stack === undefined ? {} : this.#stack(thread, stack, start_ms)),
    };
    const row = [
      ...[thread.stacks.text(name), start_ms, when.to_ns / NS_PER_MS, when.phase],
      ...[found ? FINDING : KERNEL, data],
    ];
    const comma = thread.markers++ === 0 ? "" : ",\n";
    thread.part.write(encoder.encode(`${comma}${JSON.stringify(row)}`));
  }

  #threadOf({ group, name }: Lane): Thread {
    const full = name === group || group === "CPUs" ? name : `${group}: ${name}`;
    const known = this.#threads.get(full);
    if (known !== undefined) return known;
    const key = this.#threads.size < MAX_THREADS ? full : "others";
    let thread = this.#threads.get(key);
    if (thread === undefined) {
      const tid = this.#threads.size + 1;
      const stacks = new FirefoxStacks();
      thread = { name: key, tid, part: this.#sink.part(), stacks, markers: 0 };
      this.#threads.set(key, thread);
    }
    return thread;
  }

  /** How Gecko keeps the stack of a marker: a thread with one sample. */
  #stack(thread: Thread, stack: readonly string[], time_ms: number) {
    const index = thread.stacks.stack(stack);
    if (index === undefined) return {};
    return {
      stack: {
        ...{ name: "SyncProfile", registerTime: null, unregisterTime: null },
        ...{ processType: "default", tid: thread.tid, pid: PID },
        markers: { schema: MARKER_SCHEMA, data: [] },
        samples: { schema: SAMPLE_SCHEMA, data: [[index, time_ms, 0]] },
      },
    };
  }

  #thread({ name, tid, part, stacks }: Thread, before: string): void {
    const head = { tid, pid: PID, name, registerTime: 0, unregisterTime: null };
    const rest = {
      samples: { schema: SAMPLE_SCHEMA, data: [] },
      frameTable: { schema: FRAME_SCHEMA, data: stacks.frames },
      stackTable: { schema: STACK_SCHEMA, data: stacks.stacks },
      stringTable: stacks.strings,
      processType: "default",
    };
    const open = JSON.stringify(head).slice(0, -1);
    const schema = JSON.stringify(MARKER_SCHEMA);
    this.#write(`${before}${open},"markers":{"schema":${schema},"data":[`);
    part.copy();
    this.#write(`]},${JSON.stringify(rest).slice(1)}`);
  }

  #write(text: string): void {
    this.#sink.write(encoder.encode(text));
  }
}

function kernelData({ row }: Lane, { line, ...rest }: Details) {
  return { type: "kernel", line, row, arguments: pairs(rest) };
}

function findingData(details: Details) {
  const known = Object.entries(details).filter(([key]) => FINDING_FIELDS.includes(key));
  const others = Object.entries(details).filter(([key]) => !FINDING_FIELDS.includes(key));
  return {
    type: "finding",
    ...Object.fromEntries(known),
    arguments: pairs(Object.fromEntries(others)),
  };
}

const pairs = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
