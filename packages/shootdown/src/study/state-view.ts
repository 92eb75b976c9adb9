// SPDX-License-Identifier: Apache-2.0
// A state of the concrete machine as what an engineer knows: page tables, caches, queues, locks.
//
//   variables ──sort of the first key──► rooms: tables · caches · queues · locks · frames · ...
//
// An entry of a cache is stale if memory would not give it now: a window machine in which all
// caches are empty says what memory gives, so that no rule of hardware is written here again.

import type { Variable } from "../engine/describe.ts";
import { variableName, variablesOf } from "../engine/describe.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Domain } from "../engine/program.ts";
import { wordLayout } from "../engine/word.ts";
import { cellBits } from "../explore/unsure.ts";
import { HELD } from "../kernel/discipline.ts";
import { desc } from "../vocabulary/descriptor.ts";
import { pmd, pte_table } from "../vocabulary/state.ts";
import { formatValue } from "./format.ts";
import { laneOf } from "./lanes.ts";

/** An entry that a cache holds. */
export interface HeldView {
  /** `tlb[CPU0,asid(A),x]`. */
  readonly place: string;
  readonly holds: string;
  readonly stale: boolean;
  /** Cell instance and value, to ask why it is there. */
  readonly instance: number;
  readonly value: number;
}

/** What one owner has of one kind. */
export interface CacheView {
  readonly cell: string;
  /** Lane of its owner. */
  readonly owner: string;
  readonly entries: readonly HeldView[];
}

export interface QueueView {
  readonly set: string;
  /** `cmdq`, `dvm_pe[CPU0,CPU1]`. */
  readonly name: string;
  readonly owner: string;
  readonly entries: readonly string[];
}

export interface ValueView {
  readonly name: string;
  readonly value: string;
}

/** Upper-level entry of a region, and the entries of the table that it leads to. */
export interface RegionView {
  readonly name: string;
  readonly value: string;
  readonly entries: readonly ValueView[];
}

export interface TableView {
  readonly mm: string;
  readonly regions: readonly RegionView[];
}

export interface ThreadView {
  readonly name: string;
  readonly status: "ended" | "ready" | "waits" | "tries again";
  /** `routine:step` and the statement that comes next. */
  readonly at: string;
}

/** Rooms of variables that have no picture of their own. */
export const ROOMS = [
  "locks",
  "frames",
  "CPUs",
  "IOMMU",
  "processes",
  "registers",
  "other",
] as const;
export type Room = (typeof ROOMS)[number];

export interface StateView {
  readonly threads: readonly ThreadView[];
  readonly tables: readonly TableView[];
  /** Tables that no region leads to, and that are not all empty. */
  readonly unlinked: readonly ValueView[];
  readonly caches: readonly CacheView[];
  readonly queues: readonly QueueView[];
  readonly rooms: readonly { readonly room: Room; readonly values: readonly ValueView[] }[];
  /** Properties that have been violated. */
  readonly violated: readonly string[];
}

const LOCKS = new Set<string>(HELD.map((f) => f.name));
const ROOM_OF: Readonly<Record<string, Room>> = {
  ...{ pfn: "frames", table: "frames", cpu: "CPUs", dev: "IOMMU", pasid: "IOMMU" },
  ...{ asid: "IOMMU", mm: "processes", agent: "registers" },
};

function roomOf({ decl }: Variable): Room {
  if (LOCKS.has(decl.name)) return "locks";
  const [first] = decl.kind === "field" ? decl.index : Object.values(decl.keys);
  return (first && ROOM_OF[first.name]) ?? "other";
}

/** Shows states of one program. */
export class StateViewer {
  private readonly machine: PackedMachine;
  private readonly memory: PackedMachine;
  private readonly cellBits: Int32Array;

  /** The machine is a concrete one; it is used for every view. */
  constructor(machine: PackedMachine) {
    this.machine = machine;
    this.memory = new PackedMachine(machine.program, { semantics: "window" });
    this.cellBits = cellBits(machine);
  }

