// SPDX-License-Identifier: Apache-2.0
// Which descriptors belong to one submission, and when it has completed.
//
// qi_submit_sync puts `count` descriptors and a wait into the queue under the queue's lock, with
// interrupts off, and returns when the wait has completed (drivers/iommu/intel/dmar.c). So what a
// CPU does next is after the completion, whether or not the return is recorded.
import type { Queued, Submission } from "../importers/iommu-record.ts";
import { MAX_NESTED } from "../limits.ts";

interface Open {
  left: number | undefined;
  readonly drains: boolean;
  readonly descriptors: Queued[];
}

/** How a submission ended. */
export interface Completion {
  /** It did not fail: its descriptors have completed. */
  readonly done: boolean;
  /** As many descriptors as it was called with were recorded. */
  readonly whole: boolean;
  /** Its wait waited for the page requests of devices too. */
  readonly drains: boolean;
}

/** What the owner does as submissions go on. */
export interface SubmissionEvents {
  /** The last descriptor of a submission is in the queue: its wait comes behind it. */
  closed(queue: string): void;
  /** A descriptor of which it is not recorded whether a wait comes behind it. */
  unsure(queue: string): void;
  /** The function returned. */
  completed(descriptors: readonly Queued[], how: Completion): void;
}

export class Submissions {
  readonly #events: SubmissionEvents;
  /** By CPU; an interrupt may submit before the lock is taken. */
  readonly #open = new Map<number, Open[]>();
  /** Descriptors outside a recorded submission, by CPU, until the CPU goes on. */
  readonly #loose = new Map<number, Queued[]>();
  /** Descriptors outside any recorded submission. */
  outside = 0;
  /** The function's calls are recorded. */
  probed = false;

  constructor(events: SubmissionEvents) {
    this.#events = events;
  }

  step(record: Submission): void {
    const { cpu } = record.at;
    this.settle(cpu);
    if (record.step === "call") {
      this.probed = true;
      const list = this.#open.get(cpu) ?? [];
      list.push({ left: record.count, drains: record.drains, descriptors: [] });
      if (list.length > MAX_NESTED) list.shift();
      this.#open.set(cpu, list);
      return;
    }
    const open = this.#open.get(cpu)?.pop();
    if (open === undefined) return;
    const whole = open.left === undefined || open.left === 0;
    const queue = open.descriptors[0]?.queue;
    if (queue !== undefined) {
      if (open.left === undefined) this.#events.closed(queue);
      else if (!whole) this.#events.unsure(queue);
    }
    const { done } = record;
    this.#events.completed(open.descriptors, { done, whole, drains: open.drains });
  }

  descriptor(record: Queued): void {
    const { cpu } = record.at;
    const list = this.#open.get(cpu);
    const open = list?.[list.length - 1];
    if (open === undefined || open.left === 0) {
      this.outside++;
      this.#events.unsure(record.queue);
      const loose = this.#loose.get(cpu) ?? [];
      loose.push(record);
      if (loose.length > MAX_NESTED) loose.shift();
      this.#loose.set(cpu, loose);
      return;
    }
    open.descriptors.push(record);
    if (open.descriptors.length > MAX_NESTED) open.descriptors.shift();
    if (open.left === undefined) return;
    open.left--;
    if (open.left === 0) this.#events.closed(record.queue);
  }

  /** The CPU does something else: what it submitted outside a recorded call has completed. */
  settle(cpu: number): void {
    const loose = this.#loose.get(cpu);
    if (loose === undefined || loose.length === 0) return;
    this.#loose.set(cpu, []);
    this.#events.completed(loose, { done: true, whole: true, drains: false });
  }

  lost(): void {
    this.#open.clear();
    this.#loose.clear();
  }
}
