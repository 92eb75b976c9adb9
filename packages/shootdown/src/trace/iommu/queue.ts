// SPDX-License-Identifier: Apache-2.0
// An invalidation queue of Intel VT-d: what is in it, and that IOTLB stands before device TLB.
//
//   iotlb (did 8, page 5) ── wait ── device (01:00.0, page 5) ── wait       linux-6.1: one between
//   iotlb (did 8, page 5) ────────── device (01:00.0, page 5) ── wait       linux-6.12: none
//
// Software requests the IOTLB invalidation before the device's (V3). The hardware starts the
// device's only when those before it have completed (V2), so no wait is needed between the two.
import type { Queued } from "../importers/iommu-record.ts";
import type { RawEvent } from "../importers/raw-event.ts";
import { formatSid, type QueueDescriptor } from "../importers/vtd-descriptor.ts";
import { formatPage } from "../importers/word64.ts";
import { MAX_CANDIDATES, MAX_QUEUE_DEVICES, MAX_QUEUE_HISTORY, MAX_UNSETTLED } from "../limits.ts";
import type { Span } from "../obligation.ts";
import { holds } from "../window.ts";
import type { IommuDesk } from "./desk.ts";

/** Device-TLB invalidations by the number of waits between the IOTLB's and it. */
export interface Between {
  none: number;
  one: number;
  more: number;
  /** The recording does not show the waits. */
  unknown: number;
  /** No IOTLB invalidation of these pages in front, as before a device's ATS is switched off. */
  alone: number;
}

/** Descriptors by kind, and by how much they invalidate. */
export type DescriptorCounts = Record<string, number>;

interface Earlier extends Span {
  readonly did: number;
  readonly pasid: number | undefined;
  readonly everything: boolean;
  readonly at: RawEvent;
  readonly waits: number;
  readonly unsure: number;
  readonly order: number;
}

interface Suspect {
  readonly did: number;
  /** Why there is no verdict; undefined for a finding. */
  readonly why: string | undefined;
  readonly descriptor: QueueDescriptor;
  readonly at: RawEvent;
}

/** A device-TLB invalidation of the past. */
interface Done extends Span {
  readonly order: number;
}

/** A device since it was attached; which domain it is in shows from what stands before it. */
class Device {
  readonly votes = new Map<number, number>();
  readonly between = new Map<number, Between>();
  suspects: Suspect[] = [];
  done: Done[] = [];
  seen = 0;
  did: number | undefined;
}

/** Device-TLB invalidations after which the usual domain of a device is taken for its own. */
const VOTES = 16;

/** With so many devices, less is remembered of each. */
const MANY = 128;

/** IOTLB invalidations after which what came before them is no longer thought of. */
const KNOWN = 32;

const WHY_TOO_MANY = "too many device-TLB invalidations that nothing before them explains";
const WHY_GLOBAL = "a device-TLB invalidation of pages behind an IOTLB invalidation of everything";
const WHY_AGAIN =
  "a device-TLB invalidation twice after one IOTLB invalidation: which change it is for is missing";

export class Queue {
  readonly #desk: IommuDesk;
  readonly counts: DescriptorCounts = {};
  readonly #between: Between = { none: 0, one: 0, more: 0, unknown: 0, alone: 0 };
  readonly #devices = new Map<number, Device>();
  #history: Earlier[] = [];
  /** Of all devices. */
  #suspects = 0;
  #waits = 0;
  #unsure = 0;
  /** The last IOTLB invalidation's domain. */
  #last: number | undefined;
  /** What stood in the queue before is not known, or was not recorded. */
  #gap = true;
  descriptors = 0;
  /** IOTLB invalidations that leave entries of upper levels (IH), and waits with a fence (FN). */
  leaf_only = 0;
  fences = 0;

  constructor(desk: IommuDesk) {
    this.#desk = desk;
  }

