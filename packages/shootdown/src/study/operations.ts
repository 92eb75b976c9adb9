// SPDX-License-Identifier: Apache-2.0
// What a kernel does to address spaces, as statements of scenarios: the rows of an audit.
//
//   $x, $y   two neighbouring pages, mapped to $P and $Q     $r   both of them     $A   the mm
//   $D       the device that is bound to it

/** One operation, and what it begins with. */
export interface Operation {
  /** As audits print it. */
  readonly name: string;
  /** Where the kernel does it: `file: function`. */
  readonly source: string;
  /** Versions that have it; absent: all. */
  readonly kernels?: string;
  /** Of a thread of the mm, unless `by` says otherwise. */
  readonly statements: string;
  /** A kernel thread runs it: reclaim, migration, KSM; or the device does it. */
  readonly by?: "kernel" | "device";
  /** A machine without this does not have it. */
  readonly needs?: "ats";
  /** Why nothing is found although no secondary TLB is told, if that is so. */
  readonly silent?: string;
  /** Attributes of `map` and of `vma` for which it does something; absent: writable pages. */
  readonly map?: string;
  readonly vma?: string;
  /** Frames that it takes; absent: one a page. */
  readonly frames?: number;
  /** It is one of pages of files, which `map` says; or does nothing to those. Absent: of any. */
  readonly files?: "only" | "never";
}

