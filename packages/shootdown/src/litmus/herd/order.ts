// SPDX-License-Identifier: Apache-2.0
// What a step of a thread waits for, as data: barriers, dependencies, acquire and release, ISB.
//
//   translate ──captured entry──► access (read, write, or the fault)
//
// An access is two steps, and any step may be taken as soon as what is said here has happened. An
// access that faults is ordered as one that does not (Arm ARM B2.3, D8.17.8; rules A20, A25, A27).

import type { Access, Barrier, Fence, Item, Path, Tlbi } from "./program.ts";

/** How instructions are executed. */
export type Control =
  /** One after another, walks included; what is stored is seen by every walker at once. */
  | "strong"
  /** Accesses one after another; TLBs hold what they like, and walks are made early. */
  | "protocol"
  /** Accesses as soon as the architecture's order allows. */
  | "arm";

type Step = Access | Tlbi;

interface Rule {
  readonly name: string;
  readonly source: string;
  /** Absent: in every control. */
  readonly controls?: readonly Control[];
  readonly from: (x: Step) => boolean;
  /** What stands between the two; absent: nothing need. */
  readonly barrier?: readonly Barrier[];
  readonly to: (y: Step) => boolean;
  /** What the first reads is enough; what it writes may come later. */
  readonly read?: true;
  /** Only a later access that faults, or only one that does not, is held back; absent: both. */
  readonly faults?: boolean;
}

const any = (): boolean => true;
const explicit = (s: Step): s is Access => s.k === "access";
const reads = (s: Step): boolean => s.k === "access" && s.reads;
const writes = (s: Step): boolean => s.k === "access" && s.writes;

/** An access (or TLBI) is performed before a later one is. */
export const PERFORMED_BEFORE: readonly Rule[] = [
  {
    name: "program order",
    source: "the control",
    controls: ["strong", "protocol"],
    from: any,
    to: any,
  },
  { name: "DMB", source: "Arm ARM B2.3.7", from: explicit, barrier: ["DMB"], to: explicit },
  {
    name: "DMB LD",
    source: "Arm ARM B2.3.7",
    from: reads,
    barrier: ["DMB LD"],
    to: explicit,
    read: true,
  },
  { name: "DMB ST", source: "Arm ARM B2.3.7", from: writes, barrier: ["DMB ST"], to: writes },
  { name: "DSB", source: "Arm ARM B2.3.9; A27", from: any, barrier: ["DSB"], to: any },
  {
    name: "DSB LD",
    source: "Arm ARM B2.3.9",
    from: reads,
    barrier: ["DSB LD"],
    to: any,
    read: true,
  },
  { name: "DSB ST", source: "Arm ARM B2.3.9", from: writes, barrier: ["DSB ST"], to: any },
  {
    name: "acquire",
    source: "Arm ARM B2.3.11",
    from: (s) => s.k === "access" && s.acquire !== undefined,
    to: explicit,
    read: true,
  },
  {
    name: "acquire and release",
    source: "Arm ARM B2.3.11",
    from: (s) => s.k === "access" && s.acquire !== undefined && s.release,
    to: explicit,
  },
  {
    name: "release",
    source: "Arm ARM B2.3.11",
    from: explicit,
    to: (s) => s.k === "access" && s.release,
    faults: false,
  },
  {
    name: "release, then acquire",
    source: "Arm ARM B2.3.11",
    from: (s) => s.k === "access" && s.release,
    to: (s) => s.k === "access" && s.acquire === "A",
    faults: false,
  },
  {
    name: "DMB ST, then a fault",
    source: "herd, R+shoot+dmb.st-mmufault_af",
    from: writes,
    barrier: ["DMB ST"],
    to: explicit,
    faults: true,
  },
];

/** What must have happened before a step of a slot. */
export interface Before {
  /** What these read is known. */
  readonly read: Set<number>;
  /** These are performed. */
  readonly performed: Set<number>;
  /** These are translated, and do not fault. */
  readonly translated: Set<number>;
  /** These are translated, and do fault: control has gone on behind their faults. */
  readonly faulting: Set<number>;
  /** Hardware owes them no update of an entry. */
  readonly settled: Set<number>;
  /** These are performed if they turn out to be at the same location. */
  readonly sameLocation: Set<number>;
}

export interface SlotOrder {
  readonly translate: Before;
  /** Before a read-modify-write reads. */
  readonly read: Before;
  readonly access: Before;
  /** Before its fault is taken, if that is what becomes of it. */
  readonly fault: Before;
  /** It is known that the access is made: for what is not done by speculation. */
  readonly certain: Before;
  /** With FEAT_ETS2: performed before a translation that faults. */
  readonly faultingWalk: ReadonlySet<number>;
  /** With FEAT_ETS2: performed before hardware updates the entry. */
  readonly update: ReadonlySet<number>;
}

const nothing = (): Before => ({
  read: new Set(),
  performed: new Set(),
  translated: new Set(),
  faulting: new Set(),
  settled: new Set(),
  sameLocation: new Set(),
});

