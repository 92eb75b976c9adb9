// SPDX-License-Identifier: Apache-2.0
// Ids that are used again: what is tagged with a domain id, or with a PASID, must be gone first
// (P-ID), in the IOTLB, in the PASID cache and in the TLB of the device.
//
//   cache_tag_unassign ── p_iotlb_inv ── pc_inv ── p_dev_tlb_inv ── drain ── cache_tag_assign
//        its last user lets go                       of page requests (V2)      the next one
import type { CacheTag, RequestSource } from "../importers/iommu-record.ts";
import type { RawEvent } from "../importers/raw-event.ts";
import { formatSid, type QueueDescriptor } from "../importers/vtd-descriptor.ts";
import { PAGE_LIMIT } from "../importers/word64.ts";
import { MAX_QUEUE_DEVICES } from "../limits.ts";
import type { IommuDesk } from "./desk.ts";
import type { Domain } from "./domain.ts";

/** What holds an id: the IOTLB under (domain id, PASID), or a device's TLB under a PASID. */
interface Id {
  readonly queue: string;
  /** Undefined of a device. */
  readonly did: number | undefined;
  readonly sid: number | undefined;
  readonly pasid: number;
  /** The domain that used it last, where the kernel does not say. */
  owner: Domain | undefined;
  /** Tags that are assigned now, of one domain or of several that share the id. */
  live: number;
  /** Line at which its last user let go of it. */
  released: number | undefined;
  /** Line of the last completed invalidation of all that is held under it. */
  flushed: number;
  /** The same of the PASID cache's entry. */
  cached: number;
  /** Line of the last invalidation that may have been one for it. */
  maybe: number;
  /** Line of the last page request, and groups that nobody answered yet. */
  asked: number;
  readonly open: Set<number>;
}

export const WHY_IDS = {
  maybe:
    "a PASID is used again, and whether what was invalidated in between was its own is missing",
} as const;

export class DomainIds {
  readonly #desk: IommuDesk;
  readonly #ids = new Map<string, Id>();
  /** Line of the last drain of page requests, by queue. */
  readonly #drained = new Map<string, number>();
  /** The kernel says itself when it gives and takes ids (cache_tag_*). */
  #told = false;
  /** Ids that got another domain, and of these those flushed in between. */
  reused = 0;
  conforming = 0;
  /** The same of PASIDs. */
  pasids_reused = 0;
  pasids_conforming = 0;

  constructor(desk: IommuDesk) {
    this.#desk = desk;
  }

  /** An invalidation has completed. */
  flushed(queue: string, descriptor: QueueDescriptor, at: RawEvent): void {
    const { kind, granularity, did, sid, pasid } = descriptor;
    if (kind === "wait") {
      // Linux fences only the drain of page requests (drivers/iommu/intel/prq.c, svm.c).
      if (descriptor.drain || descriptor.fence) this.drained(queue, at);
      return;
    }
    if (kind === "response") return this.#answered(queue, descriptor);
    if (kind === "iotlb" && granularity === "domain") this.#iotlb(queue, did, 0).flushed = at.line;
    if (kind === "pasid_iotlb" && granularity === "pasid") {
      this.#iotlb(queue, did, pasid ?? 0).flushed = at.line;
    }
    if (granularity === "pages") return;
    for (const id of this.#ids.values()) {
      if (id.queue !== queue) continue;
      const own = id.did === did && (granularity !== "pasid" || id.pasid === pasid);
      if (kind === "iotlb" && granularity === "global" && id.did !== undefined) {
        id.flushed = at.line;
      } else if (kind === "iotlb" && granularity === "domain" && own) id.maybe = at.line;
      else if (kind === "pasid_cache" && (granularity === "global" || own)) id.cached = at.line;
      else if (id.sid === sid && kind === "device" && granularity === "global") {
        id.flushed = at.line;
      } else if (id.sid === sid && kind === "pasid_device" && id.pasid === pasid) {
        if (granularity === "global") id.flushed = at.line;
      }
    }
  }

