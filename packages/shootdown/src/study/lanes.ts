// SPDX-License-Identifier: Apache-2.0
// Whose a cache, a queue or a step is: the lanes in which a run is drawn.
//
//   CPU0   CPU1   cmdq   SMMU   D   memory
//    |──tlbi──────────────►|              a thread posts to a set ─► its effect in another lane

import { outstandingOf, showValue, variableName } from "../engine/describe.ts";
import type { PackedMachine, Transition } from "../engine/packed.ts";
import type { Domain } from "../engine/program.ts";
import { priq } from "../hardware/pcie/page-requests.ts";
import { cmdq } from "../hardware/smmuv3/cmdq.ts";
import { cd_cache, cd_ttb0_cache, ste_cache } from "../hardware/smmuv3/config.ts";
import { transaction } from "../hardware/smmuv3/transactions.ts";
import type { CellDecl, PendingDecl } from "../ir/machine.ts";
import { formatValue } from "./format.ts";

/** Lanes that are no CPU and no device. */
export const IOMMU = "IOMMU";
export const MEMORY = "memory";
/** The command queue, which has a lane of its own. */
export const CMDQ = cmdq.decl.name;

/** Keys that say who has it; an `issuer` has only sent it. */
const OWNERS = ["target", "cpu", "dev"];

/** What the IOMMU has for each device. */
const OF_IOMMU: ReadonlySet<CellDecl | PendingDecl> = new Set(
  [ste_cache, cd_cache, cd_ttb0_cache, priq, transaction].map((x) => x.decl),
);

/** The lane of a cell or a pending set; the command queue has one of its own. */
export function laneOf(
  decl: CellDecl | PendingDecl,
  index: readonly number[],
  domain: Domain,
): string {
  if (decl === cmdq.decl) return CMDQ;
  const names = Object.keys(decl.keys);
  const owner = OWNERS.map((name) => names.indexOf(name)).find((n) => n >= 0);
  if (OF_IOMMU.has(decl) || owner === undefined) return IOMMU;
  return showValue(Object.values(decl.keys)[owner]!, index[owner]!, domain, formatValue);
}

/** Every lane of a program, in the order of a drawing. */
export function lanesOf({ program }: PackedMachine): string[] {
  const { domain, cells, pending, threads } = program;
  const owners = [
    ...cells.flatMap((g) => g.instances.map((i) => laneOf(g.decl, i.key, domain))),
    ...pending.map((p) => laneOf(p.decl, p.key, domain)),
  ];
  const all = new Set([...threads.map((t) => t.name), ...owners]);
  const devices = new Set(domain.names["dev"]);
  const last = [CMDQ, IOMMU].filter((lane) => all.has(lane));
  const cpus = [...all].filter((lane) => !devices.has(lane) && !last.includes(lane));
  return [...cpus.sort(byNumber), ...last, ...[...all].filter((lane) => devices.has(lane)), MEMORY];
}

/**
 * The lanes that a drawing of some steps needs: those of the scenario's programs, and where
 * anything was done, landed or is outstanding in the state `end`. A worker that never works has
 * none.
 */
export function lanesUsed(
  machine: PackedMachine,
  taken: Iterable<number>,
  end: Int32Array,
): string[] {
  const { domain, pending, threads } = machine.program;
  const used = new Set([MEMORY, ...threads.map((t) => t.name).filter((t) => !isWorker(t))]);
  for (const n of taken) {
    const t = machine.transitions[n]!;
    used.add(laneOfStep(machine, t));
    if (t.kind === "effect")
      used.add(laneOf(pending[t.index]!.decl, pending[t.index]!.key, domain));
  }
  machine.load(end, 0);
  for (const v of outstandingOf(machine, formatValue)) {
    if (v.decl.kind === "pending" && v.texts.length > 0) used.add(laneOf(v.decl, v.index, domain));
  }
  return lanesOf(machine).filter((lane) => used.has(lane));
}

/** What the kernel does for a device beside the scenario's programs. */
const isWorker = (thread: string): boolean => thread.endsWith(".worker");

const byNumber = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });

/** The lane in which a step is made. */
export function laneOfStep({ program, cells }: PackedMachine, t: Transition): string {
  const { domain } = program;
  switch (t.kind) {
    case "thread":
      return t.name;
    case "effect": {
      const { decl, key } = program.pending[t.index]!;
      // A queue is where commands wait; who takes them out is the IOMMU.
      return decl === cmdq.decl ? IOMMU : laneOf(decl, key, domain);
    }
    case "fill":
    case "evict": {
      const { key } = cells.instances[t.index]!;
      return laneOf(cells.decl(t.index), key, domain);
    }
    case "rule": {
      const { decl, args } = program.rules[t.index]!;
      const sorts = Object.values(decl.params);
      const owner = sorts.findIndex((s) => s.name === "cpu" || s.name === "dev");
      return owner < 0 ? IOMMU : showValue(sorts[owner]!, args[owner]!, domain, formatValue);
    }
  }
}

/** A message between two lanes, from when it is sent until it takes effect. */
export interface Message {
  /** The pending set that carries it: `dvm_pe[CPU0,CPU1]`. */
  readonly set: string;
  readonly text: string;
  /** Where it waits, or where it comes from. */
  readonly lane: string;
}

/** What a step has to do with lanes. */
export interface Staged {
  readonly lane: string;
  readonly sent: readonly Message[];
  /** What took effect by this step. */
  readonly landed: Message | null;
}

/** Compares what is outstanding before and after a step. */
export function staged(
  machine: PackedMachine,
  t: Transition,
  before: Int32Array,
  after: Int32Array,
): Staged {
  const { pending, domain } = machine.program;
  const was = outstanding(machine, before);
  const is = outstanding(machine, after);
  const message = (set: number, text: string): Message => {
    const { decl, key } = pending[set]!;
    return { set: is[set]!.name, text, lane: laneOf(decl, key, domain) };
  };
  const landed = t.kind === "effect" ? message(t.index, was[t.index]!.texts[t.slot]!) : null;
  const sent = is.flatMap(({ texts }, set) => {
    const left = [...was[set]!.texts];
    if (landed && t.index === set) left.splice(t.slot, 1);
    // What stays keeps its place; what is new stands behind it.
    return texts.slice(left.length).map((text) => message(set, text));
  });
  return { lane: laneOfStep(machine, t), sent, landed };
}

function outstanding(machine: PackedMachine, state: Int32Array) {
  machine.load(state, 0);
  return outstandingOf(machine, formatValue).map((v) => ({
    name: variableName(v),
    texts: v.texts,
  }));
}