/** The order of the slots of a path's last program. */
export function orderOf(path: Path, control: Control): Map<number, SlotOrder> {
  const found = new Map<number, SlotOrder>();
  const { items } = path;
  const rules = PERFORMED_BEFORE.filter((r) => r.controls?.includes(control) ?? true);
  for (const [at, y] of items.entries()) {
    if (y.k === "fence" || !path.own.has(y.slot)) continue;
    const certain = certainty(path, at);
    const order = {
      translate: synchronized(path, at),
      read: nothing(),
      access: nothing(),
      fault: nothing(),
      certain,
    };
    add(order.access.read, dataOf(y));
    add(order.translate.read, y.address?.deps ?? []);
    if (y.k === "tlbi") merge(order.access, order.translate);
    if (y.k === "tlbi" || y.writes) {
      add(order.access.read, certain.read);
      add(order.access.translated, certain.translated);
      add(order.access.faulting, certain.faulting);
    }
    if (y.k === "access" && y.writes) {
      add(
        order.access.sameLocation,
        earlier(items, at)
          .filter((x) => explicit(x) && !path.faults.includes(x.slot))
          .map((x) => x.slot),
      );
    }
    for (const x of earlier(items, at)) {
      const between = fences(items, x, at);
      const ordering = rules.filter(
        (r) => r.from(x) && r.to(y) && (!r.barrier || r.barrier.some((b) => between.has(b))),
      );
      for (const r of ordering) {
        const part = r.read ? "read" : "performed";
        if (r.faults !== true) order.access[part].add(x.slot);
        if (r.faults !== true && r.to(asRead(y))) order.read[part].add(x.slot);
        if (r.faults !== false) order.fault[part].add(x.slot);
      }
      if (between.has("DSB")) {
        order.access.settled.add(x.slot);
        order.fault.settled.add(x.slot);
      }
      if (control === "strong") order.translate.performed.add(x.slot);
    }
    const ets = earlier(items, at).filter((x) => explicit(x) || fences(items, x, at).has("DSB"));
    const synced = earlier(items, at).filter((x) => fences(items, x, at).has("DSB"));
    const slots = (xs: readonly Step[]) => new Set(xs.map((x) => x.slot));
    found.set(y.slot, { ...order, faultingWalk: slots(ets), update: slots(synced) });
  }
  return found;
}

/** The reading part of an access. */
const asRead = (y: Step): Step => (y.k === "access" ? { ...y, writes: false, release: false } : y);

/** Branches are decided and no earlier access faults; only then is anything written (A13). */
function certainty(path: Path, at: number): Before {
  const { items } = path;
  const order = nothing();
  add(order.read, items[at]!.ctrl);
  for (const x of [...earlier(items, at), items[at]!]) {
    if (x.k !== "fence") add(order.read, x.address?.picks ?? []);
  }
  for (const x of earlier(items, at).filter(explicit)) outcome(order, path, x.slot);
  return order;
}

/** An earlier access has been translated: without a fault, or with the one that the path takes. */
function outcome(order: Before, path: Path, slot: number): void {
  if (path.faults.includes(slot)) order.faulting.add(slot);
  else order.translated.add(slot);
}

function merge(to: Before, from: Before): void {
  add(to.read, from.read);
  add(to.performed, from.performed);
  add(to.translated, from.translated);
  add(to.faulting, from.faulting);
  add(to.settled, from.settled);
}

const add = (to: Set<number>, slots: Iterable<number>): void => {
  for (const s of slots) to.add(s);
};

function dataOf(y: Step): number[] {
  if (y.k === "tlbi") return [];
  return [y.update, ...y.operands].flatMap((o) => (o ? [...o.deps, ...o.picks] : []));
}

const earlier = (items: readonly Item[], at: number): Step[] =>
  items.slice(0, at).filter((i): i is Step => i.k !== "fence");

/** The barriers between a step and a place. */
function fences(items: readonly Item[], x: Step, at: number): ReadonlySet<Barrier> {
  const from = items.indexOf(x);
  const between = items.slice(from, at).filter((i): i is Fence => i.k === "fence");
  return new Set(between.map((f) => f.barrier));
}

/**
 * What an ISB waits for, and so every step behind it: branches decided, earlier translations made
 * without a fault, and what an earlier DSB waits for (context synchronization, A27).
 */
function synchronized(path: Path, at: number): Before {
  const order = nothing();
  const { items } = path;
  const last = items.slice(0, at).findLastIndex((i) => i.k === "fence" && i.barrier === "ISB");
  if (last < 0) return order;
  const isb = items[last]!;
  add(order.read, isb.ctrl);
  for (const x of earlier(items, last)) {
    if (x.k === "access") outcome(order, path, x.slot);
    add(order.read, x.address?.picks ?? []);
    const between = fences(items, x, last);
    for (const r of PERFORMED_BEFORE.filter((rule) => rule.name.startsWith("DSB"))) {
      const ordered = r.from(x) && r.barrier?.some((b) => between.has(b));
      if (ordered) order[r.read ? "read" : "performed"].add(x.slot);
    }
    if (between.has("DSB")) order.settled.add(x.slot);
  }
  return order;
}
