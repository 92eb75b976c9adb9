// SPDX-License-Identifier: Apache-2.0
// What Linux does to page tables, operation by operation, and where each is found here.

/** One operation, or several that are one in the kernel's order of steps. */
export interface LinuxRow {
  readonly operation: string;
  /** Routines that do it: `shootdown show NAME`. */
  readonly routines: readonly string[];
  /** Scenarios below litmus/, without `.litmus`. */
  readonly scenarios: readonly string[];
  /** Operations of `shootdown audit`. */
  readonly audit: readonly string[];
  /** What of it is not modelled, and why. */
  readonly left?: string;
}

const FILES = "pages of files";

/** In the order of the notes that the kernels were read by; the number of a row is its place. */
export const ROWS: readonly LinuxRow[] = [
  {
    operation: "Write fault, the page is exclusive: read-only becomes writable",
    routines: ["handle_pte_fault", "do_wp_page", "wp_page_reuse", "ptep_set_access_flags"],
    scenarios: ["permission-upgrade/upgrade", "museum/permission-upgrade/permission-upgrade"],
    audit: ["write_fault_upgrade", "file_write_fault"],
  },
  {
    operation: "Access-flag and dirty fault",
    routines: ["handle_pte_fault", "ptep_set_access_flags", "flush_tlb_fix_spurious_fault"],
    scenarios: ["permission-upgrade/dirty-by-hardware", "linux/anon/clear-young"],
    audit: ["read_fault", "device_fault", "file_read_fault"],
  },
  {
    operation: "Copy on write",
    routines: ["wp_page_copy", "ptep_clear_flush", "mmu_notifier_change_pte"],
    scenarios: [
      ...["permission-upgrade/cow", "linux/secondary/kvm-copy", "linux/secondary/hmm-copy"],
      "linux/file/private-copy",
    ],
    audit: ["write_fault_copy", "file_write_copy"],
  },
  {
    operation: "A private page in place of the zero page",
    routines: ["do_anonymous_page", "wp_page_copy"],
    scenarios: ["semantics/zero-page-replaced"],
    audit: ["write_fault_copy"],
    left: "in an audit the old page is no zero page: but for its reference the steps are the same",
  },
  {
    operation: "fork",
    routines: ["dup_mmap", "copy_page_range", "copy_present_pte", "ptep_set_wrprotect"],
    scenarios: ["permission-upgrade/fork", "linux/contpte/fork"],
    audit: ["fork", "contpte_fork"],
    left: "the child's page tables: nothing translates through them before fork has flushed",
  },
  {
    operation: "mprotect, less is permitted",
    routines: ["do_mprotect_pkey", "change_pte_range", "do_mprotect_none", "tlb_end_vma"],
    scenarios: ["semantics/mprotect-seen-by-cpu", "linux/anon/protnone"],
    audit: ["mprotect_downgrade", "mprotect_none"],
  },
  {
    operation: "mprotect, more is permitted",
    routines: ["do_mprotect_pkey", "change_pte_range"],
    scenarios: ["semantics/mprotect-over-two-tables"],
    audit: ["mprotect_upgrade"],
  },
  {
    operation: "NUMA hinting: entries become PROT_NONE",
    routines: ["change_prot_numa", "change_pte_range_none"],
    scenarios: ["linux/anon/numa-hint"],
    audit: ["numa_hinting"],
  },
  {
    operation: "NUMA fault: the entry comes back",
    routines: ["do_numa_page", "do_huge_pmd_numa_page"],
    scenarios: ["linux/anon/numa-hint"],
    audit: ["numa_hinting"],
    left: "the page stays on its node: migration is a row of its own",
  },
  {
    operation: "munmap",
    routines: ["do_munmap", "unmap_region", "zap_pte_range", "free_pgtables", "tlb_finish_mmu"],
    scenarios: ["permission-upgrade/unmap", "permission-upgrade/unmap-table", "linux/contpte/zap"],
    audit: ["munmap", "contpte_zap"],
  },
  {
    operation: "MADV_DONTNEED",
    routines: ["do_madvise", "zap_page_range_single", "zap_pte_range"],
    scenarios: ["linux/anon/dontneed", "museum/nested-gathers/nested-gathers"],
    audit: ["madvise_dontneed"],
  },
  {
    operation: "MADV_FREE",
    routines: ["madvise_free_single_vma", "madvise_pte_range", "clear_young_dirty_ptes"],
    scenarios: ["linux/anon/free-then-write"],
    audit: ["madvise_free"],
    left: "reclaim that drops the page: `lost_write` asks for the entry that it would look at",
  },
  {
    operation: "MADV_COLD, MADV_PAGEOUT",
    routines: ["madvise_cold", "madvise_pte_range", "madvise_pageout"],
    scenarios: ["linux/anon/pageout"],
    audit: ["madvise_cold", "madvise_pageout"],
  },
  {
    operation: "Reclaim, its flushes put off",
    routines: ["shrink_folio_list", "try_to_unmap_one", "set_tlb_ubc_flush_pending"],
    scenarios: ["linux/rmap/reclaim-cpu", "linux/rmap/reclaim-device", "linux/rmap/reclaim-huge"],
    audit: ["reclaim", "thp_reclaim"],
  },
  {
    operation: "An unmap beside reclaim that owes a flush",
    routines: ["flush_tlb_batched_pending", "arch_flush_tlb_batched_pending"],
    scenarios: [
      "museum/mprotect-races-reclaim/mprotect-races-reclaim",
      "museum/batched-pending-without-tlbi/batched-pending-without-tlbi",
    ],
    audit: ["reclaim"],
  },
  {
    operation: "Migration",
    routines: ["migrate_pages", "try_to_migrate_one", "migration_entry_wait"],
    scenarios: ["linux/rmap/migrate-cpu", "linux/rmap/migrate-device"],
    audit: ["migration"],
  },
  {
    operation: "Migration into the memory of a device",
    routines: ["migrate_vma", "migrate_vma_collect_pmd", "migrate_to_ram"],
    scenarios: ["linux/rmap/migrate-to-device"],
    audit: ["migrate_to_device"],
  },
  {
    operation: "A device's page in place of the zero page, or of nothing",
    routines: ["migrate_vma_insert_page"],
    scenarios: ["linux/rmap/migrate-zero-page-to-device"],
    audit: [],
    left: "an audit has no zero page; the scenario has",
  },
  {
    operation: "Device-exclusive entries",
    routines: [
      ...["make_device_exclusive_range", "page_make_device_exclusive_one"],
      "remove_device_exclusive_entry",
    ],
    scenarios: ["linux/rmap/device-exclusive"],
    audit: ["device_exclusive"],
  },
  {
    operation: "KSM: write protection",
    routines: ["cmp_and_merge_page", "try_to_merge_one_page", "write_protect_page"],
    scenarios: ["linux/rmap/ksm-cpu", "museum/ksm-trusts-pending-flush/ksm-trusts-pending-flush"],
    audit: ["ksm_merge"],
  },
  {
    operation: "KSM: the merged page",
    routines: ["replace_page"],
    scenarios: ["linux/rmap/ksm-device", "linux/rmap/ksm-guest"],
    audit: ["ksm_merge"],
  },
  {
    operation: "uprobes",
    routines: ["uprobe_write_opcode", "__replace_page"],
    scenarios: ["linux/rmap/uprobe"],
    audit: ["uprobe"],
    left: "taking a breakpoint out: the same steps, with the page of the file",
  },
  {
    operation: "khugepaged, anonymous",
    routines: ["collapse_huge_page", "pmdp_collapse_flush"],
    scenarios: ["linux/thp/collapse", "linux/thp/collapse-in-order"],
    audit: ["khugepaged_collapse"],
  },
  {
    operation: "khugepaged, file: a page table is retracted",
    routines: ["retract_page_tables"],
    scenarios: [
      "linux/thp/retract",
      "museum/page-table-retracted-unnotified/page-table-retracted-unnotified",
    ],
    audit: [],
    left: `collapse_file() itself: ${FILES}`,
  },
  {
    operation: "A huge page is split",
    routines: ["__split_huge_pmd", "__split_huge_pmd_locked", "pmdp_invalidate", "pmd_populate"],
    scenarios: ["linux/thp/split", "linux/thp/split-keeps-pages"],
    audit: ["thp_split"],
    left: `${FILES}: their huge page is unmapped, as in the next row, and faulted in again`,
  },
  {
    operation: "A huge page is zapped",
    routines: ["zap_pmd_range", "zap_huge_pmd"],
    scenarios: ["linux/thp/unmap"],
    audit: ["thp_zap"],
  },
  {
    operation: "Faults of huge pages",
    routines: ["huge_pmd_set_accessed", "do_huge_pmd_wp_page", "pmdp_set_access_flags"],
    scenarios: [
      "linux/thp/write-upgrade",
      "museum/huge-upgrade-tells-one-page/huge-upgrade-tells-one-page",
    ],
    audit: ["thp_read_fault", "thp_write_upgrade", "thp_write_copy"],
  },
  {
    operation: "mprotect and fork of huge pages",
    routines: ["change_pmd_range", "change_huge_pmd", "change_huge_pmd_none", "copy_huge_pmd"],
    scenarios: ["linux/thp/write-protect", "linux/thp/protnone", "linux/thp/fork"],
    audit: ["thp_mprotect", "thp_mprotect_none", "thp_fork"],
    left: "userfaultfd-wp of huge pages: change_huge_pmd() with another bit",
  },
  {
    operation: "Soft-dirty is cleared (/proc/PID/clear_refs)",
    routines: ["clear_refs_write", "clear_refs_pte_range", "clear_soft_dirty_pmd"],
    scenarios: ["linux/anon/soft-dirty"],
    audit: ["clear_refs"],
    left: "who reads the bit; no kernel that was read has it on arm64: it is what would be",
  },
  {
    operation: "userfaultfd write protection, PAGEMAP_SCAN",
    routines: ["mwriteprotect_range", "change_pte_range", "do_pagemap_scan"],
    scenarios: ["linux/anon/copy-under-uffd-wp", "linux/anon/pagemap-scan"],
    audit: ["userfaultfd_wp", "pagemap_scan"],
    left: "the mark in the entry and its fault: a write is handled as any other",
  },
  {
    operation: "UFFDIO_MOVE",
    routines: ["move_pages_pte"],
    scenarios: ["linux/moves/userfaultfd-move"],
    audit: ["userfaultfd_move"],
  },
  {
    operation: "Writeback: page_mkclean",
    routines: ["write_cache_pages", "folio_mkclean", "page_vma_mkclean_one"],
    scenarios: [
      ...["linux/rmap/writeback", "linux/rmap/writeback-device"],
      ...["linux/file/writeback", "linux/file/writeback-device", "linux/file/page-mkwrite"],
    ],
    audit: ["writeback"],
  },
  {
    operation: "Aging",
    routines: ["folio_referenced", "folio_referenced_one", "ptep_clear_flush_young"],
    scenarios: ["linux/rmap/aging", "linux/rmap/aging-huge", "linux/secondary/kvm-aging"],
    audit: ["aging", "thp_aging"],
    left: "MGLRU, DAMON, idle tracking: they clear access flags and flush nothing",
  },
  {
    operation: "mremap, entry by entry",
    routines: ["mremap_to", "move_page_tables", "move_ptes"],
    scenarios: ["linux/moves/mremap", "linux/moves/mremap-then-truncated"],
    audit: ["mremap"],
  },
  {
    operation: "mremap of a whole table",
    routines: ["move_normal_pmd"],
    scenarios: ["linux/moves/mremap-table", "linux/moves/mremap-table-device"],
    audit: [],
    left: "an audit's pages share one table, which move_normal_pmd() does not move onto itself",
  },
  {
    operation: "Write faults of hugetlb",
    routines: ["hugetlb_wp"],
    scenarios: ["linux/moves/hugetlb-upgrade"],
    audit: ["hugetlb_write_fault"],
    left: "contiguous pages of hugetlb: an entry stands for all of them",
  },
  {
    operation: "mprotect of hugetlb",
    routines: ["hugetlb_change_protection"],
    scenarios: ["museum/unshare-flushes-one-page/unshare-flushes-one-page"],
    audit: [],
    left: "an audit's page table is not shared with another process",
  },
  {
    operation: "A shared page table of hugetlb is left",
    routines: ["huge_pmd_unshare", "huge_pmd_unshare_flush"],
    scenarios: [
      "museum/unshare-leaves-walk-cache/unshare-leaves-walk-cache",
      "museum/unshare-against-gup-fast/unshare-against-gup-fast",
    ],
    audit: [],
    left: "an audit's page table is not shared with another process",
  },
  {
    operation: "contpte: folding and unfolding",
    routines: ["contpte_try_fold", "contpte_try_unfold", "contpte_convert"],
    scenarios: ["linux/contpte/fold", "linux/contpte/unmap", "linux/contpte/upgrade"],
    audit: ["contpte_unfold"],
    left: "a folio that is mapped as groups at once (contpte_set_ptes): nothing was there before",
  },
  {
    operation: "contpte: access flags of a group",
    routines: [
      ...["contpte_ptep_set_access_flags", "contpte_ptep_clear_flush_young"],
      "contpte_clear_young_dirty_ptes",
    ],
    scenarios: [
      "museum/contpte-gathered-flags/contpte-gathered-flags",
      "linux/contpte/aging",
      "linux/contpte/madvise-free",
    ],
    audit: ["contpte_access_flags", "contpte_madvise_free"],
  },
  {
    operation: "Page tables are freed",
    routines: [
      ...["free_pgtables", "tlb_finish_mmu", "tlb_flush_mmu_free", "free_table"],
      ...["tlb_next_batch", "tlb_remove_table", "setup_fail_page_alloc"],
    ],
    scenarios: [
      "permission-upgrade/unmap-table",
      "linux/anon/batch-full",
      "linux/moves/table-batch-fails",
    ],
    audit: ["munmap", "munmap_out_of_memory"],
    left: "upper levels: tables above the two levels are not modelled",
  },
  {
    operation: "exit",
    routines: ["exit_mmap", "mmu_notifier_release", "arm_smmu_mm_release"],
    scenarios: ["permission-upgrade/exit", "permission-upgrade/exit-unregistered"],
    audit: ["exit"],
  },
  {
    operation: "exec, the OOM reaper",
    routines: ["exec_mmap", "oom_reap_task_mm", "mmu_notifier_invalidate_range_start_nonblock"],
    scenarios: [
      "linux/moves/exec",
      "linux/moves/oom-reaper",
      "museum/end-not-paired/end-not-paired",
    ],
    audit: ["oom_reaper"],
    left: "exec in an audit: it is exit, and then another address space",
  },
  {
    operation: "GUP-fast",
    routines: ["gup_fast", "gup_fast_huge", "tlb_remove_table_sync_one"],
    scenarios: [
      "linux/moves/gup-fast-against-munmap",
      "museum/collapse-against-gup-fast/collapse-against-gup-fast",
    ],
    audit: [],
    left: "an audit asks what TLBs hold; scenarios have a walker beside what frees tables",
  },
  {
    operation: "Truncation, holes in files",
    routines: ["truncate_pagecache", "unmap_mapping_range"],
    scenarios: [
      ...["linux/rmap/truncate", "linux/file/truncate"],
      ...["linux/file/hole", "linux/file/truncate-private-copy"],
    ],
    audit: ["truncate", "madvise_remove"],
  },
  {
    operation: "Failed memory",
    routines: ["memory_failure", "try_to_unmap_one"],
    scenarios: ["linux/rmap/memory-failure", "linux/rmap/memory-failure-signal"],
    audit: ["memory_failure"],
  },
  {
    operation: "vmalloc, and page tables of the kernel",
    routines: ["vfree", "vmap", "__purge_vmap_area_lazy", "pmd_free_pte_page"],
    scenarios: ["linux/moves/vmalloc", "linux/moves/vmalloc-huge"],
    audit: [],
    left: "an audit: user memory has no part in it. On x86 IOMMUs walk the kernel's tables too",
  },
];

/** Operations of audits that are no change of a page table. */
export const BESIDE: readonly string[] = ["cpu_access", "attach_ats", "detach_ats"];
