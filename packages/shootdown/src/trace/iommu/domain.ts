// SPDX-License-Identifier: Apache-2.0
// The DMA domains of a recording, and what is unmapped in each and not yet invalidated.
import { IntervalMap } from "../../base/interval-map.ts";
import type { RawEvent } from "../importers/raw-event.ts";
import { formatSid } from "../importers/vtd-descriptor.ts";
import { MAX_DOMAINS, MAX_WAITING } from "../limits.ts";
import type { Span } from "../obligation.ts";

/** One call that took mappings away. */
export interface Unmapped {
  readonly at: RawEvent;
  /** The function has not returned: an entry of these pages may still be there. */
  changing: boolean;
  /** Where events had been lost before; see DmaMonitor. */
  readonly epoch: number;
  /** Parts whose completed invalidation was counted. */
  readonly iotlb: Span[];
  readonly device: Span[];
}

/** Pages of one call that wait. */
export interface Waiting extends Span {
  readonly unmapped: Unmapped;
}

/** A cache that may hold translations of a domain: an IOTLB, or a device's TLB. */
export interface Cache {
  /** "dmar0", or "dmar0 01:00.0". */
  readonly name: string;
  readonly queue: string;
  /** Undefined for the IOTLB. */
  readonly sid: number | undefined;
}

export function cacheOf(queue: string, sid?: number): Cache {
  return { name: sid === undefined ? queue : `${queue} ${formatSid(sid)}`, queue, sid };
}

export class Domain {
  /** How the recording names it. */
  readonly name: string;
  readonly #open = new IntervalMap<Unmapped>();
  readonly #total: { pages: number };
  /** Its id in each IOMMU, once an invalidation showed it, and how often. */
  readonly dids = new Map<string, { did: number; seen: number }>();
  /** What its invalidations went to since a device was attached or detached, by name. */
  readonly caches = new Map<string, Cache>();
  /** A device was attached or detached since an invalidation showed who holds its translations. */
  unsettled = false;
  /** Line of its last mapping, unmapping or invalidation. */
  active = 0;

  constructor(name: string, total: { pages: number }) {
    this.name = name;
    this.#total = total;
  }

  /** Its id, of the first IOMMU. */
  get did(): number | undefined {
    for (const { did } of this.dids.values()) return did;
    return undefined;
  }

  get runs(): number {
    return this.#open.size;
  }

  /** Pages [start, end) are unmapped; returns false if there is no room to remember them. */
  unmap(start: number, end: number, unmapped: Unmapped): boolean {
    if (start >= end) return true;
    if (this.#open.size >= MAX_WAITING) return false;
    this.close(start, end);
    this.#open.set(start, end, unmapped);
    this.#total.pages += end - start;
    return true;
  }

  /** What waits among these pages. */
  waiting(start: number, end: number): Waiting[] {
    if (start >= end || this.#open.size === 0) return [];
    const found: Waiting[] = [];
    for (const run of this.#open.iterate(start, end)) {
      found.push({ start: run.start, end: run.end, unmapped: run.value });
    }
    return found;
  }

  /** What waits among these pages does no longer; only that of one call, if it is given. */
  close(start: number, end: number, unmapped?: Unmapped): void {
    for (const one of this.waiting(start, end)) {
      if (unmapped !== undefined && one.unmapped !== unmapped) continue;
      this.#open.delete(one.start, one.end);
      this.#total.pages -= one.end - one.start;
    }
  }
}

export class Domains {
  readonly #byName = new Map<string, Domain>();
  readonly #evicted: (domain: Domain) => void;
  /** Pages that wait now, in all domains. */
  readonly total = { pages: 0 };

  /** @param evicted is told of a domain that has to be forgotten. */
  constructor(evicted: (domain: Domain) => void) {
    this.#evicted = evicted;
  }

  get(name: string): Domain {
    let domain = this.#byName.get(name);
    if (domain === undefined) {
      if (this.#byName.size >= MAX_DOMAINS) this.#shrink();
      domain = new Domain(name, this.total);
      this.#byName.set(name, domain);
    }
    return domain;
  }

  find(name: string): Domain | undefined {
    return this.#byName.get(name);
  }

  all(): Iterable<Domain> {
    return this.#byName.values();
  }

  delete(domain: Domain): void {
    domain.close(0, Number.MAX_SAFE_INTEGER);
    this.#byName.delete(domain.name);
  }

  #shrink(): void {
    for (const domain of this.#byName.values()) {
      this.#evicted(domain);
      this.delete(domain);
      return;
    }
  }
}
