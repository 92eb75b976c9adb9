// SPDX-License-Identifier: Apache-2.0
// Floods of the kernel's own events: endless address spaces, tasks, changes, queues, domains.

export interface Flood {
  readonly name: string;
  /** What comes first. */
  readonly head: string;
  /** What comes then, piece by piece without end. */
  readonly more: (n: number) => string;
  /** Something of it is not judged, so that the status must not be 0. */
  readonly plain?: boolean;
}

export const hex = (n: number): string => `0x${n.toString(16)}`;

export const HEADER = "# tracer: nop\n#\n";
export const ftrace = (n: number, text: string, pid = 7, cpu = 0): string =>
  `            prog-${pid}     [${String(cpu).padStart(3, "0")}] d.... ` +
  `${(1 + n / 1e6).toFixed(6)}: ${text}\n`;
export const probe = (event: string, rest: string): string => `${event}: (f+0x0/0x1) ${rest}`;
const upgrade = (mm: string, addr: string): string =>
  probe(
    "ptep_set_access_flags",
    `mm=${mm} vm_flags=0xfb addr=${addr} ptep=0x8 old=0x6000007ed60fc3 ` +
      "entry=0xe800007ed60f43 dirty=1",
  );
const done = "ptep_set_access_flags_ret: (g+0x1/0x2 <- f) changed=1";
const submit = (type: string, queue: string, low: string, high: string): string =>
  `qi_submit: ${type} ${queue}: ${low} ${high} 0x0 0x0`;
export const did = (n: number, rest: number): string => hex((n % 65536) * 65536 + rest);

const events = (name: string, line: (n: number) => string, plain = false): Flood => ({
  name: `ftrace: ${name}`,
  head: HEADER + ftrace(0, probe("mn_register", "mm=0x5")),
  more: line,
  plain,
});

export const KERNEL: readonly Flood[] = [
  events("address spaces", (n) => {
    const mm = hex(4096 + n);
    return (
      ftrace(n, probe("mn_register", `mm=${mm}`)) +
      ftrace(n, upgrade(mm, "0x1000"), n % 100) +
      ftrace(n, done, n % 100)
    );
  }),
  events("tasks inside of a change", (n) => ftrace(n, upgrade("0x5", "0x1000"), n), true),
  events("pages that wait", (n) => ftrace(n, upgrade("0x5", hex(4096 * n)), 7), true),
  events("changes done and never invalidated", (n) => {
    return ftrace(n, upgrade("0x5", hex(8192 * n)), n % 7) + ftrace(n, done, n % 7);
  }),
  events("ranges that do not end", (n) =>
    ftrace(n, probe("mn_invalidate_range_start", `mm=0x5 start=${hex(n * 4096)} end=0xffffff000`)),
  ),
  events("ranges that do not begin", (n) =>
    ftrace(n, probe("mn_invalidate_range_end", `mm=0x5 start=0x0 end=${hex(n * 4096)}`), n % 99),
  ),
  events("everything invalidated, again and again", (n) =>
    n < 60_000
      ? ftrace(
          n,
          probe("ptep_clear_flush", `mm=0x5 addr=${hex(8192 * n)} ptep=0x8 old=0x6000007ed60fc3`),
          n,
        )
      : ftrace(n, probe("mn_invalidate_secondary", "mm=0x5 start=0x0 end=0xffffffffffffffff"), 7),
  ),
  events(
    "batches",
    (n) =>
      ftrace(n, probe("tlb_gather_mmu", `tlb=${hex(n)} mm=0x5`), n % 1000) +
      ftrace(
        n,
        probe("unmap_page_range", `mm=0x5 start=${hex(n * 4096)} end=${hex(n * 4096 + 4096)}`),
        n % 1000,
      ),
  ),
  events("faults inside of faults", (n) =>
    ftrace(n, probe("handle_mm_fault", `mm=0x5 addr=${hex(n * 4096)} flags=0x1`), n % 10),
  ),
  events(
    "pages known to be mapped",
    (n) =>
      ftrace(n, probe("handle_mm_fault", `mm=0x5 addr=${hex(n * 8192)} flags=0x1`)) +
      ftrace(n, "handle_mm_fault_ret: (g+0x1/0x2 <- f) ret=0x0"),
  ),
  events("CPUs", (n) => ftrace(n, upgrade("0x5", "0x1000"), 7, n % 1_048_576)),
  events("names of events", (n) => ftrace(n, `event_${n}: x`)),
  events(
    "damaged lines",
    (n) =>
      n < 500
        ? ftrace(n, probe("mn_register", `mm=${hex(4096 + n)}`))
        : `prog-7 [00x] d.... ${n}: mn_register: mm=0x1\n`,
    true,
  ),
  events("lost events", (n) => `CPU:${n % 4000} [LOST ${n} EVENTS]\n`, true),
  events("stacks", (n) =>
    n % 100 === 0 ? ftrace(n, upgrade("0x5", "0x1000")) : " => do_wp_page\n",
  ),
  events(
    "fields that are no numbers",
    (n) => ftrace(n, probe("mn_invalidate_secondary", `mm=0x${n} start=NaN end=1e99`)),
    true,
  ),
  events("system calls", (n) => ftrace(n, `sys_munmap(addr: ${hex(n)})`, n)),
  events("forks", (n) =>
    ftrace(n, `sched_process_fork: comm=a pid=${n} child_comm=b child_pid=${n + 1}`, n),
  ),
  events("migrations", (n) =>
    ftrace(n, `set_migration_pte: addr=${n.toString(16)}000, pte=0, order=0`, n % 9),
  ),
  events("dashes", () => `${"-1[1]".repeat(13_000)}\n`),
];

