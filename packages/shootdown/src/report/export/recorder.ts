// SPDX-License-Identifier: Apache-2.0
// Makes a timeline of what a recording shows: operations of tasks as spans, everything else as
// instants, findings with an arrow from the change to the moment at which the kernel relied on it.
//
//   CPU 0 / mmsteps-256   [ page fault [ ptep_set_access_flags o ] ]
//                                                              \
//   findings / missing                                          '-> x
import type { Finding } from "../../trace/finding.ts";
import type { IommuRecord } from "../../trace/importers/iommu-record.ts";
import { PROBE_EVENTS } from "../../trace/importers/kprobes.ts";
import type { RawEvent } from "../../trace/importers/raw-event.ts";
import type { SmmuEvent } from "../../trace/importers/smmu.ts";
import type { TlbiEvent } from "../../trace/importers/tlbi.ts";
import { VTD_EVENTS } from "../../trace/importers/vtd-events.ts";
import { formatPage } from "../../trace/importers/word64.ts";
import type { Invalidation, TraceObserver } from "../../trace/observer.ts";
import { ruleText } from "../../trace/rules.ts";
import { shortSentence } from "../trace-finding.ts";
import { SmmuRows } from "./smmu-rows.ts";
import { laneOfTask, TaskRows } from "./task-rows.ts";
import { Ticks } from "./ticks.ts";
import type { Details, Lane, Timeline } from "./timeline.ts";

/** Findings of a log that is shown later, until its line comes. */
const MAX_WAITING = 4096;
/** A change lies behind the entry of its function, whose clock counts microseconds. */
const BEHIND_ENTRY_NS = 500;

const FINDINGS = "findings";

export class TimelineRecorder implements TraceObserver {
  readonly wanted: readonly string[];
  readonly #out: Timeline;
  readonly #ticks = new Ticks();
  readonly #tasks: TaskRows;
  readonly #smmu: SmmuRows;
  readonly #waiting = new Map<string, { readonly finding: Finding; readonly id: number }[]>();
  #waits = 0;
  #flows = 0;
  #last_command_s = 0;
  #last_ns = 0;

  constructor(out: Timeline) {
    this.#out = out;
    this.#tasks = new TaskRows(out);
    this.#smmu = new SmmuRows(out);
    this.wanted = [...PROBE_EVENTS, ...VTD_EVENTS].filter((name) => !/^(?:cb|stlb)_/.test(name));
  }

  event(event: RawEvent): void {
    this.#tasks.event(event, this.#now(event));
  }

  invalidation({ mm, start, end, at, by, operation }: Invalidation): void {
    const name = by === "call" ? "secondary TLB invalidated" : "secondary TLB, by range_end";
    const details = { line: at.line, start: formatPage(start), end: formatPage(end), operation };
    const at_ns = this.#ticks.of(at.time_s);
    this.#out.instant(laneOfSpace(mm, "invalidations"), { name, at_ns, details });
  }

  command(event: SmmuEvent, time_s: number): void {
    this.#last_command_s = time_s;
    this.#smmu.event(event, this.#ticks.next("smmu", time_s));
  }

  instruction(event: TlbiEvent, time_s: number): void {
    const at_ns = this.#ticks.next(`tlbi ${event.cpu}`, time_s);
    if (event.kind === "start") return;
    const { line, cpu } = event;
    const details: Details =
      event.kind === "mark"
        ? { line }
        : { line, in: event.kind === "call" ? event.from : event.func };
    this.#out.instant(laneOfInstructions(cpu), { name: nameOf(event), at_ns, details });
    this.#settle(line, at_ns);
  }

