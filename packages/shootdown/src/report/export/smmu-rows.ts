// SPDX-License-Identifier: Apache-2.0
// An SMMU in a timeline: commands from the first to the CMD_SYNC that completes them, and what
// devices ask of its TLB.
import { ALL_PAGES, type SmmuEvent } from "../../trace/importers/smmu.ts";
import { formatPage } from "../../trace/importers/word64.ts";
import type { Lane, Timeline } from "./timeline.ts";

const COMMANDS: Lane = { key: "smmu commands", group: "SMMU", name: "commands", row: "" };

interface Batch {
  readonly line: number;
  readonly from_ns: number;
  /** Names of the commands, and how many of each. */
  readonly counts: Map<string, number>;
  pages: number;
}

export class SmmuRows {
  readonly #out: Timeline;
  #batch: Batch | undefined;
  #last_ns = 0;

  constructor(out: Timeline) {
    this.#out = out;
  }

  event(event: SmmuEvent, at_ns: number): void {
    this.#last_ns = at_ns;
    const { line } = event;
    switch (event.kind) {
      case "command": {
        if (event.op === "SYNC") {
          this.#sync(line, at_ns);
          return;
        }
        this.#batch ??= { line, from_ns: at_ns, counts: new Map(), pages: 0 };
        const { counts } = this.#batch;
        counts.set(event.op, (counts.get(event.op) ?? 0) + 1);
        return;
      }
      case "scope":
        if (this.#batch !== undefined && event.end < ALL_PAGES) {
          this.#batch.pages += event.end - event.start;
        }
        return;
      default: {
        const lane: Lane = {
          ...{ key: `smmu asid ${event.asid}`, group: "devices" },
          ...{ name: "translations", row: `asid ${event.asid}` },
        };
        const details = { line, page: formatPage(event.page) };
        this.#out.instant(lane, { name: `TLB ${event.kind}`, at_ns, details });
      }
    }
  }

  finish(): void {
    if (this.#batch !== undefined) this.#write(this.#batch, "no SYNC", this.#last_ns, 0);
  }

  #sync(line: number, at_ns: number): void {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch !== undefined) this.#write(batch, "SYNC", at_ns, line);
    else this.#out.instant(COMMANDS, { name: "SYNC", at_ns, details: { line } });
  }

  #write({ line, from_ns, counts, pages }: Batch, end: string, to_ns: number, sync: number): void {
    const names = [...counts].map(([op, count]) => (count === 1 ? op : `${op} x ${count}`));
    const name = `${names.join(", ")} .. ${end}`;
    const details = { line, sync_line: sync, pages };
    this.#out.span(COMMANDS, { name, from_ns, to_ns: Math.max(to_ns, from_ns), details });
  }
}
