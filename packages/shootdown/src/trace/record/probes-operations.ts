// SPDX-License-Identifier: Apache-2.0
// Probes of what the kernel is doing: batches of unmapped pages, faults, operations on ranges,
// walks of a page's mappings.
import type { Absence, Probe } from "./probe.ts";
import { FLUSH_PROBES } from "./probes-flushes.ts";

const GATHER =
  "tlb=tlb:x64 mm=tlb->mm:x64 start=tlb->start:x64 end=tlb->end:x64 bits=tlb->fullmm:x32";
const VMF = "addr=vmf->address:x64";
const VMF_PTE = `${VMF} orig_pte=vmf->orig_pte:x64`;
const VMF_PMD = `${VMF} orig_pmd=vmf->orig_pte:x64`;

/** Row of a fault's step whose only parameter that matters is vmf. */
const step = (event: string, fields: string, reveals: string): Probe => ({
  ...{ event, part: "mm", fields, reveals },
  at: [{ symbol: event, params: "vmf" }],
});

const FAULTS: readonly Probe[] = [
  {
    event: "handle_mm_fault",
    part: "mm",
    at: [{ symbol: "handle_mm_fault", params: "vma address flags" }],
    fields: "mm=vma->vm_mm:x64 vm_flags=vma->vm_flags:x64 addr=address:x64 flags=flags:x32",
    returns: "ret=$retval:x32",
    reveals: "a page fault, and that a page is mapped after it",
  },
  step(
    "do_wp_page",
    `${VMF} flags=vmf->flags:x32 orig_pte=vmf->orig_pte:x64`,
    "a write to a read-only entry",
  ),
  {
    ...step("wp_page_copy", VMF_PTE, "copy-on-write: up to 6.5 its range_end is only_end"),
    maybe: "inlined in some builds, as in Debian's 6.12; ptep_clear_flush shows it",
  },
  step("finish_mkwrite_fault", VMF_PTE, "a shared page of a file becomes writable"),
  step("do_huge_pmd_wp_page", VMF_PMD, "a write to a read-only 2 MiB entry"),
  {
    ...step("huge_pmd_set_accessed", VMF_PMD, "a 2 MiB entry becomes young"),
    maybe: "inlined in some builds; ptep_set_access_flags shows it",
  },
  step("do_huge_pmd_anonymous_page", VMF, "a 2 MiB page is mapped"),
  step("do_swap_page", VMF_PTE, "a page comes back from swap"),
  {
    event: "hugetlb_fault",
    part: "mm",
    at: [{ symbol: "hugetlb_fault", params: "mm vma address flags" }],
    fields: "mm=mm:x64 addr=address:x64 flags=flags:x32",
    reveals: "a fault in hugetlbfs",
  },
  {
    event: "hugetlb_wp",
    part: "mm",
    at: [
      { symbol: "hugetlb_wp", params: "", kernels: "5.19.." },
      { symbol: "hugetlb_cow", params: "", kernels: "..5.18" },
    ],
    fields: "",
    reveals: "copy-on-write in hugetlbfs",
    maybe: "inlined in some builds; hugetlb_fault shows it",
  },
];

const GATHERS: readonly Probe[] = [
  {
    event: "tlb_gather_mmu",
    part: "mm",
    at: [{ symbol: "tlb_gather_mmu", params: "tlb mm" }],
    fields: "tlb=tlb:x64 mm=mm:x64",
    reveals: "a batch begins",
  },
  {
    event: "tlb_gather_mmu_fullmm",
    part: "mm",
    at: [{ symbol: "tlb_gather_mmu_fullmm", params: "tlb mm", kernels: "5.12.." }],
    fields: "tlb=tlb:x64 mm=mm:x64",
    reveals: "a batch for a whole address space begins",
    absent: [{ kernels: "..5.11", why: "not there before 5.12", shown: "tlb_gather_mmu" }],
  },
  {
    event: "tlb_flush_mmu",
    part: "mm",
    at: [{ symbol: "tlb_flush_mmu", params: "tlb" }],
    fields: GATHER,
    reveals: "a batch is flushed before its end",
  },
  {
    event: "tlb_finish_mmu",
    part: "mm",
    at: [{ symbol: "tlb_finish_mmu", params: "tlb" }],
    fields: GATHER,
    returns: "",
    reveals: "what is left of a batch; its return is the deadline before pages are freed",
  },
];

