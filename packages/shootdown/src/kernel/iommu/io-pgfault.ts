// SPDX-License-Identifier: Apache-2.0
// Device faults: drivers/iommu/io-pgfault.c and arm-smmu-v3.c, 6.1 and 6.12.
//
//   event queue ──► iommu_report_device_fault ──► worker: handle_mm_fault ──► CMD_RESUME

import { and, constant, FALSE, member, not, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, callInto, emit, ret, when } from "../../ir/stmt.ts";
import { command, events } from "../../vocabulary/events.ts";
import { dev_ats } from "../../vocabulary/iommu.ts";
import { handle_device_fault } from "../../vocabulary/primitives.ts";
import { asid, t, WHOLE_MM } from "../../vocabulary/sorts.ts";
import { sigbus } from "../mm/file-pages.ts";
import { handle_mm_fault } from "../mm/memory.ts";
import { mmap_read_lock, mmap_read_unlock } from "../mm/mmap_lock.ts";
import { mm_alive, VM_NONE, VM_WRITE, vma } from "../state.ts";
import { arm_smmu_cmdq_issue_cmdlist } from "./arm-smmu-v3-sva.ts";

/** `iopf_handle_single` in 6.1. */
export const iommu_sva_handle_mm = declare(
  "iommu_sva_handle_mm",
  { cpu: t.cpu, mm: t.mm, va: t.va, write: t.bool },
  t.bool,
);
export const arm_smmu_page_response = declare("arm_smmu_page_response", {
  cpu: t.cpu,
  dev: t.dev,
});

export const io_pgfault = [
  define(iommu_sva_handle_mm, {
    source: {
      file: "drivers/iommu/io-pgfault.c, drivers/iommu/iommu-sva.c",
      function: "iopf_handle_single (6.1), iommu_sva_handle_mm (6.12)",
      sha: { "6.1": "38bb68a97244", "6.12": "793c20351f87" },
    },
    body: ({ cpu, mm, va, write }) => [
      // mmget_not_zero()
      when(not(mm_alive(mm)), ret(FALSE)),
      call(mmap_read_lock, { mm }),
      when(
        or(not(vma(mm, va)), VM_NONE(mm, va), and(write, not(VM_WRITE(mm, va)))),
        call(mmap_read_unlock, { mm }),
        ret(FALSE),
      ),
      call(handle_mm_fault, { cpu, mm, va, write }),
      call(mmap_read_unlock, { mm }),
      ...sigbus(cpu),
      ret(TRUE),
    ],
  }),
  define(arm_smmu_page_response, {
    source: {
      file: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c",
      sha: { "6.1": "4085996a6af8", "6.12": "82f38c472ab3" },
    },
    abstracts: ["retry or abort is told by the handler's result"],
    body: ({ cpu, dev }) => [
      call(arm_smmu_cmdq_issue_cmdlist, {
        ...{ cpu, asid: constant(asid, 0), dev, range: WHOLE_MM, sync: FALSE },
        op: member(command, "CMD_RESUME"),
      }),
    ],
  }),
  define(handle_device_fault, {
    source: {
      file: "drivers/iommu/io-pgfault.c",
      function: "iommu_queue_iopf (6.1), iommu_report_device_fault (6.12)",
      sha: { "6.1": "edaacae6ed75", "6.12": "0ecc1c2667c6" },
    },
    abstracts: [
      "the work queue: one fault of a device at a time",
      "an ATS device's driver calls the same handler",
    ],
    locals: { ok: t.bool },
    body: ({ cpu, dev, mm, va, write, ok }) => [
      emit(events.io_page_fault, { dev, va, write }),
      callInto(ok, iommu_sva_handle_mm, { cpu, mm, va, write }),
      when(not(dev_ats(dev)), call(arm_smmu_page_response, { cpu, dev })),
      ret(ok),
    ],
  }),
];
