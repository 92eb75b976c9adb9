// SPDX-License-Identifier: Apache-2.0
// What recorded events of an IOMMU mean: the records that importers make and monitors read.
//
// They know no format and, but for a descriptor's kind, no IOMMU. Addresses are page numbers of the
// device's space, ends are exclusive. A domain is whatever names it in the recording (the text of
// a pointer). Every record keeps its event, which has the line, the time, the CPU and the task.
import type { RawEvent } from "./raw-event.ts";
import type { QueueDescriptor } from "./vtd-descriptor.ts";

interface Recorded {
  readonly at: RawEvent;
}

/** A descriptor in the invalidation queue; the records of one queue are in the queue's order. */
export interface Queued extends Recorded {
  readonly kind: "descriptor";
  /** The IOMMU whose queue it is: "dmar0". */
  readonly queue: string;
  readonly descriptor: QueueDescriptor;
  /** Two words as text, to compare with another recording of the same queue. */
  readonly words: string;
}

/** The IOMMU wrote the status of a wait descriptor: all before it has completed. */
export interface Waited extends Recorded {
  readonly kind: "waited";
}

/** The driver rang the bell: the queue is read up to here. */
export interface Rung extends Recorded {
  readonly kind: "rung";
}

/** Entry and return of the function that submits descriptors and waits for their completion. */
export interface Submission extends Recorded {
  readonly kind: "submission";
  readonly step: "call" | "return";
  /** Descriptors that it will submit, the wait left out. */
  readonly count: number | undefined;
  /** Its wait drains the page requests of devices too (PD, V2). */
  readonly drains: boolean;
  /** Whether it succeeded; false of a return with an error. */
  readonly done: boolean;
}

/** A mapping made for devices, or taken from them. */
export interface DmaMapping extends Recorded {
  readonly kind: "dma";
  readonly what: "map" | "unmap";
  /** Undefined where the event does not say. */
  readonly domain: string | undefined;
  readonly start: number;
  readonly end: number;
}

/** Return of the function that takes mappings away: from here on no walk finds them. */
export interface DmaUnmapped extends Recorded {
  readonly kind: "dma_unmapped";
}

/** Entry or return of a function that invalidates what was unmapped, or mapped. */
export interface DmaSync extends Recorded {
  readonly kind: "sync";
  readonly what: "range" | "all" | "map";
  readonly step: "call" | "return";
  readonly domain: string | undefined;
  readonly start: number;
  readonly end: number;
  /** It will be done later, by a flush of all. */
  readonly queued: boolean;
}

/** An address range is handed out to a user of a domain, or may be from now on. */
export interface IovaRange extends Recorded {
  readonly kind: "iova";
  readonly what: "alloc" | "free";
  /** The allocator, one for each domain. */
  readonly allocator: string;
  readonly start: number;
  readonly end: number;
}

/** A device gets a domain, or loses it; a domain ends. */
export interface Attachment extends Recorded {
  readonly kind: "attachment";
  readonly what: "attach" | "end";
  readonly domain: string;
}

/** What has to be invalidated for a domain: the IOTLB of an IOMMU, or the TLB of a device. */
export interface CacheTag extends Recorded {
  readonly kind: "tag";
  readonly what: "assign" | "unassign";
  readonly cache: "iotlb" | "device";
  /** The IOMMU. */
  readonly queue: string;
  /** Requester id of a device; undefined for an IOTLB. */
  readonly sid: number | undefined;
  readonly did: number;
  /** 0 for requests without PASID. */
  readonly pasid: number;
  /** How many hold it; 1 is the first, or the last. */
  readonly users: number;
}

/** ATS of some device is switched on, or off. */
export interface Ats extends Recorded {
  readonly kind: "ats";
  readonly on: boolean;
}

/** A CPU's own flush: how many pages (undefined: all), and why. */
export interface TlbFlush extends Recorded {
  readonly kind: "tlb_flush";
  readonly pages: number | undefined;
  readonly reason: string;
}

/** Whose page request it is, or whose is answered. */
export interface RequestSource {
  readonly queue: string;
  readonly sid: number;
  readonly pasid: number;
  /** The group's index. */
  readonly group: number;
  /** The last of its group, which is answered. */
  readonly last: boolean;
}

/** A page request of a device. */
export interface PageRequest extends Recorded {
  readonly kind: "page_request";
  /** Undefined where the event does not say whose it is. */
  readonly from: RequestSource | undefined;
}

/** A known event that lacks what it must have. */
export interface Unusable extends Recorded {
  readonly kind: "malformed";
  readonly why: string;
}

export type IommuRecord =
  | Queued
  | Waited
  | Rung
  | Submission
  | DmaMapping
  | DmaUnmapped
  | DmaSync
  | IovaRange
  | Attachment
  | CacheTag
  | Ats
  | TlbFlush
  | PageRequest
  | Unusable;
