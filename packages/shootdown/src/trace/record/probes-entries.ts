// SPDX-License-Identifier: Apache-2.0
// Probes of the notifier chain, and of the functions that change an entry of a page table.
import type { Probe } from "./probe.ts";

const RANGE =
  "mm=range->mm:x64 start=range->start:x64 end=range->end:x64 flags=range->flags:u32 " +
  "event=range->event:u32";
const PAGES = "mm=mm:x64 start=start:x64 end=end:x64";
const ENTRY = "mm=vma->vm_mm:x64 addr=address:x64 ptep=ptep:x64";
const BLOCK = "mm=vma->vm_mm:x64 addr=address:x64 pmdp=pmdp:x64 old=*pmdp:x64";
const CONT = "mm=mm:x64 addr=addr:x64 ptep=ptep:x64";
const CHANGE = `${ENTRY} old=*ptep:x64 entry=entry:x64 dirty=dirty:s32`;
const NO_CONT = {
  kernels: "..6.8",
  arch: "arm64",
  why: "no contiguous entries of user memory before 6.9",
  shown: "nothing to show",
} as const;
const X86_HUGE = {
  arch: "x86",
  why: "inlined on x86: entries of hugetlbfs are set as any other",
  shown: "hugetlb_fault, hugetlb_change_protection, the notifier's range",
} as const;

export const NOTIFIER_PROBES: readonly Probe[] = [
  {
    event: "mn_invalidate_range_start",
    part: "mm",
    at: [{ symbol: "__mmu_notifier_invalidate_range_start", params: "range" }],
    fields: RANGE,
    reveals: "an operation begins on a range; KVM and others drop what they hold",
  },
  {
    event: "mn_invalidate_range_end",
    part: "mm",
    at: [
      {
        symbol: "__mmu_notifier_invalidate_range_end",
        params: "range only_end",
        kernels: "..6.5",
        fields: `${RANGE} only_end=only_end:u8`,
      },
      { symbol: "__mmu_notifier_invalidate_range_end", params: "range", kernels: "6.6.." },
    ],
    fields: RANGE,
    reveals: "a deadline; up to 6.5 an invalidation of the range, unless only_end",
  },
  {
    event: "mn_invalidate_secondary",
    part: "mm",
    at: [
      { symbol: "__mmu_notifier_invalidate_range", params: "mm start end", kernels: "..6.5" },
      {
        symbol: "__mmu_notifier_arch_invalidate_secondary_tlbs",
        params: "mm start end",
        kernels: "6.6..",
      },
    ],
    fields: PAGES,
    reveals: "the invalidation of secondary TLBs: without it nothing can be found missing",
  },
  {
    event: "mn_change_pte",
    part: "mm",
    at: [{ symbol: "__mmu_notifier_change_pte", params: "mm address pte", kernels: "..6.9" }],
    fields: "mm=mm:x64 addr=address:x64 pte=pte:x64",
    reveals: "KVM is told of a new page",
    absent: [{ kernels: "6.10..", why: "removed in 6.10", shown: "mn_invalidate_range_start" }],
  },
  ...(["clear_flush_young", "clear_young"] as const).map(
    (name): Probe => ({
      event: `mn_${name}`,
      part: "mm",
      at: [{ symbol: `__mmu_notifier_${name}`, params: "mm start end" }],
      fields: PAGES,
      reveals: "aging asks secondary TLBs whether they used a page",
    }),
  ),
  {
    event: "mn_test_young",
    part: "mm",
    at: [{ symbol: "__mmu_notifier_test_young", params: "mm address" }],
    fields: "mm=mm:x64 addr=address:x64",
    reveals: "aging asks secondary TLBs whether they used a page",
  },
  {
    event: "mn_register",
    part: "mm",
    at: [{ symbol: "__mmu_notifier_register", params: "subscription mm" }],
    fields: "mm=mm:x64",
    reveals: "an address space gets a notifier: from here on it is judged",
  },
  {
    event: "mn_release",
    part: "mm",
    at: [{ symbol: "__mmu_notifier_release", params: "mm" }],
    fields: "mm=mm:x64",
    reveals: "an address space loses its notifiers",
  },
];