  queue(record: IommuRecord): void {
    const { at } = record;
    const at_ns = this.#now(at);
    const details = { line: at.line };
    if (record.kind === "descriptor") {
      const { kind, granularity, did, start, end } = record.descriptor;
      const more = { did, granularity, start: formatPage(start), end: formatPage(end) };
      const name = kind === "wait" ? "wait" : `${kind} ${granularity}`;
      this.#out.instant(laneOfQueue(record.queue), {
        name,
        at_ns,
        details: { ...details, ...more },
      });
    } else this.#out.instant(laneOfQueue("queue"), { name: record.kind, at_ns, details });
  }

  finding(finding: Finding): void {
    const id = ++this.#flows;
    const { source, line } = finding;
    const log = source !== undefined && /tlbi/.test(finding.operation.toLowerCase());
    if (log && this.#waits < MAX_WAITING) {
      const list = this.#waiting.get(`${line}`) ?? [];
      list.push({ finding, id });
      this.#waiting.set(`${line}`, list);
      this.#waits++;
      return;
    }
    // The clock of another recording is not that of the kernel's events.
    const cause_s = source === undefined ? finding.time : this.#last_command_s;
    const until_s = source === undefined ? (finding.deadline_time ?? finding.time) : cause_s;
    this.#found(finding, id, this.#ticks.of(cause_s), this.#ticks.of(until_s));
  }

  /** The end of the recording: what is still open ends here. */
  finish(): void {
    for (const list of this.#waiting.values()) {
      for (const { finding, id } of list) this.#found(finding, id, this.#last_ns, this.#last_ns);
    }
    this.#tasks.finish();
    this.#smmu.finish();
    this.#out.finish();
  }

  #now(event: RawEvent): number {
    const at_ns = this.#ticks.next(`cpu ${event.cpu}`, event.time_s);
    this.#last_ns = Math.max(this.#last_ns, at_ns);
    return at_ns;
  }

  #settle(line: number, at_ns: number): void {
    const list = this.#waiting.get(`${line}`);
    if (list === undefined) return;
    this.#waiting.delete(`${line}`);
    for (const { finding, id } of list) {
      const later_s = (finding.deadline_time ?? finding.time) - finding.time;
      this.#found(finding, id, at_ns, at_ns + Math.max(0, Math.round(later_s * 1e9)));
    }
  }

  #found(finding: Finding, id: number, cause_ns: number, at_ns: number): void {
    const { stack, line, rule } = finding;
    const details = detailsOf(finding);
    this.#out.instant(laneOfCause(finding), {
      name: finding.change === null ? finding.class : `change: ${finding.change}`,
      at_ns: cause_ns + BEHIND_ENTRY_NS,
      details: { line, rule },
      flow: { id, end: "from" },
      ...(stack === undefined ? {} : { stack }),
    });
    this.#out.instant(laneOfFindings(finding.class), {
      name: `${finding.class}: ${shortSentence(finding)}`,
      // Behind its cause even where both are of the same moment.
      at_ns: Math.max(at_ns, cause_ns) + 2 * BEHIND_ENTRY_NS,
      details,
      flow: { id, end: "to" },
      ...(stack === undefined ? {} : { stack }),
    });
  }
}

function detailsOf(finding: Finding): Details {
  const { line, old, new: now, mm, start, end, operation, message, rule } = finding;
  const { deadline_line, during, caller, domain, device, task, pid, entries } = finding;
  const optional = Object.entries({
    mm,
    old,
    new: now,
    deadline_line,
    during,
    caller,
    domain,
    device,
  })
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => [name, value as string | number] as const);
  return {
    line,
    ...Object.fromEntries(optional),
    ...{ start, end, operation, message, entries, task: `${task}-${pid}` },
    rule: `${rule}: ${ruleText(rule) ?? ""}`,
  };
}

function nameOf(event: Exclude<TlbiEvent, { readonly kind: "start" }>): string {
  switch (event.kind) {
    case "tlbi":
      return `TLBI ${event.op}`;
    case "dsb":
      return `DSB ${event.type}`;
    case "call":
      return event.func;
    case "mark":
      return `mark ${event.number}`;
  }
}

const laneOfFindings = (found: string): Lane => ({
  ...{ key: `finding ${found}`, group: FINDINGS, name: found, row: "" },
});

const laneOfInstructions = (cpu: number): Lane => ({
  ...{ key: `tlbi ${cpu}`, group: "CPUs", name: `CPU ${cpu}`, row: "instructions" },
});

const laneOfQueue = (name: string): Lane => ({
  ...{ key: `queue ${name}`, group: "IOMMU", name, row: "descriptors" },
});

const laneOfSpace = (mm: string, row: string): Lane => ({
  ...{ key: `mm ${mm} ${row}`, group: "address spaces", name: `mm ${mm}`, row },
});

/** Where the change was made. */
function laneOfCause({ pid, task, cpu, mm, operation }: Finding): Lane {
  if (operation.startsWith("TLBI ")) return laneOfInstructions(cpu);
  if (/^(?:CMD_|smmu)/.test(operation)) {
    return { key: "smmu commands", group: "SMMU", name: "commands", row: "" };
  }
  if (task === "" && pid === 0) {
    return { key: `space ${mm}`, group: "address spaces", name: mm ?? "unknown", row: "" };
  }
  return laneOfTask(cpu, pid, task);
}
