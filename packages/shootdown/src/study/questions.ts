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

/** A run of another scenario, on a machine by its whole name. */
const other = (
  scenario: string,
  machine: string,
  kernel: string,
  expected: Evidence["expected"],
  set: Readonly<Record<string, string>> = machine.includes("smmuv3") ? off : { hafdbs: "no" },
): Evidence => ({ scenario: `litmus/${scenario}.litmus`, machine, kernel, set, expected });
const smmu = "arm64+smmuv3";
const placed = (scenario: string, kernel: string, expected: Evidence["expected"]) =>
  other(`linux/secondary/placement-${scenario}`, smmu, kernel, expected);

const snoop = { atcSnoopWait: "yes", atcSnoopOrder: "after-tlb" } as const;

export const QUESTIONS: readonly Question[] = [
  {
    id: "upgrade",
    title: "Can a device fault for ever on a page that is writable by now?",
    asked:
      "A. Popple, RFC 2023-06-20; Q13 doubts that it was a real problem, Q16 asks about stable",
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
    id: "driver-before-answer",
    title: "Could the driver invalidate before it answers the fault? (Q5)",
    asked: "J. Gunthorpe and A. Popple, 2023",
    answer:
      "For a device whose faults come to the kernel, yes. One that is denied and tries again by " +
      "itself raises none: the driver is never asked, and the entry stays.",
    evidence: [
      other("linux/secondary/driver-invalidates", smmu, "linux-6.1+driver", "never"),
      other("linux/secondary/driver-invalidates-no-fault", smmu, "linux-6.1+driver", "sometimes"),
      other("linux/secondary/driver-invalidates-no-fault", smmu, "linux-6.12", "never"),
    ],
  },
  {
    id: "start-and-end-behind",
    title: "May start and end both come behind the change? (Q3)",
    asked: "S. Christopherson, 2023",
    answer:
      "For the upgrade it worked, because the end called invalidate_range() then; since 6.6 it " +
      "does not, and the device is stuck again. Where a page is replaced a guest goes on with " +
      "the old one: start is what takes its entry away.",
    evidence: [
      other("linux/secondary/end-after-upgrade", smmu, "linux-6.1+proposed", "never"),
      other("linux/secondary/end-after-upgrade", smmu, "linux-6.12+proposed", "sometimes"),
      other("linux/secondary/start-after-change", "arm64", "linux-6.12+after", "sometimes"),
    ],
  },
  {
    id: "kvm",
    title: "Why does KVM not have the bug? (Q4)",
    asked: "A. Popple, 2023",
    answer:
      "Its tables are its own: a guest's write faults to KVM, which makes its entry writable and " +
      "flushes it. It would be stuck if that flush were missing.",
    evidence: [
      other("linux/secondary/kvm-upgrade", "arm64", "linux-6.1", "never"),
      other("linux/secondary/kvm-upgrade", "arm64", "linux-6.12+kvm-relax-unflushed", "sometimes"),
    ],
  },
  {
    id: "kvm-retry",
    title: "Was what KVM used invalidate_range() for a missing retry? (Q7)",
    asked: "J. Gunthorpe, 2023",
    answer:
      "Yes: with the retry protocol the page that is looked up again during an invalidation is " +
      "not kept, and no call of the range callback is needed for it.",
    evidence: [
      other(
        "museum/reload-at-start/reload-at-start",
        ...(["arm64", "linux-6.12+kvm-no-retry", "sometimes"] as const),
      ),
      other("museum/reload-at-start/reload-at-start", "arm64", "linux-6.12", "never"),
    ],
  },
  {
    id: "options",
    title: "Which of the proposed places is right? (Q10)",
    asked: "A. Popple, RFC 2023-06-20: in arm64 alone, in generic code, a separate tlb_notifier",
    answer:
      "All of them end the upgrade's fault, and so does the call beside the flush, which was " +
      "merged; none breaks munmap or copy on write. They differ in what can be forgotten, which " +
      "docs/MUTANTS.md counts, and in what they call without need.",
    evidence: [
      placed("upgrade", "linux-6.1+upgrade-notify", "never"),
      placed("upgrade", "linux-6.1+generic-calls", "never"),
      placed("upgrade", "linux-6.1+tlb-notifier", "never"),
      placed("upgrade", "linux-6.1+flush-calls", "never"),
      placed("unmap", "linux-6.1+tlb-notifier", "never"),
      placed("unmap", "linux-6.1+flush-calls", "never"),
      placed("copy", "linux-6.1+tlb-notifier", "never"),
      placed("copy", "linux-6.1+flush-calls", "never"),
    ],
  },
  {
    id: "layer",
    title: "Would one layer over all flushes do? (Q15)",
    asked: "A. Popple, 2023",
    answer: "Yes, for all three: each flush is followed by the call, whoever flushes.",
    evidence: [
      placed("upgrade", "linux-6.1+flush-layer", "never"),
      placed("unmap", "linux-6.1+flush-layer", "never"),
      placed("copy", "linux-6.1+flush-layer", "never"),
    ],
  },
  {
    id: "batch",
    title: "Who is told when reclaim flushes a batch? (Q19, Q20)",
    asked: "SeongJae Park and others, linux-next of July 2023; Huang Ying",
    answer:
      "The address space of each page, when the page is added. The second version told that of " +
      "the thread that flushes, and reclaim's has none: a device writes a page that was written " +
      "out. The range that stands for the whole address space is safe if drivers take it so; " +
      "where its size overflowed (e7ad6c2a4b1a), nothing was invalidated. What it costs is time, " +
      "which a search of states does not see.",
    evidence: [
      other(
        "museum/batch-notifies-current/batch-notifies-current",
        ...([`${smmu}+ats`, "linux-6.12+batch-notifies-current", "sometimes", {}] as const),
      ),
      other(
        "museum/batch-notifies-current/batch-notifies-current",
        ...([`${smmu}+ats`, "linux-6.12", "never", {}] as const),
      ),
      other(
        "museum/whole-range-overflows/whole-range-overflows",
        ...([smmu, "linux-6.12+whole-overflows", "sometimes"] as const),
      ),
    ],
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
