// SPDX-License-Identifier: Apache-2.0
// Domains come and go: drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-sva.c and arm-smmu-v3.c.
//
//   unbind   CD invalid, CMD_CFGI_CD ─► ATC ─► the master leaves the domain's list
//   free     TLB by ASID ─► the ASID may be given to another domain

import { constant, FALSE, member, num, sub, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, label, set, since, when } from "../../ir/stmt.ts";
import { command } from "../../vocabulary/events.ts";
import { cd_asid, cd_v, dev_pasid, ste_v } from "../../vocabulary/iommu.ts";
import { asid, t, WHOLE_MM } from "../../vocabulary/sorts.ts";
import {
  dev_attached,
  dev_mm,
  master_ats_enabled,
  mm_pasid,
  mm_subscribed,
  nr_ats_masters,
  smmu_asid_freed,
} from "../state.ts";
import {
  arm_smmu_atc_inv_domain,
  arm_smmu_cmdq_issue_cmdlist,
  arm_smmu_tlb_inv_asid,
} from "./arm-smmu-v3-sva.ts";

const sva = "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-sva.c";
const smmu = "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c";

/** The device stops using its mm: `iommu_sva_unbind_device`. */
export const arm_smmu_sva_unbind = declare("arm_smmu_sva_unbind", { cpu: t.cpu, dev: t.dev });
/** The last device of an mm was unbound; since 6.11. */
export const arm_smmu_sva_domain_free = declare("arm_smmu_sva_domain_free", {
  cpu: t.cpu,
  mm: t.mm,
});
/** The master is in the domain's list no more. */
export const arm_smmu_remove_master_domain = declare("arm_smmu_remove_master_domain", {
  dev: t.dev,
});
/** The master goes to a domain that translates nothing, with ATS on or off there. */
export const arm_smmu_attach_dev = declare("arm_smmu_attach_dev", {
  cpu: t.cpu,
  dev: t.dev,
  ats: t.bool,
});

/** A command without an ASID, and a CMD_SYNC that is waited for. */
const config = { asid: constant(asid, 0), range: WHOLE_MM, sync: TRUE } as const;

export const arm_smmu_v3_domain = [
  define(arm_smmu_sva_unbind, {
    source: {
      file: `${sva}, ${smmu}`,
      function: "arm_smmu_mmu_notifier_put (6.1), arm_smmu_remove_dev_pasid (6.12)",
      sha: { "6.1": "6a17ce4ecb1c", "6.12": "dc37cb3560cd" },
    },
    abstracts: ["one CD for all devices of an mm", "what release has cleared already"],
    body: ({ cpu, dev }) => [
      set(cd_v(dev_pasid(dev)), FALSE),
      call(arm_smmu_cmdq_issue_cmdlist, {
        ...{ cpu, dev, ...config },
        op: member(command, "CMD_CFGI_CD"),
      }),
      // 6.1 flushes the ASID here; 6.12 when the domain is freed.
      since("6.11", [], [call(arm_smmu_tlb_inv_asid, { cpu, asid: cd_asid(dev_pasid(dev)) })]),
      label("leave-first"),
      label(
        "atc",
        since(
          "6.11",
          [
            when(
              master_ats_enabled(dev),
              call(arm_smmu_cmdq_issue_cmdlist, {
                ...{ cpu, dev, ...config },
                op: member(command, "CMD_ATC_INV"),
              }),
            ),
          ],
          [call(arm_smmu_atc_inv_domain, { cpu, mm: dev_mm(dev), range: WHOLE_MM })],
        ),
      ),
      label("leave", call(arm_smmu_remove_master_domain, { dev })),
    ],
  }),
  define(arm_smmu_sva_domain_free, {
    source: { file: sva, sha: { "6.12": "ee1dfe99e8cb" } },
    kernels: "6.11..",
    abstracts: ["the subscription is freed when nobody runs its callback"],
    body: ({ cpu, mm }) => [
      label("flush", call(arm_smmu_tlb_inv_asid, { cpu, asid: cd_asid(mm_pasid(mm)) })),
      set(smmu_asid_freed(cd_asid(mm_pasid(mm))), TRUE),
      set(mm_subscribed(mm), FALSE),
    ],
  }),
  define(arm_smmu_remove_master_domain, {
    source: {
      file: smmu,
      function:
        "arm_smmu_disable_ats, arm_smmu_detach_dev (6.1), arm_smmu_remove_master_domain (6.12)",
      sha: { "6.1": "a11f42913774", "6.12": "683cebfcb1aa" },
    },
    body: ({ dev }) => [
      set(dev_attached(dev), FALSE),
      when(
        master_ats_enabled(dev),
        set(nr_ats_masters(dev_mm(dev)), sub(nr_ats_masters(dev_mm(dev)), num(1))),
      ),
    ],
  }),
  define(arm_smmu_attach_dev, {
    source: {
      file: smmu,
      function:
        "arm_smmu_detach_dev, arm_smmu_attach_dev (6.1), " +
        "arm_smmu_attach_dev, arm_smmu_attach_commit (6.12)",
      sha: { "6.1": "7f5832bf9c07", "6.12": "9df7552024d0" },
    },
    abstracts: ["what the new domain translates", "ATS Enable of the function"],
    body: ({ cpu, dev, ats }) => [
      set(ste_v(dev), FALSE),
      call(arm_smmu_cmdq_issue_cmdlist, {
        ...{ cpu, dev, ...config },
        op: member(command, "CMD_CFGI_STE"),
      }),
      when(
        master_ats_enabled(dev),
        call(arm_smmu_cmdq_issue_cmdlist, {
          ...{ cpu, dev, ...config },
          op: member(command, "CMD_ATC_INV"),
        }),
      ),
      label("new-state-first"),
      call(arm_smmu_remove_master_domain, { dev }),
      label("new-state", set(master_ats_enabled(dev), ats)),
    ],
  }),
];
