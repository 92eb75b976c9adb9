// SPDX-License-Identifier: Apache-2.0
// Mapping pages on a live machine: tables, entries, frames and the vma, as they would be by now.

import { next_free_page, PageAnonExclusive, page_refs, VM_WRITE, vma } from "../kernel/state.ts";
import { life, page_life, pmd } from "../vocabulary/state.ts";
import { LIVE_LIMITS } from "./domain.ts";
import type { LiveMachine } from "./live.ts";
import type { MapOptions } from "./options.ts";
import { descriptor } from "./view.ts";

const { PTRS_PER_PTE } = LIVE_LIMITS;
/** What one frame more adds to a descriptor word: six flag bits lie below. */
const FRAME_UNIT = 2 ** 6;

/** Maps private anonymous pages from page `va` on. */
export function mapPages(live: LiveMachine, mm: number, va: number, options: MapOptions): void {
  const { pages = 1, writable = true, young = true, vmaWritable = true } = options;
  const { dirty = writable } = options;
  const frame = live.get(next_free_page.decl, []);
  const bits = {
    ...{ RDONLY: writable && dirty ? 0 : 1, DBM: writable ? 1 : 0 },
    ...{ DIRTY: dirty ? 1 : 0, AF: young ? 1 : 0 },
  };
  for (const { first, count } of tablesFor(live, mm, va, pages)) {
    const entry = descriptor(live.domain, { valid: 1, ...bits, pfn: frame + first - va });
    live.fillFrames([tableOf(live, mm, Math.floor(first / PTRS_PER_PTE)), first], count, entry);
  }
  live.fill(vma.decl, [mm, va], pages, 1);
  live.fill(VM_WRITE.decl, [mm, va], pages, vmaWritable ? 1 : 0);
  live.fill(page_life.decl, [frame], pages, life.values.indexOf("used"));
  live.fill(page_refs.decl, [frame], pages, 1);
  live.fill(PageAnonExclusive.decl, [frame], pages, 1);
  live.set(next_free_page.decl, [], frame + pages);
}

/** The table of a region that has one. */
function tableOf(live: LiveMachine, mm: number, region: number): number {
  const upper = live.get(pmd.decl, [mm, region]);
  return (upper - (upper % FRAME_UNIT)) / FRAME_UNIT;
}

/** Gives every region of a mapping a table, and cuts the mapping where tables do not follow. */
function tablesFor(
  live: LiveMachine,
  mm: number,
  va: number,
  pages: number,
): { first: number; count: number }[] {
  const regions = Math.floor((va + pages - 1) / PTRS_PER_PTE);
  const parts: { first: number; count: number }[] = [];
  let previous = -2;
  for (let r = Math.floor(va / PTRS_PER_PTE); r <= regions; r++) {
    if (live.get(pmd.decl, [mm, r]) === 0) live.newTable(mm, r);
    const table = tableOf(live, mm, r);
    const first = Math.max(va, r * PTRS_PER_PTE);
    const count = Math.min(va + pages, (r + 1) * PTRS_PER_PTE) - first;
    const last = parts.at(-1);
    if (last && table === previous + 1) last.count += count;
    else parts.push({ first, count });
    previous = table;
  }
  return parts;
}
