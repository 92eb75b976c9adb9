// SPDX-License-Identifier: Apache-2.0
// Checks recordings that are no events of the kernel: an SMMU's commands, executed instructions.

import { CasemateMonitor } from "./casemate-monitor.ts";
import { counts, iommuMonitor, iommuPart, unusable } from "./check-vtd.ts";
import type { Finding, TraceResult } from "./finding.ts";
import type { ByteSource } from "./importers/bytes.ts";
import { readCasemate } from "./importers/casemate.ts";
import { readSmmu } from "./importers/smmu.ts";
import { readTlbi } from "./importers/tlbi.ts";
import { readVtdLog } from "./importers/vtd-log.ts";
import type { TraceObserver } from "./observer.ts";
import { SmmuMonitor } from "./smmu-monitor.ts";
import { StreamReport } from "./stream-report.ts";
import { Tally } from "./tally.ts";
import { TlbiMonitor } from "./tlbi-monitor.ts";

export interface LogOptions {
  readonly machine?: string;
  readonly onFinding?: (finding: Finding) => void;
  readonly observe?: TraceObserver;
}

const SMMU_NOTES = [
  "which pages were unmapped, and when, is in the kernel's events map and unmap (iommu): give " +
    "the folder with trace.txt and tlbi.txt of the same run",
  "QEMU's SMMU invalidates as it takes a command: of its own it never keeps an entry too long",
];

export async function checkSmmu(source: ByteSource, options: LogOptions): Promise<TraceResult> {
  const report = new StreamReport(options.onFinding);
  const monitor = new SmmuMonitor(report);
  const read = await readSmmu(source, {
    event: (event) => {
      options.observe?.command?.(event, event.time_s);
      monitor.event(event);
    },
    damaged: (damage) => monitor.damaged(damage),
  });
  if (!read.ok) return read;
  monitor.finish();
  const summary = report.summary({
    format: "QEMU's SMMUv3 trace",
    contract: "SMMUv3 commands: complete at CMD_SYNC (S10, S13), ATC_INV after it (S18)",
    layout: "none",
    machine: options.machine,
    events: monitor.events,
    ignored_lines: read.value.ignored_lines,
    judged: monitor.commands > 0,
    notes: SMMU_NOTES,
  });
  return { ok: true, summary };
}

const TLBI_NOTES = [
  "which entries were changed, and when, is in the kernel's own events: only order and " +
    "completion of the instructions are judged here",
];

export async function checkTlbi(source: ByteSource, options: LogOptions): Promise<TraceResult> {
  const report = new StreamReport(options.onFinding);
  const monitor = new TlbiMonitor(report);
  const read = await readTlbi(source, {
    event: (event) => {
      options.observe?.instruction?.(event, event.time_s);
      monitor.event(event);
    },
    damaged: (damage) => monitor.damaged(damage),
  });
  if (!read.ok) return read;
  monitor.finish();
  const summary = report.summary({
    format: "log of TLB maintenance instructions",
    contract: "arm64: a TLBI is complete at a full DSB of its own CPU (A27), stage 2 first (A9)",
    layout: "none",
    machine: options.machine,
    events: monitor.events,
    ignored_lines: read.value.ignored_lines,
    judged: monitor.tlbis > 0,
    notes: TLBI_NOTES,
  });
  return { ok: true, summary };
}

const CASEMATE_NOTES = [
  "each entry is judged by what its own writer did: locks only where the log says which they are",
];

/** Verdicts of casemate in its own output that are quoted. */
const MAX_VERDICTS = 8;

export async function checkCasemate(source: ByteSource, options: LogOptions): Promise<TraceResult> {
  const report = new StreamReport(options.onFinding);
  const monitor = new CasemateMonitor(report);
  const verdicts: string[] = [];
  const read = await readCasemate(source, {
    step: (step) => monitor.step(step),
    verdict: (text) => {
      if (verdicts.length < MAX_VERDICTS) verdicts.push(`casemate itself said: ${text}`);
    },
    damaged: (damage) => monitor.damaged(damage),
  });
  if (!read.ok) return read;
  monitor.finish();
  if (monitor.steps > 0 && !monitor.rooted) {
    report.undecided("no sysreg-write of ttbr0_el2 or vttbr_el2 names a root of page tables");
  }
  const summary = report.summary({
    format: "casemate",
    contract: "arm64: break-before-make (A17, A18), DSB and TLBI by the writer (A20, A27, A9)",
    layout: "arm64",
    machine: options.machine,
    events: monitor.steps,
    ignored_lines: read.value.ignored_lines,
    judged: monitor.steps > 0,
    notes: [...verdicts, ...CASEMATE_NOTES],
  });
  return { ok: true, summary };
}

const QUEUE_NOTE =
  "the queue alone does not say what was unmapped: that an invalidation is missing is not seen";

/** Judges the log of an emulated IOMMU's queue: what it holds and in which order, no more. */
export async function checkVtdLog(
  source: ByteSource,
  options: LogOptions & { readonly explain?: boolean; readonly kernel?: string },
): Promise<TraceResult> {
  const tally = new Tally(options.onFinding ?? (() => undefined), options.explain === true);
  const iommu = iommuMonitor(tally, true);
  const read = await readVtdLog(source, {
    record(record) {
      options.observe?.queue?.(record);
      tally.saw(record.at);
      if (record.kind === "malformed") unusable(tally, record);
      iommu.record(record);
    },
  });
  if (!read.ok) return read;
  iommu.finish();
  return {
    ok: true,
    summary: {
      ...{ type: "summary", format: read.value.format, kernel: options.kernel ?? "unknown" },
      ...{ contract: "none: the queue of an IOMMU, not the kernel's calls", layout: "none" },
      ...{ machine: options.machine ?? null, events: read.value.events, watched_mms: 0 },
      ...counts(tally),
      ...{ ignored_lines: read.value.ignored_lines, lost_places: 0, lost_events: 0 },
      ...{ notes: [QUEUE_NOTE], ...iommuPart(iommu) },
    },
  };
}
