// SPDX-License-Identifier: Apache-2.0
// The domain of live machines: 48-bit addresses, 48-bit frames, limits as real hardware has them.

import type { Domain, Initial } from "../engine/program.ts";
import { is_zero_page, vmas_several, zero_pfn } from "../kernel/state.ts";
import { life, page_life } from "../vocabulary/state.ts";

const PROCESSES = 8;
const DEVICES = 4;
/** 4 KiB pages of a 48-bit address space. */
const PAGES = 2 ** 36;

/** Real values (kernel: arch/arm64/include/asm/tlbflush.h, arm-smmu-v3-sva.c, 6.12). */
export const LIVE_LIMITS = {
  VA_START: 0,
  TASK_SIZE: PAGES,
  PTRS_PER_PTE: 512,
  PTRS_PER_PTE_MINUS_1: 511,
  MAX_TLBI_OPS: 512,
  MAX_TLBI_OPS_TABLES: 512 * 512,
  MAX_TLBI_RANGE_PAGES: 32 * 2 ** 16,
  CMDQ_MAX_TLBI_OPS: 512,
  CPU_ASIDS: PROCESSES,
  TLBI_OUTSTANDING: 65536,
  CMDQ_ENTRIES: 65536,
  ATC_INVALIDATIONS: 32,
  DEVICE_REQUESTS: 65536,
  PAGE_REQUESTS: 512,
  PRIQ_ENTRIES: 512,
  SPARE_TABLES: PAGES / 1024,
  TLB_SINGLE_PAGE_FLUSH_CEILING: 33,
  IPIS: 65536,
  STORE_BUFFER: 64,
} as const;

/** A domain with so many CPUs, and a worker for each device; `limits` that are others here. */
export function liveDomain(cpus: number, limits: Readonly<Record<string, number>> = {}): Domain {
  if (!(cpus >= 1 && cpus <= 64)) throw new Error(`${cpus} CPUs: from 1 to 64 are possible`);
  return {
    sizes: {
      ...{ cpu: cpus + DEVICES, mm: PROCESSES, va: PAGES, region: PAGES / 512 },
      ...{ table: PAGES / 512, pfn: PAGES, asid: 2 * PROCESSES, pasid: PROCESSES },
      ...{ dev: DEVICES, agent: cpus + DEVICES, signal: 1, int: 2 ** 20 },
    },
    // Processes and devices are named as they come.
    names: {
      mm: [],
      dev: [],
      cpu: Array.from({ length: cpus }, (_, n) => `CPU${n}`),
      agent: Array.from({ length: cpus }, (_, n) => `CPU${n}`),
    },
    limits: { ...LIVE_LIMITS, ...limits },
  };
}

/** ZERO_PAGE(0): the last frame, which nobody allocates. */
export const ZERO_PFN = PAGES - 1;

/** What a machine begins with. */
export const LIVE_INITIAL: readonly Initial[] = [
  { field: vmas_several.decl, index: [], value: 1 },
  { field: zero_pfn.decl, index: [], value: ZERO_PFN },
  { field: is_zero_page.decl, index: [ZERO_PFN], value: 1 },
  { field: page_life.decl, index: [ZERO_PFN], value: life.values.indexOf("used") },
];
