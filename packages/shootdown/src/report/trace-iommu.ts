// SPDX-License-Identifier: Apache-2.0
// What a recording shows of an IOMMU's queue and of the DMA API, as lines of at most 74 columns.
import type { FlushCount, IommuSummary } from "../trace/iommu/monitor.ts";
import type { Spread } from "../trace/iommu/times.ts";

const LABEL_WIDTH = 24;
const COUNT_WIDTH = 8;

/** Kinds of descriptors in the order of the page, and how it calls them. */
const KINDS: readonly (readonly [string, string])[] = [
  ["context_global", "context cache, all"],
  ["context_domain", "context cache, domain"],
  ["context_device", "context cache, device"],
  ["pasid_cache_global", "PASID cache, all"],
  ["pasid_cache_domain", "PASID cache, domain"],
  ["pasid_cache_pasid", "PASID cache, one"],
  ["iotlb_global", "IOTLB, all"],
  ["iotlb_domain", "IOTLB, domain"],
  ["iotlb_pages", "IOTLB, pages"],
  ["pasid_iotlb_pasid", "IOTLB of a PASID, all"],
  ["pasid_iotlb_pages", "IOTLB of a PASID, pages"],
  ["device_pages", "device TLB, pages"],
  ["device_global", "device TLB, everything"],
  ["pasid_device_pages", "device TLB of a PASID"],
  ["pasid_device_global", "device TLB of a PASID, all"],
  ["interrupt", "interrupt entry cache"],
  ["response", "page group response"],
  ["wait", "wait"],
  ["unknown", "of unknown type"],
];

export function iommuLines(s: IommuSummary): string[] {
  const kinds = KINDS.filter(([kind]) => s.descriptors[kind] !== undefined);
  const total = Object.values(s.descriptors).reduce((sum, count) => sum + count, 0);
  return [
    "",
    row("IOMMU descriptors", total, "in the invalidation queue"),
    ...kinds.map(([kind, title]) => row(`  ${title}`, s.descriptors[kind] ?? 0, "")),
    ...(s.waits_by === "qi_submit_sync"
      ? [row("  waits, not traced", s.waits, "one for each qi_submit_sync recorded")]
      : []),
    ...betweenLines(s),
    ...(s.unmaps === 0 ? [] : dmaLines(s)),
    ...(s.domain_ids_reused === 0
      ? []
      : [
          row(
            "domain ids used again",
            s.domain_ids_reused,
            `${s.domain_ids_flushed} flushed first`,
          ),
        ]),
    ...(s.pasids_reused === 0
      ? []
      : [row("PASIDs used again", s.pasids_reused, `${s.pasids_clean} with nothing left of them`)]),
    ...(s.page_requests === 0 ? [] : [row("page requests", s.page_requests, "of devices")]),
  ].map((line) => line.trimEnd());
}

/** The waits between the IOTLB's and the device's invalidation, and what they are judged by. */
function betweenLines({ waits_between: b }: IommuSummary): string[] {
  const rows: readonly (readonly [string, number, string])[] = [
    ["  no wait between", b.none, "in order by VT-d's queue itself (V2)"],
    ["  one wait between", b.one, "the IOTLB's invalidation was waited for"],
    ["  more waits between", b.more, "the same, and others' submissions"],
    ["  waits not recorded", b.unknown, "in order by VT-d's queue itself (V2)"],
    ["  without the IOTLB", b.alone, "none for these pages in front"],
  ];
  const sum = rows.reduce((all, [, count]) => all + count, 0);
  if (sum === 0) return [];
  return [
    row("device TLB after IOTLB", sum, "device-TLB invalidations"),
    ...rows.filter(([, count]) => count > 0).map(([label, count, text]) => row(label, count, text)),
  ];
}

function dmaLines(s: IommuSummary): string[] {
  const { range, all, other } = s.closed_by;
  const { asked, iotlb, device } = s.range_pages;
  return [
    row("DMA pages unmapped", s.unmapped_pages, `by ${s.unmaps} calls`),
    ...some("  strict", range, "invalidated by a call for their range"),
    ...some("  lazy", all, "invalidated with their whole domain"),
    ...some("  otherwise", other, "by descriptors outside a recorded call"),
    row("  in time", s.conforming_pages, "pages, before they could be used again"),
    ...some("  used again early", s.reused_early, "times, before the invalidation"),
    row("  at one time", s.most_waiting, "pages unmapped, still usable, at most"),
    ...usable(s),
    ...(asked === 0
      ? []
      : [
          row("  asked by range", asked, "pages"),
          row("    IOTLB", iotlb, over(iotlb, asked)),
          row("    device TLB", device, "pages, of devices that have one"),
        ]),
  ];
}

function usable({ after_unmap: after, times_rounded }: IommuSummary): string[] {
  const rows: readonly (readonly [string, Spread | null])[] = [
    ["  IOTLB", after.iotlb],
    ["  device TLB", after.device],
    ["  to the descriptor", after.submitted],
  ];
  const shown = rows.flatMap(([label, spread]) => {
    if (spread === null) return [];
    const ms = [spread.median_ms, spread.p95_ms, spread.longest_ms].map((one) => one.toFixed(3));
    return [row(label, spread.pages, `pages, ${ms.join(" / ")}`)];
  });
  if (shown.length === 0) return [];
  const how = times_rounded ? ", rounded" : "";
  return [`usable after unmap, ms      median / 95 % / longest${how}`, ...shown];
}

/** CPU flushes by reason. */
export function flushLines(flushes: Readonly<Record<string, FlushCount>>): string[] {
  const all = Object.entries(flushes);
  const total = all.reduce((sum, [, { flushes: count }]) => sum + count, 0);
  return [
    "",
    row("CPU TLB flushes", total, "by tlb_flush"),
    ...all.map(([why, count]) => row(`  ${why}`, count.flushes, `${count.all} of everything`)),
  ];
}

function over(pages: number, asked: number): string {
  const more = Math.round((100 * (pages - asked)) / asked);
  return more <= 0 ? "pages" : `${more} % more than asked (powers of two)`;
}

function some(label: string, count: number, text: string): string[] {
  return count === 0 ? [] : [row(label, count, text)];
}

function row(label: string, count: number, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${String(count).padStart(COUNT_WIDTH)}   ${text}`;
}
