// SPDX-License-Identifier: Apache-2.0
// One descriptor of Intel VT-d's invalidation queue, decoded from its two raw words.
//
//   QW0  63       52 51        32 31     16 15  12 11  9 8  6 5  4 3    0
//       +-----------+------------+---------+------+-----+----+----+------+
//       |           | PASID, SID |   DID   |      | 0   |    |gran| type |   VT-d 6.5.2
//       +-----------+------------+---------+------+-----+----+----+------+
//   QW1  63                                12       6 5       0
//       +------------------------------------+-----+-+---------+
//       |              address               |     |I|  AM, S  |   I: only leaf entries changed
//       +------------------------------------+-----+-+---------+
import { bit, bits, PAGE_BITS, PAGE_LIMIT, pageOf, type Word64 } from "./word64.ts";

/** Kinds by the number in bits 3:0, under the names that the kernel's tracepoint prints. */
export const DESCRIPTOR_NAMES = [
  ...["reserved", "cc_inv", "iotlb_inv", "dev_tlb_inv", "iec_inv", "inv_wait"],
  ...["p_iotlb_inv", "pc_inv", "p_dev_tlb_inv", "page_grp_resp"],
] as const;

export type DescriptorKind =
  | "context"
  | "iotlb"
  | "device"
  | "interrupt"
  | "wait"
  | "pasid_iotlb"
  | "pasid_cache"
  | "pasid_device"
  | "response"
  | "unknown";

const KINDS: readonly DescriptorKind[] = [
  ...(["unknown", "context", "iotlb", "device", "interrupt", "wait"] as const),
  ...(["pasid_iotlb", "pasid_cache", "pasid_device", "response"] as const),
];

/** How much it invalidates; `unknown` is a reserved granularity. */
export type Granularity = "global" | "domain" | "device" | "pasid" | "pages" | "unknown";

export interface QueueDescriptor {
  readonly kind: DescriptorKind;
  /** The number in bits 3:0. */
  readonly type: number;
  readonly granularity: Granularity;
  /** Domain id; of descriptors that have none, 0. */
  readonly did: number;
  /** Requester id of the device (bus, device, function); of those that have none, 0. */
  readonly sid: number;
  /** Of the PASID-based kinds; undefined for the others. */
  readonly pasid: number | undefined;
  /** Pages [start, end) of an address-selective one; all pages otherwise. */
  readonly start: number;
  readonly end: number;
  /** IH of an IOTLB invalidation: entries of upper levels may stay (V5). */
  readonly leaf_only: boolean;
  /** Of a wait: whether later descriptors wait for it (FN). */
  readonly fence: boolean;
  /** Of a wait: whether it waits for the page requests of devices too (PD). */
  readonly drain: boolean;
  /** Of a wait: whether the IOMMU writes a status when it is done (SW). */
  readonly status: boolean;
  /** Of a response: the index of the group of page requests. */
  readonly group: number;
}

const ALL = { start: 0, end: PAGE_LIMIT } as const;

/** Decodes any two words; reserved values give the kind or the granularity `unknown`. */
export function decodeDescriptor(qw0: Word64, qw1: Word64): QueueDescriptor {
  const type = bits(qw0, 3, 0);
  // Bits 11:9 are more of the type, and zero in every one known here.
  const kind = bits(qw0, 11, 9) === 0 ? (KINDS[type] ?? "unknown") : "unknown";
  const did = bits(qw0, 31, 16);
  const none = {
    ...{ kind, type, did: 0, sid: 0, pasid: undefined, ...ALL },
    ...{ leaf_only: false, fence: false, drain: false, status: false, group: 0 },
  };
  const selector = bits(qw0, 5, 4);
  switch (kind) {
    case "context": {
      const granularity = (["unknown", "global", "domain", "device"] as const)[selector]!;
      return { ...none, granularity, did, sid: bits(qw0, 47, 32) };
    }
    case "iotlb": {
      const granularity = (["unknown", "global", "domain", "pages"] as const)[selector]!;
      const span = granularity === "pages" ? masked(qw1) : ALL;
      return { ...none, granularity, did, ...span, leaf_only: bit(qw1, 6) };
    }
    case "device":
    case "pasid_device": {
      const pasid = kind === "device" ? undefined : bits(qw0, 51, 32);
      const sid = kind === "device" ? bits(qw0, 47, 32) : bits(qw0, 31, 16);
      const span = sized(qw1, kind === "device" ? 0 : 11);
      const granularity = span.end - span.start >= EVERYTHING ? "global" : "pages";
      return { ...none, granularity, sid, pasid, ...span };
    }
    case "pasid_iotlb": {
      const granularity = (["unknown", "unknown", "pasid", "pages"] as const)[selector]!;
      const span = granularity === "pages" ? masked(qw1) : ALL;
      const pasid = bits(qw0, 51, 32);
      return { ...none, granularity, did, pasid, ...span, leaf_only: bit(qw1, 6) };
    }
    case "pasid_cache": {
      const granularity = (["domain", "pasid", "unknown", "global"] as const)[selector]!;
      return { ...none, granularity, did, pasid: bits(qw0, 51, 32) };
    }
    case "wait":
      return {
        ...none,
        granularity: "global",
        status: bit(qw0, 5),
        fence: bit(qw0, 6),
        drain: bit(qw0, 7),
      };
    case "response": {
      const pasid = bit(qw0, 4) ? bits(qw0, 51, 32) : 0;
      return {
        ...none,
        granularity: "device",
        sid: bits(qw0, 31, 16),
        pasid,
        group: bits(qw1, 11, 3),
      };
    }
    default:
      return { ...none, granularity: "unknown" };
  }
}

/** From this many pages on a device-TLB invalidation is for everything. */
const EVERYTHING = 2 ** 51;

/** 2^AM pages, aligned. */
function masked(qw1: Word64): { start: number; end: number } {
  return aligned(pageOf(qw1), 2 ** Math.min(bits(qw1, 5, 0), 64 - PAGE_BITS));
}

/** S=0 is one page; S=1 is 2^(n+1) pages for n one-bits from bit 12 up (PCIe ATS, 10.3.1). */
function sized(qw1: Word64, size_bit: number): { start: number; end: number } {
  if (!bit(qw1, size_bit)) return aligned(pageOf(qw1), 1);
  let ones = 0;
  while (ones < 64 - PAGE_BITS && bit(qw1, PAGE_BITS + ones)) ones++;
  return aligned(pageOf(qw1), 2 ** Math.min(ones + 1, 64 - PAGE_BITS));
}

function aligned(page: number, pages: number): { start: number; end: number } {
  const start = page - (page % pages);
  return { start, end: start + pages };
}

/** "01:00.0" of a requester id, as lspci writes it. */
export function formatSid(sid: number): string {
  const bus = Math.floor(sid / 256).toString(16);
  const device = (Math.floor(sid / 8) % 32).toString(16).padStart(2, "0");
  return `${bus.padStart(2, "0")}:${device}.${sid % 8}`;
}
