// SPDX-License-Identifier: Apache-2.0
// One change of page-table entries and the invalidation it owes, until its deadline has passed.
import type { FindingChange } from "./finding.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import type { Word64 } from "./importers/word64.ts";
import type { Space } from "./space.ts";
import type { OpenGather, OpenProtect, OpenRange } from "./task.ts";

/** Pages [start, end). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Why an invalidation may not count: another task's call, while the entry was being changed; a
 * range_end whose kind was not recorded; a range_end before the kernel's contract was known.
 */
export type Doubt = "race" | "only_end" | "contract";

export interface DoubtfulCover extends Span {
  readonly why: Doubt;
}

/**
 * The event that the deadline waits for. `return` of the function that changes the entry; the
 * task's `next` event of another kind; its `fork`; the end of its `syscall`; or the end of the
 * very call named by the object.
 */
export type Until = "return" | "next" | "fork" | "syscall" | OpenRange | OpenGather | OpenProtect;

export interface ObligationSpec extends Span {
  readonly mm: string;
  readonly operation: string;
  readonly change: FindingChange;
  /** Nothing is owed if the hardware has this property: the knob that says whether. */
  readonly depends?: "denyRewalk";
  readonly at: RawEvent;
  readonly until: Until;
  readonly old?: Word64 | undefined;
  readonly now?: Word64 | undefined;
  /** Absent: it is sure that an entry changed that could be cached; else what is not recorded. */
  readonly unsure?: string;
  /** The entry changes only between this event and a later one of the task. */
  readonly changing?: boolean;
  /** Pages of a range of which the recording shows that an invalidation is owed. */
  readonly shown?: readonly Span[];
  /** One entry, of which nobody keeps a part: an invalidation that meets it takes all of it. */
  readonly whole?: boolean;
  /** The function may call ptep_set_access_flags, which says the same once more. */
  readonly wrapper?: boolean;
  /** Counts only if nothing else of the same deadline is found: says the same once more. */
  readonly fallback?: boolean;
  /** A call for these pages by the same task, after range_start and before the change. */
  readonly early?: RawEvent | undefined;
}

export class Obligation {
  readonly spec: ObligationSpec;
  readonly space: Space;
  readonly start: number;
  end: number;
  entries = 1;
  /** What the task was in: see Task. */
  readonly during: string | undefined;
  /** Who called the function, as its return says. */
  caller: string | undefined;
  changing: boolean;
  /** Some part of it was invalidated. */
  touched = false;
  /** The function that changed it did call, for pages where nothing was waiting. */
  astray = false;
  /** Its mm lost its notifiers, or it proved to be no change: nothing is owed any more. */
  dissolved = false;
  /** Parts that somebody's call may have covered. */
  readonly doubts: DoubtfulCover[] = [];
  /** Where events had been lost when it was made; see Monitor. */
  readonly epoch: number;
  /** The list with only this in it: neighbouring pages share it, so that the window joins them. */
  readonly alone: readonly Obligation[] = [this];

  constructor(
    spec: ObligationSpec,
    space: Space,
    epoch: number,
    during: string | undefined = undefined,
  ) {
    this.during = during;
    this.spec = spec;
    this.space = space;
    this.start = spec.start;
    this.end = spec.end;
    this.changing = spec.changing === true;
    this.epoch = epoch;
  }

  /** Whether an alike change of the next pages is the same change, on more entries. */
  continues(next: ObligationSpec): boolean {
    const { spec } = this;
    return (
      this.end === next.start &&
      !this.touched &&
      !this.changing &&
      this.doubts.length === 0 &&
      next.changing !== true &&
      spec.until === next.until &&
      spec.until !== "return" &&
      spec.mm === next.mm &&
      spec.operation === next.operation &&
      spec.change === next.change &&
      spec.depends === next.depends &&
      spec.unsure === next.unsure &&
      spec.fallback === next.fallback &&
      spec.early === next.early &&
      spec.shown === undefined &&
      next.shown === undefined
    );
  }
}
