// SPDX-License-Identifier: Apache-2.0
// Domain ids that are used again: what the IOTLB holds under the id must be gone first (P-ID).
import type { CacheTag } from "../importers/iommu-record.ts";
import type { RawEvent } from "../importers/raw-event.ts";
import type { QueueDescriptor } from "../importers/vtd-descriptor.ts";
import { PAGE_LIMIT } from "../importers/word64.ts";
import { MAX_QUEUE_DEVICES } from "../limits.ts";
import type { IommuDesk } from "./desk.ts";
import type { Domain } from "./domain.ts";

interface Id {
  /** The domain that used it last, and the line. */
  owner: Domain | undefined;
  /** Line at which its last user let go of it. */
  released: number | undefined;
  /** Line of the last invalidation of all that is held under it, once completed. */
  flushed: number;
}

export class DomainIds {
  readonly #desk: IommuDesk;
  readonly #ids = new Map<number, Id>();
  /** The kernel says itself when it gives and takes ids (cache_tag_*). */
  #told = false;
  /** Ids that got another domain, and of these those flushed in between. */
  reused = 0;
  conforming = 0;

  constructor(desk: IommuDesk) {
    this.#desk = desk;
  }

  /** An invalidation has completed. */
  flushed({ kind, granularity, did }: QueueDescriptor, at: RawEvent): void {
    if (kind === "iotlb" && granularity === "global") {
      for (const id of this.#ids.values()) id.flushed = at.line;
    } else if (
      (kind === "iotlb" && granularity === "domain") ||
      (kind === "pasid_iotlb" && granularity === "pasid")
    ) {
      const id = this.#get(did);
      if (id !== undefined) id.flushed = at.line;
    }
  }

  /** A domain is seen to use the id. */
  used(did: number, domain: Domain, at: RawEvent): void {
    const id = this.#get(did);
    if (id === undefined || id.owner === domain) return;
    const before = id.owner;
    id.owner = domain;
    if (before !== undefined && !this.#told) this.#reused(did, id, before.active, at);
  }

  tag({ what, cache, did, users, at }: CacheTag): void {
    this.#told = true;
    const id = cache === "iotlb" ? this.#get(did) : undefined;
    if (id === undefined || users > 1) return;
    if (what === "unassign") id.released = at.line;
    else if (id.released !== undefined) {
      this.#reused(did, id, id.released, at);
      id.released = undefined;
    }
  }

  lost(): void {
    this.#ids.clear();
  }

  #reused(did: number, id: Id, since: number, at: RawEvent): void {
    this.reused++;
    if (id.flushed > since) {
      this.conforming++;
      return;
    }
    this.#desk.finds({
      ...{ class: "missing", at, start: 0, end: PAGE_LIMIT, operation: at.event, rule: "P-ID" },
      message:
        `domain id ${did} is given to another domain, and since its last user let go of it ` +
        `(line ${since}) nothing invalidated what the IOTLB holds under it`,
      domain: String(did),
    });
  }

  #get(did: number): Id | undefined {
    let id = this.#ids.get(did);
    if (id === undefined) {
      if (this.#ids.size >= MAX_QUEUE_DEVICES) {
        this.#desk.evicted("MAX_QUEUE_DEVICES");
        return undefined;
      }
      id = { owner: undefined, released: undefined, flushed: 0 };
      this.#ids.set(did, id);
    }
    return id;
  }
}
