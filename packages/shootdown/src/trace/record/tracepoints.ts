// SPDX-License-Identifier: Apache-2.0
// Events that the kernel has without a probe, and what no event shows at all.
import type { Absence, Tracepoint } from "./probe.ts";

const BITS_OF_TAG = 'args->type % 2 == 1 ? "devtlb" : "iotlb"';
const TAG = [
  "%s/%s type %s did %d pasid %d ref %d",
  ...["str(args->iommu)", "str(args->dev)", BITS_OF_TAG],
  ...["args->domain_id", "args->pasid", "args->users"],
] as const;

/** enum tlb_flush_reason, in the kernel's words. */
const WHY_FLUSHED = [
  ...["flush on task switch", "remote shootdown", "local shootdown", "local mm shootdown"],
].reduceRight((rest, word, n) => `args->reason == ${n} ? "${word}" : ${rest}`, '"remote ipi send"');

/** Events whose text is the kernel's own, as the monitor reads it. */
export const TRACEPOINTS: readonly Tracepoint[] = [
  ...(["set", "remove"] as const).map(
    (what): Tracepoint => ({
      path: `migrate/${what}_migration_pte`,
      event: `${what}_migration_pte`,
      part: "mm",
      kernels: "5.18..",
      reveals: `migration: an entry ${what === "set" ? "is taken away" : "comes back"}`,
      print: ["addr=%lx, pte=%lx order=%d", "args->addr", "args->pte", "args->order"],
    }),
  ),
  {
    path: "sched/sched_process_fork",
    event: "sched_process_fork",
    part: "mm",
    reveals: "the deadline of what fork made read-only",
    print: ["pid=%d child_pid=%d", "args->parent_pid", "args->child_pid"],
  },
  {
    path: "sched/sched_process_exit",
    event: "sched_process_exit",
    part: "mm",
    reveals: "a task ends",
    print: ["pid=%d", "args->pid"],
  },
  {
    path: "kvm/kvm_unmap_hva_range",
    event: "kvm_unmap_hva_range",
    part: "kvm",
    reveals: "KVM unmaps a range of its guests: inside the notifier's range",
    print: ["mmu notifier unmap range: 0x%016lx -- 0x%016lx", "args->start", "args->end"],
  },
  {
    path: "iommu/map",
    event: "map",
    part: "dma",
    reveals: "pages are mapped for a device",
    print: [
      "IOMMU: iova=0x%016lx - 0x%016lx paddr=0x%016lx size=%lu",
      ...["args->iova", "args->iova + args->size", "args->paddr", "args->size"],
    ],
  },
  {
    path: "iommu/unmap",
    event: "unmap",
    part: "dma",
    reveals: "and taken from it: usable until they are invalidated",
    print: [
      "IOMMU: iova=0x%016lx - 0x%016lx size=%lu unmapped_size=%lu",
      ...["args->iova", "args->iova + args->size", "args->size", "args->unmapped_size"],
    ],
  },
  {
    path: "intel_iommu/qi_submit",
    event: "qi_submit",
    part: "vtd",
    arch: "x86",
    kernels: "5.12..",
    reveals: "each descriptor of the queue, as raw words",
    print: [
      "desc %s: 0x%lx 0x%lx 0x%lx 0x%lx",
      ...["str(args->iommu)", "args->qw0", "args->qw1", "args->qw2", "args->qw3"],
    ],
  },
  ...(["assign", "unassign"] as const).map(
    (what): Tracepoint => ({
      path: `intel_iommu/cache_tag_${what}`,
      event: `cache_tag_${what}`,
      part: "vtd",
      arch: "x86",
      kernels: "6.10..",
      reveals: "which domain id a device's translations are kept under",
      print: TAG,
    }),
  ),
  {
    path: "intel_iommu/prq_report",
    event: "prq_report",
    part: "vtd",
    arch: "x86",
    kernels: "5.18..",
    reveals: "a page request of a device",
    print: ["%s/%s seq# %ld", "str(args->iommu)", "str(args->dev)", "args->seq"],
  },
  {
    path: "tlb/tlb_flush",
    event: "tlb_flush",
    part: "cpu",
    arch: "x86",
    reveals: "a CPU flushes, and why",
    print: ["pages:%ld reason:%s (%d)", "(int64)args->pages", WHY_FLUSHED, "args->reason"],
  },
];

/** What the monitor would like and no recorder can give, with what shows it instead. */
export const NOT_VISIBLE: readonly (Absence & { readonly what: string })[] = [
  {
    what: "the access flag and the dirty bit that hardware sets",
    why: "no code runs",
    shown: "no event: such changes are not judged",
  },
  {
    what: "ptep_get_and_clear, set_pte_at, ptep_set_wrprotect",
    why: "inlined everywhere",
    shown: "unmap_page_range and the batch, copy_page_range, try_to_unmap_one",
  },
  {
    what: "tlb_flush (of a batch), wp_page_reuse",
    why: "static inline, which the kernel does not let probes into",
    shown: "tlb_flush_mmu and tlb_finish_mmu; ptep_set_access_flags",
  },
  {
    what: "do_numa_page, replace_page",
    why: "inlined by the compilers seen",
    shown: "change_prot_numa and handle_mm_fault; ptep_clear_flush",
  },
  {
    what: "TLBI and DSB instructions",
    arch: "arm64",
    why: "instructions without an event",
    shown: "QEMU's plugin: tlbi.txt beside the recording",
  },
  {
    what: "commands of the SMMU's queue",
    arch: "arm64",
    why: "the driver has no event for them",
    shown: "QEMU with -trace 'smmu*': smmu.txt beside the recording; iommu:map and iommu:unmap",
  },
  {
    what: "KVM's stage 2 and the drivers of other IOMMUs",
    why: "no rule of the monitor reads their events",
    shown: "the calls that Linux makes to them: mn_*",
  },
];

/** Names that a reader knows and no recorder writes, with the reason. */
export const NOT_RECORDED: Readonly<Record<string, string>> = {
  tracing_mark_write: "written by the recorder and by test programs into trace_marker",
  watch: "of a module for tests, which registers a notifier by itself",
  wp_page_reuse: "static inline: no probe",
  do_numa_page: "inlined by the compilers seen",
  replace_page: "inlined by the compilers seen",
};

/** System calls that change address spaces: their ends tell `late` from `missing`. */
export const SPACE_CALLS: readonly string[] = [
  ...["mmap", "munmap", "mprotect", "pkey_mprotect", "mremap", "madvise", "process_madvise"],
  ...["msync", "mlock", "munlock", "mbind", "migrate_pages", "move_pages", "brk"],
  ...["remap_file_pages", "clone", "clone3", "fork", "vfork", "execve", "execveat"],
  ...["exit", "exit_group", "shmdt", "prctl", "userfaultfd"],
  ...["ioctl", "ftruncate", "truncate", "fallocate"],
];

/** Others after which a task is no longer in an operation; frequent, hence a part of their own. */
export const OTHER_CALLS: readonly string[] = [
  ...["read", "write", "pread64", "pwrite64", "fsync", "fdatasync", "sync"],
  ...["sync_file_range", "nanosleep", "clock_nanosleep", "futex", "epoll_pwait", "ppoll"],
  ...["wait4", "close", "sendfile"],
];
