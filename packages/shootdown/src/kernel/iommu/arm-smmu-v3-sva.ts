// SPDX-License-Identifier: Apache-2.0
// SVA on SMMUv3: drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-sva.c and arm-smmu-v3.c, 6.1 and 6.12.

import type { Expr } from "../../ir/expr.ts";
import {
  after,
  constant,
  eq,
  FALSE,
  le,
  limit,
  member,
  num,
  or,
  TRUE,
  varies,
} from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, call, forall, label, ret, set, since, when, whenElse } from "../../ir/stmt.ts";
import { command } from "../../vocabulary/events.ts";
import {
  cd_aset,
  cd_asid,
  cd_epd0,
  cd_ttb0,
  cd_v,
  cr0_atschk,
  cr2_ptm,
  dev_pasid,
  gerror_cmdq,
} from "../../vocabulary/iommu.ts";
import { cmdq_insert, cmdq_wait, dma_wmb, handle_cmdq_error } from "../../vocabulary/primitives.ts";
import { asid, Range, t, WHOLE_MM } from "../../vocabulary/sorts.ts";
import { asid_of } from "../../vocabulary/state.ts";
import {
  dev_attached,
  dev_mm,
  master_ats_enabled,
  mm_pasid,
  mm_subscribed,
  nr_ats_masters,
  smmu_asid_freed,
} from "../state.ts";

const sva = "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-sva.c";
const smmu = "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c";
const op = (name: (typeof command.values)[number]) => member(command, name);

/** `arm_smmu_mm_invalidate_range` in 6.1. */
export const arm_smmu_mm_arch_invalidate_secondary_tlbs = declare(
  "arm_smmu_mm_arch_invalidate_secondary_tlbs",
  { cpu: t.cpu, mm: t.mm, range: t.range },
);
export const arm_smmu_mm_release = declare("arm_smmu_mm_release", { cpu: t.cpu, mm: t.mm });
export const arm_smmu_tlb_inv_asid = declare("arm_smmu_tlb_inv_asid", {
  cpu: t.cpu,
  asid: t.asid,
});
export const arm_smmu_tlb_inv_range_asid = declare("arm_smmu_tlb_inv_range_asid", {
  cpu: t.cpu,
  asid: t.asid,
  range: t.range,
});
export const arm_smmu_atc_inv_domain = declare("arm_smmu_atc_inv_domain", {
  cpu: t.cpu,
  mm: t.mm,
  range: t.range,
});
/** Has the SMMU read the CD of an mm afresh, for every device that uses it. */
export const arm_smmu_sync_cd = declare("arm_smmu_sync_cd", { cpu: t.cpu, mm: t.mm });
/** Publishes a command, and a CMD_SYNC behind it which it waits for. */
export const arm_smmu_cmdq_issue_cmdlist = declare("arm_smmu_cmdq_issue_cmdlist", {
  cpu: t.cpu,
  op: command,
  asid: t.asid,
  dev: t.dev,
  range: t.range,
  sync: t.bool,
});
export const arm_smmu_device_reset = declare("arm_smmu_device_reset", {});
export const arm_smmu_sva_bind = declare("arm_smmu_sva_bind", {
  dev: t.dev,
  mm: t.mm,
  subscribe: t.bool,
});

const anyDev = constant(t.dev, 0);

/** The ASID that the SMMU uses for an mm. */
const smmuAsid = (mm: Expr<"mm">) => cd_asid(mm_pasid(mm));

/** xa_alloc(): an ASID that another domain gave back. */
const takeFreed = (mm: Expr<"mm">): Stmt[] => [
  forall(t.asid, (freed) => [
    when(
      smmu_asid_freed(freed),
      set(cd_asid(mm_pasid(mm)), freed),
      set(smmu_asid_freed(freed), FALSE),
    ),
  ]),
];

