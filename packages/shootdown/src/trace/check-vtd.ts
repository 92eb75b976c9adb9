// SPDX-License-Identifier: Apache-2.0
// What a recording shows of an Intel IOMMU: the monitor's place beside that of page tables.
import type { TraceSummary } from "./finding.ts";
import type { Unusable } from "./importers/iommu-record.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import { decodeVtd } from "./importers/vtd-events.ts";
import type { IommuFinding } from "./iommu/desk.ts";
import { IommuMonitor } from "./iommu/monitor.ts";
import type { Tally } from "./tally.ts";

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

export function unusable(tally: Tally, { why, at }: Unusable): void {
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
