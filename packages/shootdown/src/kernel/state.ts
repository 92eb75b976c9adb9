// SPDX-License-Identifier: Apache-2.0
// What the kernel's routines share and hardware does not see: locks, vmas, pages, notifiers.

import { field } from "../ir/expr.ts";
import { t } from "../vocabulary/sorts.ts";

/** mmap_lock: readers and writer. */
export const mmap_lock_readers = field("mmap_lock.readers", [t.mm], t.int);
export const mmap_lock_writer = field("mmap_lock.writer", [t.mm], t.bool);
/** The page-table lock; one a process here, one a table in the kernel. */
export const ptl = field("ptl", [t.mm], t.bool);

/** The vma that covers a page, and its flags. */
export const vma = field("vma", [t.mm, t.va], t.bool);
/** PROT_NONE: vma_is_accessible() is false. */
export const VM_NONE = field("VM_NONE", [t.mm, t.va], t.bool);
export const VM_WRITE = field("VM_WRITE", [t.mm, t.va], t.bool);
/** A vma of hugetlb, with the levels that mm/hugetlb.ts has. */
export const VM_HUGETLB = field("VM_HUGETLB", [t.mm, t.va], t.bool);

/** A range that is unmapped may hold several vmas, or none in places: a system begins with it. */
export const vmas_several = field("vmas_several", [], t.bool);
/** Taken out of the process by what unmaps it now: the vma that covered a page, if one did. */
export const vma_detached = field("vma_detached", [t.mm, t.va], t.bool);

/** References to a page: one for each mapping, and those that a routine holds. */
export const page_refs = field("page_refs", [t.pfn], t.int);
/** PageAnonExclusive(). */
export const PageAnonExclusive = field("PageAnonExclusive", [t.pfn], t.bool);
/** The zero page is mapped without a struct page that vm_normal_page() would return. */
export const is_zero_page = field("is_zero_page", [t.pfn], t.bool);
/** The zero page (ZERO_PAGE(0)). */
export const zero_pfn = field("zero_pfn", [], t.pfn);
/** The frame that the allocator hands out next. */
export const next_free_page = field("next_free_page", [], t.pfn);

/** mm->notifier_subscriptions holds an SVA notifier. */
export const mm_subscribed = field("mm_subscribed", [t.mm], t.bool);
/** The PASID of an mm (mm->pasid, iommu_mm->pasid). */
export const mm_pasid = field("mm_pasid", [t.mm], t.pasid);
/** The device is attached to the SVA domain of its mm. */
export const dev_attached = field("dev_attached", [t.dev], t.bool);
export const dev_mm = field("dev_mm", [t.dev], t.mm);
/** master->ats_enabled, and how many masters of a domain use ATS. */
export const master_ats_enabled = field("master_ats_enabled", [t.dev], t.bool);
export const nr_ats_masters = field("nr_ats_masters", [t.mm], t.int);
/** An ASID of the SMMU was given back: the next domain gets it. */
export const smmu_asid_freed = field("smmu_asid_freed", [t.asid], t.bool);
/** The function does not answer any more: pci_dev_is_disconnected(). */
export const pci_disconnected = field("pci_disconnected", [t.dev], t.bool);
/** mm_users has not reached zero. */
export const mm_alive = field("mm_alive", [t.mm], t.bool, 1);

/** struct mmu_gather on the stack of a CPU: queued pages and tables, and what to flush. */
export const gather_page = field("gather_page", [t.cpu, t.pfn], t.int);
export const gather_table = field("gather_table", [t.cpu, t.table], t.bool);

/** Gathered since the last flush: cleared_pmds, cleared_ptes; kept where pages are huge. */
export const gather_pmds = field("gather_pmds", [t.cpu], t.bool);
export const gather_ptes = field("gather_ptes", [t.cpu], t.bool);
/** An address of the kernel that was given up, and whether somebody purges those. */
export const vmap_lazy = field("vmap_lazy", [t.va], t.bool);
export const vmap_purge_lock = field("vmap_purge_lock", [], t.bool);
/** Allocations that must not wait may fail: who wants that writes this. */
export const nowait_fails = field("nowait_fails", [], t.bool);

/** mm->tlb_flush_pending: gathers that have begun and not finished. */
export const tlb_flush_pending = field("tlb_flush_pending", [t.mm], t.int);
/** Some operation gathers with mmap_lock held for reading: it writes this; then all count. */
export const gathers_nest = field("gathers_nest", [], t.bool);

/** Something writes PROT_NONE entries; some vma is write-protected by userfaultfd: as above. */
export const entries_protnone = field("entries_protnone", [], t.bool);
export const vmas_uffd_wp = field("vmas_uffd_wp", [], t.bool);
/** MMF_UNSTABLE: the OOM reaper has begun, and nothing new is mapped. */
export const mmf_unstable = field("mmf_unstable", [t.mm], t.bool);
/** More than one CPU changes entries: who does knows what others have stored under the lock. */
export const entries_race = field("entries_race", [], t.bool);