export const ENTRY_PROBES: readonly Probe[] = [
  {
    event: "ptep_set_access_flags",
    part: "mm",
    at: [
      {
        symbol: "__ptep_set_access_flags",
        params: "vma address ptep entry dirty",
        arch: "arm64",
        kernels: "6.9..",
      },
      {
        symbol: "__ptep_set_access_flags_anysz",
        params: "vma address ptep entry dirty",
        arch: "arm64",
        kernels: "6.19..",
      },
      {
        symbol: "ptep_set_access_flags",
        params: "vma address ptep entry dirty",
        arch: "arm64",
        kernels: "..6.8",
      },
      { symbol: "ptep_set_access_flags", params: "vma address ptep entry dirty", arch: "x86" },
    ],
    fields: CHANGE.replace(" addr=", " vm_flags=vma->vm_flags:x64 addr="),
    returns: "changed=$retval:s32",
    reveals: "an entry becomes writable, dirty or young in a fault",
  },
  {
    event: "contpte_ptep_set_access_flags",
    part: "mm",
    at: [
      {
        symbol: "contpte_ptep_set_access_flags",
        params: "vma address ptep entry dirty",
        arch: "arm64",
        kernels: "6.9..",
      },
    ],
    fields: CHANGE,
    reveals: "the same for 16 contiguous entries",
    absent: [NO_CONT],
  },
  {
    event: "huge_ptep_set_access_flags",
    part: "mm",
    at: [
      {
        symbol: "huge_ptep_set_access_flags",
        params: "vma address ptep entry dirty",
        arch: "arm64",
      },
    ],
    fields: CHANGE,
    reveals: "the same for hugetlbfs",
    absent: [X86_HUGE],
  },
  {
    event: "pmdp_set_access_flags",
    part: "mm",
    at: [{ symbol: "pmdp_set_access_flags", params: "vma address pmdp entry dirty", arch: "x86" }],
    fields: `${BLOCK} entry=entry:x64 dirty=dirty:s32`,
    reveals: "the same for a 2 MiB entry",
    absent: [
      {
        arch: "arm64",
        why: "inlined on arm64",
        shown: "ptep_set_access_flags, whose entry is then a block",
      },
    ],
  },
  {
    event: "ptep_clear_flush",
    part: "mm",
    at: [{ symbol: "ptep_clear_flush", params: "vma address ptep" }],
    fields: `${ENTRY.replace(" addr=", " vm_flags=vma->vm_flags:x64 addr=")} old=*ptep:x64`,
    returns: "pte=$retval:x64",
    reveals: "an entry is cleared: copy-on-write, KSM, write-back, reclaim, migration",
  },
  {
    event: "huge_ptep_clear_flush",
    part: "mm",
    at: [{ symbol: "huge_ptep_clear_flush", params: "vma address ptep", arch: "arm64" }],
    fields: ENTRY,
    reveals: "the same for hugetlbfs",
    absent: [X86_HUGE],
  },
  ...(
    [
      ["pmdp_huge_clear_flush", "a 2 MiB entry is cleared"],
      ["pmdp_collapse_flush", "a table is taken away for a 2 MiB entry"],
      ["pmdp_invalidate", "a 2 MiB entry is split"],
    ] as const
  ).map(
    ([event, reveals]): Probe => ({
      ...{ event, part: "mm", fields: BLOCK, reveals },
      at: [{ symbol: event, params: "vma address pmdp" }],
    }),
  ),
  {
    event: "pmdp_invalidate_ad",
    part: "mm",
    at: [{ symbol: "pmdp_invalidate_ad", params: "vma address pmdp", kernels: "5.19.." }],
    fields: BLOCK,
    reveals: "a 2 MiB entry changes its protection",
    absent: [{ kernels: "..5.18", why: "not there before 5.19", shown: "pmdp_invalidate" }],
  },
  {
    event: "ptep_modify_prot_start",
    part: "mm",
    at: [
      {
        symbol: "ptep_modify_prot_start",
        params: "vma address ptep",
        arch: "arm64",
        kernels: "6.2..",
      },
      {
        symbol: "modify_prot_start_ptes",
        params: "vma address ptep nr",
        arch: "arm64",
        kernels: "6.17..",
        fields: `${ENTRY} old=*ptep:x64 nr=nr:u32`,
      },
    ],
    fields: `${ENTRY} old=*ptep:x64`,
    reveals: "mprotect, NUMA balancing, userfaultfd: an entry is read and cleared",
    absent: [
      { arch: "arm64", kernels: "..6.1", why: "inlined before 6.2", shown: "change_protection" },
      { arch: "x86", why: "inlined", shown: "change_protection and its ranges" },
    ],
  },
  {
    event: "ptep_modify_prot_commit",
    part: "mm",
    at: [
      {
        symbol: "modify_prot_commit_ptes",
        params: "vma address ptep old_pte pte nr",
        arch: "arm64",
        kernels: "6.17..",
        fields: `${ENTRY} old=old_pte:x64 pte=pte:x64 nr=nr:u32`,
      },
      {
        symbol: "ptep_modify_prot_commit",
        params: "vma address ptep old_pte pte",
        arch: "arm64",
        kernels: "6.2..",
      },
    ],
    fields: `${ENTRY} old=old_pte:x64 pte=pte:x64`,
    reveals: "and set anew",
    absent: [
      { arch: "arm64", kernels: "..6.1", why: "inlined before 6.2", shown: "change_protection" },
      { arch: "x86", why: "inlined", shown: "change_protection and its ranges" },
    ],
  },
  {
    event: "ptep_clear_flush_young",
    part: "mm",
    at: [{ symbol: "ptep_clear_flush_young", params: "vma address ptep", arch: "x86" }],
    fields: ENTRY,
    reveals: "the access flag of an entry is cleared",
    absent: [{ arch: "arm64", why: "inlined", shown: "mn_clear_flush_young" }],
  },
  {
    event: "contpte_clear_flush_young",
    part: "mm",
    at: [
      {
        symbol: "contpte_ptep_clear_flush_young",
        params: "vma address ptep",
        arch: "arm64",
        kernels: "6.9..",
      },
      {
        symbol: "contpte_clear_flush_young_ptes",
        params: "vma address ptep nr",
        arch: "arm64",
        kernels: "7.0..",
        fields: `${ENTRY} nr=nr:u32`,
      },
    ],
    fields: ENTRY,
    reveals: "the same for 16 contiguous entries",
    absent: [NO_CONT],
  },
  {
    event: "pmdp_clear_flush_young",
    part: "mm",
    at: [{ symbol: "pmdp_clear_flush_young", params: "vma address pmdp" }],
    fields: BLOCK.replace(" old=*pmdp:x64", ""),
    reveals: "the same for a 2 MiB entry",
  },
  {
    event: "ptep_test_and_clear_young",
    part: "mm",
    at: [{ symbol: "ptep_test_and_clear_young", params: "vma address ptep", arch: "x86" }],
    fields: `${ENTRY} old=*ptep:x64`,
    reveals: "the same without a flush",
    absent: [{ arch: "arm64", why: "inlined", shown: "no event: nothing is owed for it" }],
  },
  {
    event: "huge_ptep_set_wrprotect",
    part: "mm",
    at: [{ symbol: "huge_ptep_set_wrprotect", params: "mm addr ptep", arch: "arm64" }],
    fields: CONT,
    reveals: "fork: an entry of hugetlbfs becomes read-only",
    absent: [X86_HUGE],
  },
  ...(
    [
      ["contpte_wrprotect_ptes", "fork: contiguous entries become read-only"],
      ["contpte_clear_full_ptes", "contiguous entries are cleared"],
      ["contpte_get_and_clear_full_ptes", "contiguous entries are cleared"],
    ] as const
  ).map(
    ([event, reveals]): Probe => ({
      ...{ event, part: "mm", fields: `${CONT} nr=nr:u32`, reveals, absent: [NO_CONT] },
      at: [{ symbol: event, params: "mm addr ptep nr", arch: "arm64", kernels: "6.9.." }],
    }),
  ),
  {
    event: "contpte_set_ptes",
    part: "mm",
    at: [
      {
        symbol: "contpte_set_ptes",
        params: "mm addr ptep pte nr",
        arch: "arm64",
        kernels: "6.9..",
      },
    ],
    fields: `${CONT} pte=pte:x64 nr=nr:u32`,
    reveals: "contiguous entries are set",
    absent: [NO_CONT],
  },
  ...(["fold", "unfold"] as const).map(
    (what): Probe => ({
      event: `contpte_${what}`,
      part: "mm",
      at: [
        {
          symbol: `__contpte_try_${what}`,
          params: "mm addr ptep pte",
          arch: "arm64",
          kernels: "6.9..",
        },
      ],
      fields: `${CONT} pte=pte:x64`,
      reveals: `16 entries ${what === "fold" ? "become" : "are no longer"} contiguous`,
      absent: [NO_CONT],
    }),
  ),
  {
    event: "set_huge_pte_at",
    part: "mm",
    at: [
      { symbol: "set_huge_pte_at", params: "mm addr ptep pte", arch: "arm64", kernels: "..6.5" },
      {
        symbol: "set_huge_pte_at",
        params: "mm addr ptep pte sz",
        arch: "arm64",
        kernels: "6.6..",
        fields: `${CONT} pte=pte:x64`,
      },
    ],
    fields: `${CONT} pte=pte:x64`,
    reveals: "an entry of hugetlbfs is set",
    absent: [X86_HUGE],
  },
  {
    event: "zap_huge_pmd",
    part: "mm",
    at: [{ symbol: "zap_huge_pmd", params: "tlb vma pmdp addr" }],
    fields: "tlb=tlb:x64 mm=vma->vm_mm:x64 pmdp=pmdp:x64 addr=addr:x64 old=*pmdp:x64",
    reveals: "munmap, MADV_DONTNEED: a 2 MiB entry is cleared",
  },
];
