// SPDX-License-Identifier: Apache-2.0
// What software asks of hardware, and hardware of software: calls whose bodies the other side has.

import { declare } from "../ir/machine.ts";
import { desc } from "./descriptor.ts";
import { command, dsb_op, tlbi_op } from "./events.ts";
import { t } from "./sorts.ts";

/** Plain store of a last-level descriptor. */
export const store_desc = declare("store_desc", {
  cpu: t.cpu,
  mm: t.mm,
  va: t.va,
  value: desc,
});
/**
 * This CPU has observed every store to a descriptor: it holds the lock under which they were made.
 Its next DSB orders them as it orders its own (rule A20).
 */
export const observe_stores = declare("observe_stores", { cpu: t.cpu });
/** Atomic exchange of a last-level descriptor; the result is the old one. */
export const xchg_desc = declare(
  "xchg_desc",
  { cpu: t.cpu, mm: t.mm, va: t.va, value: desc },
  desc,
);
/** Atomic compare-and-exchange of a last-level descriptor; whether it happened. */
export const cmpxchg_desc = declare(
  "cmpxchg_desc",
  { cpu: t.cpu, mm: t.mm, va: t.va, expect: desc, value: desc },
  t.bool,
);
/** Plain store of a last-level descriptor in a table that may hang in no upper level. */
export const store_pte = declare("store_pte", {
  cpu: t.cpu,
  mm: t.mm,
  va: t.va,
  table: t.table,
  value: desc,
});
/** Plain store of an upper-level descriptor. */
export const store_pmd = declare("store_pmd", {
  cpu: t.cpu,
  mm: t.mm,
  region: t.region,
  value: desc,
});
/** Atomic exchange of an upper-level descriptor; the result is the old one. */
export const xchg_pmd = declare(
  "xchg_pmd",
  { cpu: t.cpu, mm: t.mm, region: t.region, value: desc },
  desc,
);
/** Atomic compare-and-exchange of an upper-level descriptor; whether it happened. */
export const cmpxchg_pmd = declare(
  "cmpxchg_pmd",
  { cpu: t.cpu, mm: t.mm, region: t.region, expect: desc, value: desc },
  t.bool,
);
/** A TLB maintenance instruction; unordered until a DSB of the same PE (rules A24, A27). */
export const tlbi = declare("tlbi", { cpu: t.cpu, op: tlbi_op, asid: t.asid, range: t.range });
/** A data synchronization barrier. */
export const dsb = declare("dsb", { cpu: t.cpu, op: dsb_op });
/** An instruction synchronization barrier: a context synchronization event of the PE. */
export const isb = declare("isb", { cpu: t.cpu });
/** The return of a PE from the kernel, which synchronizes its context. */
export const eret = declare("eret", { cpu: t.cpu });
/** Orders earlier stores before the SMMU's reads that follow the queue's PROD write. */
export const dma_wmb = declare("dma_wmb", { cpu: t.cpu });
/** Puts a command into the SMMU's queue. */
export const cmdq_insert = declare("cmdq_insert", {
  cpu: t.cpu,
  op: command,
  asid: t.asid,
  dev: t.dev,
  range: t.range,
});
/** Waits until this CPU's CMD_SYNC is complete. */
export const cmdq_wait = declare("cmdq_wait", { cpu: t.cpu });
/** The kernel's handling of GERROR.CMDQ_ERR; the queue goes on from where it stopped. */
export const handle_cmdq_error = declare("handle_cmdq_error", { cpu: t.cpu });

/** A PE executes a load or store of user space. */
export const cpu_access = declare("cpu_access", {
  cpu: t.cpu,
  agent: t.agent,
  mm: t.mm,
  va: t.va,
  write: t.bool,
});
/** A device reads or writes through the mm that it is bound to. */
export const device_access = declare("device_access", {
  dev: t.dev,
  agent: t.agent,
  mm: t.mm,
  worker: t.cpu,
  va: t.va,
  write: t.bool,
});

/** One try of a load or store of a PE, no handler of faults: `into` tells what it reached. */
export const cpu_try = declare("cpu_try", {
  cpu: t.cpu,
  agent: t.agent,
  mm: t.mm,
  va: t.va,
  write: t.bool,
  into: t.register,
});
/** The same for a device: no stall, no page request. */
export const device_try = declare("device_try", {
  dev: t.dev,
  agent: t.agent,
  mm: t.mm,
  va: t.va,
  write: t.bool,
  into: t.register,
});

/** Any load or store of any page of a range, as `cpu_access` does it; or as one try. */
export const cpu_any = declare("cpu_any", {
  cpu: t.cpu,
  agent: t.agent,
  mm: t.mm,
  range: t.range,
});
export const cpu_any_try = declare("cpu_any_try", cpu_any.params);
/** The same of a device. */
export const device_any = declare("device_any", {
  dev: t.dev,
  agent: t.agent,
  mm: t.mm,
  worker: t.cpu,
  range: t.range,
});
export const device_any_try = declare("device_any_try", {
  dev: t.dev,
  agent: t.agent,
  mm: t.mm,
  range: t.range,
});
/** The same, tried again until it succeeds: nobody handles the fault. */
export const device_any_retry = declare("device_any_retry", device_any_try.params);

/** The kernel's handler of a data abort; false: a signal is sent instead. */
export const do_page_fault = declare(
  "do_page_fault",
  { cpu: t.cpu, mm: t.mm, va: t.va, write: t.bool },
  t.bool,
);
/** The kernel's handling of a device's fault; false: the access is aborted. */
export const handle_device_fault = declare(
  "handle_device_fault",
  { cpu: t.cpu, dev: t.dev, mm: t.mm, va: t.va, write: t.bool },
  t.bool,
);
/** The CPU stops using the mm's tables (it switches to another). */
export const leave_mm = declare("leave_mm", { cpu: t.cpu });
/** The CPU uses an mm's tables from here on. */
export const activate_mm = declare("activate_mm", { cpu: t.cpu, mm: t.mm });

/** Writes ATS Enable of a function (ATS Control Register, E). */
export const write_ats_enable = declare("write_ats_enable", { dev: t.dev, enable: t.bool });
/** A function-level reset, from its start to its end. */
export const function_level_reset = declare("function_level_reset", { dev: t.dev });
/** A function stops using its PASID. */
export const stop_pasid = declare("stop_pasid", { dev: t.dev });

/** A function sends a Page Request, of a group that ends with it or not; it does not wait. */
export const send_page_request = declare("send_page_request", {
  dev: t.dev,
  va: t.va,
  write: t.bool,
  last: t.bool,
});
/** A function has no more use for its PASID, and says so behind its page requests. */
export const send_stop_marker = declare("send_stop_marker", { dev: t.dev });
/** A function waits for the response to a group. */
export const await_prg_response = declare("await_prg_response", { dev: t.dev });
/** Software has handled the entry that it read, and acknowledges an overflow. */
export const priq_cons = declare("priq_cons", { dev: t.dev });
/** Software responds to a group: Success. */
export const cmd_pri_resp = declare("cmd_pri_resp", { dev: t.dev });
