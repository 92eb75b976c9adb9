// SPDX-License-Identifier: Apache-2.0
// A second recording of the same events, with stacks: gives each event of the first one its stack.
//
//   trace.txt    51.407695 ptep_set_access_flags: ... addr=0xffff8cab1000
//   stacks.txt   51.407701 ptep_set_access_flags: ... addr=0xffff8cab1000
//                 => ptep_set_access_flags  => wp_page_reuse  => do_wp_page ...
import type { ByteSource } from "./importers/bytes.ts";
import { readFtrace } from "./importers/ftrace.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import { Pulled } from "./pulled.ts";

/** The same event is written to both recordings one after the other. */
const APART_S = 0.05;
/** Events that are kept to be joined. */
const MAX_WAITING = 4096;

export class Stacks {
  readonly #stream: Pulled<RawEvent>;
  readonly #waiting = new Map<string, RawEvent[]>();
  readonly #names = new Set<string>();
  #order: RawEvent[] = [];

  constructor(source: ByteSource) {
    this.#stream = new Pulled((put, chunk) => readFtrace(source, { event: put, chunk }));
  }

  /** Adds the frames of the same event of the other recording, if it is there. */
  async join(event: RawEvent): Promise<void> {
    await this.#until(event.time_s + APART_S);
    if (!this.#names.has(event.event)) return;
    const key = keyOf(event);
    const found = this.#waiting.get(key)?.shift();
    if (this.#waiting.get(key)?.length === 0) this.#waiting.delete(key);
    for (const frame of found?.stack ?? []) event.addFrame(frame);
  }

  async #until(time_s: number): Promise<void> {
    for (;;) {
      const next = await this.#stream.peek();
      if (next === undefined || next.time_s > time_s) return;
      this.#stream.take();
      this.#names.add(next.event);
      const key = keyOf(next);
      const list = this.#waiting.get(key);
      if (list === undefined) this.#waiting.set(key, [next]);
      else list.push(next);
      this.#order.push(next);
      if (this.#order.length > MAX_WAITING) this.#forget();
    }
  }

  #forget(): void {
    const old = this.#order.slice(0, MAX_WAITING / 2);
    this.#order = this.#order.slice(MAX_WAITING / 2);
    for (const event of old) {
      const key = keyOf(event);
      const list = this.#waiting.get(key)?.filter((one) => one !== event) ?? [];
      if (list.length === 0) this.#waiting.delete(key);
      else this.#waiting.set(key, list);
    }
  }
}

const keyOf = (event: RawEvent): string => `${event.pid} ${event.event} ${event.text}`;
