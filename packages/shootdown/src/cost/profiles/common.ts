// SPDX-License-Identifier: Apache-2.0
// What several profiles have in common: values that are known of no machine in particular, and
// values taken over from the one machine where they are known. A profile that knows better says so.

import { type Quantities, quantity as q } from "../profile.ts";

/** Where the citations of a row are: docs/COST.md repeats them in full. */
const PHYTIUM = "pKVM munmap penalty: core-scaling follow-up, 2026-06-15, 3.2 (FTC862, 8 cores)";
const SONG_YANG = "[PATCH v11 4/4] arm64: support batched/deferred tlb shootdown, 2023-07-17";
const ARCANGELI = "[PATCH 3/3] arm64: tlb: skip tlbi broadcast, Arcangeli, 2020-02-24";
const GARRY = "[PATCH v2 0/2] iommu/arm-smmu-v3: Improve cmdq lock efficiency, 2020-08-21";
const NEUGEBAUER = "Neugebauer et al., SIGCOMM 2018";
export const NO_NUMBER = "no public number";

/** Every CPU: no public number, and small against what is compared. */
export const CPU: Quantities = {
  work_ns: q("V", 1, "by definition"),
  // A routine's own steps are the model's, and alike wherever the calls stand: who wants them
  // charged sweeps this.
  step_ns: q("V", 0, "by definition: steps are the model's, not the kernel's instructions"),
  pte_ns: q("A", 5, NO_NUMBER, [1, 20]),
  fault_ns: q("A", 500, NO_NUMBER, [200, 1500]),
  tlb_refill_ns: q("A", 30, NO_NUMBER, [10, 100]),
};

/** Arm: local and broadcast invalidation. */
export const ARM64: Quantities = {
  ...CPU,
  tlbi_local_ns: q("V", 10, PHYTIUM, [5, 30]),
  tlbi_broadcast_ns: q("V", 23, PHYTIUM, [10, 60]),
  dsb_local_ns: q("A", 20, NO_NUMBER, [5, 60]),
  dsb_base_ns: q(
    "D",
    264,
    `${SONG_YANG}: line through 0.31 us at 8 cores, 0.89 us at 104`,
    [150, 500],
  ),
  dsb_per_cpu_ns: q("D", 6, `${SONG_YANG}: (0.89 - 0.31) us / 96 cores`, [2, 10]),
  dvm_service_ns: q("A", 200, NO_NUMBER, [50, 400]),
  dvm_per_sender_ns: q(
    "D",
    103,
    `${ARCANGELI}: 3.4 us at 32 senders, two flushes a round`,
    [5, 200],
  ),
  bystander_share: q(
    "D",
    0.26,
    "Re: [PATCH 2/2] arm64: tlb, Qi Fuli, 2020-02-12 (ThunderX2): 25.2 % / 97 % pending",
    [0.05, 0.5],
  ),
};

/** SMMUv3: the queue as Garry's table gives it. */
export const SMMUV3: Quantities = {
  notifier_ns: q("A", 30, NO_NUMBER, [10, 100]),
  cmd_build_ns: q("A", 10, NO_NUMBER, [5, 30]),
  cmd_ns: q("A", 60, "upper bound: 120 ns a register write of an SMMUv2", [20, 120]),
  cmd_sync_ns: q(
    "V",
    230,
    "RE: [PATCH v3] permit users to disable MSI polling, 2020-08-03",
    [190, 270],
  ),
  cmdq_lock_per_cpu_ns: q("D", 18.1, `${GARRY}: 267 ns + 18.1 N`, [4.1, 18.1]),
  cmdq_remote_ns: q(
    "D",
    310,
    "allocate the memory of queues in local numa node: 555 - 245 ns",
    [280, 320],
  ),
  trap_ns: q("A", 2000, NO_NUMBER, [1000, 5000]),
  iotlb_refill_ns: q("R", 330, NEUGEBAUER, [150, 800]),
  device_fault_ns: q(
    "D",
    10350,
    "Add IOPF support for VFIO passthrough, 2021-03-09",
    [10000, 20000],
  ),
  dma_work_ns: q("D", 2900, `${GARRY}: the rows of 8 CPUs`, [2000, 4000]),
};

/** A device's TLB: nothing public at all. */
export const ATS: Quantities = {
  atc_round_trip_ns: q("A", 1000, `${NO_NUMBER}; a posted request and its completion`, [300, 5000]),
  atc_per_page_ns: q("A", 0.5, NO_NUMBER, [0, 5]),
  atc_refill_ns: q("A", 1000, `${NO_NUMBER}; a round trip and a walk`, [500, 2000]),
};

const AMIT = "[RFC PATCH 0/6] x86/mm: Flush remote and local TLBs concurrently, 2019-05-25";

/** x86: interrupts and INVLPG. */
export const X86: Quantities = {
  ...CPU,
  // Flushed concurrently, as since 5.13.
  ipi_first_ns: q("D", 562, `${AMIT}: 1225 - 663 ns (Haswell)`, [400, 1500]),
  ipi_next_ns: q("D", 98, `${AMIT}: (1421 - 1225) / 2 ns`, [50, 150]),
  ipi_handler_ns: q("A", 400, NO_NUMBER, [200, 1000]),
  invlpg_ns: q("V", 100, "torvalds/linux arch/x86/mm/tlb.c", [30, 200]),
  full_flush_ns: q("A", 300, NO_NUMBER, [100, 3000]),
};

/** VT-d and AMD: a queue with a spinlock; figures recalled from one paper. */
export const X86_IOMMU: Quantities = {
  ...SMMUV3,
  cmd_ns: q("A", 100, NO_NUMBER, [50, 300]),
  cmd_sync_ns: q("R", 700, "Malka et al., rIOMMU, ASPLOS 2015: 2,100 cycles", [400, 1000]),
  cmdq_lock_per_cpu_ns: q("A", 20, NO_NUMBER, [5, 100]),
  cmdq_remote_ns: q("A", 300, NO_NUMBER, [100, 500]),
};
