// SPDX-License-Identifier: Apache-2.0
// Published results on command queues: V1, V3, V4, V12, V21.

import type { ClockAct } from "../clock-program.ts";
import { Dma, type DmaMode } from "../dma.ts";
import type { Profile } from "../profile.ts";
import { type FlushWalk, smmuv2Unmap } from "../smmuv2.ts";
import { Timeline } from "../timeline.ts";
import { timed, timeOf } from "../timing.ts";
import { loop, machine, rate, work } from "./loop.ts";
import { type Cell, judged, near, type Validation } from "./result.ts";

const everything = { lo: 0, hi: Number.POSITIVE_INFINITY };
const ROUNDS = 200;

/** Map and unmap of a page, strict, as dma_map_benchmark does. */
const mapUnmap: readonly ClockAct[] = [
  { act: "spend", quantity: "dma_work_ns", n: 1 },
  { act: "cmdlist", op: "CMD_TLBI_NH_VA", sync: true, devices: 0, lo: 0, hi: 1 },
];

const GARRY = {
  cmpxchg: { slope: 18.1, rates: [282, 115, 36, 11] },
  "atomic add": { slope: 4.1, rates: [302, 193, 80, 30] },
} as const;
const GARRY_CPUS = [8, 16, 32, 64] as const;

export function v1(): Validation {
  const cells: Cell[] = [];
  for (const [lock, { slope, rates }] of Object.entries(GARRY)) {
    const profile = machine("kunpeng-920", {}, { cmdq_lock_per_cpu_ns: slope });
    GARRY_CPUS.forEach((cpus, i) => {
      const simulated = rate(loop(profile, cpus, ROUNDS, mapUnmap), cpus, ROUNDS) / cpus / 1000;
      cells.push(near(`${lock}, ${cpus} CPUs`, rates[i]!, simulated, 0.1, true));
    });
  }
  return judged({
    ...{ id: "V1", title: "Map and unmap against CPUs, one command queue", cells },
    source: "[PATCH v2 0/2] iommu/arm-smmu-v3: Improve cmdq lock efficiency, Garry, 2020-08-21",
    ...{ profile: "kunpeng-920", unit: "1000 rounds a second and CPU" },
    note:
      "four parameters, eight cells: both slopes and the base were fitted on the rows from 16 " +
      "CPUs on, the work on those of 8; only the slope differs, as only the lock does",
  });
}

export function v3(): Validation {
  const sync = (profile: Profile) => {
    const acts: ClockAct[] = [
      { act: "cmdlist", op: "CMD_SYNC alone", sync: true, devices: 0, ...everything },
    ];
    const quiet = { cmd_ns: 0, cmd_build_ns: 0, cmdq_lock_per_cpu_ns: 0 };
    const alone = machine(profile.name, profile.features, quiet);
    return timeOf(loop(alone, 1, 1, acts)).mid;
  };
  const local = sync(machine("kunpeng-920"));
  const remote = sync(machine("kunpeng-920", { queue_remote: true }));
  return judged({
    ...{ id: "V3", title: "CMD_SYNC on an empty queue, near and far" },
    source:
      "RE: [PATCH v3] iommu/arm-smmu-v3: permit users to disable MSI polling, 2020-08-03; " +
      "[PATCH] allocate the memory of queues in local numa node, 2020-06-01",
    ...{ profile: "kunpeng-920", unit: "ns" },
    cells: [
      { label: "near", published: 230, simulated: local, band: [190, 270], fitted: true },
      { label: "far", published: 555, simulated: remote, band: [500, 610], fitted: true },
    ],
    note: "what is far is the measured difference of both, added to what is near",
  });
}

/** I/Os a second of eight drives: what they do without an IOMMU. */
const DRIVES = 16.5e6;
const SOCKETS = 2;

function nvme(mode: DmaMode): number {
  const cpus = 72;
  const profile = machine("grace", { cpus, smmus: 1 });
  const dma = new Dma(mode, new Timeline());
  const rounds = 300;
  for (let round = 0; round < rounds; round++) {
    for (let cpu = 0; cpu < cpus; cpu++) {
      dma.map(cpu, 0, 1);
      dma.unmap(cpu, 0, 1, round);
    }
  }
  const { makespan_ns } = timed(dma.timeline, dma.courses, profile).outcomes.mid;
  const possible =
    makespan_ns === 0 ? Number.POSITIVE_INFINITY : (1e9 * cpus * rounds) / makespan_ns;
  return Math.min(DRIVES, SOCKETS * possible);
}

