// SPDX-License-Identifier: Apache-2.0
// Linux's events about Intel VT-d and the DMA API, by name: the kernel's tracepoints and kprobes.
//
// Tracepoints are groups intel_iommu (qi_submit, cache_tag_*, prq_report), iommu (map, unmap) and
// tlb (tlb_flush). Kprobes name their function; where both say the same, the monitor takes one.
import { number } from "./fields.ts";
import type { IommuRecord } from "./iommu-record.ts";
import type { RawEvent } from "./raw-event.ts";
import { DESCRIPTOR_NAMES, decodeDescriptor } from "./vtd-descriptor.ts";
import { PAGE_LIMIT, pageOf, parseWord, sameWord, spanOf, ZERO } from "./word64.ts";

/** What a row makes of an event: a record, or what the event lacks, or nothing. */
type Row = (at: RawEvent) => IommuRecord | string | undefined;

const ROWS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ["qi_submit", qiSubmit],
  ["qi_submit_sync", submission("call")],
  ["qi_submit_sync_ret", submission("return")],
  ["map", stockMapping("map")],
  ["unmap", stockMapping("unmap")],
  ["intel_iommu_map_pages", mapping("map")],
  ["intel_iommu_unmap_pages", mapping("unmap")],
  ["intel_iommu_unmap_pages_ret", (at) => ({ kind: "dma_unmapped", at })],
  ["intel_iommu_tlb_sync", tlbSync],
  ["intel_iommu_tlb_sync_ret", syncEnds("range")],
  ["intel_flush_iotlb_all", flushAll],
  ["intel_flush_iotlb_all_ret", syncEnds("all")],
  ["intel_iommu_iotlb_sync_map", syncMap],
  ["alloc_iova_fast", (at) => iova(at, "alloc", undefined)],
  ["free_iova_fast", (at) => iova(at, "free", "pfn")],
  ["intel_iommu_attach_device", attachment("attach")],
  ["domain_exit", attachment("end")],
  ["cache_tag_assign", cacheTag("assign")],
  ["cache_tag_unassign", cacheTag("unassign")],
  ["pci_enable_ats", (at) => ({ kind: "ats", on: true, at })],
  ["pci_disable_ats", (at) => ({ kind: "ats", on: false, at })],
  ["prq_report", pageRequest],
  ["tlb_flush", tlbFlush],
]);

/** Names of all events that `decodeVtd` knows. */
export const VTD_EVENTS: ReadonlySet<string> = new Set(ROWS.keys());

/** Names of which a recording has at least one if an Intel IOMMU was recorded. */
export const ONLY_VTD: ReadonlySet<string> = new Set(
  [...VTD_EVENTS].filter((name) => /^(?:qi_|intel_|cache_tag_|prq_)/.test(name)),
);

/** The meaning of an event; undefined for one that has no row, or is another's of the name. */
export function decodeVtd(at: RawEvent): IommuRecord | undefined {
  const row = at.form === "event" ? ROWS.get(at.event) : undefined;
  const record = row?.(at);
  if (typeof record !== "string") return record;
  return { kind: "malformed", why: `${at.event} has no usable ${record}`, at };
}

/** "iotlb_inv dmar0: 0x800f2 0xffff4000 0x0 0x0"; 128-bit queues leave the last two unused. */
const SUBMITTED =
  /^(\w+) (\S+): (0x[\da-f]{1,16}) (0x[\da-f]{1,16}) 0x[\da-f]{1,16} 0x[\da-f]{1,16}$/;

function qiSubmit(at: RawEvent): IommuRecord | string {
  const [, type = "", queue = "", first = "", second = ""] =
    SUBMITTED.exec(at.text.trimEnd()) ?? [];
  const qw0 = parseWord(first);
  const qw1 = parseWord(second);
  if (qw0 === undefined || qw1 === undefined) return "words of a descriptor";
  const descriptor = decodeDescriptor(qw0, qw1);
  const named = (DESCRIPTOR_NAMES as readonly string[]).indexOf(type);
  if (named > 0 && named !== descriptor.type) return "type: the name and the words differ";
  return { kind: "descriptor", queue, descriptor, words: `${first} ${second}`, at };
}

function submission(step: "call" | "return"): Row {
  return (at) => {
    const ret = at.word("ret");
    const done = step === "call" || ret === undefined || sameWord(ret, ZERO);
    // QI_OPT_WAIT_DRAIN (drivers/iommu/intel/iommu.h).
    const drains = (number(at, "options") ?? 0) % 2 === 1;
    return { kind: "submission", step, count: number(at, "count"), drains, done, at };
  };
}

/** "IOMMU: iova=0xA - 0xB paddr=0xP size=N" of map; unmap also has what was really unmapped. */
function stockMapping(what: "map" | "unmap"): Row {
  return (at) => {
    const first = at.word("iova");
    const size = at.word(what === "unmap" ? "unmapped_size" : "size") ?? at.word("size");
    if (first === undefined || size === undefined) return "iova and size";
    return { kind: "dma", what, domain: undefined, ...spanOf(first, size), at };
  };
}