/** With atc-retry: a timeout was reported since this CPU issued its ATC invalidation. */
export const atc_inv_again = field("atc_inv_again", [t.cpu], t.bool);

/** folio_lock(), folio_test_dirty(), folio_test_swapcache() with the page as its own slot. */
export const PG_locked = field("PG_locked", [t.pfn], t.bool);
export const PG_dirty = field("PG_dirty", [t.pfn], t.bool);
export const PG_swapcache = field("PG_swapcache", [t.pfn], t.bool);

/** folio_mark_lazyfree(): MADV_FREE has looked at the page. */
export const PG_lazyfree = field("PG_lazyfree", [t.pfn], t.bool);

/** mm->tlb_flush_batched: unmaps whose flush was put off, and how many are known to be flushed. */
export const tlb_flush_batched = field("tlb_flush_batched", [t.mm], t.int);
export const tlb_flush_batched_flushed = field("tlb_flush_batched.flushed", [t.mm], t.int);
/** current->tlb_ubc: flush_required and writable. */
export const tlb_ubc_flush_required = field("tlb_ubc.flush_required", [t.cpu], t.bool);
export const tlb_ubc_writable = field("tlb_ubc.writable", [t.cpu], t.bool);

/** Something writes entries that stand for a page: it writes this, which is how a model knows. */
export const entries_swapped = field("entries_swapped", [], t.bool);
/** Huge pages are mapped, or may come to be: whoever maps one writes this. */
export const huge_pages = field("huge_pages", [], t.bool);
/** The page table that is kept for a region while a huge page is mapped there, or nothing. */
export const pmd_huge_pte = field("pmd_huge_pte", [t.mm, t.region], t.table);
/** Pages of a group that the CONT bit may join, by their alignment and their folio's. */
export const contpte_aligned = field("contpte_aligned", [t.va], t.bool);
/** The same of device-exclusive entries. */
export const entries_exclusive = field("entries_exclusive", [], t.bool);
/** Frames in the memory of a device, which CPUs cannot map: ZONE_DEVICE, MEMORY_DEVICE_PRIVATE. */
export const is_device_private = field("is_device_private", [t.pfn], t.bool);

/** A CPU walks page tables without a lock, interrupts off: only GUP-fast writes it. */
export const irqs_off = field("irqs_off", [t.cpu], t.bool);
/** The first CPU waits until the second, which had interrupts off, has had them on. */
export const sync_waits = field("sync_waits", [t.cpu, t.cpu], t.bool);
/** ptdesc_pmd_pts_count(): how many others use a table of hugetlb. */
export const pt_share_count = field("pt_share_count", [t.table], t.int);
/** The lock of a file's mappings. */
export const i_mmap_rwsem = field("i_mmap_rwsem", [], t.bool);

/** Some vma is one of a file: the initial state says so; elsewhere files cost nothing. */
export const file_pages = field("file_pages", [], t.bool);
/** The vma is one of a file: `vm_file`, not anonymous; and of MAP_SHARED. */
export const vm_file = field("vm_file", [t.mm, t.va], t.bool);
export const VM_SHARED = field("VM_SHARED", [t.mm, t.va], t.bool);
/** linear_page_index(): which page of the file is mapped there. */
export const vm_pgoff = field("vm_pgoff", [t.mm, t.va], t.pgoff);
/** The vma is among the mappings of its file: from vma_link_file() to unlink_file_vma(). */
export const i_mmap = field("i_mmap", [t.mm, t.va], t.bool);
/** Readers of the lock of these mappings. */
export const i_mmap_readers = field("i_mmap_readers", [], t.int);
/** The page cache: the page, if it is still the file's; and where a page has its place. */
export const i_pages = field("i_pages", [t.pgoff], t.pfn);
export const folio_mapping = field("folio_mapping", [t.pfn], t.bool);
export const folio_index = field("folio_index", [t.pfn], t.pgoff);
/** The file ends before this page. */
export const beyond_i_size = field("beyond_i_size", [t.pgoff], t.bool);
/** Not PageAnon(): a page that is, or was, in the cache of a file. */
export const is_file_page = field("is_file_page", [t.pfn], t.bool);
/** How often rmap knows a page of a file to be mapped. */
export const folio_mapcount = field("folio_mapcount", [t.pfn], t.int);
/** struct mmu_gather: mappings that were cleared and that rmap is told of after the flush. */
export const gather_delayed_rmap = field("gather_delayed_rmap", [t.cpu, t.pfn], t.int);
/** struct mmu_gather, fullmm: the gather of exit_mmap(). */
export const gather_fullmm = field("gather_fullmm", [t.cpu], t.bool);
/** struct zap_details, even_cows: of private mappings, pages that were copied stay. */
export const keep_cows = field("keep_cows", [t.cpu], t.bool);
/** Something unmaps a frame for good whose memory has failed: whoever does writes this. */
export const hwpoisoned = field("hwpoisoned", [], t.bool);
/** VM_FAULT_SIGBUS: what this CPU faults on lies behind the end of the file, or has failed. */
export const fault_sigbus = field("fault_sigbus", [t.cpu], t.bool);