export function v4(): Validation {
  const [strict, lazy, none] = (["strict", "lazy", "passthrough"] as const).map(nvme);
  return judged({
    ...{ id: "V4", title: "NVMe on Grace: strict, lazy, passthrough" },
    source: "NVIDIA/NV-Kernels PR 182, 184, 2025-08",
    ...{ profile: "grace", unit: "million I/Os a second; ratios" },
    cells: [
      near("strict", 2.8, strict! / 1e6, 0.1, true),
      near("lazy", 16.4, lazy! / 1e6, 0.02),
      near("passthrough / strict", 5.9, none! / strict!, 0.1, true),
      { label: "lazy / passthrough", published: 0.994, simulated: lazy! / none!, ...ONE_PERCENT },
    ],
    note:
      "72 busy CPUs and one SMMU a socket; the drives' own limit is the published passthrough; " +
      "the slope of the queue's lock was fitted on the strict row, lazy is predicted",
  });
}

const ONE_PERCENT = { band: [0.99, 1.001], fitted: false } as const;

/** What an unmap costs besides: each 2 MB, and once; from the rows after the change. */
const RANJAN_WORK = { each: 2470, once: 2306 };
/** Below 2 MB: each page, from the row of 1 MB before the change, less its register write. */
const RANJAN_PAGE = 390;

export function v12(): Validation {
  const unmap = (pages: number, walk: FlushWalk) => {
    const tables = Math.floor(pages / 512);
    const rest = pages - 512 * tables;
    const own = RANJAN_WORK.once + tables * RANJAN_WORK.each + rest * RANJAN_PAGE;
    const course = { acts: [work(own), ...smmuv2Unmap(pages, walk).acts] };
    const timeline = new Timeline();
    timeline.add(0, 0, 0, 0);
    return timeOf(timed(timeline, [course], machine("qti-sm8150"))).mid / 1000;
  };
  const [mb1, mb2, mb32] = [256, 512, 8192];
  const ratio = (pages: number) => unmap(pages, "TLBIVA") / unmap(pages, "TLBIASID");
  return judged({
    ...{ id: "V12", title: "SMMUv2: a write a page against one for the ASID" },
    source: "[PATCHv5] iommu/arm-smmu: Optimize ->tlb_flush_walk(), Ranjan, 2021-08-11",
    ...{ profile: "qti-sm8150", unit: "us; ratios" },
    cells: [
      near("32 MB, a page", 1033, unmap(mb32, "TLBIVA"), 0.1, true),
      near("32 MB, ASID", 51.8, unmap(mb32, "TLBIASID"), 0.1, true),
      near("2 MB, a page", 67.3, unmap(mb2, "TLBIVA"), 0.1),
      near("2 MB, ASID", 5.4, unmap(mb2, "TLBIASID"), 0.1, true),
      near("32 MB, ratio", 19.9, ratio(mb32), 0.1, true),
      near("2 MB, ratio", 12.5, ratio(mb2), 0.1),
      near("1 MB, ratio", 131 / 135, ratio(mb1), 0.05),
    ],
    note:
      "120 ns a register write is fitted on 32 MB, the work on what was measured after the " +
      "change; 2 MB before it, and that 1 MB stays as it was, are predicted",
  });
}

/** SMMUs in sequence or at once: no published figure, an open question. */
export function v21(): Validation {
  const list = (op: string): ClockAct => ({
    ...{ act: "cmdlist", op, sync: true, devices: 8, lo: 0, hi: 16 },
  });
  const acts = [list("CMD_TLBI_NH_VA"), list("CMD_ATC_INV")];
  const ratio = (smmus: number, cpus: number) => {
    const time = (smmu_order: "sequential" | "overlapped") =>
      timeOf(loop(machine("grace", { smmus, devices: smmus, smmu_order }), cpus, 20, acts)).mid;
    return time("sequential") / time("overlapped");
  };
  const cell = (label: string, simulated: number, band: readonly [number, number]): Cell => ({
    ...{ label, simulated, band, fitted: false },
  });
  return judged({
    ...{ id: "V21", title: "SMMUs one after the other, or all at once" },
    source: "[PATCH v5 0/7] RCU-protected invalidation array, Chen, 2025-11-08: left open",
    ...{ profile: "grace", unit: "time in sequence / at once" },
    cells: [
      cell("1 SMMU", ratio(1, 1), [0.99, 1.01]),
      cell("2 SMMUs", ratio(2, 1), [1.6, 2.1]),
      cell("4 SMMUs", ratio(4, 1), [3, 4.1]),
      cell("8 SMMUs", ratio(8, 1), [5, 8.2]),
      cell("8 SMMUs, 32 CPUs", ratio(8, 32), [0.9, 8.2]),
    ],
    note: "nothing is published; accepted is what follows if queues are independent",
  });
}
