// SPDX-License-Identifier: Apache-2.0
// What takes its time, one thing after the other: of all that was asked for the last counts.

import { batch, signal } from "@preact/signals";
import { Stopped } from "../engine/protocol.ts";

export class Rounds {
  readonly running = signal(false);
  /** What went wrong, if something did. */
  readonly message = signal("");
  private readonly stop: () => void;
  private round = 0;
  private asking = false;

  /** `stop` ends what is still being worked on. */
  constructor(stop: () => void) {
    this.stop = stop;
  }

  /** Begins something new; the result tells whether that is still what counts. */
  begin(): () => boolean {
    const round = ++this.round;
    return () => round === this.round;
  }

  /** Work that somebody waits for. */
  async work(todo: (isLast: () => boolean) => Promise<void>): Promise<void> {
    const isLast = this.begin();
    if (this.running.peek() || this.asking) this.stop();
    this.asking = false;
    batch(() => {
      this.running.value = true;
      this.message.value = "";
    });
    try {
      await todo(isLast);
    } catch (error) {
      if (isLast()) this.message.value = error instanceof Stopped ? "stopped" : said(error);
    } finally {
      if (isLast()) this.running.value = false;
    }
  }

  /** A question that nobody waits for; null if something else has begun since. */
  async ask<T>(question: () => Promise<T>): Promise<T | null> {
    const { round } = this;
    this.asking = true;
    const answer = await question().catch(() => null);
    if (round !== this.round) return null;
    this.asking = false;
    return answer;
  }
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));