export const arm_smmu_v3_sva = [
  define(arm_smmu_mm_arch_invalidate_secondary_tlbs, {
    source: {
      file: sva,
      function:
        "arm_smmu_mm_invalidate_range (6.1), arm_smmu_mm_arch_invalidate_secondary_tlbs (6.12)",
      sha: { "6.1": "ab84559fa74c", "6.12": "20002eace148" },
    },
    abstracts: ["FEAT_RANGE_INV"],
    body: ({ cpu, mm, range }) => [
      label(
        "tlbi",
        whenElse(
          // An empty range has size 0, and so means everything.
          or(Range.empty(range), le(limit("CMDQ_MAX_TLBI_OPS"), Range.length(range))),
          [call(arm_smmu_tlb_inv_asid, { cpu, asid: smmuAsid(mm) })],
          [call(arm_smmu_tlb_inv_range_asid, { cpu, asid: smmuAsid(mm), range })],
        ),
      ),
      label(
        "atc",
        whenElse(
          or(Range.empty(range), le(limit("CMDQ_MAX_TLBI_OPS"), Range.length(range))),
          [call(arm_smmu_atc_inv_domain, { cpu, mm, range: WHOLE_MM })],
          [call(arm_smmu_atc_inv_domain, { cpu, mm, range })],
        ),
      ),
    ],
  }),
  define(arm_smmu_tlb_inv_asid, {
    source: { file: smmu, sha: { "6.1": "556b466de775", "6.12": "556b466de775" } },
    body: ({ cpu, asid }) => [
      call(arm_smmu_cmdq_issue_cmdlist, {
        ...{ cpu, asid, dev: anyDev, range: WHOLE_MM, sync: TRUE },
        op: op("CMD_TLBI_NH_ASID"),
      }),
    ],
  }),
  define(arm_smmu_tlb_inv_range_asid, {
    source: { file: smmu, sha: { "6.1": "0f9a5d341fac", "6.12": "0f9a5d341fac" } },
    abstracts: ["batches of 64 commands; one range is one entry of the queue"],
    body: ({ cpu, asid, range }) => [
      label(
        "command",
        call(arm_smmu_cmdq_issue_cmdlist, {
          ...{ cpu, asid, dev: anyDev, range, sync: TRUE },
          op: op("CMD_TLBI_NH_VA"),
        }),
      ),
    ],
  }),
  define(arm_smmu_atc_inv_domain, {
    source: { file: smmu, sha: { "6.1": "001eb44169eb", "6.12": "834528522e1a" } },
    abstracts: ["the range is not widened to a power of two"],
    body: ({ cpu, mm, range }) => [
      when(eq(nr_ats_masters(mm), num(0)), ret()),
      forall(t.dev, (dev) => [
        when(
          dev_attached(dev),
          when(
            eq(dev_mm(dev), mm),
            when(
              master_ats_enabled(dev),
              label(
                "issue",
                call(arm_smmu_cmdq_issue_cmdlist, {
                  ...{ cpu, asid: smmuAsid(mm), dev, range, sync: TRUE },
                  op: op("CMD_ATC_INV"),
                }),
              ),
            ),
          ),
        ),
      ]),
    ],
  }),
  define(arm_smmu_cmdq_issue_cmdlist, {
    source: { file: smmu, sha: { "6.1": "098473f6c47f", "6.12": "66b507b23d7a" } },
    body: ({ cpu, op: first, asid: tag, dev, range, sync }) => [
      // Descriptors stored before are visible to the SMMU once it sees PROD move.
      call(dma_wmb, { cpu }),
      // A list takes places in a row, and PROD moves when all are written.
      atomic(
        call(cmdq_insert, { cpu, op: first, asid: tag, dev, range }),
        when(
          sync,
          call(cmdq_insert, {
            ...{ cpu, asid: constant(asid, 0), dev: anyDev, range: WHOLE_MM },
            op: op("CMD_SYNC"),
          }),
        ),
      ),
      when(sync, call(cmdq_wait, { cpu })),
    ],
  }),
  define(arm_smmu_sync_cd, {
    source: { file: smmu, sha: { "6.1": "8db1ae755052", "6.12": "1319839c5303" } },
    abstracts: ["6.1 has one CMD_SYNC for all devices"],
    body: ({ cpu, mm }) => [
      forall(t.dev, (dev) => [
        when(
          dev_attached(dev),
          when(
            eq(dev_mm(dev), mm),
            call(arm_smmu_cmdq_issue_cmdlist, {
              ...{ cpu, asid: constant(asid, 0), dev, range: WHOLE_MM, sync: TRUE },
              op: op("CMD_CFGI_CD"),
            }),
          ),
        ),
      ]),
    ],
  }),
  define(handle_cmdq_error, {
    source: {
      file: smmu,
      function: "arm_smmu_gerror_handler",
      sha: { "6.1": "bd14c3979d2c", "6.12": "bd14c3979d2c" },
    },
    // The queue goes on with the CMD_SYNC that it has stopped at.
    body: () => [label("acknowledge", set(gerror_cmdq(), FALSE))],
  }),
  define(arm_smmu_mm_release, {
    source: { file: sva, sha: { "6.1": "99f44ae548d3", "6.12": "e117e274559f" } },
    abstracts: ["devices share one CD, so that it is written once"],
    body: ({ cpu, mm }) => [
      label("cd", set(cd_epd0(mm_pasid(mm)), TRUE)),
      label("config", call(arm_smmu_sync_cd, { cpu, mm })),
      label("tlbi", call(arm_smmu_tlb_inv_asid, { cpu, asid: smmuAsid(mm) })),
      label("atc", call(arm_smmu_atc_inv_domain, { cpu, mm, range: WHOLE_MM })),
    ],
  }),
  define(arm_smmu_device_reset, {
    source: { file: smmu, sha: { "6.1": "ff9c23803bd9", "6.12": "ee91da8357e0" } },
    abstracts: ["all but CR2 and CR0.ATSCHK"],
    body: () => [label("cr2", set(cr2_ptm(), TRUE)), label("cr0", set(cr0_atschk(), TRUE))],
  }),
  define(arm_smmu_sva_bind, {
    source: {
      file: sva,
      function: "__arm_smmu_sva_bind (6.1), arm_smmu_sva_set_dev_pasid (6.12)",
      sha: { "6.1": "01f1347e7932", "6.12": "45b12c9725a7" },
      commits: { "6.11": "SVA domains are domains like others" },
    },
    abstracts: ["the order of the CD's words", "one CD table for all devices"],
    body: ({ dev, mm, subscribe }) => [
      label(
        "asid",
        // 6.1 pins the CPU's ASID; 6.12 allocates one of its own and opts out of broadcasts.
        since(
          "6.11",
          [
            set(cd_asid(mm_pasid(mm)), after(asid, asid_of(mm), limit("CPU_ASIDS"))),
            when(varies(smmu_asid_freed), ...takeFreed(mm)),
            set(cd_aset(mm_pasid(mm)), TRUE),
          ],
          [set(cd_asid(mm_pasid(mm)), asid_of(mm)), set(cd_aset(mm_pasid(mm)), FALSE)],
        ),
      ),
      set(cd_ttb0(mm_pasid(mm)), mm),
      set(cd_epd0(mm_pasid(mm)), FALSE),
      set(cd_v(mm_pasid(mm)), TRUE),
      set(dev_pasid(dev), mm_pasid(mm)),
      set(dev_mm(dev), mm),
      set(dev_attached(dev), TRUE),
      when(subscribe, set(mm_subscribed(mm), TRUE)),
    ],
  }),
];