const RANGES: readonly Probe[] = [
  {
    event: "change_protection",
    part: "mm",
    at: [
      { symbol: "change_protection", params: "tlb vma start end", kernels: "5.19.." },
      { symbol: "change_protection", params: "vma start end", kernels: "..5.18" },
    ],
    fields: "mm=vma->vm_mm:x64 start=start:x64 end=end:x64",
    returns: "pages=$retval:s64",
    reveals: "mprotect and the like: where entries are not recorded, its ranges are judged",
  },
  {
    event: "unmap_page_range",
    part: "mm",
    at: [{ symbol: "unmap_page_range", params: "tlb vma addr end" }],
    fields: "mm=vma->vm_mm:x64 start=addr:x64 end=end:x64",
    reveals: "munmap, MADV_DONTNEED, truncate: the range that goes",
    maybe: "inlined in some builds; tlb_finish_mmu shows the range of the batch",
  },
  {
    event: "unmap_vmas",
    part: "mm",
    at: [{ symbol: "unmap_vmas", params: "tlb" }],
    fields: "tlb=tlb:x64",
    reveals: "munmap and exit",
  },
  {
    event: "zap_page_range",
    part: "mm",
    at: [{ symbol: "zap_page_range", params: "vma start size", kernels: "..6.2" }],
    fields: "mm=vma->vm_mm:x64 start=start:x64 size=size:x64",
    reveals: "MADV_DONTNEED",
    absent: [{ kernels: "6.3..", why: "removed in 6.3", shown: "zap_page_range_single" }],
  },
  {
    event: "zap_page_range_single",
    part: "mm",
    at: [{ symbol: "zap_page_range_single", params: "vma address size" }],
    fields: "mm=vma->vm_mm:x64 start=address:x64 size=size:x64",
    reveals: "MADV_DONTNEED, truncate",
  },
  {
    event: "unmap_mapping_range",
    part: "mm",
    at: [{ symbol: "unmap_mapping_range", params: "mapping holebegin holelen" }],
    fields: "holebegin=holebegin:x64 holelen=holelen:x64",
    reveals: "truncate: some private pages may stay",
  },
  {
    event: "copy_page_range",
    part: "mm",
    at: [{ symbol: "copy_page_range", params: "dst_vma src_vma" }],
    fields:
      "dst_mm=dst_vma->vm_mm:x64 src_mm=src_vma->vm_mm:x64 start=src_vma->vm_start:x64 " +
      "end=src_vma->vm_end:x64",
    returns: "ret=$retval:s32",
    reveals: "fork: pages of the parent become read-only",
  },
  {
    event: "move_page_tables",
    part: "mm",
    at: [
      {
        symbol: "move_page_tables",
        params: "pmc",
        kernels: "6.15..",
        fields:
          "mm=pmc->old->vm_mm:x64 old=pmc->old_addr:x64 new=pmc->new_addr:x64 " +
          "len=pmc->len_in:x64",
      },
      {
        symbol: "move_page_tables",
        params: "vma old_addr new_vma new_addr len",
        kernels: "..6.14",
      },
    ],
    fields: "mm=vma->vm_mm:x64 old=old_addr:x64 new=new_addr:x64 len=len:x64",
    reveals: "mremap: pages move",
  },
  {
    event: "split_huge_pmd",
    part: "mm",
    at: [{ symbol: "__split_huge_pmd", params: "vma pmdp address" }],
    fields: "mm=vma->vm_mm:x64 pmdp=pmdp:x64 addr=address:x64",
    reveals: "a 2 MiB entry is split: up to 6.5 its range_end is only_end",
  },
  {
    event: "collapse_huge_page",
    part: "mm",
    at: [{ symbol: "collapse_huge_page", params: "mm address" }],
    fields: "mm=mm:x64 addr=address:x64",
    reveals: "khugepaged, MADV_COLLAPSE",
  },
  {
    event: "hugetlb_change_protection",
    part: "mm",
    at: [{ symbol: "hugetlb_change_protection", params: "vma address end" }],
    fields: "mm=vma->vm_mm:x64 start=address:x64 end=end:x64",
    reveals: "mprotect of hugetlbfs",
  },
  {
    event: "change_prot_numa",
    part: "mm",
    at: [{ symbol: "change_prot_numa", params: "vma addr end" }],
    fields: "mm=vma->vm_mm:x64 start=addr:x64 end=end:x64",
    reveals: "NUMA balancing takes the right to access away",
    maybe: "only with CONFIG_NUMA_BALANCING; change_protection shows it",
  },
  {
    event: "uffd_wp_range",
    part: "mm",
    at: [{ symbol: "uffd_wp_range", params: "", kernels: "5.19.." }],
    fields: "",
    reveals: "userfaultfd write-protects",
    maybe: "only with CONFIG_USERFAULTFD; change_protection shows it",
    absent: [{ kernels: "..5.18", why: "not there before 5.19", shown: "change_protection" }],
  },
  ...(
    [
      ["madvise_free_pte_range", "MADV_FREE"],
      ["madvise_cold_or_pageout_pte_range", "MADV_COLD, MADV_PAGEOUT"],
      ["clear_refs_pte_range", "/proc/PID/clear_refs"],
    ] as const
  ).map(
    ([event, what]): Probe => ({
      ...{ event, part: "mm", fields: "start=addr:x64 end=end:x64" },
      at: [{ symbol: event, params: "pmd addr end" }],
      reveals: `${what}: counted as not judged`,
    }),
  ),
  {
    event: "exit_mmap",
    part: "mm",
    at: [{ symbol: "exit_mmap", params: "mm" }],
    fields: "mm=mm:x64",
    reveals: "an address space ends",
  },
  {
    event: "free_pgtables",
    part: "mm",
    at: [{ symbol: "free_pgtables", params: "tlb" }],
    fields: "tlb=tlb:x64",
    reveals: "tables are freed",
  },
];

