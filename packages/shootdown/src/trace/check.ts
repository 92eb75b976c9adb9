// SPDX-License-Identifier: Apache-2.0
// Checks a recording: the importer's events through the monitor, in one pass and bounded memory.
import { CENSUS_EVENTS, Census } from "./census.ts";
import { concerns, counts, iommuMonitor, iommuPart } from "./check-vtd.ts";
import type { Finding, TraceResult, TraceSummary } from "./finding.ts";
import { readBpftrace, readBpftraceJson } from "./importers/bpftrace.ts";
import type { ByteSource } from "./importers/bytes.ts";
import { type FormatName, peek, recognise, unknownFormat } from "./importers/formats.ts";
import { type FtraceSummary, readFtrace } from "./importers/ftrace.ts";
import { PROBE_EVENTS } from "./importers/kprobes.ts";
import { readPerfScript } from "./importers/perf.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import { Shelf } from "./importers/scan/shelf.ts";
import { VTD_EVENTS } from "./importers/vtd-events.ts";
import type { IommuMonitor } from "./iommu/monitor.ts";
import { Monitor, type MonitorOptions } from "./monitor.ts";
import type { TraceObserver } from "./observer.ts";
import { OTHER_CALLS, SPACE_CALLS } from "./record/tracepoints.ts";
import { StreamReport } from "./stream-report.ts";
import { WHY } from "./tally.ts";

export interface TraceOptions extends MonitorOptions {
  readonly onFinding?: (finding: Finding) => void;
  /** Looks on; what it sees changes no verdict. */
  readonly observe?: TraceObserver;
  /** `javascript` reads without WebAssembly; the results are the same. */
  readonly engine?: "auto" | "javascript";
}

/** System calls whose entry and exit tell where a task's operation ends. */
const SYSCALLS = [...SPACE_CALLS, ...OTHER_CALLS];

/** Ground truth, and callbacks as their users saw them: no verdict uses them. */
const isUnused = (name: string): boolean => name.startsWith("cb_") || name.startsWith("stlb_");

/** CPU flushes: shown with a finding, otherwise not looked at. */
const ONLY_SHOWN = new Set([
  ...["try_to_unmap_flush", "flush_tlb_batched_pending", "arch_tlbbatch_flush"],
  ...["flush_tlb_mm_range", "flush_tlb_mm_range_ret"],
]);

/** What the monitor reads; other events cost no decoding. */
export function wanted(explain: boolean): ReadonlySet<string> {
  const probes = [...PROBE_EVENTS].filter((name) => !isUnused(name));
  return new Set([
    ...probes.filter((name) => explain || !ONLY_SHOWN.has(name)),
    ...VTD_EVENTS,
    ...SYSCALLS.map((name) => `sys_${name}`),
  ]);
}

/** What is judged, the names that an observer wants, and the options with the observer told. */
export function watched(options: TraceOptions): {
  readonly judged: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
  readonly options: TraceOptions;
} {
  const { observe, onFinding, onInvalidate } = options;
  const judged = wanted(options.explain === true || observe !== undefined);
  const names = new Set([...judged, ...CENSUS_EVENTS]);
  if (observe === undefined) return { judged, names, options };
  return {
    judged,
    names: new Set([...names, ...(observe.wanted ?? [])]),
    options: {
      ...options,
      onFinding(finding) {
        observe.finding?.(finding);
        onFinding?.(finding);
      },
      onInvalidate(invalidation) {
        observe.invalidation?.(invalidation);
        onInvalidate?.(invalidation);
      },
    },
  };
}

type LogFormat = "smmu" | "tlbi" | "casemate" | "vtd";
export type EventFormat = Exclude<FormatName, LogFormat>;

/** Readers of the kernel's own events. */
export const EVENTS: Readonly<Record<EventFormat, typeof readPerfScript>> = {
  ftrace: readFtrace,
  perf: readPerfScript,
  bpftrace: readBpftrace,
  "bpftrace-json": readBpftraceJson,
};

const NOTES = [
  "a CPU that sets the dirty bit by itself leaves no event: such changes are not seen",
  "who may execute a page is not modelled: changes of that alone are not judged",
];
const RECORD_NOTE = "`shootdown record` prints a script that sets the probes which are missing";
const X86_NOTE =
  "x86: an upgrade at fault time calls nobody; whether an IOMMU that kept the old entry walks " +
  "again when it denies is not known (V10): --set denyRewalk=yes or no decides";

