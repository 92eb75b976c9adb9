// SPDX-License-Identifier: Apache-2.0
// Checks what a recording shows of an Intel IOMMU, in the kernel's events or in QEMU's log.
import type { LogOptions } from "./check-logs.ts";
import type { TraceResult, TraceSummary } from "./finding.ts";
import type { ByteSource } from "./importers/bytes.ts";
import type { Unusable } from "./importers/iommu-record.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import { decodeVtd } from "./importers/vtd-events.ts";
import { readVtdLog } from "./importers/vtd-log.ts";
import type { IommuFinding } from "./iommu/desk.ts";
import { IommuMonitor } from "./iommu/monitor.ts";
import { Tally } from "./tally.ts";

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

/** The IOMMU's monitor, which says what it finds to the tally. */
export function iommuMonitor(tally: Tally, waits_recorded: boolean): IommuMonitor {
  const desk = {
    finds: (finding: IommuFinding) => tally.concerns(finding),
    undecided: (why: string, line: number, count?: number) => tally.damaged(why, line, count),
    evicted: (limit: string) => tally.evicted(limit),
  };
  return new IommuMonitor(desk, waits_recorded);
}

/** An event about an IOMMU, or about the CPUs' own flushes. */
export function concerns(iommu: IommuMonitor, tally: Tally, event: RawEvent): void {
  tally.saw(event);
  const record = decodeVtd(event);
  if (record === undefined) return;
  if (record.kind === "malformed") unusable(tally, record);
  iommu.record(record);
}

function unusable(tally: Tally, { why, at }: Unusable): void {
  tally.malformed++;
  tally.damaged(why, at.line);
}

/** What the IOMMU's monitor adds to a summary. */
export function iommuPart(iommu: IommuMonitor): Partial<TraceSummary> {
  const found = iommu.summary();
  const flushes = iommu.flushes();
  return {
    ...(found === undefined ? {} : { iommu: found, judged: true }),
    ...(Object.keys(flushes).length === 0 ? {} : { cpu_flushes: flushes }),
  };
}

/** What every summary counts. */
export function counts(tally: Tally) {
  return {
    changes: tally.changes,
    conforming: tally.conforming,
    upgrades: tally.upgrades,
    dirty_upgrades: tally.dirty_upgrades,
    dirty_missing: tally.dirty_missing,
    ...tally.classes,
    undecidable: tally.undecidable,
    undecidable_reasons: tally.undecidable_reasons,
    exempt: tally.exempt_reasons,
    not_judged: tally.unjudged_reasons,
    malformed: tally.malformed,
    evicted: tally.evictions,
  };
}
