// SPDX-License-Identifier: Apache-2.0
// Properties of the states in which runs end, whatever the scenario: what is still held, who waits,
// and whether references are what is referenced.

import type { PackedMachine } from "../engine/packed.ts";
import { sizeOf } from "../engine/program.ts";
import { wordLayout } from "../engine/word.ts";
import type { FieldDecl } from "../ir/expr.ts";
import { HELD } from "../kernel/discipline.ts";
import {
  folio_mapping,
  i_pages,
  is_zero_page,
  PG_swapcache,
  page_refs,
  pmd_huge_pte,
} from "../kernel/state.ts";
import { desc, entry_kind } from "../vocabulary/descriptor.ts";
import { life, page_life, pmd, pte_table, table_life } from "../vocabulary/state.ts";
import type { World } from "./world.ts";

export interface AtRest {
  readonly describes: string;
  /** What it looks at. */
  readonly fields: readonly FieldDecl[];
  /** The observer that writes some of it. */
  readonly observer?: string;
  /** Whether it holds in the scratch state, in which nothing goes on. */
  readonly holds: (m: PackedMachine, world: World) => boolean;
}

/** By the name that a condition uses. */
export const AT_REST: ReadonlyMap<string, AtRest> = new Map<string, AtRest>([
  [
    "left_held",
    {
      describes: "a lock is held, a notified range or a gather has begun, and nothing goes on",
      fields: HELD,
      observer: "unbalanced",
      holds: (m, world) => HELD.some((f) => indicesOf(f, world).some((i) => !!m.field(f.name, i))),
    },
  ],
  [
    "deadlocked",
    {
      describes: "a program waits in the kernel for what nobody will do",
      fields: [],
      holds: (m) => m.program.threads.some((_, n) => waitsWithin(m, n)),
    },
  ],
  [
    "miscounted",
    {
      describes: "a page has more or fewer references than there is that refers to it",
      fields: [page_refs, page_life, pmd, pte_table, i_pages, folio_mapping, PG_swapcache].map(
        (f) => f.decl,
      ),
      holds: miscounted,
    },
  ],
  [
    "lost_table",
    {
      describes: "a page table is in use, and neither linked nor kept for a huge page",
      fields: [table_life, pmd, pmd_huge_pte].map((f) => f.decl),
      holds: (m, world) => {
        const known = tablesOf(m, world);
        return indicesOf(table_life.decl, world).some(([n]) => {
          const is = m.field(table_life.decl.name, [n!]);
          return is !== undefined && life.values[is] === "used" && !known.has(n!);
        });
      },
    },
  ],
]);

/** Every index of a field. */
export function indicesOf({ index }: FieldDecl, { domain }: World): readonly (readonly number[])[] {
  return index.reduce<readonly (readonly number[])[]>(
    (all, sort) =>
      all.flatMap((i) => Array.from({ length: sizeOf(sort, domain) }, (_, n) => [...i, n])),
    [[]],
  );
}

/** Whether a program waits in a routine; one of its own may wait for whom it likes. */
function waitsWithin(m: PackedMachine, thread: number): boolean {
  if (m.halted(thread)) return false;
  const { name, instrs } = m.program.threads[thread]!;
  return instrs[m.at(thread)]!.origin.routine !== name;
}

/** Tables that upper levels link, or that are kept for huge pages. */
function tablesOf(m: PackedMachine, { domain, mms }: World): ReadonlySet<number> {
  const layout = wordLayout(desc, domain);
  const tables = new Set<number>();
  for (const mm of mms.keys()) {
    for (let region = 0; region < domain.sizes["region"]!; region++) {
      const upper = m.field(pmd.decl.name, [mm, region]) ?? 0;
      if (layout.get(upper, "valid") === 1 && layout.get(upper, "table") === 1) {
        tables.add(layout.get(upper, "next"));
      } else if (upper !== 0) tables.add(m.field(pmd_huge_pte.decl.name, [mm, region]) ?? 0);
    }
  }
  return tables;
}

const KINDS_WITH_PAGE = ["protnone", "present_invalid", "device_private", "device_exclusive"];

function miscounted(m: PackedMachine, world: World): boolean {
  const now = holders((f, i) => m.field(f.name, i), world);
  const then = holders((f, i) => initially(world, f, i), world);
  const refs = (n: number) => m.field(page_refs.decl.name, [n]);
  const frames = world.domain.sizes["pfn"]! - 1;
  for (let n = 0; n < frames; n++) {
    const count = refs(n);
    if (count === undefined) return false;
    // Nobody counts who maps zeros.
    if (initially(world, is_zero_page.decl, [n])) continue;
    const lives = m.field(page_life.decl.name, [n]);
    if (lives !== undefined && life.values[lives] === "freed") {
      if (now.mapped[n]! > 0) return true;
      continue;
    }
    // Whom the scenario does not show keeps what he has.
    const outside = (initially(world, page_refs.decl, [n]) ?? 0) - then.all[n]!;
    if (count !== now.all[n]! + Math.max(0, outside)) return true;
  }
  return false;
}

const initially = (world: World, f: FieldDecl, index: readonly number[]): number | undefined =>
  world.initial.findLast((i) => i.field === f && i.index.every((v, n) => v === index[n]))?.value;

type Read = (f: FieldDecl, index: readonly number[]) => number | undefined;

/** By frame: how many entries map it, and what else has a reference. */
function holders(read: Read, world: World) {
  const { domain, mms } = world;
  const layout = wordLayout(desc, domain);
  const mapped = Array.from({ length: domain.sizes["pfn"]! + 1 }, () => 0);
  const perTable = domain.limits["PTRS_PER_PTE"]!;
  const names = (entry: number) =>
    layout.get(entry, "valid") === 1 ||
    KINDS_WITH_PAGE.includes(entry_kind.values[layout.get(entry, "kind")]!);
  const tables = new Set<number>();
  for (const mm of mms.keys()) {
    for (let region = 0; region < domain.sizes["region"]!; region++) {
      const upper = read(pmd.decl, [mm, region]) ?? 0;
      if (!names(upper)) continue;
      const isTable = layout.get(upper, "table") === 1;
      const next = layout.get(upper, "next");
      if (isTable && tables.has(next)) continue;
      if (isTable) tables.add(next);
      for (let n = 0; n < perTable; n++) {
        if (!isTable) mapped[layout.get(upper, "pfn") + n]!++;
        else {
          const entry = read(pte_table.decl, [next, region * perTable + n]) ?? 0;
          if (names(entry)) mapped[layout.get(entry, "pfn")]!++;
        }
      }
    }
  }
  const all = [...mapped];
  for (let n = 0; n < (domain.sizes["pgoff"] ?? 0); n++) {
    const frame = read(i_pages.decl, [n]);
    if (frame !== undefined && read(folio_mapping.decl, [frame])) all[frame]!++;
  }
  for (let n = 0; n < domain.sizes["pfn"]!; n++) if (read(PG_swapcache.decl, [n])) all[n]!++;
  return { mapped, all };
}
