// SPDX-License-Identifier: Apache-2.0
// Who looks on while a recording is judged: exporters and counters, which change no verdict.
//
// Everything comes in the order of its file. Times are seconds of the kernel's events where the
// recordings of one run are lined up, else of their own clock.
import type { Finding } from "./finding.ts";
import type { IommuRecord } from "./importers/iommu-record.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import type { SmmuEvent } from "./importers/smmu.ts";
import type { TlbiEvent } from "./importers/tlbi.ts";
import type { Span } from "./obligation.ts";

/** Pages that the secondary TLB of an mm is sure to drop. */
export interface Invalidation extends Span {
  readonly mm: string;
  readonly line: number;
  readonly at: RawEvent;
  /** A call of the secondary notifier, or up to 6.5 the end of a range. */
  readonly by: "call" | "range_end";
  /** The function that the task was in, as its probe is named. */
  readonly operation: string;
  /** "munmap", "page fault (write)"; undefined outside of both. */
  readonly during: string | undefined;
  /** The hull of the changes and operations that it is for; undefined if none is recorded. */
  readonly asked: Span | undefined;
  /** Pages of the changes that waited for it; of the operation if none did. */
  readonly asked_pages: number | undefined;
  /** Changes that waited for it. */
  readonly waited: number;
}

export interface TraceObserver {
  /** Names of events that it wants beside those that are judged. */
  readonly wanted?: readonly string[];
  event?(event: RawEvent): void;
  invalidation?(invalidation: Invalidation): void;
  /** What an SMMU's log says. */
  command?(event: SmmuEvent, time_s: number): void;
  /** What a CPU executed; after all events of the kernel, if there are any. */
  instruction?(event: TlbiEvent, time_s: number): void;
  /** What the log of an IOMMU's queue says. */
  queue?(record: IommuRecord): void;
  finding?(finding: Finding): void;
}

/** Several as one; undefined for none. */
export function together(observers: readonly TraceObserver[]): TraceObserver | undefined {
  if (observers.length < 2) return observers[0];
  const on = <K extends "event" | "invalidation" | "queue" | "finding">(key: K) => {
    const listening = observers.filter((one) => one[key] !== undefined);
    return (what: never) => {
      for (const one of listening) (one[key] as (what: never) => void).call(one, what);
    };
  };
  return {
    wanted: observers.flatMap(({ wanted }) => wanted ?? []),
    event: on("event"),
    invalidation: on("invalidation"),
    queue: on("queue"),
    finding: on("finding"),
    command: (event, time_s) => {
      for (const one of observers) one.command?.(event, time_s);
    },
    instruction: (event, time_s) => {
      for (const one of observers) one.instruction?.(event, time_s);
    },
  };
}
