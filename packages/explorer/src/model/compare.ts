// SPDX-License-Identifier: Apache-2.0
// A second configuration beside the first: its verdict, its walk, and a cursor for both.

import { batch, computed, effect, signal } from "@preact/signals";
import type { Problem } from "shootdown";
import type { Besides, Configuration, Seen } from "../engine/engine.ts";
import type { RemoteEngine } from "../engine/protocol.ts";
import { nextDifference, positionsOf, rowOf } from "./rows.ts";
import { Steps } from "./steps.ts";
import type { Verdict } from "./verdict.ts";

export class Compare {
  /** What is compared with; null: nothing. */
  readonly configuration = signal<Configuration | null>(null);
  readonly verdict = signal<Verdict | null>(null);
  readonly problems = signal<readonly Problem[]>([]);
  readonly besides = signal<Besides | null>(null);
  readonly rows = computed(() => positionsOf(this.besides.value?.pairs ?? []));
  readonly row = signal(0);
  readonly seen = signal<{ readonly position: number; readonly seen: Seen } | null>(null);
  /** Rises when steps that were asked for have come. */
  readonly arrived = signal(0);
  /** Whose state and source are shown. */
  readonly side = signal<"main" | "other">("main");
  steps = new Steps(
    0,
    async () => [],
    () => undefined,
  );

  private readonly engine: RemoteEngine;

  constructor(engine: RemoteEngine) {
    this.engine = engine;
    effect(() => void this.look(this.besides.value, this.rows.value[this.row.value]?.other ?? 0));
  }

  /** Rows at which something differs, in their order. */
  readonly differing = computed(() => this.besides.value?.differences.map((d) => d.at + 1) ?? []);

  show(besides: Besides): void {
    const { length } = besides.other;
    this.steps = new Steps(
      length,
      (from, to) => this.engine.steps("other", from, to),
      () => {
        this.arrived.value++;
      },
    );
    batch(() => {
      this.problems.value = besides.problems;
      this.besides.value = besides.main.of ? besides : null;
      this.arrived.value++;
    });
  }

  close(): void {
    batch(() => {
      this.configuration.value = null;
      this.verdict.value = null;
      this.problems.value = [];
      this.besides.value = null;
      this.side.value = "main";
    });
  }

  /** Goes to a row; the position of the first walk there. */
  goto(row: number): number {
    const rows = this.rows.peek();
    this.row.value = Math.max(0, Math.min(row, rows.length - 1));
    return rows[this.row.peek()]!.main;
  }

  /** Shows the other one in the panels, or the first again. */
  turn(): void {
    if (this.besides.peek()) this.side.value = this.side.peek() === "main" ? "other" : "main";
  }

  rowOf(position: number): number {
    return rowOf(this.rows.peek(), "main", position);
  }

  /** The row of the next difference; -1 without one. */
  next(): number {
    return nextDifference(this.differing.peek(), this.row.peek());
  }

  private async look(besides: Besides | null, position: number): Promise<void> {
    if (!besides || position > besides.other.length) return;
    const seen = await this.engine.at("other", position).catch(() => null);
    if (seen && this.besides.peek() === besides) this.seen.value = { position, seen };
  }
}
