// SPDX-License-Identifier: Apache-2.0
// Findings and counts of recordings other than events of the kernel.
import type { Finding, FindingClass, Reasons, TraceSummary } from "./finding.ts";
import type { LogDamage } from "./importers/log-lines.ts";
import { MAX_REASONS } from "./limits.ts";

/** What a finding of a stream says; the rest follows from its place. */
export interface StreamFinding {
  readonly class: FindingClass;
  readonly line: number;
  readonly time: number;
  readonly cpu?: number;
  /** Whose translations: "asid 2", "vmid 1". */
  readonly space: string;
  readonly start: string;
  readonly end: string;
  readonly operation: string;
  readonly change?: Finding["change"];
  readonly old?: string;
  readonly new?: string;
  readonly message: string;
  /** The hardware rule that was not kept. */
  readonly rule: string;
  readonly deadline_line?: number;
  readonly deadline_time?: number;
  readonly task?: string;
}

export class StreamReport {
  readonly #onFinding: (finding: Finding) => void;
  readonly #counts: Record<string, Record<string, number>> = {};
  readonly #classes = {
    missing: 0,
    short: 0,
    late: 0,
    order: 0,
    unpaired: 0,
    depends: 0,
    excess: 0,
  };
  readonly #reasons: Record<string, number> = {};
  readonly #evicted: Record<string, number> = {};
  readonly #damage = new Map<string, string>();
  #undecidable = 0;
  changes = 0;
  conforming = 0;

  constructor(onFinding: ((finding: Finding) => void) | undefined) {
    this.#onFinding = onFinding ?? (() => undefined);
  }

  /** One more of a group; names beyond a limit count together. */
  count(group: string, name: string, by = 1): void {
    const counts = (this.#counts[group] ??= {});
    add(counts, name, by);
  }

  /** The largest of a group's values. */
  most(group: string, name: string, value: number): void {
    const counts = (this.#counts[group] ??= {});
    counts[name] = Math.max(counts[name] ?? 0, value);
  }

  set(group: string, name: string, value: number): void {
    (this.#counts[group] ??= {})[name] = value;
  }

  undecided(why: string, count = 1): void {
    this.#undecidable += count;
    add(this.#reasons, why, count);
  }

  evicted(limit: string): void {
    add(this.#evicted, limit, 1);
  }

  damaged({ why, line, column }: LogDamage): void {
    let reason = this.#damage.get(why);
    if (reason === undefined) {
      const at = column === undefined ? "" : `, column ${column}`;
      reason = `${why} (the first time in line ${line}${at})`;
      // Bounded, for every line of a strange input may be wrong in its own way.
      if (this.#damage.size < 2 * MAX_REASONS) this.#damage.set(why, reason);
    }
    this.undecided(reason);
  }

  found(one: StreamFinding): void {
    this.#classes[one.class]++;
    this.#onFinding({
      type: "finding",
      class: one.class,
      line: one.line,
      time: one.time,
      cpu: one.cpu ?? 0,
      mm: one.space,
      start: one.start,
      end: one.end,
      operation: one.operation,
      change: one.change ?? null,
      old: one.old ?? null,
      new: one.new ?? null,
      message: one.message,
      entries: 1,
      deadline_line: one.deadline_line ?? null,
      deadline_time: one.deadline_time ?? null,
      pid: 0,
      task: one.task ?? "",
      rule: one.rule,
    });
  }

  get counts(): Readonly<Record<string, Reasons>> {
    return this.#counts;
  }

  /** What it found, in the fields of a summary that it adds to or makes. */
  get totals() {
    return {
      ...this.#classes,
      undecidable: this.#undecidable,
      undecidable_reasons: this.#reasons,
      evicted: this.#evicted,
      counts: this.#counts,
    };
  }

  summary(of: {
    readonly format: string;
    readonly events: number;
    readonly ignored_lines: number;
    readonly contract: string;
    readonly layout: string;
    readonly machine: string | undefined;
    readonly judged: boolean;
    readonly notes: readonly string[];
  }): TraceSummary {
    return {
      type: "summary",
      format: of.format,
      kernel: "unknown",
      contract: of.contract,
      layout: of.layout,
      machine: of.machine ?? null,
      events: of.events,
      watched_mms: 0,
      changes: this.changes,
      conforming: this.conforming,
      upgrades: 0,
      dirty_upgrades: 0,
      dirty_missing: 0,
      ...this.totals,
      exempt: {},
      not_judged: {},
      ignored_lines: of.ignored_lines,
      malformed: 0,
      lost_places: 0,
      lost_events: 0,
      notes: of.notes,
      judged: of.judged,
    };
  }
}

function add(counts: Record<string, number>, key: string, count: number): void {
  const known = Object.hasOwn(counts, key);
  // A name that every object has is no key of its own; nor is one more than fits.
  const odd = !known && (key in counts || Object.keys(counts).length >= 2 * MAX_REASONS);
  const slot = odd ? "others" : key;
  counts[slot] = (counts[slot] ?? 0) + count;
}
