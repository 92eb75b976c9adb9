// SPDX-License-Identifier: Apache-2.0
// The DMA API on an IOMMU: how long an unmapped address stays usable, and whether it is used again
// before its invalidation has completed.
//
//   unmap ──► waits ── iotlb submitted ── device TLB submitted ── completed ──► may be used again
//               └── strict: in the same call        lazy: by a flush of the whole domain, later
//
// A call that invalidates (tlb_sync, flush_iotlb_all) is for what waited when it began.
import type { DmaMapping, DmaSync, IovaRange, Queued } from "../importers/iommu-record.ts";
import type { RawEvent } from "../importers/raw-event.ts";
import { MAX_NESTED, MAX_TASKS } from "../limits.ts";
import type { Span } from "../obligation.ts";
import { holds } from "../window.ts";
import type { IommuDesk } from "./desk.ts";
import { type Cache, cacheOf, type Domain, Domains, type Unmapped } from "./domain.ts";
import { clip, type Frame, notCovered, outOfOrder, put, tooEarly, tooMuch } from "./frame.ts";
import type { Completion } from "./submissions.ts";
import { Times } from "./times.ts";

interface Task {
  frames: Frame[];
  /** Unmaps whose return is recorded and has not come. */
  unmapping: Unmapped[];
  /** Pages that the last kprobe of this task named, until the tracepoint says them once more. */
  said: Span | undefined;
  /** Of the last allocation. */
  allocator: string | undefined;
}

export const WHY_DMA = {
  end: "the recording ends before the invalidation of what was unmapped",
  domain: "unmap without its domain (intel_iommu_unmap_pages) and a flush of a whole domain",
  ret: "the return of qi_submit_sync is missing",
  descriptors: "descriptors that qi_submit_sync was called with are missing",
  evicted: "too many unmapped pages at once for the monitor's memory",
  gone: "the domain ended before the invalidation of what was unmapped",
  detached: "a flush of a whole domain that sends nothing, after a device was detached",
  lost: "events were lost while an unmapped page waited for its invalidation",
  id: "an invalidation within a domain's call is for another domain id than those before",
} as const;

/** Invalidations by which a domain's id in an IOMMU is sure. */
const SURE = 4;

export class DmaMonitor {
  readonly #desk: IommuDesk;
  readonly domains: Domains;
  readonly #tasks = new Map<number, Task>();
  readonly #allocators = new Map<string, Domain>();
  #epoch = 0;
  /** The function that unmaps is recorded, and its return. */
  #returns = false;
  unmaps = 0;
  unmapped_pages = 0;
  maps = 0;
  frees = 0;
  most_waiting = 0;
  /** Pages whose invalidation completed, by the call that did it. */
  readonly closed_by = { range: 0, all: 0, other: 0 };
  readonly calls = { range: 0, all: 0, map: 0 };
  /** From the unmap to the end of the invalidation; or, outside a call, to its descriptor. */
  readonly times = { iotlb: new Times(), device: new Times(), submitted: new Times() };
  /** Pages that waited when a call for a range began, and what its descriptors were for. */
  readonly pages = { asked: 0, iotlb: 0, device: 0, whole_domain: 0 };
  reused_early = 0;
  conforming = 0;

  constructor(desk: IommuDesk) {
    this.#desk = desk;
    this.domains = new Domains((domain) => {
      desk.evicted("MAX_DOMAINS");
      this.#abandon(domain, WHY_DMA.evicted);
    });
  }

  mapping(record: DmaMapping): void {
    const task = this.#task(record.at);
    const { start, end, what, at } = record;
    if (record.domain === undefined && isSaid(task, record)) return;
    task.said = record.domain === undefined ? undefined : { start, end };
    const domain = this.domains.get(record.domain ?? `task ${at.pid} on CPU ${at.cpu}`);
    domain.active = at.line;
    if (what === "unmap") this.#unmap(task, domain, record);
    else {
      this.maps++;
      if (task.allocator !== undefined && record.domain !== undefined) {
        this.#allocates(task.allocator, domain);
      }
      if (record.domain !== undefined) this.#reuse(domain, { start, end }, at, "mapped again");
    }
  }

  #unmap(task: Task, domain: Domain, { start, end, at, domain: named }: DmaMapping): void {
    this.unmaps++;
    this.unmapped_pages += end - start;
    const changing = named !== undefined && this.#returns;
    const unmapped = { at, changing, epoch: this.#epoch, iotlb: [], device: [] };
    if (!domain.unmap(start, end, unmapped)) {
      this.#desk.evicted("MAX_WAITING");
      this.#desk.undecided(WHY_DMA.evicted, at.line);
      return;
    }
    if (named !== undefined) {
      task.unmapping.push(unmapped);
      if (task.unmapping.length > MAX_NESTED) task.unmapping.shift();
    }
    this.most_waiting = Math.max(this.most_waiting, this.domains.total.pages);
  }

