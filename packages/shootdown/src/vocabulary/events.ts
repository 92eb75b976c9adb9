// SPDX-License-Identifier: Apache-2.0
// The events: the one vocabulary of witnesses, live runs and recordings.

import type { EventDecl } from "../ir/machine.ts";
import { event } from "../ir/machine.ts";
import { enumeration } from "../ir/sort.ts";
import { desc } from "./descriptor.ts";
import { t } from "./sorts.ts";

/** TLB maintenance operations of the PE (rule A21); ranges stand for the R forms too. */
export const tlbi_op = enumeration("tlbi_op", [
  ...(["VAE1", "VALE1", "VAE1IS", "VALE1IS", "ASIDE1IS", "VMALLE1IS"] as const),
  ...(["VAAE1", "VAALE1", "VAAE1IS", "VAALE1IS", "ASIDE1", "VMALLE1"] as const),
  // With a hint of the level (A22), and an nXS form (A28).
  ...(["VAE1IS_TTL2", "VALE1IS_TTL2", "VAE1IS_TTL3", "VALE1IS_TTL3", "VALE1ISnXS"] as const),
  // Of stage 2 (A9): the range is one of addresses whose frames are intermediate ones.
  ...(["IPAS2E1IS", "VMALLS12E1IS"] as const),
]);
/** Operations for every PE of the domain; for entries of every ASID. */
export const BROADCAST = [
  ...(["VAE1IS", "VALE1IS", "VAAE1IS", "VAALE1IS", "ASIDE1IS", "VMALLE1IS"] as const),
  ...(["VAE1IS_TTL2", "VALE1IS_TTL2", "VAE1IS_TTL3", "VALE1IS_TTL3", "VALE1ISnXS"] as const),
  ...(["IPAS2E1IS", "VMALLS12E1IS"] as const),
];
export const ANY_ASID = [
  ...(["VAAE1", "VAALE1", "VAAE1IS", "VAALE1IS", "VMALLE1", "VMALLE1IS"] as const),
  ...(["IPAS2E1IS", "VMALLS12E1IS"] as const),
];
/** Barriers (rules A20, A27). */
export const dsb_op = enumeration("dsb_op", ["ISH", "ISHST", "NSH", "NSHST"]);
/** SMMU commands (rule S14), named as in the specification. */
export const command = enumeration("command", [
  ...(["CMD_TLBI_NH_VA", "CMD_TLBI_NH_ASID", "CMD_ATC_INV", "CMD_CFGI_CD"] as const),
  ...(["CMD_RESUME", "CMD_SYNC"] as const),
  // CMD_ATC_INV with SSV=0, and with SSV=1 and G=1.
  ...(["CMD_ATC_INV_SSV0", "CMD_ATC_INV_G"] as const),
  // By VA with Leaf=1; and with a hint (TTL=2) that names the level of blocks.
  ...(["CMD_TLBI_NH_VA_Leaf", "CMD_TLBI_NH_VA_TTL2", "CMD_TLBI_NH_VAA"] as const),
  ...(["CMD_TLBI_NH_ALL", "CMD_TLBI_NSNH_ALL", "CMD_TLBI_S12_VMALL", "CMD_TLBI_S2_IPA"] as const),
  ...(["CMD_CFGI_STE", "CMD_CFGI_STE_RANGE", "CMD_CFGI_CD_ALL", "CMD_CFGI_ALL"] as const),
]);

export const events = {
  /** A descriptor changes in memory. */
  pte_store: event("pte_store", { cpu: t.cpu, mm: t.mm, va: t.va, old: desc, value: desc }),
  /** A table is unlinked from the upper level. */
  pmd_clear: event("pmd_clear", { cpu: t.cpu, region: t.region, table: t.table }),
  /** A table is linked into the upper level. */
  pmd_populate: event("pmd_populate", { cpu: t.cpu, region: t.region, table: t.table }),
  /** An upper-level descriptor changes, where blocks are linked. */
  block_store: event("block_store", {
    ...{ cpu: t.cpu, mm: t.mm, region: t.region, old: desc, value: desc },
  }),
  tlbi: event("tlbi", { cpu: t.cpu, op: tlbi_op, asid: t.asid, range: t.range }),
  /** An operation takes effect in the caches of one PE. */
  tlbi_applied: event("tlbi_applied", { cpu: t.cpu, op: tlbi_op, asid: t.asid, range: t.range }),
  /** An operation broadcast by a PE takes effect in the SMMU. */
  dvm_applied: event("dvm_applied", { op: tlbi_op, asid: t.asid, range: t.range }),
  /** x86: an interrupt is sent to another CPU. */
  ipi: event("ipi", { cpu: t.cpu, target: t.cpu }),
  /** x86: a CPU has flushed for another, or for itself: a range of pages, or everything. */
  tlb_flush: event("tlb_flush", { cpu: t.cpu, from: t.cpu, range: t.range, all: t.bool }),
  dsb: event("dsb", { cpu: t.cpu, op: dsb_op }),
  isb: event("isb", { cpu: t.cpu }),
  /** A command is put into the queue. */
  cmdq: event("cmdq", { cpu: t.cpu, op: command, asid: t.asid, dev: t.dev, range: t.range }),
  /** A command is complete. */
  cmdq_done: event("cmdq_done", { op: command, asid: t.asid, dev: t.dev, range: t.range }),
  /** The ATC drops what overlaps the range. */
  atc_invalidated: event("atc_invalidated", { dev: t.dev, range: t.range }),
  notifier: event("notifier", { cpu: t.cpu, mm: t.mm, range: t.range }),
  notifier_start: event("notifier_start", { cpu: t.cpu, mm: t.mm, range: t.range }),
  notifier_end: event("notifier_end", { cpu: t.cpu, mm: t.mm, range: t.range }),
  notifier_release: event("notifier_release", { cpu: t.cpu, mm: t.mm }),
  /** A translation was used to read or write a frame. */
  access: event("access", { agent: t.agent, mm: t.mm, va: t.va, frame: t.pfn, write: t.bool }),
  /** A walker reads a last-level table (only where a property asks for it). */
  walk: event("walk", { table: t.table }),
  fault: event("fault", { agent: t.agent, va: t.va, write: t.bool, found: desc }),
  /** A fault that the kernel cannot resolve. */
  abort: event("abort", { agent: t.agent, va: t.va, write: t.bool }),
  io_page_fault: event("io_page_fault", { dev: t.dev, va: t.va, write: t.bool }),
  /** What a frame holds was copied or written out: a write from here on is lost with the frame. */
  page_copied: event("page_copied", { frame: t.pfn }),
  /** Reclaim may drop the frame without writing it out, unless an entry of it is dirty. */
  page_droppable: event("page_droppable", { frame: t.pfn }),
  page_allocated: event("page_allocated", { frame: t.pfn }),
  page_freed: event("page_freed", { frame: t.pfn }),
  table_freed: event("table_freed", { table: t.table }),
  /**
   * From here on the kernel relies on it that nobody of the mm can write what the page was mapped
   * to before (nor read it, if `reads`).
   */
  revoked: event("revoked", { mm: t.mm, va: t.va, reads: t.bool }),
  /** `assert(c)` of a scenario's own kernel, where c does not hold. */
  assertion_failed: event("assertion_failed", {}),
} as const;

const byName = new Map<string, EventDecl>(
  Object.values(events).map((e) => [e.name, e as unknown as EventDecl]),
);

/** The declaration of an event by its name. */
export const eventNamed = (name: string): EventDecl | undefined => byName.get(name);
