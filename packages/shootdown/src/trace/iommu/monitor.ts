// SPDX-License-Identifier: Apache-2.0
// The IOMMU's monitor: hands each record to those whom it concerns, and sums up.
import type { IommuRecord, Queued } from "../importers/iommu-record.ts";
import type { QueueDescriptor } from "../importers/vtd-descriptor.ts";
import { MAX_QUEUES, MAX_REASONS } from "../limits.ts";
import { Repeats } from "../repeats.ts";
import type { IommuDesk } from "./desk.ts";
import { DmaMonitor } from "./dma.ts";
import { DomainIds } from "./ids.ts";
import { type Between, type DescriptorCounts, Queue } from "./queue.ts";
import { type Completion, Submissions } from "./submissions.ts";
import type { Spread } from "./times.ts";

/** CPU flushes of one reason. */
export interface FlushCount {
  readonly flushes: number;
  /** Of these, flushes of everything. */
  readonly all: number;
}

/** The IOMMU's part of a summary. */
export interface IommuSummary {
  /** Descriptors in the queue by kind: "iotlb_pages", "device_global", "wait" ... */
  readonly descriptors: DescriptorCounts;
  /** Waits in the queue; where the recording has none, one for each submission it shows. */
  readonly waits: number;
  /** IOTLB invalidations with the hint that only leaf entries changed (IH, V5). */
  readonly leaf_only: number;
  /** Waits that later descriptors wait for (FN); where waits are not recorded, 0. */
  readonly fences: number;
  /** Where the waits are from. */
  readonly waits_by: "queue" | "qi_submit_sync" | "not recorded";
  /** Descriptors of which it is not recorded in what submission they were. */
  readonly outside: number;
  readonly waits_between: Between;
  readonly unmaps: number;
  readonly unmapped_pages: number;
  readonly maps: number;
  readonly frees: number;
  /** Calls that invalidate: of a range, of a whole domain, after mapping. */
  readonly calls: { readonly range: number; readonly all: number; readonly map: number };
  /** Unmapped pages by the call that invalidated them; `other`: outside a recorded call. */
  readonly closed_by: { readonly range: number; readonly all: number; readonly other: number };
  /** Unmapped pages that were invalidated before anybody could use them again. */
  readonly conforming_pages: number;
  readonly reused_early: number;
  /** From unmap to the end of the invalidation; `submitted`: to its descriptor, outside a call. */
  readonly after_unmap: {
    readonly iotlb: Spread | null;
    readonly device: Spread | null;
    readonly submitted: Spread | null;
  };
  /** Too many distinct times: some are rounded to three digits. */
  readonly times_rounded: boolean;
  /** Pages unmapped and not yet invalidated at one time, at most. */
  readonly most_waiting: number;
  /** Of calls for a range: pages that waited, and pages that the descriptors were for. */
  readonly range_pages: {
    readonly asked: number;
    readonly iotlb: number;
    readonly device: number;
  };
  /** Pages that waited when a whole domain was invalidated. */
  readonly whole_domain_pages: number;
  readonly domain_ids_reused: number;
  readonly domain_ids_flushed: number;
  /** PASIDs that were assigned again, and of these those that nothing was left of. */
  readonly pasids_reused: number;
  readonly pasids_clean: number;
  readonly page_requests: number;
}

const WHY_TWICE = "the same line twice";

export class IommuMonitor {
  readonly #desk: IommuDesk;
  readonly #queues = new Map<string, Queue>();
  readonly #waiting: (() => void)[] = [];
  readonly #repeats = new Repeats();
  readonly #submissions: Submissions;
  readonly #dma: DmaMonitor;
  readonly #ids: DomainIds;
  readonly #flushes = new Map<string, { flushes: number; all: number }>();
  /** The record that is being looked at. */
  #now: IommuRecord | undefined;
  #page_requests = 0;
  /** The importer gives waits as descriptors. */
  readonly #waits_recorded: boolean;