  /** The sums over all devices so far. */
  get between(): Between {
    const sum = { ...this.#between };
    for (const device of this.#devices.values()) add(sum, usual(device)?.between);
    return sum;
  }

  get waits(): number {
    return this.#waits;
  }

  /**
   * The next descriptor. `judged`: somebody who knows what was unmapped judges its order.
   */
  put(record: Queued, judged: boolean): void {
    const { descriptor, at } = record;
    this.descriptors++;
    this.#count(descriptor);
    if (descriptor.leaf_only) this.leaf_only++;
    if (descriptor.fence) this.fences++;
    switch (descriptor.kind) {
      case "wait":
        this.#waits++;
        return;
      case "iotlb":
      case "pasid_iotlb":
        this.#iotlb(descriptor, at);
        return;
      case "device":
      case "pasid_device":
        this.#device(descriptor, at, judged);
        return;
      case "context":
        if (descriptor.granularity === "device") this.#settle(descriptor.sid);
        return;
      case "unknown":
        this.#desk.undecided(`a descriptor of unknown type ${descriptor.type}`, at.line);
        this.lost();
        return;
      default:
    }
  }

  /** A wait that is not recorded itself closes what came so far. */
  waited(): void {
    this.#waits++;
  }

  /** Whether there is a wait after the last descriptor is not recorded. */
  unsure(): void {
    this.#unsure++;
  }

  /** Descriptors are missing here. */
  lost(): void {
    this.#gap = true;
    this.#history = [];
    this.#unsure++;
  }

  /** The end of the recording. */
  finish(): void {
    for (const sid of [...this.#devices.keys()]) this.#settle(sid);
  }

  #count({ kind, granularity }: QueueDescriptor): void {
    const plain = kind === "wait" || kind === "unknown" || kind === "response";
    const key = plain || granularity === "unknown" ? kind : `${kind}_${granularity}`;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
  }

  #iotlb(descriptor: QueueDescriptor, at: RawEvent): void {
    const { did, pasid, granularity, start, end } = descriptor;
    if (granularity === "unknown") {
      this.#desk.undecided("an IOTLB invalidation of a reserved granularity", at.line);
      this.lost();
      return;
    }
    const everything = granularity === "global";
    const place = { waits: this.#waits, unsure: this.#unsure, order: this.descriptors };
    this.#history.push({ did, pasid, everything, start, end, at, ...place });
    if (this.#history.length > MAX_QUEUE_HISTORY) {
      // One by one would copy the list for each descriptor.
      this.#history = this.#history.slice(MAX_QUEUE_HISTORY / 2);
    }
    if (granularity !== "global") this.#last = did;
    if (this.#history.length >= KNOWN) this.#gap = false;
  }

  #device(descriptor: QueueDescriptor, at: RawEvent, judged: boolean): void {
    const { sid } = descriptor;
    let device = this.#devices.get(sid);
    if (device === undefined) {
      if (this.#devices.size >= MAX_QUEUE_DEVICES) {
        this.#desk.evicted("MAX_QUEUE_DEVICES");
        this.#between.unknown++;
        return;
      }
      device = new Device();
      this.#devices.set(sid, device);
    }
    device.seen++;
    if (this.#last !== undefined) {
      device.votes.set(this.#last, (device.votes.get(this.#last) ?? 0) + 1);
    }
    if (device.did === undefined && device.seen > VOTES) device.did = usual(device)?.did;
    // Until its domain is known, each that it may be in.
    const dids = device.did === undefined ? this.#candidates(device) : [device.did];
    for (const did of dids) this.#place(device, did, descriptor, at, judged);
    device.done.push({ start: descriptor.start, end: descriptor.end, order: this.descriptors });
    const most = this.#devices.size < MANY ? MAX_QUEUE_HISTORY : 4 * VOTES;
    if (device.done.length > most) device.done = device.done.slice(-VOTES);
  }

  #candidates(device: Device): Set<number> {
    const dids = new Set(device.votes.keys());
    // The nearest are the likeliest.
    for (let index = this.#history.length - 1; index >= 0; index--) {
      if (dids.size >= MAX_CANDIDATES) break;
      const { did, everything } = this.#history[index]!;
      if (!everything) dids.add(did);
    }
    return dids;
  }

  #place(
    device: Device,
    did: number,
    descriptor: QueueDescriptor,
    at: RawEvent,
    judged: boolean,
  ): void {
    let between = device.between.get(did);
    if (between === undefined) {
      // No IOTLB invalidation of this domain was in front of those before.
      const before = device.seen - 1;
      between = { none: 0, one: 0, more: 0, unknown: 0, alone: before };
      device.between.set(did, between);
    }
    const front = this.#inFront(did, descriptor);
    const alone = !judged && descriptor.granularity === "pages";
    if (front === undefined) {
      if (this.#gap) between.unknown++;
      else {
        between.alone++;
        if (alone) this.#suspect(device, { did, why: undefined, descriptor, at });
      }
      return;
    }
    if (alone && front.everything) this.#suspect(device, { did, why: WHY_GLOBAL, descriptor, at });
    else if (alone && isUsed(device, front, descriptor)) {
      this.#suspect(device, { did, why: WHY_AGAIN, descriptor, at });
    }
    const waits = this.#waits - front.waits;
    if (front.unsure !== this.#unsure) between.unknown++;
    else if (waits === 0) between.none++;
    else if (waits === 1) between.one++;
    else between.more++;
  }

  #suspect(device: Device, suspect: Suspect): void {
    if (this.#suspects < MAX_UNSETTLED) {
      this.#suspects++;
      device.suspects.push(suspect);
    } else this.#desk.undecided(WHY_TOO_MANY, suspect.at.line);
  }

  /** The last IOTLB invalidation of the domain that covers the pages. */
  #inFront(did: number, { start, end, pasid }: QueueDescriptor): Earlier | undefined {
    const parts: Earlier[] = [];
    for (let index = this.#history.length - 1; index >= 0; index--) {
      const one = this.#history[index]!;
      if (one.everything) return one;
      if (one.did !== did || one.start >= end || one.end <= start) continue;
      if (pasid !== undefined && one.pasid !== undefined && one.pasid !== pasid) continue;
      if (one.start <= start && end <= one.end) return one;
      parts.push(one);
    }
    // Several that cover it together: the last of them counts.
    return holds(parts, [{ start, end }]) ? parts[0] : undefined;
  }

  /** The device gets another domain, or the recording ends: what it was in is known now. */
  #settle(sid: number): void {
    const device = this.#devices.get(sid);
    const found = device === undefined ? undefined : usual(device);
    this.#devices.delete(sid);
    this.#suspects -= device?.suspects.length ?? 0;
    if (device === undefined || found === undefined) {
      this.#between.alone += device?.seen ?? 0;
      return;
    }
    add(this.#between, found.between);
    for (const { did, why, descriptor, at } of device.suspects) {
      if (did !== found.did) continue;
      if (why !== undefined) {
        this.#desk.undecided(why, at.line);
        continue;
      }
      const pages = `${formatPage(descriptor.start)}-${formatPage(descriptor.end)}`;
      this.#desk.finds({
        ...{ class: "order", at, start: descriptor.start, end: descriptor.end },
        operation: descriptor.kind === "device" ? "dev_tlb_inv" : "p_dev_tlb_inv",
        message:
          `the TLB of device ${formatSid(sid)} is invalidated for ${pages}, and no IOTLB ` +
          `invalidation of domain ${did} for them stands before it in the queue: the device may ` +
          "fetch the old translation again",
        ...{ rule: "V3", domain: String(did), device: formatSid(sid) },
      });
    }
  }
}

/** Whether the device was invalidated for these pages since that IOTLB invalidation. */
function isUsed(device: Device, front: Earlier, { start, end }: Span): boolean {
  for (let index = device.done.length - 1; index >= 0; index--) {
    const one = device.done[index]!;
    if (one.order <= front.order) return false;
    if (one.start <= start && end <= one.end) return true;
  }
  return false;
}

/** The domain that most often stood before it. */
function usual(device: Device): { did: number; between: Between | undefined } | undefined {
  let best: number | undefined = device.did;
  if (best === undefined) {
    let most = 0;
    for (const [did, votes] of device.votes) {
      if (votes > most) [best, most] = [did, votes];
    }
  }
  return best === undefined ? undefined : { did: best, between: device.between.get(best) };
}

function add(sum: Between, more: Between | undefined): void {
  if (more === undefined) return;
  sum.none += more.none;
  sum.one += more.one;
  sum.more += more.more;
  sum.unknown += more.unknown;
  sum.alone += more.alone;
}
