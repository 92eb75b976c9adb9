// SPDX-License-Identifier: Apache-2.0
// Probes of the flushes of CPUs: those that reclaim batches, and x86's shootdowns.
import type { Absence, Probe } from "./probe.ts";

const NO_CALL: Absence = {
  arch: "arm64",
  why: "flushes are instructions inlined everywhere",
  shown: "a log of TLBI: QEMU's plugin, tlbi.txt beside the recording",
};

const NO_BATCHING: Absence = {
  arch: "arm64",
  kernels: "..6.5",
  why: "arm64 does not batch the flushes of reclaim before 6.6",
  shown: "nothing to show",
};

const BEFORE_MULTI: Absence = {
  arch: "x86",
  kernels: "..5.12",
  why: "not there before 5.13",
  shown: "tlb:tlb_flush",
};

export const FLUSH_PROBES: readonly Probe[] = [
  {
    event: "try_to_unmap_flush",
    part: "cpu",
    at: [
      { symbol: "try_to_unmap_flush", params: "", arch: "arm64", kernels: "6.6.." },
      { symbol: "try_to_unmap_flush", params: "", arch: "x86" },
    ],
    fields: "",
    reveals: "reclaim and migration flush what they batched",
    absent: [NO_BATCHING],
  },
  {
    event: "flush_tlb_batched_pending",
    part: "cpu",
    at: [
      { symbol: "flush_tlb_batched_pending", params: "mm", arch: "arm64", kernels: "6.6.." },
      { symbol: "flush_tlb_batched_pending", params: "mm", arch: "x86" },
    ],
    fields: "mm=mm:x64",
    reveals: "somebody else flushes what reclaim batched",
    absent: [NO_BATCHING],
  },
  {
    event: "arch_tlbbatch_flush",
    part: "cpu",
    at: [{ symbol: "arch_tlbbatch_flush", params: "", arch: "x86" }],
    fields: "",
    reveals: "CPUs flush what reclaim batched",
    absent: [
      { arch: "arm64", kernels: "6.6..", why: "inlined: a DSB", shown: "try_to_unmap_flush" },
      NO_BATCHING,
    ],
  },
  {
    event: "flush_tlb_mm_range",
    part: "cpu",
    at: [
      {
        symbol: "flush_tlb_mm_range",
        params: "mm start end stride_shift freed_tables",
        arch: "x86",
      },
    ],
    fields: "mm=mm:x64 start=start:x64 end=end:x64 freed_tables=freed_tables:u8",
    returns: "",
    reveals: "the flush of CPUs, shown beside a finding",
    absent: [NO_CALL],
  },
  {
    event: "native_flush_tlb_multi",
    part: "cpu",
    at: [
      {
        symbol: "native_flush_tlb_multi",
        params: "cpumask info",
        arch: "x86",
        kernels: "5.13..",
      },
    ],
    fields: "mm=info->mm:x64 start=info->start:x64 end=info->end:x64",
    returns: "",
    reveals: "interrupts are sent; its return: all were answered",
    absent: [BEFORE_MULTI, NO_CALL],
  },
  {
    event: "flush_tlb_func",
    part: "cpu",
    at: [{ symbol: "flush_tlb_func", params: "info", arch: "x86", kernels: "5.13.." }],
    fields: "mm=info->mm:x64 initiating_cpu=info->initiating_cpu:u32",
    reveals: "and a CPU flushes",
    absent: [BEFORE_MULTI, NO_CALL],
  },
];
