// SPDX-License-Identifier: Apache-2.0
// What CPUs, IOMMU and kernel share: page tables, frames, and who may translate what.

import type { Expr } from "../ir/expr.ts";
import { appliedPlace, field, get } from "../ir/expr.ts";
import { enumeration } from "../ir/sort.ts";
import { desc } from "./descriptor.ts";
import { regionOf, t } from "./sorts.ts";

/** Upper level: the descriptor of a region, none or a table. */
export const pmd = field("pmd", [t.mm, t.region], desc);
/** Entries of the last-level tables. A freed table can still be read. */
export const pte_table = field("pte_table", [t.table, t.va], desc);

/** The kernel's own way to an entry, through the upper level; the table must exist. */
export const pte = (mm: Expr<"mm">, va: Expr<"va">) =>
  appliedPlace("*ptep", [mm, va], pte_table(get(pmd(mm, regionOf(va)), "next", t.table), va));

/** Life of a frame or table page: never handed out, in use, given back. */
export const life = enumeration("life", ["fresh", "used", "freed"]);
export const page_life = field("page_life", [t.pfn], life);
export const table_life = field("table_life", [t.table], life);

/** The mm that a CPU's TTBR0 points to, and its ASID. */
export const asid_of = field("asid_of", [t.mm], t.asid);

/** A scenario's own synchronization. */
export const signal = field("signal", [t.signal], t.bool);

/** Registers of a scenario's agents: what each access reached. */
export const reg = field("reg", [t.agent, t.register], t.reached);

/** A property asks what walkers read: it writes this, which is how a model knows. */
export const walks_watched = field("walks_watched", [], t.bool);
/** Addresses that a scenario declares global, and those of a contiguous group; they stay so. */
export const is_global = field("is_global", [t.va], t.bool);
export const is_contiguous = field("is_contiguous", [t.va], t.bool);
/** Frames that a scenario declares to be of memory with XS=1. */
export const is_xs = field("is_xs", [t.pfn], t.bool);
/** Stage 2: the leaf of each intermediate frame; a model in which nothing writes it has none. */
export const s2 = field("s2", [t.pfn], desc);
/** A scenario links blocks into the upper level: it writes this, which is how a model knows. */
export const blocks_linked = field("blocks_linked", [], t.bool);
/** Observers' memory: how far break-before-make has come for a page, by whom, and from what. */
export const break_stage = enumeration("break_stage", [
  ...(["none", "stored", "ordered", "sent", "complete"] as const),
]);
export const breaking = field("breaking", [t.mm, t.va], break_stage);
export const breaking_cpu = field("breaking_cpu", [t.mm, t.va], t.cpu);
export const broken = field("broken", [t.mm, t.va], desc);
/** The same of upper-level entries, where blocks are linked. */
export const breaking_upper = field("breaking_upper", [t.mm, t.region], break_stage);
export const breaking_upper_cpu = field("breaking_upper_cpu", [t.mm, t.region], t.cpu);
/** Who has sent a TLBI for it since. */
export const breaking_sent = field("breaking_sent", [t.cpu, t.mm, t.va], t.bool);
export const breaking_upper_sent = field("breaking_upper_sent", [t.cpu, t.mm, t.region], t.bool);
export const broken_upper = field("broken_upper", [t.mm, t.region], desc);
/** The same of an SMMU that hears no broadcasts: how far it has been told. */
export const smmu_breaking = field("smmu_breaking", [t.mm, t.va], break_stage);
export const smmu_breaking_upper = field("smmu_breaking_upper", [t.mm, t.region], break_stage);
/** Observers' memory: the valid entry that a store to this page's entry replaced last. */
export const replaced = field("replaced", [t.mm, t.va], desc);
/** Observers' memory: an entry whose frame nobody may write through this page any more. */
export const sealed = field("sealed", [t.mm, t.va], desc);
/** Observers' memory: an entry whose frame nobody may access through this page any more. */
export const dropped = field("dropped", [t.mm, t.va], desc);
/** Observers' memory: reclaim may drop a frame as long as entries of it are clean. */
export const droppable = field("droppable", [t.pfn], t.bool);
/** Scratch of `lost_write`: no entry of a contiguous group says that a page was written. */
export const group_clean = field("group_clean", [], t.bool);
/** Observers' memory: a frame was copied, and no entry has let anybody write it since. */
export const copied = field("copied", [t.pfn], t.bool);
