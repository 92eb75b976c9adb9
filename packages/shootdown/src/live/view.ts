// SPDX-License-Identifier: Apache-2.0
// Views of a live machine: cache entries against memory, events as lines.

import type { OpenMachine } from "../engine/open.ts";
import type { OpenLogEntry, Sweep, SweepPair, Value } from "../engine/open-value.ts";
import type { Domain, System } from "../engine/program.ts";
import { nameOf } from "../engine/program.ts";
import { wordLayout } from "../engine/word.ts";
import { desc, entry_kind } from "../vocabulary/descriptor.ts";
import { eventNamed } from "../vocabulary/events.ts";
import { cd_asid, cd_v } from "../vocabulary/iommu.ts";
import { pmd, pte_table } from "../vocabulary/state.ts";

const PAGE_SIZE = 4096;

export interface CacheEntry {
  /** tlb, walk_cache, smmu_tlb, smmu_walk_cache, atc or unordered_store. */
  readonly cache: string;
  /** `CPU0`, `SMMU`, a device's name. */
  readonly owner: string;
  /** Process whose translation it is; undefined if its ASID belongs to none any more. */
  readonly process: string | undefined;
  /** First byte of the page (or, for a walk cache, of the region). */
  readonly address: number;
  /** Permissions and frame: `frame 5 rw`, `table 2`. */
  readonly holds: string;
  /** Memory says something else by now. */
  readonly stale: boolean;
  /** Key and value as the model has them. */
  readonly key: readonly number[];
  readonly raw: number;
}

interface Named {
  readonly name: string;
}

/** A descriptor word from its fields. */
export function descriptor(domain: Domain, parts: Readonly<Record<string, number>>): number {
  const layout = wordLayout(desc, domain);
  return Object.entries(parts).reduce((v, [f, x]) => layout.put(v, f, x), 0);
}

/** A descriptor as text. */
export function showDescriptor(domain: Domain, value: number): string {
  const layout = wordLayout(desc, domain);
  const bit = (f: string) => layout.get(value, f) === 1;
  if (!bit("valid")) {
    const kind = entry_kind.values[layout.get(value, "kind")];
    return kind === "protnone" ? `protnone frame ${layout.get(value, "pfn")}` : "none";
  }
  if (bit("table")) return `table ${layout.get(value, "next")}`;
  const permission = !bit("DBM") ? "ro" : bit("RDONLY") ? "rw-clean" : "rw";
  return `frame ${layout.get(value, "pfn")} ${permission}${bit("AF") ? "" : " old"}`;
}

const CACHES = ["walk_cache", "tlb", "smmu_walk_cache", "smmu_tlb", "atc"] as const;

/** Every entry of every cache, in the order of caches and keys. */
export function cacheEntries(
  open: OpenMachine,
  system: System,
  processes: readonly Named[],
  devices: readonly Named[],
): CacheEntry[] {
  const { domain } = system;
  const number = (v: Value | undefined) => (typeof v === "number" ? v : 0);
  const mmOfSmmuAsid = (asid: number) =>
    processes.findIndex(
      (_, mm) =>
        number(open.field(cd_v.decl.name, [mm])) === 1 &&
        number(open.field(cd_asid.decl.name, [mm])) === asid,
    );
  return CACHES.flatMap((cache) =>
    open.entries(cache).map(({ key, value }): CacheEntry => {
      const last = key.at(-1)!;
      const isWalk = cache.endsWith("walk_cache");
      const mm =
        cache === "atc" ? key[1]! : cache.startsWith("smmu") ? mmOfSmmuAsid(key[0]!) : key[1]!;
      const owner =
        cache === "atc"
          ? (devices[key[0]!]?.name ?? `device ${key[0]}`)
          : cache.startsWith("smmu")
            ? "SMMU"
            : `CPU${key[0]}`;
      const region = isWalk ? last : Math.floor(last / 512);
      const upper = number(open.field(pmd.decl.name, [mm, region]));
      const table = wordLayout(desc, domain).get(upper, "next");
      const memory = isWalk
        ? upper
        : upper === 0
          ? 0
          : number(open.field(pte_table.decl.name, [table, last]));
      return {
        ...{ cache, owner, key, raw: value },
        process: processes[mm]?.name,
        address: last * PAGE_SIZE * (isWalk ? 512 : 1),
        holds: showDescriptor(domain, value),
        stale: mm < 0 || memory !== value,
      };
    }),
  );
}

/** Log entries as lines; arguments of bulk groups are those of the first repetition. */
export function describeEvents(log: readonly OpenLogEntry[], domain: Domain): string[] {
  return log.flatMap((entry) => {
    if (!("repeat" in entry)) return [line(entry.event, entry.args, domain)];
    return entry.events.map((e) => `${line(e.event, e.args, domain)} and ${entry.repeat - 1} more`);
  });
}

function line(
  event: string,
  args: Readonly<Record<string, Value | Sweep | SweepPair>>,
  domain: Domain,
): string {
  const params = eventNamed(event)?.params ?? {};
  const parts = Object.entries(args).map(([name, arg]) => {
    const first = firstOf(arg);
    if (typeof first !== "number") return `${name}=${hex(first.lo)}..${hex(first.hi)}`;
    const sort = params[name];
    if (sort === undefined) return `${name}=${first}`;
    if (sort.name === "va") return `${name}=${hex(first)}`;
    return sort === desc
      ? `${name}=(${showDescriptor(domain, first)})`
      : `${name}=${nameOf(sort, first, domain)}`;
  });
  return [event, ...parts].join(" ");
}

function firstOf(arg: Value | Sweep | SweepPair): Value {
  if (typeof arg === "number") return arg;
  if ("base" in arg) return arg.base;
  const { lo, hi } = arg;
  return {
    lo: typeof lo === "number" ? lo : lo.base,
    hi: typeof hi === "number" ? hi : hi.base,
  };
}

const hex = (page: number): string => `0x${(page * PAGE_SIZE).toString(16)}`;
