// SPDX-License-Identifier: Apache-2.0
// What recorded events mean: the records that the decoder table in kprobes.ts makes.
//
// Addresses are page numbers (va >> 12, 0 .. 2^52), ends are exclusive. An `mm` is the text of the
// trace ("0xffff0000409a4f00"), to be used as a key. Every record keeps its event, which has the
// line, the time, the CPU, the task and the probed function.
import type { RawEvent } from "./raw-event.ts";
import type { Word64 } from "./word64.ts";

interface Recorded {
  readonly at: RawEvent;
}

/** enum mmu_notifier_event, by number. */
export const NOTIFIER_EVENTS = [
  "UNMAP",
  "CLEAR",
  "PROTECTION_VMA",
  "PROTECTION_PAGE",
  "SOFT_DIRTY",
  "RELEASE",
  "MIGRATE",
  "EXCLUSIVE",
] as const;
export type NotifierEvent = (typeof NOTIFIER_EVENTS)[number];

/** Entry of a range_start or range_end function of the notifier chain, or its callback. */
export interface NotifierRange extends Recorded {
  readonly kind: "notifier";
  readonly what: "range_start" | "range_end";
  /** `call`: the kernel enters the chain. `callback`: a user of the chain was called. */
  readonly seen: "call" | "callback";
  readonly mm: string;
  readonly start: number;
  readonly end: number;
  /** Undefined where the probe did not record it, or for a number unknown here. */
  readonly event: NotifierEvent | undefined;
  readonly blockable: boolean | undefined;
  /** Up to 6.5: range_end without the secondary callback; undefined where it is not recorded. */
  readonly only_end: boolean | undefined;
}

/** A call for pages: the secondary-TLB callback, aging, and change_pte (up to 6.9). */
export interface NotifierPages extends Recorded {
  readonly kind: "notifier";
  readonly what: "secondary" | "change_pte" | "clear_flush_young" | "clear_young" | "test_young";
  readonly seen: "call" | "callback";
  readonly mm: string;
  readonly start: number;
  readonly end: number;
  /** The new entry of a change_pte. */
  readonly entry: Word64 | undefined;
}

/** An mm gets a notifier or loses all of them; `watch` is the recording module's word for it. */
export interface NotifierLife extends Recorded {
  readonly kind: "notifier";
  readonly what: "register" | "release" | "watch_on" | "watch_off";
  readonly seen: "call" | "callback";
  readonly mm: string;
  readonly asid: number | undefined;
}

/** Functions that change one leaf entry (or, the contpte ones, `count` entries). */
export const ENTRY_OPERATIONS = [
  "ptep_set_access_flags",
  "huge_ptep_set_access_flags",
  "contpte_ptep_set_access_flags",
  "pmdp_set_access_flags",
  "ptep_clear_flush",
  "huge_ptep_clear_flush",
  "pmdp_huge_clear_flush",
  "pmdp_collapse_flush",
  "pmdp_invalidate",
  "pmdp_invalidate_ad",
  "ptep_modify_prot_start",
  "ptep_modify_prot_commit",
  "ptep_clear_flush_young",
  "contpte_clear_flush_young",
  "pmdp_clear_flush_young",
  "ptep_test_and_clear_young",
  "huge_ptep_set_wrprotect",
  "contpte_wrprotect_ptes",
  "contpte_clear_full_ptes",
  "contpte_get_and_clear_full_ptes",
  "contpte_set_ptes",
  "contpte_fold",
  "contpte_unfold",
  "set_huge_pte_at",
  "zap_huge_pmd",
] as const;
export type EntryOperation = (typeof ENTRY_OPERATIONS)[number];

/** Entry of a function that changes a leaf entry. */
export interface EntryChange extends Recorded {
  readonly kind: "pte";
  readonly op: EntryOperation;
  readonly mm: string;
  readonly page: number;
  /** The address of the entry, as text: entries of one table are 8 bytes apart. */
  readonly slot: string | undefined;
  /** The entry on function entry, or as `ptep_modify_prot_start` left it for the commit. */
  readonly old: Word64 | undefined;
  /** The entry asked for. */
  readonly entry: Word64 | undefined;
  /** Whether `ptep_set_access_flags` is for a write. */
  readonly dirty: boolean | undefined;
  /** Entries of a contpte operation. */
  readonly count: number | undefined;
  readonly vm_flags: Word64 | undefined;
}

/** Return of such a function; the entry is the last one of the same op and pid without a return. */
export interface EntryReturn extends Recorded {
  readonly kind: "pte_ret";
  readonly op: EntryOperation;
  /** Of `*_set_access_flags`: whether the entry was changed. */
  readonly changed: boolean | undefined;
  /** Of `ptep_clear_flush`: the entry that was there. */
  readonly old: Word64 | undefined;
}

/** A batch of unmapped pages, struct mmu_gather; `tlb` names it between begin and finish. */
export interface Gather extends Recorded {
  readonly kind: "gather";
  readonly what: "begin" | "begin_fullmm" | "flush_mmu" | "flush" | "finish" | "finish_ret";
  readonly tlb: string | undefined;
  readonly mm: string | undefined;
  /** What is still to be flushed; nothing where start >= end (the fields are reset by a flush). */
  readonly start: number | undefined;
  readonly end: number | undefined;
  /** The bit-field word: bit 0 is fullmm, 1 need_flush_all, 2 freed_tables. */
  readonly bits: number | undefined;
}

/** Batched flushes of reclaim and migration. */
export interface Batch extends Recorded {
  readonly kind: "batch";
  readonly what: "try_to_unmap_flush" | "flush_tlb_batched_pending" | "arch_tlbbatch_flush";
  readonly mm: string | undefined;
}