function mapping(what: "map" | "unmap"): Row {
  return (at) => {
    const first = at.word("iova");
    const size = number(at, "pgsize");
    const count = number(at, "pgcount");
    const domain = at.arg("domain");
    if (first === undefined || size === undefined || count === undefined || domain === undefined) {
      return "domain, iova, pgsize and pgcount";
    }
    const start = pageOf(first);
    const end = Math.min(PAGE_LIMIT, start + Math.ceil((size * count) / 4096));
    return { kind: "dma", what, domain, start, end, at };
  };
}

/** The end of an iommu_iotlb_gather is inclusive. */
function tlbSync(at: RawEvent): IommuRecord | string {
  const domain = at.arg("domain");
  const first = at.word("start");
  const last = at.word("end");
  if (domain === undefined || first === undefined || last === undefined) {
    return "domain, start and end";
  }
  const queued = number(at, "queued") === 1;
  const span = { start: pageOf(first), end: pageOf(last) + 1 };
  return { kind: "sync", what: "range", step: "call", domain, ...span, queued, at };
}

function flushAll(at: RawEvent): IommuRecord | string {
  const domain = at.arg("domain");
  if (domain === undefined) return "domain";
  const span = { start: 0, end: PAGE_LIMIT };
  return { kind: "sync", what: "all", step: "call", domain, ...span, queued: false, at };
}

function syncMap(at: RawEvent): IommuRecord | string {
  const domain = at.arg("domain");
  const first = at.word("iova");
  const size = at.word("size");
  if (domain === undefined || first === undefined || size === undefined) {
    return "domain, iova and size";
  }
  const span = spanOf(first, size);
  return { kind: "sync", what: "map", step: "call", domain, ...span, queued: false, at };
}

function syncEnds(what: "range" | "all"): Row {
  return (at) => ({
    ...({ kind: "sync", what, step: "return", domain: undefined } as const),
    ...{ start: 0, end: 0, queued: false, at },
  });
}

function iova(at: RawEvent, what: "alloc" | "free", key: string | undefined): IommuRecord | string {
  const allocator = at.arg("iovad");
  const count = number(at, "npages");
  const start = key === undefined ? 0 : number(at, key);
  if (allocator === undefined || count === undefined || start === undefined) {
    return "iovad, pfn and npages";
  }
  return { kind: "iova", what, allocator, start, end: start + count, at };
}

function attachment(what: "attach" | "end"): Row {
  return (at) => {
    const domain = at.arg("domain");
    return domain === undefined ? "domain" : { kind: "attachment", what, domain, at };
  };
}

/** "dmar0/0000:01:00.0 type devtlb did 8 pasid 0 ref 1"; of an IOTLB the device is the IOMMU. */
const TAG = /^([^/\s]+)\/(\S+) type (\w+) did (\d+) pasid (\d+) ref (\d+)/;

function cacheTag(what: "assign" | "unassign"): Row {
  return (at) => {
    const [, queue, name = "", type = "", did, pasid, users] = TAG.exec(at.text) ?? [];
    if (queue === undefined || did === undefined) return "type, did and ref";
    const cache = type.includes("devtlb") ? "device" : "iotlb";
    const sid = cache === "device" ? sidOf(name) : undefined;
    const ids = { did: Number(did), pasid: Number(pasid), users: Number(users) };
    return { kind: "tag", what, cache, queue, sid, ...ids, at };
  };
}

/** The requester id of "0000:01:00.0". */
function sidOf(name: string): number | undefined {
  const [, bus, device, of] = /([\da-f]{2}):([\da-f]{2})\.([0-7])$/.exec(name) ?? [];
  if (bus === undefined || device === undefined) return undefined;
  return parseInt(bus, 16) * 256 + parseInt(device, 16) * 8 + Number(of);
}

/** "dmar0/0000:01:00.0 seq# 1: rid=0x100 addr=0x7f1234 rw--l pasid=0x1 index=0x3". */
const HEX = "0x([\\da-f]+)";
const REQUEST = new RegExp(
  `^([^/\\s]+)/\\S+ seq# -?\\d+: rid=${HEX} addr=${HEX} ([r-][w-])\\S{2}([l-]) ` +
    `pasid=${HEX} index=${HEX}`,
);

function pageRequest(at: RawEvent): IommuRecord {
  const [, queue, rid, , access, l, pasid, index] = REQUEST.exec(at.text) ?? [];
  const hex = (text: string | undefined) => parseInt(text ?? "", 16);
  // A stop marker is the last of nothing and is not answered (P16).
  const last = l === "l" && access !== "--";
  const from =
    queue === undefined
      ? undefined
      : { queue, sid: hex(rid), pasid: hex(pasid), group: hex(index), last };
  return { kind: "page_request", from, at };
}

/** "pages:-1 reason:flush on task switch (0)"; arm64 has a probe of another function so named. */
const FLUSH = /^pages:(-?\d{1,15}) reason:(.*) \(\d+\)$/;

function tlbFlush(at: RawEvent): IommuRecord | string | undefined {
  if (at.arg("tlb") !== undefined) return undefined;
  const [, pages, reason] = FLUSH.exec(at.text.trimEnd()) ?? [];
  if (pages === undefined || reason === undefined) return "pages and reason";
  const count = Number(pages);
  return { kind: "tlb_flush", pages: count < 0 ? undefined : count, reason, at };
}
