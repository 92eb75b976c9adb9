// SPDX-License-Identifier: Apache-2.0
// The questions that people asked about notifiers and invalidations, and the runs that decide them.

/** A run that an answer rests on. */
export interface Evidence {
  readonly scenario: string;
  readonly machine: string;
  readonly kernel: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly expected: "never" | "sometimes";
}

export interface Question {
  readonly id: string;
  readonly title: string;
  /** Who asked it, where. */
  readonly asked: string;
  readonly answer: string;
  readonly evidence: readonly Evidence[];
}

const dir = "litmus/permission-upgrade";
const off = { hafdbs: "no", httu: "no" } as const;
const run = (
  scenario: string,
  machine: string,
  kernel: string,
  expected: Evidence["expected"],
  set: Readonly<Record<string, string>> = {},
): Evidence => ({
  scenario: `${dir}/${scenario}.litmus`,
  machine: `arm64+smmuv3${machine}`,
  kernel,
  set: { ...off, ...set },
  expected,
});

const snoop = { atcSnoopWait: "yes", atcSnoopOrder: "after-tlb" } as const;

export const QUESTIONS: readonly Question[] = [
  {
    id: "upgrade",
    title: "Can a device fault for ever on a page that is writable by now?",
    asked: "A. Popple, RFC 2023-06-20; Q13 doubts that it was a real problem",
    answer:
      "Yes, until 6.5: the fault that makes an entry writable flushes the CPU's TLB and " +
      "tells no notifier, so an SMMU that keeps the read-only entry denies the device, " +
      "whose fault changes nothing. In 6.12 the flush carries the call.",
    evidence: [
      run("upgrade", "", "linux-6.1", "sometimes"),
      run("upgrade", "", "linux-6.12", "never"),
    ],
  },
  {
    id: "only-ptep_set_access_flags",
    title: "Why not call the notifier in ptep_set_access_flags() alone? (Q2, Q14)",
    asked: "C. Marinas and A. Khandual, 2023",
    answer:
      "For this question alone it is enough. It does nothing for other places that flush " +
      "without a notifier; those are other scenarios.",
    evidence: [run("upgrade", "", "linux-6.1+upgrade-notify", "never")],
  },
  {
    id: "driver",
    title: "Is it the SMMU driver's to fix? (Q5, Q6)",
    asked: "J. Gunthorpe and R. Murphy, 2023",
    answer:
      "The driver only ever hears of what the kernel tells it: with the callback gone, " +
      "6.12 has the same endless fault, with every page-table change in its place.",
    evidence: [run("upgrade", "", "linux-6.12+no-notifier", "sometimes")],
  },
  {
    id: "btm-range",
    title: "With broadcast TLB maintenance, is no notifier needed? (Q11)",
    asked: "A. Khandual, 2023",
    answer:
      "The range calls could be skipped if the SMMU takes part in broadcasts, uses the " +
      "CPU's ASID and has no ATS device behind it. Mainline takes part in none " +
      "(CR2.PTM=1), whatever SMMU_IDR0.BTM says.",
    evidence: [
      run("unmap", "+btm", "linux-6.12+btm-on+no-notifier", "never"),
      run("upgrade", "+btm", "linux-6.12+btm-on+no-notifier", "never"),
      run("unmap", "+btm", "linux-6.12+no-notifier", "sometimes"),
    ],
  },
  {
    id: "btm-ats",
    title: "And with an ATS device? (Q11)",
    asked: "A. Popple's answer, 2023",
    answer: "The calls are needed: no broadcast reaches an ATC.",
    evidence: [
      run("unmap", "+btm+ats", "linux-6.12+btm-on+no-notifier", "sometimes"),
      run("cow", "+btm+ats", "linux-6.12+btm-on+no-notifier", "sometimes"),
    ],
  },
  {
    id: "registration",
    title: "Could registration be skipped with broadcast TLB maintenance? (Q11)",
    asked: "A. Khandual, 2023",
    answer:
      "No. Exit frees full batches of pages with no TLBI at all and relies on the release " +
      "callback to stop translation: without a registration nothing stops the device.",
    evidence: [
      run("exit-unregistered", "+btm", "linux-6.12+btm-on", "sometimes"),
      run("exit", "", "linux-6.12", "never"),
    ],
  },
  {
    id: "atc-snoop",
    title: "Could hardware turn a broadcast into ATC invalidations? (Q11)",
    asked: "K. Tian, 2023",
    answer:
      "Only if the CPU's DSB also waited for them, and if they came after the SMMU's own " +
      "invalidation. No specification has such hardware; this is a machine part of the " +
      "imagination.",
    evidence: [
      run("unmap", "+btm+ats+atcsnoop", "linux-6.1+btm-on+no-notifier", "never", snoop),
      run("unmap", "+btm+ats+atcsnoop", "linux-6.1+btm-on+no-notifier", "sometimes", {
        ...snoop,
        atcSnoopWait: "no",
      }),
      run("unmap", "+btm+ats+atcsnoop", "linux-6.1+btm-on+no-notifier", "sometimes", {
        ...snoop,
        atcSnoopOrder: "before-tlb",
      }),
    ],
  },
  {
    id: "local-upgrade",
    title: "What if an upgrade flushes only the local CPU, as since 6.19?",
    asked: "Huang Ying's series, 2025",
    answer:
      "Safe while the callback is made and sends the command. A design that leaves the " +
      "SMMU's TLB to broadcasts has the original bug again.",
    evidence: [
      run("upgrade", "", "linux-6.12+local-upgrade", "never"),
      run("upgrade", "+btm", "linux-6.12+btm-skip+local-upgrade", "sometimes"),
      run("upgrade", "+btm", "linux-6.1+btm-on+local-upgrade", "sometimes"),
      run("upgrade", "+btm", "linux-6.19", "never"),
      run("upgrade", "+btm", "linux-6.19+btm-skip", "sometimes"),
    ],
  },
  {
    id: "before-dsb",
    title: "Is it safe to notify between the TLBI and its DSB?",
    asked: "arch/arm64/include/asm/tlbflush.h since 6.6",
    answer:
      "Yes, because the driver invalidates the SMMU's TLB by command. If it trusted the " +
      "broadcast instead, the ATC would be invalidated while the SMMU may still refill " +
      "it. 6.1 notified after the DSB.",
    evidence: [
      run("unmap", "+btm+ats", "linux-6.12+btm-skip", "sometimes"),
      run("unmap", "+btm+ats", "linux-6.1+btm-skip", "never"),
      run("unmap", "+btm+ats", "linux-6.12", "never"),
    ],
  },
  {
    id: "before-dsb-masked",
    title: "Would a munmap that frees its page table show it?",
    asked: "the same",
    answer: "No: the flush for the freed table notifies once more, after the first flush's DSB.",
    evidence: [run("unmap-table", "+btm+ats", "linux-6.12+btm-skip", "never")],
  },
  {
    id: "fork",
    title: "Does range_end come late enough for fork?",
    asked: "mm/memory.c, kernel/fork.c in 6.1",
    answer:
      "With commands, yes. If broadcasts are trusted, no: range_end invalidates the ATC " +
      "before dup_mmap's TLBI, and nothing does so afterwards.",
    evidence: [
      run("fork", "+btm+ats", "linux-6.1+btm-skip", "sometimes"),
      run("fork", "+btm+ats", "linux-6.1", "never"),
    ],
  },
  {
    id: "atc-order",
    title: "May the ATC be invalidated before the SMMU's TLB?",
    asked: "353e3cf8590c, Linux 5.4",
    answer: "No: the ATC refills from the entry that is about to go.",
    evidence: [
      run("unmap", "+ats", "linux-6.12+atc-before-tlbi", "sometimes"),
      run("unmap", "+ats", "linux-6.12", "never"),
    ],
  },
  {
    id: "re-request",
    title: "Does it help if the ATC asks again when an entry denies an access?",
    asked: "PCIe leaves it open (rule P3)",
    answer:
      "Only where the SMMU's own entry is fresh, that is with broadcasts. In 6.1 without " +
      "them the answer is as stale as the ATC.",
    evidence: [
      run("upgrade", "+ats", "linux-6.1", "sometimes", { atcReRequest: "yes" }),
      run("upgrade", "+btm+ats", "linux-6.1+btm-on", "sometimes", { atcReRequest: "no" }),
      run("upgrade", "+btm+ats", "linux-6.1+btm-on", "never", { atcReRequest: "yes" }),
    ],
  },
  {
    id: "hardware-dirty",
    title: "Can hardware dirtying by the CPU leave a device faulting for ever?",
    asked: "CD.HA and CD.HD are clear for SVA in mainline",
    answer:
      "On 6.1, yes. On 6.12, no: the device's first fault finds PTE_DIRTY clear, because " +
      "hardware only cleared PTE_RDONLY; handle_pte_fault() sets it, so the entry changes " +
      "and the flush, with its callback, follows. (A hypothesis said that 6.12 would be " +
      "stuck too; pte_mkdirty() refutes it for single pages.) With HTTU in the SMMU, a " +
      "hypothesis for mainline, the SMMU sees the new descriptor when it updates it.",
    evidence: [
      run("dirty-by-hardware", "", "linux-6.1", "sometimes", { hafdbs: "yes" }),
      run("dirty-by-hardware", "", "linux-6.12", "never", { hafdbs: "yes" }),
      run("dirty-by-hardware", "", "linux-6.12", "never", { httu: "yes" }),
    ],
  },
];
