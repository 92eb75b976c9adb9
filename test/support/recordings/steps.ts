// SPDX-License-Identifier: Apache-2.0
// The steps of a recording, in order (record/mmsteps.c beside the recordings), and who acts in each
// besides the main thread. Where nobody does, every operation of the step is compared.

export interface Step {
  readonly name: string;
  /** Who else works on the process's pages while the main thread does. */
  readonly others?: string;
  /** Kernels that do not have what the step asks for. */
  readonly not?: readonly string[];
}

const alone = (name: string): Step => ({ name });

export const STEPS: readonly Step[] = [
  alone("anon_zero_page_then_write"),
  alone("anon_write_first"),
  alone("file_shared_upgrade"),
  alone("file_shared_upgrade_by_read_syscall"),
  alone("file_private_cow"),
  alone("tmpfs_shared_read_then_write"),
  alone("mprotect_rw_ro_rw"),
  alone("fork_then_parent_reuses"),
  alone("fork_child_copies"),
  alone("fork_parent_copies"),
  {
    name: "threads_upgrade_at_once",
    others: "three threads on CPUs 1-3 write the pages at once; their faults are not compared",
  },
  alone("unmap"),
  alone("remap"),
  alone("madvise_dontneed"),
  alone("madvise_free"),
  alone("madvise_cold"),
  alone("madvise_pageout"),
  alone("thp_fork_reuse_split"),
  alone("thp_zero_page_then_write"),
  alone("thp_collapse"),
  { name: "ksm_merge_then_write", others: "ksmd merges pages, on any CPU; that is not compared" },
  alone("clear_refs"),
  { name: "userfault_write_protect", not: ["linux-6.1"] },
  alone("move_between_nodes"),
  alone("mbind_move"),
  alone("compact"),
  alone("numa_hinting"),
  alone("hugetlb"),
  alone("truncate_mapped_file"),
  alone("big_folio_file_upgrade"),
  alone("exit_with_notifier"),
  // What the program does when it is through.
  alone("none"),
];