  constructor(outside: IommuDesk, waits_recorded: boolean) {
    const desk = this.#gate(outside);
    this.#desk = desk;
    this.#waits_recorded = waits_recorded;
    this.#dma = new DmaMonitor(desk);
    this.#ids = new DomainIds(desk);
    this.#submissions = new Submissions({
      closed: (queue) => this.#queues.get(queue)?.waited(),
      unsure: (queue) => this.#queues.get(queue)?.unsure(),
      completed: (descriptors, how) => this.#completed(descriptors, how),
    });
  }

  record(record: IommuRecord): void {
    // In QEMU's log of a queue any line may stand twice.
    if (!this.#waits_recorded && this.#repeats.is(record.at)) {
      this.#desk.undecided(WHY_TWICE, record.at.line);
      return;
    }
    this.#now = record;
    if (record.kind !== "descriptor" && record.kind !== "submission") {
      this.#submissions.settle(record.at.cpu);
    }
    switch (record.kind) {
      case "descriptor":
        this.#descriptor(record);
        return;
      case "submission":
        this.#submissions.step(record);
        return;
      case "dma":
        this.#dma.mapping(record);
        return;
      case "dma_unmapped":
        this.#dma.unmapped(record.at);
        return;
      case "sync":
        this.#dma.sync(record);
        return;
      case "iova":
        this.#dma.iova(record);
        return;
      case "attachment":
        if (record.what === "end") this.#dma.end(record.domain);
        else this.#dma.attached();
        return;
      case "tag":
        this.#ids.tag(record);
        this.#dma.attached(record.sid);
        return;
      case "ats":
        this.#dma.attached();
        if (!record.on) this.#ids.cutOff(record.at);
        return;
      case "tlb_flush":
        this.#flush(record.reason, record.pages === undefined);
        return;
      case "page_request":
        this.#page_requests++;
        if (record.from !== undefined) this.#ids.requested(record.from, record.at);
        return;
      case "malformed":
        // It may have been the invalidation that somebody waits for.
        this.lost();
        return;
      default:
    }
  }

  /** Mappings of long before the queue's first descriptor, which nobody remembers. */
  fell({ maps, unmaps }: { readonly maps: number; readonly unmaps: number }): void {
    this.#dma.fell(maps, unmaps);
  }

  /** Flushes of CPUs that were counted elsewhere. */
  flushed(reason: string, { flushes, all }: FlushCount): void {
    const before = this.#flushes.get(reason) ?? { flushes: 0, all: 0 };
    const count = { flushes: before.flushes + flushes, all: before.all + all };
    this.#flushes.set(reason, count);
  }

  /** Events are missing here. */
  lost(): void {
    for (const queue of this.#queues.values()) queue.lost();
    this.#submissions.lost();
    this.#dma.lost();
    this.#ids.lost();
  }

  finish(): void {
    if (this.#queues.size === 0) return;
    for (const queue of this.#queues.values()) queue.finish();
    this.#dma.finish();
  }

  /** Undefined without an invalidation queue. */
  summary(): IommuSummary | undefined {
    const queues = [...this.#queues.values()];
    if (queues.length === 0) return undefined;
    const dma = this.#dma;
    const { iotlb, device, submitted } = dma.times;
    const { asked, whole_domain } = dma.pages;
    return {
      descriptors: queues.reduce(sumCounts, {}),
      waits: queues.reduce((sum, { waits }) => sum + waits, 0),
      leaf_only: queues.reduce((sum, queue) => sum + queue.leaf_only, 0),
      fences: queues.reduce((sum, queue) => sum + queue.fences, 0),
      waits_by: this.#waits_recorded
        ? "queue"
        : this.#submissions.probed
          ? "qi_submit_sync"
          : "not recorded",
      outside: this.#submissions.outside,
      waits_between: queues.reduce(sumBetween, { none: 0, one: 0, more: 0, unknown: 0, alone: 0 }),
      ...{ unmaps: dma.unmaps, unmapped_pages: dma.unmapped_pages, maps: dma.maps },
      ...{ frees: dma.frees, calls: dma.calls, closed_by: dma.closed_by },
      ...{ conforming_pages: dma.conforming, reused_early: dma.reused_early },
      after_unmap: {
        ...{ iotlb: iotlb.spread() ?? null, device: device.spread() ?? null },
        submitted: submitted.spread() ?? null,
      },
      times_rounded: iotlb.rounded || device.rounded || submitted.rounded,
      most_waiting: dma.most_waiting,
      range_pages: { asked, iotlb: dma.pages.iotlb, device: dma.pages.device },
      whole_domain_pages: whole_domain,
      domain_ids_reused: this.#ids.reused,
      domain_ids_flushed: this.#ids.conforming,
      pasids_reused: this.#ids.pasids_reused,
      pasids_clean: this.#ids.pasids_conforming,
      page_requests: this.#page_requests,
    };
  }

  /** CPU flushes by reason. */
  flushes(): Readonly<Record<string, FlushCount>> {
    return Object.fromEntries(this.#flushes);
  }

  /** Mappings are recorded of every IOMMU; what is said of them waits for a queue known here. */
  #gate(desk: IommuDesk): IommuDesk {
    const say = (what: () => void): void => {
      if (this.#queues.size > 0) what();
      else if (this.#waiting.length < MAX_REASONS) this.#waiting.push(what);
    };
    return {
      finds: (finding) => say(() => desk.finds(finding)),
      undecided: (why, line, count) => say(() => desk.undecided(why, line, count)),
      evicted: (limit) => say(() => desk.evicted(limit)),
    };
  }

  #descriptor(record: Queued): void {
    let queue = this.#queues.get(record.queue);
    if (queue === undefined) {
      if (this.#queues.size >= MAX_QUEUES) {
        this.#desk.evicted("MAX_QUEUES");
        return this.#desk.undecided("more invalidation queues than are followed", record.at.line);
      }
      queue = new Queue(this.#desk);
      this.#queues.set(record.queue, queue);
      for (const say of this.#waiting.splice(0)) say();
    }
    const { kind, granularity, sid } = record.descriptor;
    // Devices get another domain, or none.
    if (kind === "context" && granularity === "device") this.#dma.attached(sid);
    else if (kind === "pasid_cache" || kind === "context") this.#dma.attached();
    const domain = this.#dma.domainOf(record.at);
    const judged = this.#dma.submitted(record);
    const own = domain?.dids.get(record.queue)?.did;
    if (domain !== undefined && own !== undefined) {
      this.#ids.used(record.queue, own, domain, record.at);
    }
    queue.put(record, judged);
    // It may have invalidated anything, or nothing.
    if (isUnknown(record.descriptor)) this.#dma.lost();
    if (this.#waits_recorded) this.#ids.flushed(record.queue, record.descriptor, record.at);
    else this.#submissions.descriptor(record);
  }

  #completed(descriptors: readonly Queued[], how: Completion): void {
    const at = this.#now?.at;
    if (at === undefined) return;
    if (how.done) {
      for (const { queue, descriptor } of descriptors) {
        this.#ids.flushed(queue, descriptor, at);
        if (how.drains) this.#ids.drained(queue, at);
      }
    }
    this.#dma.completed(at, descriptors, how);
  }

  #flush(reason: string, all: boolean): void {
    const known = this.#flushes.has(reason) || this.#flushes.size < MAX_REASONS;
    const key = known ? reason : "others";
    const count = this.#flushes.get(key) ?? { flushes: 0, all: 0 };
    count.flushes++;
    if (all) count.all++;
    this.#flushes.set(key, count);
  }
}

/** A descriptor that may be an invalidation, and which one is not known. */
function isUnknown({ kind, granularity }: QueueDescriptor): boolean {
  if (kind === "wait" || kind === "interrupt" || kind === "response") return false;
  return kind === "unknown" || granularity === "unknown";
}

function sumCounts(sum: DescriptorCounts, queue: Queue): DescriptorCounts {
  for (const [kind, count] of Object.entries(queue.counts)) sum[kind] = (sum[kind] ?? 0) + count;
  return sum;
}

function sumBetween(sum: Between, { between }: Queue): Between {
  for (const key of Object.keys(sum) as (keyof Between)[]) sum[key] += between[key];
  return sum;
}