/** Up to 5.13 migration is a flag of try_to_unmap. */
const BEFORE_MIGRATE: Absence = {
  kernels: "..5.13",
  why: "not there before 5.14",
  shown: "try_to_unmap",
};

const walk = (event: string, symbol: string, kernels?: Probe["at"][0]["kernels"]) => ({
  symbol,
  params: event.endsWith("_one") ? "folio vma address flags" : "folio flags",
  ...(kernels === undefined ? {} : { kernels }),
});

const REVERSE: readonly Probe[] = [
  ...(["try_to_unmap", "try_to_migrate"] as const).map(
    (event): Probe => ({
      ...{ event, part: "mm", fields: "folio=folio:x64 flags=flags:x32" },
      at: [walk(event, event, event === "try_to_migrate" ? "5.14.." : undefined)],
      reveals: event === "try_to_unmap" ? "reclaim takes a page" : "migration takes a page",
      ...(event === "try_to_migrate" ? { absent: [BEFORE_MIGRATE] } : {}),
    }),
  ),
  ...(["try_to_unmap_one", "try_to_migrate_one"] as const).map(
    (event): Probe => ({
      ...{ event, part: "mm" },
      fields: "folio=folio:x64 mm=vma->vm_mm:x64 addr=address:x64 flags=flags:x32",
      at: [walk(event, event, event === "try_to_migrate_one" ? "5.14.." : undefined)],
      reveals: "from one address space",
      ...(event === "try_to_migrate_one" ? { absent: [BEFORE_MIGRATE] } : {}),
    }),
  ),
  {
    event: "folio_mkclean",
    part: "mm",
    at: [
      { symbol: "folio_mkclean", params: "folio", kernels: "5.16.." },
      { symbol: "page_mkclean", params: "folio", kernels: "..5.15" },
    ],
    fields: "folio=folio:x64",
    reveals: "write-back makes a page clean",
  },
  {
    event: "page_mkclean_one",
    part: "mm",
    at: [{ symbol: "page_mkclean_one", params: "folio vma address" }],
    fields: "folio=folio:x64 mm=vma->vm_mm:x64 addr=address:x64",
    reveals: "in one address space",
  },
  {
    event: "folio_referenced",
    part: "mm",
    at: [
      { symbol: "folio_referenced", params: "folio", kernels: "5.18.." },
      { symbol: "page_referenced", params: "folio", kernels: "..5.17" },
    ],
    fields: "folio=folio:x64",
    reveals: "reclaim asks whether a page was used",
  },
  {
    event: "remove_migration_ptes",
    part: "mm",
    at: [{ symbol: "remove_migration_ptes", params: "src dst" }],
    fields: "src=src:x64 dst=dst:x64",
    reveals: "migration ends",
  },
  {
    event: "migrate_pages",
    part: "mm",
    at: [{ symbol: "migrate_pages", params: "from get put private mode reason" }],
    fields: "reason=reason:u32",
    reveals: "migration of a list",
  },
  {
    event: "try_to_merge_one_page",
    part: "mm",
    at: [{ symbol: "try_to_merge_one_page", params: "vma" }],
    fields: "mm=vma->vm_mm:x64",
    reveals: "KSM",
    maybe: "only with CONFIG_KSM; ptep_clear_flush shows it",
  },
];

export const OPERATION_PROBES: readonly Probe[] = [
  ...GATHERS,
  ...FLUSH_PROBES,
  ...FAULTS,
  ...RANGES,
  ...REVERSE,
];