  view(state: Int32Array): StateView {
    const { machine } = this;
    machine.load(state, 0);
    const all = variablesOf(machine, formatValue);
    const violated = machine.program.observers.filter((_, n) => machine.violated(n));
    const fields = all.filter((v) => v.decl.kind === "field");
    const rooms = ROOMS.map((room) => ({ room, values: [] as ValueView[] }));
    for (const v of fields) {
      if (v.decl === pmd.decl || v.decl === pte_table.decl) continue;
      rooms[ROOMS.indexOf(roomOf(v))]!.values.push({ name: variableName(v), value: v.texts[0]! });
    }
    return {
      threads: this.threads(state),
      ...this.tables(fields),
      caches: this.caches(state, all),
      queues: queuesOf(all, machine.program.domain),
      rooms,
      violated,
    };
  }

  /** Cells by instance whose entry memory would not give in this state. */
  private gives(state: Int32Array): readonly (ReadonlySet<number> | undefined)[] {
    const { memory } = this;
    const empty = state.slice();
    for (const [w, bits] of this.cellBits.entries()) empty[w]! &= ~bits;
    memory.load(empty, 0);
    memory.cells.dirtyAll();
    memory.close();
    return memory.cells.instances.map((c) =>
      c.fill ? new Set(memory.contents(c.group, c.index)) : undefined,
    );
  }

  private caches(state: Int32Array, all: readonly Variable[]): CacheView[] {
    const gives = this.gives(state);
    const caches = new Map<string, CacheView & { readonly entries: HeldView[] }>();
    for (const v of all) {
      if (v.decl.kind !== "cell") continue;
      const owner = laneOf(v.decl, v.index, this.machine.program.domain);
      const key = `${v.decl.name} ${owner}`;
      let cache = caches.get(key);
      if (!cache) caches.set(key, (cache = { cell: v.decl.name, owner, entries: [] }));
      for (const [n, value] of v.values.entries()) {
        const stale = gives[v.instance]?.has(value) === false;
        const place = variableName(v);
        cache.entries.push({ place, holds: v.texts[n]!, stale, instance: v.instance, value });
      }
    }
    return [...caches.values()];
  }

  private tables(fields: readonly Variable[]): Pick<StateView, "tables" | "unlinked"> {
    const { domain } = this.machine.program;
    const layout = wordLayout(desc, domain);
    const perTable = domain.limits["PTRS_PER_PTE"] ?? 1;
    const entries = fields.filter((v) => v.decl === pte_table.decl);
    const linked = new Set<number>();
    const tables = new Map<string, RegionView[]>();
    for (const upper of fields) {
      if (upper.decl !== pmd.decl) continue;
      const [mm, region] = upper.keys as [string, string];
      const value = upper.values[0]!;
      const isTable = layout.get(value, "valid") === 1 && layout.get(value, "table") === 1;
      const next = isTable ? layout.get(value, "next") : -1;
      linked.add(next);
      const own = entries.filter(
        ({ index }) => index[0] === next && Math.floor(index[1]! / perTable) === upper.index[1],
      );
      const shown = own.map((e) => ({ name: e.keys[1]!, value: e.texts[0]! }));
      const regions = tables.get(mm) ?? [];
      regions.push({ name: region, value: upper.texts[0]!, entries: shown });
      tables.set(mm, regions);
    }
    const left = entries.filter((e) => !linked.has(e.index[0]!) && e.values[0] !== 0);
    return {
      tables: [...tables].map(([mm, regions]) => ({ mm, regions })),
      unlinked: left.map((e) => ({ name: variableName(e), value: e.texts[0]! })),
    };
  }

  private threads(state: Int32Array): ThreadView[] {
    const { machine } = this;
    return machine.program.threads.map(({ name, instrs }, n): ThreadView => {
      machine.load(state, 0);
      if (machine.halted(n)) return { name, status: "ended", at: "" };
      const { routine, step } = instrs[machine.at(n)]!.origin;
      const again = machine.retrying(n);
      let ready = false;
      machine.successors(machine.transitions[n]!, state, 0, () => {
        ready = true;
      });
      const status = again ? "tries again" : ready ? "ready" : "waits";
      return { name, status, at: `${routine}:${step}` };
    });
  }
}

function queuesOf(all: readonly Variable[], domain: Domain): QueueView[] {
  return all.flatMap((v): QueueView[] => {
    if (v.decl.kind !== "pending") return [];
    const owner = laneOf(v.decl, v.index, domain);
    return [{ set: v.decl.name, name: variableName(v), owner, entries: v.texts }];
  });
}
