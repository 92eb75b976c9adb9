// SPDX-License-Identifier: Apache-2.0
// What a recording looks like in time: lanes with spans and instants, in whatever format.

/** A row of the picture. A group is what its lanes are shown under. */
export interface Lane {
  readonly key: string;
  readonly group: "CPUs" | "address spaces" | "SMMU" | "IOMMU" | "devices" | "findings";
  /** Within the group: "CPU 0", "mm 0xffff0000409a4f00", "dmar0". */
  readonly name: string;
  /** Within that: a task, or one of several rows for what overlaps; "" for the row itself. */
  readonly row: string;
}

/** What is said of a span or an instant; `line` is where a recording says it. */
export type Details = Readonly<Record<string, string | number>>;

/** One end of an arrow from a cause to what came of it. */
export interface Flow {
  readonly id: number;
  readonly end: "from" | "to";
}

export interface Instant {
  readonly name: string;
  readonly at_ns: number;
  readonly details: Details;
  readonly flow?: Flow;
  readonly stack?: readonly string[];
}

export interface SpanOfTime {
  readonly name: string;
  readonly from_ns: number;
  readonly to_ns: number;
  readonly details: Details;
  readonly stack?: readonly string[];
}

/** Who writes a timeline down. Spans of one lane nest; they come as they end, not in order. */
export interface Timeline {
  span(lane: Lane, span: SpanOfTime): void;
  instant(lane: Lane, instant: Instant): void;
  /** Nothing more comes. */
  finish(): void;
}

/** Where bytes go. */
export interface ByteSink {
  write(bytes: Uint8Array): void;
}

/** What is written beside the output now, and copied into it later. */
export interface Part extends ByteSink {
  copy(): void;
}

export interface PartedSink extends ByteSink {
  part(): Part;
}