/** A CPU's flush of a range (x86's flush_tlb_mm_range), and its return. */
export interface CpuFlush extends Recorded {
  readonly kind: "cpu_flush";
  readonly what: "call" | "return";
  readonly mm: string | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly freed_tables: boolean | undefined;
}

/** Functions that a page fault passes through. */
export const FAULT_STEPS = [
  "handle_mm_fault",
  "do_wp_page",
  "wp_page_copy",
  "wp_page_reuse",
  "finish_mkwrite_fault",
  "do_huge_pmd_wp_page",
  "huge_pmd_set_accessed",
  "do_huge_pmd_anonymous_page",
  "do_swap_page",
  "do_numa_page",
  "hugetlb_fault",
  "hugetlb_wp",
] as const;
export type FaultStep = (typeof FAULT_STEPS)[number] | "handle_mm_fault_ret";

/** A step of a page fault. `page` is undefined where the probe has no address. */
export interface Fault extends Recorded {
  readonly kind: "fault";
  readonly what: FaultStep;
  readonly mm: string | undefined;
  readonly page: number | undefined;
  /** enum fault_flag: bit 0 is a write. */
  readonly flags: number | undefined;
  readonly orig: Word64 | undefined;
}

/** Functions that work on a range of addresses. */
export const RANGE_OPERATIONS = [
  "change_protection",
  "unmap_page_range",
  "unmap_vmas",
  "zap_page_range",
  "zap_page_range_single",
  "unmap_mapping_range",
  "copy_page_range",
  "move_page_tables",
  "split_huge_pmd",
  "collapse_huge_page",
  "hugetlb_change_protection",
  "change_prot_numa",
  "uffd_wp_range",
  "madvise_free_pte_range",
  "madvise_cold_or_pageout_pte_range",
  "clear_refs_pte_range",
  "exit_mmap",
  "free_pgtables",
] as const;
export type RangeName = (typeof RANGE_OPERATIONS)[number];

/** Entry or return of an operation on a range; fields that the probe lacks are undefined. */
export interface RangeOperation extends Recorded {
  readonly kind: "range";
  readonly what: RangeName;
  readonly step: "call" | "return";
  /** The mm changed: of copy_page_range the source, whose entries are write-protected. */
  readonly mm: string | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly result: number | undefined;
}

/** Functions that walk the mappings of one page. */
export const REVERSE_MAPS = [
  "try_to_unmap",
  "try_to_migrate",
  "try_to_unmap_one",
  "try_to_migrate_one",
  "folio_mkclean",
  "page_mkclean_one",
  "folio_referenced",
  "remove_migration_ptes",
  "migrate_pages",
  "try_to_merge_one_page",
  "replace_page",
] as const;
export type ReverseMapName = (typeof REVERSE_MAPS)[number];

/** A walk of the mappings of one page. */
export interface ReverseMap extends Recorded {
  readonly kind: "rmap";
  readonly what: ReverseMapName;
  readonly folio: string | undefined;
  readonly mm: string | undefined;
  readonly page: number | undefined;
}

/** A migration entry set or removed; the trace does not say in which mm. */
export interface MigrationEntry extends Recorded {
  readonly kind: "migration_pte";
  readonly what: "set" | "remove";
  readonly page: number;
  readonly entry: Word64 | undefined;
  readonly order: number | undefined;
}

/** What a test program wrote: "mark=N step=NAME op=OPERATION addr=0xA len=0xL note". */
export interface Mark extends Recorded {
  readonly kind: "mark";
  readonly number: number;
  readonly step: string;
  readonly op: string;
  /** Pages that addr and len touch; equal where there are none. */
  readonly start: number;
  readonly end: number;
  readonly note: string;
}

/** What a modelled secondary TLB did, recorded as ground truth. */
export interface ModelFill extends Recorded {
  readonly kind: "model";
  readonly what: "fill";
  readonly mm: string;
  readonly start: number;
  readonly end: number;
  readonly entry: Word64;
}
export interface ModelDrop extends Recorded {
  readonly kind: "model";
  readonly what: "drop";
  readonly mm: string;
  readonly start: number;
  readonly end: number;
}
export interface ModelCheck extends Recorded {
  readonly kind: "model";
  readonly what: "check";
  readonly mm: string;
  readonly page: number;
  /** Undefined where nothing was kept. */
  readonly kept: Word64 | undefined;
  readonly now: Word64;
  readonly verdict: string;
}

/** A mapping made for a device, or taken from it. Addresses are pages of the device's space. */
export interface DeviceMapping extends Recorded {
  readonly kind: "iommu";
  readonly what: "map" | "unmap";
  readonly start: number;
  readonly end: number;
  /** First page of memory, of a map. */
  readonly frame: number | undefined;
}

/** A process begins or ends. */
export interface Process extends Recorded {
  readonly kind: "process";
  readonly what: "fork" | "exit";
  /** The child, or the one that ends. */
  readonly pid: number;
}

/** A known event that lacks what it must have: the recording's probe differs. */
export interface Malformed extends Recorded {
  readonly kind: "malformed";
  readonly why: string;
}

export type TraceRecord =
  | NotifierRange
  | NotifierPages
  | NotifierLife
  | EntryChange
  | EntryReturn
  | Gather
  | Batch
  | CpuFlush
  | Fault
  | RangeOperation
  | ReverseMap
  | MigrationEntry
  | Mark
  | ModelFill
  | ModelDrop
  | ModelCheck
  | DeviceMapping
  | Process
  | Malformed;