export const OPERATIONS: readonly Operation[] = [
  {
    name: "cpu_access",
    source: "user space",
    statements: "loop { access $r unhandled; }",
  },
  {
    name: "device_fault",
    source: "drivers/iommu/io-pgfault.c: iommu_sva_handle_iopf, iommu_sva_handle_mm",
    statements: "access $r;",
    by: "device",
    map: "read-only exclusive",
    vma: "writable",
  },
  {
    name: "detach_ats",
    source: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: arm_smmu_disable_ats",
    statements: "arm_smmu_detach_ats($D);",
    by: "kernel",
    needs: "ats",
  },
  {
    name: "attach_ats",
    source: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: arm_smmu_attach_commit",
    statements: "arm_smmu_detach_ats($D); arm_smmu_attach_commit($D);",
    by: "kernel",
    needs: "ats",
  },
  {
    name: "read_fault",
    source: "mm/memory.c: handle_pte_fault",
    statements: "load $x;",
    map: "old",
    silent: "an old entry is never cached (A1): who faulted walks again",
  },
  {
    name: "write_fault_upgrade",
    source: "mm/memory.c: wp_page_reuse",
    statements: "store $x;",
    map: "read-only exclusive",
    vma: "writable",
  },
  {
    name: "write_fault_copy",
    source: "mm/memory.c: wp_page_copy",
    statements: "store $x;",
    map: "read-only shared",
    vma: "writable",
  },
  {
    name: "fork",
    source: "kernel/fork.c: dup_mmap",
    statements: "fork;",
    silent:
      "told at the end of its range; dup_mmap() flushes CPUs, and mmap_lock keeps faults away",
  },
  {
    name: "mprotect_downgrade",
    source: "mm/mprotect.c: do_mprotect_pkey",
    statements: "mprotect $r read-only;",
  },
  {
    name: "mprotect_upgrade",
    source: "mm/mprotect.c: do_mprotect_pkey",
    statements: "mprotect $r read-write;",
    map: "read-only exclusive",
    vma: "read-only",
  },
  {
    name: "reclaim",
    source: "mm/vmscan.c: shrink_folio_list",
    statements: "shrink_folio_list($P);",
    by: "kernel",
    silent:
      "each page has notifiers; flush_tlb_batched_pending() is of CPUs, and 6.1 batches nothing",
  },
  {
    name: "migration",
    source: "mm/migrate.c: migrate_pages",
    statements: "migrate_pages($P, yes);",
    by: "kernel",
  },
  {
    name: "migrate_to_device",
    source: "mm/migrate_device.c: migrate_vma_collect_pmd",
    statements: "migrate_vma($A, $x);",
    by: "kernel",
    frames: 3,
    files: "never",
  },
  {
    name: "device_exclusive",
    source: "mm/rmap.c: page_make_device_exclusive_one",
    statements: "make_device_exclusive_range($A, $x);",
    by: "kernel",
    files: "never",
  },
  {
    name: "ksm_merge",
    source: "mm/ksm.c: try_to_merge_one_page",
    statements: "cmp_and_merge_page($A, $x, $Q);",
    by: "kernel",
    map: "read-only shared",
    vma: "writable",
    files: "never",
  },
  {
    name: "uprobe",
    source: "kernel/events/uprobes.c: __replace_page",
    statements: "uprobe_write_opcode($A, $x);",
    by: "kernel",
    map: "file",
    vma: "read-only",
    files: "only",
  },
  {
    name: "file_read_fault",
    source: "mm/filemap.c: filemap_map_pages",
    statements: "load $x;",
    map: "file shared-mapping absent",
    files: "only",
    silent: "it maps what was not: what is not valid is never cached (A1)",
  },
  {
    name: "file_write_fault",
    source: "mm/memory.c: wp_page_shared",
    statements: "store $x;",
    map: "file shared-mapping read-only",
    vma: "writable",
    files: "only",
  },
  {
    name: "file_write_copy",
    source: "mm/memory.c: wp_page_copy",
    statements: "store $x;",
    map: "file",
    files: "only",
  },
  {
    name: "writeback",
    source: "mm/rmap.c: page_vma_mkclean_one",
    statements: "write_cache_pages($P);",
    by: "kernel",
    map: "file shared-mapping",
    files: "only",
  },
  {
    name: "truncate",
    source: "mm/truncate.c: truncate_pagecache",
    statements: "truncate_pagecache($P);",
    by: "kernel",
    map: "file shared-mapping",
    files: "only",
  },
  {
    name: "madvise_remove",
    source: "mm/madvise.c: madvise_remove",
    statements: "madvise $x REMOVE;",
    map: "file shared-mapping",
    files: "only",
  },
  {
    name: "memory_failure",
    source: "mm/memory-failure.c: memory_failure",
    statements: "memory_failure($P);",
    by: "kernel",
  },
  { name: "munmap", source: "mm/vma.c: do_vmi_align_munmap", statements: "munmap $r;" },
  {
    name: "munmap_out_of_memory",
    source: "mm/mmu_gather.c: tlb_next_batch, tlb_remove_table_one",
    statements: "setup_fail_page_alloc(); munmap $r;",
  },
  {
    name: "madvise_dontneed",
    source: "mm/memory.c: zap_page_range_single",
    statements: "madvise $r DONTNEED;",
  },
  {
    name: "madvise_free",
    source: "mm/madvise.c: madvise_free_single_vma",
    statements: "madvise $r FREE;",
    files: "never",
  },
  {
    name: "mprotect_none",
    source: "mm/mprotect.c: do_mprotect_pkey",
    statements: "mprotect $r none;",
  },
  {
    name: "numa_hinting",
    source: "mm/mempolicy.c: change_prot_numa",
    statements: "change_prot_numa($A, $r);",
  },
  {
    name: "userfaultfd_wp",
    source: "mm/userfaultfd.c: mwriteprotect_range",
    statements: "mwriteprotect_range($A, $r);",
    files: "never",
  },
  {
    name: "madvise_cold",
    source: "mm/madvise.c: madvise_cold",
    statements: "madvise $r COLD;",
    silent: "nothing is taken away: who keeps the young entry may use the page",
  },
  {
    name: "madvise_pageout",
    source: "mm/madvise.c: madvise_pageout",
    statements: "madvise $r PAGEOUT;",
    silent: "each page has notifiers, as in reclaim",
  },
  {
    name: "aging",
    source: "mm/rmap.c: folio_referenced_one",
    statements: "folio_referenced($P);",
    by: "kernel",
    silent: "ptep_clear_flush_young() takes nothing away, and nobody relies on its flush",
  },
  {
    name: "thp_aging",
    source: "mm/rmap.c: folio_referenced_one",
    statements: "folio_referenced($P);",
    by: "kernel",
    map: "huge",
    files: "never",
    silent: "pmdp_clear_flush_young() takes nothing away, as with small pages",
  },
  {
    name: "thp_reclaim",
    source: "mm/rmap.c: try_to_unmap_one",
    statements: "shrink_folio_list($P);",
    by: "kernel",
    map: "huge",
    files: "never",
  },
  {
    name: "clear_refs",
    source: "fs/proc/task_mmu.c: clear_refs_write",
    statements: "clear_refs_write($A);",
    by: "kernel",
  },
  {
    name: "pagemap_scan",
    source: "fs/proc/task_mmu.c: do_pagemap_scan",
    kernels: "6.7..",
    statements: "do_pagemap_scan($A, $r);",
  },
  { name: "mremap", source: "mm/mremap.c: move_page_tables", statements: "mremap $x $y;" },
  {
    name: "userfaultfd_move",
    source: "mm/userfaultfd.c: move_pages_pte",
    kernels: "6.8..",
    statements: "move_pages_pte($A, $x, $y);",
    files: "never",
  },
  {
    name: "hugetlb_write_fault",
    source: "mm/hugetlb.c: hugetlb_wp",
    statements: "hugetlb_wp($A, $x);",
    map: "read-only exclusive",
    vma: "writable",
    files: "never",
  },
  {
    name: "oom_reaper",
    source: "mm/oom_kill.c: __oom_reap_task_mm",
    by: "kernel",
    statements: "oom_reap_task_mm($A);",
  },
  {
    name: "exit",
    source: "mm/mmap.c: exit_mmap",
    statements: "exit;",
    silent: "exit_mmap() flushes no pages: mmu_notifier_release() has turned the walks off before",
  },
  {
    name: "thp_read_fault",
    source: "mm/huge_memory.c: huge_pmd_set_accessed",
    statements: "load $x;",
    map: "huge old",
    files: "never",
    silent: "an old block is never cached (A1): who faulted walks again",
  },
  {
    name: "thp_write_upgrade",
    source: "mm/huge_memory.c: do_huge_pmd_wp_page",
    statements: "store $x;",
    map: "huge read-only exclusive",
    vma: "writable",
    files: "never",
  },
  {
    name: "thp_write_copy",
    source: "mm/huge_memory.c: do_huge_pmd_wp_page",
    statements: "store $x;",
    map: "huge read-only shared",
    vma: "writable",
    files: "never",
  },
  {
    name: "thp_split",
    source: "mm/huge_memory.c: __split_huge_pmd",
    statements: "__split_huge_pmd($A, $x);",
    map: "huge",
    files: "never",
  },
  {
    name: "thp_zap",
    source: "mm/huge_memory.c: zap_huge_pmd",
    statements: "munmap $r;",
    map: "huge",
    files: "never",
  },
  {
    name: "thp_mprotect",
    source: "mm/huge_memory.c: change_huge_pmd",
    statements: "mprotect $r read-only;",
    map: "huge",
    files: "never",
  },
  {
    name: "thp_mprotect_none",
    source: "mm/huge_memory.c: change_huge_pmd",
    statements: "mprotect $r none;",
    map: "huge",
  },
  {
    name: "thp_fork",
    source: "mm/huge_memory.c: copy_huge_pmd",
    statements: "fork;",
    map: "huge",
    files: "never",
    silent: "told at the end of its range, as fork",
  },
  {
    name: "khugepaged_collapse",
    source: "mm/khugepaged.c: collapse_huge_page",
    statements: "collapse_huge_page($A, $x);",
    by: "kernel",
    frames: 3,
    files: "never",
  },
  {
    name: "contpte_access_flags",
    source: "arch/arm64/mm/contpte.c: contpte_ptep_set_access_flags",
    kernels: "6.9..",
    statements: "store $x;",
    map: "contiguous writable clean",
    files: "never",
  },
  {
    name: "contpte_unfold",
    source: "arch/arm64/mm/contpte.c: __contpte_try_unfold",
    kernels: "6.9..",
    statements: "store $x;",
    map: "contiguous read-only exclusive",
    vma: "writable",
    files: "never",
  },
  {
    name: "contpte_zap",
    source: "arch/arm64/mm/contpte.c: contpte_clear_full_ptes",
    kernels: "6.9..",
    statements: "munmap $r;",
    map: "contiguous",
    files: "never",
  },
  {
    name: "contpte_fork",
    source: "arch/arm64/mm/contpte.c: contpte_wrprotect_ptes",
    kernels: "6.9..",
    statements: "fork;",
    map: "contiguous",
    files: "never",
    silent: "told at the end of its range, as fork",
  },
  {
    name: "contpte_madvise_free",
    source: "arch/arm64/mm/contpte.c: contpte_clear_young_dirty_ptes",
    kernels: "6.10..",
    statements: "madvise $r FREE;",
    map: "contiguous",
    files: "never",
  },
];