  /** The function that unmaps returns: no walk finds the entries any more. */
  unmapped(at: RawEvent): void {
    this.#returns = true;
    const unmapped = this.#task(at).unmapping.pop();
    if (unmapped !== undefined) unmapped.changing = false;
  }

  sync(record: DmaSync): void {
    const task = this.#task(record.at);
    if (record.what === "map") {
      this.calls.map++;
      return;
    }
    if (record.step === "return") {
      const at = task.frames.findLastIndex(({ what }) => what === record.what);
      if (at < 0) return;
      const frame = task.frames.splice(at)[0]!;
      this.#judge(frame, record.at);
      return;
    }
    if (record.queued || record.domain === undefined) return;
    this.calls[record.what]++;
    const domain = this.domains.get(record.domain);
    domain.active = record.at.line;
    // What is still being unmapped may be walked to after the invalidation.
    const waiting = domain.waiting(record.start, record.end);
    const todo = waiting.filter(({ unmapped }) => !unmapped.changing);
    const whole = record.what === "all";
    const pages = todo.reduce((sum, { start, end }) => sum + end - start, 0);
    if (whole) this.pages.whole_domain += pages;
    else this.pages.asked += pages;
    const { what, at, start, end } = record;
    task.frames.push({
      ...{ what, domain, todo, at, asked: { start, end }, strange: new Set() },
      ...{ submitted: new Map(), completed: new Map() },
      ...{ failed: false, incomplete: false, doubtful: false },
    });
    if (task.frames.length > MAX_NESTED) task.frames.shift();
  }

  /**
   * A descriptor is put in the queue.
   *
   * @returns whether it is for something that is known to wait, and its order is judged here.
   */
  submitted(record: Queued): boolean {
    const { descriptor, at, queue } = record;
    const frame = this.#frame(at);
    if (frame === undefined) return false;
    const { kind, granularity, sid } = descriptor;
    const counted = frame.what === "range" && granularity === "pages";
    const pages = counted ? descriptor.end - descriptor.start : 0;
    if (kind === "iotlb" || kind === "pasid_iotlb") {
      if (granularity === "unknown") return false;
      this.pages.iotlb += pages;
      if (granularity === "global" || this.#isOwn(frame, record)) {
        put(frame.submitted, know(frame.domain, cacheOf(queue)), descriptor);
      }
    } else if (kind === "device" || kind === "pasid_device") {
      this.pages.device += pages;
      this.#order(frame, record);
      put(frame.submitted, know(frame.domain, cacheOf(queue, sid)), descriptor);
    }
    return frame.todo.length > 0;
  }