/**
 * Checks a recording; findings are handed out as they are decided, not in the order of lines.
 *
 * @returns the summary; or, as a value, why the input cannot be read, with the position. Rejects
 *     only with what the source or `onFinding` throw.
 */
export async function checkTrace(
  input: ByteSource,
  asked: TraceOptions = {},
): Promise<TraceResult> {
  const { judged, names, options } = watched(asked);
  const { observe } = options;
  const { head, source } = await peek(input);
  const format = recognise(head);
  if (format === undefined) return { ok: false, error: unknownFormat(head) };
  if (!(format in EVENTS)) return checkLog(format as LogFormat, source, options);
  const monitor = new Monitor(options);
  const iommu = iommuMonitor(monitor.tally, false);
  const shelf = new Shelf(VTD_EVENTS, {
    event: (event) => concerns(iommu, monitor.tally, event),
    lost: () => iommu.lost(),
    fell: (fallen) => iommu.fell(fallen),
    flushed: (reason, count) => iommu.flushed(reason, count),
  });
  // Lines that somebody looks at have to be decoded.
  if (options.explain === true || observe !== undefined) shelf.release();
  const report = new StreamReport(undefined);
  const census = new Census(report);
  const read = await EVENTS[format as EventFormat](
    source,
    {
      event(event) {
        observe?.event?.(event);
        census.event(event);
        if (judged.has(event.event)) feed(monitor, iommu, event);
      },
      lost(lost) {
        monitor.lost(lost);
        if (lost.why === "overwritten") return;
        shelf.lost();
        census.lost();
      },
      damaged(damage) {
        monitor.damaged(damage);
        if (damage.event) shelf.lost();
      },
    },
    { wanted: names, shelf, engine: options.engine ?? "auto" },
  );
  if (!read.ok) return read;
  monitor.finish();
  iommu.finish();
  const summary = summaryOf(monitor, iommu, read.value, options.machine);
  const { counts: counted } = report;
  if (Object.keys(counted).length === 0) return { ok: true, summary };
  return { ok: true, summary: { ...summary, counts: counted } };
}

/** What is no events of the kernel has monitors of its own, loaded when there is one. */
async function checkLog(
  format: LogFormat,
  source: ByteSource,
  options: TraceOptions,
): Promise<TraceResult> {
  const logs = await import("./check-logs.ts");
  if (format === "smmu") return logs.checkSmmu(source, options);
  if (format === "tlbi") return logs.checkTlbi(source, options);
  if (format === "vtd") return logs.checkVtdLog(source, options);
  return logs.checkCasemate(source, options);
}

/** The next event, to whom it concerns. */
export function feed(monitor: Monitor, iommu: IommuMonitor, event: RawEvent): void {
  const other = VTD_EVENTS.has(event.event);
  if (other) concerns(iommu, monitor.tally, event);
  // A probe of another function has the name of the CPU's tracepoint.
  const probe = event.event === "tlb_flush" && event.arg("tlb") !== undefined;
  if (!other || probe) monitor.event(event);
}

export function summaryOf(
  monitor: Monitor,
  iommu: IommuMonitor,
  read: FtraceSummary,
  machine: string | undefined,
): TraceSummary {
  const { tally, contract, spaces } = monitor;
  const layout = contract.layout ?? "unknown";
  return {
    type: "summary",
    format: read.format,
    kernel: contract.kernel,
    contract: contract.text,
    layout,
    machine: machine ?? null,
    events: read.events,
    watched_mms: spaces.count,
    ...counts(tally),
    ignored_lines: read.ignored_lines,
    lost_places: read.lost_places,
    lost_events: read.lost_events,
    notes: [
      ...(incomplete(monitor) ? [RECORD_NOTE] : []),
      ...(layout === "x86" ? [X86_NOTE, ...NOTES] : NOTES),
    ],
    ...iommuPart(iommu),
  };
}

/** Whether something was not told that a probe of the recorder tells. */
const incomplete = ({ tally }: Monitor): boolean =>
  [WHY.only_end, WHY.contract, WHY.unprobed, WHY.no_return, WHY.no_range_start, WHY.no_old].some(
    (why) => Object.hasOwn(tally.undecidable_reasons, why),
  );
