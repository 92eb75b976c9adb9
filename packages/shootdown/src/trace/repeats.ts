// SPDX-License-Identifier: Apache-2.0
// Lines that stand twice in a recording: the same event of the same CPU, character for character.
import type { RawEvent } from "./importers/raw-event.ts";
import { MAX_QUEUE_DEVICES } from "./limits.ts";

/** What a kernel may do twice within a microsecond, and what does no harm twice. */
const MAY_REPEAT: ReadonlySet<string> = new Set([
  ...["mn_invalidate_secondary", "tlb_flush", "qi_submit", "map", "unmap", "prq_report"],
  ...["tracing_mark_write", "flush_tlb_mm_range", "flush_tlb_mm_range_ret"],
]);

export class Repeats {
  /** The last event of each CPU. */
  readonly #last = new Map<number, RawEvent>();

  /** Whether the CPU's last event is said once more. */
  is(event: RawEvent): boolean {
    const last = this.#last.get(event.cpu);
    if (last !== undefined || this.#last.size < MAX_QUEUE_DEVICES) this.#last.set(event.cpu, event);
    if (last === undefined || last.time_s !== event.time_s || last.pid !== event.pid) return false;
    if (last.event !== event.event || event.form !== "event") return false;
    return !MAY_REPEAT.has(event.event) && last.raw === event.raw && event.time_s > 0;
  }
}