  /** Whether an IOTLB invalidation is for the domain whose call it is in, by the id it had. */
  #isOwn(frame: Frame, record: Queued): boolean {
    const { dids } = frame.domain;
    const { did } = record.descriptor;
    const known = dids.get(record.queue);
    if (known === undefined || known.did === did) {
      dids.set(record.queue, { did, seen: (known?.seen ?? 0) + 1 });
      return true;
    }
    if (known.seen >= SURE) {
      frame.strange.add(record);
      return false;
    }
    frame.doubtful = true;
    dids.set(record.queue, { did, seen: 1 });
    return true;
  }

  /** The domain whose call the task of an event is in. */
  domainOf(at: RawEvent): Domain | undefined {
    return this.#frame(at)?.domain;
  }

  /** Descriptors of this CPU have completed. */
  completed(at: RawEvent, descriptors: readonly Queued[], how: Completion): void {
    const frame = this.#frame(at);
    const { done } = how;
    if (frame !== undefined && !done) frame.failed = true;
    if (frame !== undefined && !how.whole) frame.incomplete = true;
    if (!done) return;
    for (const record of descriptors) {
      if (frame === undefined) this.#loose(record);
      else this.#within(frame, record);
    }
    if (frame !== undefined) this.#measure(frame, at);
  }

  iova(record: IovaRange): void {
    const task = this.#task(record.at);
    if (record.what === "alloc") {
      task.allocator = record.allocator;
      return;
    }
    this.frees++;
    const domain = this.#allocators.get(record.allocator);
    if (domain !== undefined) this.#reuse(domain, record, record.at, "free to be used again");
  }

  /** A device, or any, is attached or detached: whose TLB has to be told is to be seen anew. */
  attached(sid?: number): void {
    for (const domain of this.domains.all()) {
      const { caches, dids } = domain;
      domain.unsettled ||= caches.size > 0;
      dids.clear();
      for (const [name, cache] of caches) {
        if (sid === undefined || cache.sid === undefined || cache.sid === sid) caches.delete(name);
      }
    }
  }

  /** The domain ends; the kernel names its structure, which is a little below the other name. */
  end(pointer: string): void {
    const domain = this.domains.find(pointer) ?? this.#above(pointer);
    if (domain === undefined) return;
    this.#abandon(domain, WHY_DMA.gone);
    this.domains.delete(domain);
    for (const [name, one] of this.#allocators) if (one === domain) this.#allocators.delete(name);
  }

  /** Mappings that are not remembered: nothing is known of what was unmapped. */
  fell(maps: number, unmaps: number): void {
    this.maps += maps;
    this.unmaps += unmaps;
    this.#desk.evicted("MAX_HELD");
    if (unmaps > 0) this.#desk.undecided(WHY_DMA.evicted, 1, unmaps);
  }

  /** Events are missing here. */
  lost(): void {
    this.#epoch++;
    this.#tasks.clear();
  }

  finish(): void {
    for (const domain of this.domains.all()) {
      const named = !domain.name.startsWith("task ");
      this.#abandon(domain, named ? WHY_DMA.end : WHY_DMA.domain);
    }
  }

  #task(at: RawEvent): Task {
    // The idle task runs on every CPU at once.
    const key = at.pid * 4096 + at.cpu;
    let task = this.#tasks.get(key);
    if (task === undefined) {
      if (this.#tasks.size >= MAX_TASKS) this.#tasks.clear();
      task = { frames: [], unmapping: [], said: undefined, allocator: undefined };
      this.#tasks.set(key, task);
    }
    return task;
  }

  #frame(at: RawEvent): Frame | undefined {
    const frames = this.#tasks.get(at.pid * 4096 + at.cpu)?.frames;
    return frames?.[frames.length - 1];
  }

  #allocates(allocator: string, domain: Domain): void {
    if (this.#allocators.size >= MAX_TASKS) this.#allocators.clear();
    this.#allocators.set(allocator, domain);
  }

  #above(pointer: string): Domain | undefined {
    for (const domain of this.domains.all()) {
      if (!domain.name.startsWith("0x") || !pointer.startsWith("0x")) continue;
      const distance = BigInt(domain.name) - BigInt(pointer);
      if (distance > 0n && distance < 512n) return domain;
    }
    return undefined;
  }

  /** A device's TLB is invalidated: the IOTLB must have been before, for the same pages (V3). */
  #order(frame: Frame, { descriptor, at, queue }: Queued): void {
    const { start, end, sid } = descriptor;
    const before = frame.submitted.get(cacheOf(queue).name) ?? [];
    const early = frame.todo.filter(
      (one) =>
        one.start < end &&
        start < one.end &&
        one.unmapped.epoch === this.#epoch &&
        !holds(before, [clip(one, { start, end })]),
    );
    if (early.length > 0) this.#desk.finds(outOfOrder(frame, sid, early, at));
  }

  #within(frame: Frame, record: Queued): void {
    const { descriptor, queue } = record;
    const { kind, granularity, sid } = descriptor;
    if (granularity === "unknown" || frame.strange.has(record)) return;
    if (kind === "iotlb" || kind === "pasid_iotlb") {
      put(frame.completed, cacheOf(queue), descriptor);
    } else if (kind === "device" || kind === "pasid_device") {
      put(frame.completed, cacheOf(queue, sid), descriptor);
    }
  }

  /** Counts how long what is complete now has waited. */
  #measure(frame: Frame, now: RawEvent): void {
    const known = [...frame.domain.caches.values()];
    const done = ({ name }: Cache) => frame.completed.get(name) ?? [];
    const iotlbs = known.filter(({ sid }) => sid === undefined).map(done);
    const devices = known.filter(({ sid }) => sid !== undefined).flatMap(done);
    for (const one of frame.todo) {
      const pages = one.end - one.start;
      const waited = now.time_s - one.unmapped.at.time_s;
      const { iotlb, device } = one.unmapped;
      const all = iotlbs.length > 0 && iotlbs.every((spans) => holds(spans, [one]));
      if (!holds(iotlb, [one]) && all) {
        iotlb.push(one);
        this.times.iotlb.add(waited, pages);
      }
      if (!holds(device, [one]) && holds(devices, [one])) {
        device.push(one);
        this.times.device.add(waited, pages);
      }
    }
  }

  /** An invalidation outside any recorded call: of a detach, or its probes were not set. */
  #loose({ descriptor, at, queue }: Queued): void {
    const { kind, granularity, did, start, end } = descriptor;
    if ((kind !== "iotlb" && kind !== "pasid_iotlb") || granularity === "unknown") return;
    const own = this.domains.find(`task ${at.pid} on CPU ${at.cpu}`);
    if (own !== undefined && granularity === "pages") own.dids.set(queue, { did, seen: 1 });
    for (const domain of this.domains.all()) {
      const meant = granularity === "global" || (domain === own && granularity === "pages");
      const same = domain.dids.get(queue)?.did === did;
      if (!meant && (!same || domain.name.startsWith("task "))) continue;
      for (const one of domain.waiting(start, end)) {
        if (one.unmapped.changing || one.unmapped.at.line > at.line) continue;
        const pages = one.end - one.start;
        this.times.submitted.add(at.time_s - one.unmapped.at.time_s, pages);
        domain.close(one.start, one.end, one.unmapped);
        this.closed_by.other += pages;
        this.conforming += pages;
      }
    }
  }

  /** The call returns: what it was for is invalidated, or it is not. */
  #judge(frame: Frame, now: RawEvent): void {
    const { domain, todo, completed, submitted } = frame;
    let clean = true;
    let all = frame.what === "range" && !frame.incomplete && !frame.failed;
    for (const one of todo) {
      const { unmapped } = one;
      const current = domain.waiting(one.start, one.end).some((w) => w.unmapped === unmapped);
      if (!current) continue;
      domain.close(one.start, one.end, unmapped);
      this.closed_by[frame.what === "all" ? "all" : "range"] += one.end - one.start;
      if (unmapped.epoch !== this.#epoch) {
        this.#desk.undecided(WHY_DMA.lost, unmapped.at.line);
        continue;
      }
      if (frame.what === "all" && domain.unsettled && isSilent(frame)) {
        // The kernel may know that nobody is left; what it sends at the detach is not the call's.
        this.#desk.undecided(WHY_DMA.detached, now.line);
        continue;
      }
      const known: (Cache | undefined)[] = [...domain.caches.values()];
      // Some IOTLB there is, whether or not an invalidation has shown which.
      if (!known.some((cache) => cache?.sid === undefined)) known.unshift(undefined);
      clean = true;
      for (const cache of known) {
        const done = cache === undefined ? [] : (completed.get(cache.name) ?? []);
        if (holds(done, [one])) continue;
        clean = false;
        const sent = cache === undefined ? [] : (submitted.get(cache.name) ?? []);
        if (!frame.failed && holds(sent, [one])) this.#desk.undecided(WHY_DMA.ret, now.line);
        else if (frame.incomplete) this.#desk.undecided(WHY_DMA.descriptors, now.line);
        else this.#desk.finds(notCovered(frame, one, cache, sent, now));
      }
      if (clean && frame.doubtful) this.#desk.undecided(WHY_DMA.id, now.line);
      else if (clean) this.conforming += one.end - one.start;
      all &&= clean;
    }
    const more = all ? tooMuch(frame) : undefined;
    if (more !== undefined) this.#desk.finds(more);
  }

  /** Pages may be used for something else from now on: their invalidation must be complete. */
  #reuse(domain: Domain, { start, end }: Span, at: RawEvent, how: string): void {
    const early = domain.waiting(start, end);
    for (const one of early) {
      domain.close(one.start, one.end, one.unmapped);
      if (one.unmapped.epoch !== this.#epoch) {
        this.#desk.undecided(WHY_DMA.lost, one.unmapped.at.line);
        continue;
      }
      this.reused_early++;
      this.#desk.finds(tooEarly(domain, one, at, how));
    }
  }

  #abandon(domain: Domain, why: string): void {
    for (const one of domain.waiting(0, Number.MAX_SAFE_INTEGER)) {
      this.#desk.undecided(why, one.unmapped.at.line, one.end - one.start);
    }
  }
}

/** A cache that an invalidation of the domain goes to, from now on one of the domain's. */
function know(domain: Domain, cache: Cache): Cache {
  const { caches } = domain;
  domain.unsettled = false;
  if (caches.size > MAX_NESTED) caches.clear();
  caches.set(cache.name, cache);
  return cache;
}

/** Nothing was submitted in the call, and nobody is known to hold the domain's translations. */
function isSilent({ domain, submitted, strange, incomplete, failed }: Frame): boolean {
  const sent = submitted.size > 0 || strange.size > 0 || incomplete || failed;
  return !sent && domain.caches.size === 0;
}

/** The tracepoint of a map or unmap whose kprobe said the same just before. */
function isSaid({ said }: Task, { start, end }: Span): boolean {
  return said !== undefined && start <= said.start && said.end <= end;
}
