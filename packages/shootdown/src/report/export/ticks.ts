// SPDX-License-Identifier: Apache-2.0
// Times of a recording as nanoseconds, so that what comes one after the other stays so.
//
// Clocks of recordings count microseconds: a call and its return often have the same time. In a
// lane the second one is a nanosecond later, for spans nest by their times alone.

/** A clock that began this long ago is a wall clock, whose nanoseconds a double does not hold. */
const WALL_CLOCK_S = 1e7;
const NS = 1e9;
/** Lanes of which the last time is kept. */
const MAX_LANES = 4096;

export class Ticks {
  #origin_s: number | undefined;
  readonly #last = new Map<string, number>();

  /** The time of an event of a lane: after that of the one before. */
  next(lane: string, time_s: number): number {
    const at_ns = this.of(time_s);
    const last = this.#last.get(lane);
    // A clock that goes backwards by more is shown as it is.
    const held = last !== undefined && last >= at_ns && last - at_ns < NS / 1e6;
    const next = held ? last + 1 : at_ns;
    if (last !== undefined || this.#last.size < MAX_LANES) this.#last.set(lane, next);
    return next;
  }

  /** The time alone. */
  of(time_s: number): number {
    this.#origin_s ??= time_s >= WALL_CLOCK_S ? Math.floor(time_s) : 0;
    return Math.max(0, Math.round((time_s - this.#origin_s) * NS));
  }
}