export const IOMMU: readonly Flood[] = [
  events("queues", (n) => ftrace(n, submit("iotlb_inv", `dmar${n}`, "0x800f2", "0x1000"))),
  events(
    "domain ids and devices",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", did(n, 0xf2), hex(n * 4096))) +
      ftrace(
        n,
        submit("dev_tlb_inv", "dmar0", `0x${(n % 4096).toString(16)}00000003`, hex(n * 4096)),
      ),
  ),
  events("devices that come again", (n) =>
    n % 20 === 0
      ? ftrace(n, submit("cc_inv", "dmar0", "0x500000031", "0x0"))
      : n < 4096
        ? ftrace(n, submit("iotlb_inv", "dmar0", did(n, 0xf2), hex(n * 4096)))
        : ftrace(n, submit("dev_tlb_inv", "dmar0", "0x500000003", hex(n * 4096))),
  ),
  events(
    "domains",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", "0x800f2", "0x1000")) +
      ftrace(
        n,
        probe("intel_iommu_unmap_pages", `domain=${hex(n)} iova=0x1000 pgsize=0x1000 pgcount=1`),
      ),
  ),
  events(
    "pages of devices",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", "0x700f2", "0x1000")) +
      ftrace(
        n,
        probe(
          "intel_iommu_unmap_pages",
          `domain=0x1 iova=${hex(8192 * n)} pgsize=0x1000 pgcount=1`,
        ),
      ),
  ),
  events(
    "huge mappings",
    (n) =>
      ftrace(n, `map: IOMMU: iova=0x0 - 0x${"f".repeat(12)} paddr=0x0 size=${2 ** 40}`) +
      ftrace(n, `unmap: IOMMU: iova=0x0 - 0xfff size=${2 ** 40} unmapped_size=${2 ** 40}`),
  ),
  events(
    "allocators of addresses",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", "0x800f2", "0x1000")) +
      ftrace(n, probe("free_iova_fast", `iovad=${hex(n)} pfn=0x1 npages=0x1`)),
  ),
  events(
    "tags",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", "0x800f2", "0x1000")) +
      ftrace(
        n,
        `cache_tag_assign: dmar0/0000:01:00.0 type iotlb did ${n % 65536} pasid ${n} ref 1`,
      ),
  ),
  events("reasons of flushes", (n) => ftrace(n, `tlb_flush: pages:-1 reason:r${n} (0)`)),
  events("submissions inside of submissions", (n) =>
    ftrace(n, probe("qi_submit_sync", "iommu=0x1 count=1"), 7, n % 4096),
  ),
];