  /** All page requests that a device sent before have reached the kernel, and were answered. */
  drained(queue: string, at: RawEvent): void {
    if (this.#drained.size < MAX_QUEUE_DEVICES) this.#drained.set(queue, at.line);
  }

  /** ATS of some device was switched off: its TLB is empty when it is on again (P11). */
  cutOff(at: RawEvent): void {
    for (const id of this.#ids.values()) if (id.sid !== undefined) id.maybe = at.line;
  }

  /** A domain is seen to use the id. */
  used(queue: string, did: number, domain: Domain, at: RawEvent): void {
    const id = this.#iotlb(queue, did, 0);
    if (id.owner === domain) return;
    const before = id.owner;
    id.owner = domain;
    if (before !== undefined && !this.#told) this.#reused(id, before.active, at);
  }

  tag(record: CacheTag): void {
    const { what, cache, queue, did, sid, pasid, users, at } = record;
    if (cache === "iotlb") this.#told = true;
    // What a device holds without PASID goes when its ATS is switched off.
    if (users > 1 || (cache === "device" && (sid === undefined || pasid === 0))) return;
    const id =
      cache === "iotlb" ? this.#iotlb(queue, did, pasid) : this.#device(queue, sid ?? 0, pasid);
    if (what === "unassign") {
      id.live = Math.max(0, id.live - 1);
      if (id.live === 0) id.released = at.line;
      return;
    }
    id.live++;
    if (id.live > 1 || id.released === undefined) return;
    if (cache === "device") this.#deviceReused(id, id.released, at);
    else this.#reused(id, id.released, at);
    id.released = undefined;
  }

  requested({ queue, sid, pasid, group, last }: RequestSource, at: RawEvent): void {
    const id = this.#device(queue, sid, pasid);
    id.asked = at.line;
    if (last && id.open.size < MAX_QUEUE_DEVICES) id.open.add(group);
  }

  lost(): void {
    this.#ids.clear();
    this.#drained.clear();
  }

  #answered(queue: string, { sid, pasid, group }: QueueDescriptor): void {
    this.#ids.get(`${queue} device ${sid} ${pasid ?? 0}`)?.open.delete(group);
  }

  #reused(id: Id, since: number, at: RawEvent): void {
    const { did, pasid } = id;
    const of = pasid === 0 ? `domain id ${did}` : `PASID ${pasid} of domain id ${did}`;
    const flushed = id.flushed > since;
    const cached = pasid === 0 || id.cached > since;
    if (pasid === 0) this.reused++;
    else this.pasids_reused++;
    if (flushed && cached) {
      if (pasid === 0) this.conforming++;
      else this.pasids_conforming++;
      return;
    }
    if (!flushed && pasid !== 0 && id.maybe > since) {
      return this.#desk.undecided(WHY_IDS.maybe, at.line);
    }
    const cache = flushed ? "the PASID cache" : "the IOTLB";
    this.#missing(id, at, "P-ID", [
      `${of} is given to another domain, and since its last user let go of it`,
      `(line ${since}) nothing invalidated what ${cache} holds under it`,
    ]);
  }

  #deviceReused(id: Id, since: number, at: RawEvent): void {
    const of = `PASID ${id.pasid} of device ${formatSid(id.sid ?? 0)} is used again, and since its`;
    this.pasids_reused++;
    const drained = this.#drained.get(id.queue) ?? 0;
    if (id.flushed <= since && id.maybe > since) this.#desk.undecided(WHY_IDS.maybe, at.line);
    else if (id.flushed <= since) {
      this.#missing(id, at, "P-ID", [
        `${of} last user let go of it (line ${since}) nothing invalidated what the device's TLB`,
        "holds under it",
      ]);
    } else if (id.asked > 0 && drained <= since) {
      this.#missing(id, at, "V2", [
        `${of} last user let go of it (line ${since}) its page requests (the last in line`,
        `${id.asked}) were not drained: a wait with PD`,
      ]);
    } else if (id.open.size > 0) {
      this.#missing(id, at, "P16", [
        `${of} last user let go of it (line ${since}) ${id.open.size} of its groups of page`,
        "requests have no response: one would now be for the new user",
      ]);
    } else this.pasids_conforming++;
    id.asked = 0;
    id.open.clear();
  }

  #missing(id: Id, at: RawEvent, rule: string, words: readonly string[]): void {
    this.#desk.finds({
      ...{ class: "missing", at, start: 0, end: PAGE_LIMIT, operation: at.event, rule },
      message: words.join(" "),
      domain: id.did === undefined ? undefined : String(id.did),
      ...(id.sid === undefined ? {} : { device: formatSid(id.sid) }),
    });
  }

  #iotlb(queue: string, did: number, pasid: number): Id {
    return this.#get(`${queue} ${did} ${pasid}`, queue, did, undefined, pasid);
  }

  #device(queue: string, sid: number, pasid: number): Id {
    return this.#get(`${queue} device ${sid} ${pasid}`, queue, undefined, sid, pasid);
  }

  #get(
    key: string,
    queue: string,
    did: number | undefined,
    sid: number | undefined,
    pasid: number,
  ): Id {
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = {
        ...{ queue, did, sid, pasid, owner: undefined, live: 0, released: undefined },
        ...{ flushed: 0, cached: 0, maybe: 0, asked: 0, open: new Set() },
      };
      if (this.#ids.size < MAX_QUEUE_DEVICES) this.#ids.set(key, id);
      else this.#desk.evicted("MAX_QUEUE_DEVICES");
    }
    return id;
  }
}
