// SPDX-License-Identifier: Apache-2.0
// Turning ATS on and off for a master: drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, 6.1 and 6.12.
//
//   unmap                        arm_smmu_attach_commit, 6.11 and later
//   TLBI, CMD_SYNC               nr_ats_masters++
//   reads nr_ats_masters         STE.EATS, CMD_CFGI_STE, CMD_SYNC
//   CMD_ATC_INV if not 0         the function's ATS Enable, then master->ats_enabled

import type { Expr } from "../../ir/expr.ts";
import { add, constant, FALSE, member, num, sub, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, label, set, since } from "../../ir/stmt.ts";
import { command } from "../../vocabulary/events.ts";
import { ste_eats } from "../../vocabulary/iommu.ts";
import { asid, t, WHOLE_MM } from "../../vocabulary/sorts.ts";
import { pci_disable_ats, pci_enable_ats } from "../pci/ats.ts";
import { dev_mm, master_ats_enabled, nr_ats_masters } from "../state.ts";
import { arm_smmu_cmdq_issue_cmdlist } from "./arm-smmu-v3-sva.ts";

const file = "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c";

/** Attaches a master with ATS to the domain that it is in already. */
export const arm_smmu_attach_commit = declare("arm_smmu_attach_commit", {
  cpu: t.cpu,
  dev: t.dev,
});
/** The same without ATS. */
export const arm_smmu_detach_ats = declare("arm_smmu_detach_ats", { cpu: t.cpu, dev: t.dev });

/** A command for the master, and a CMD_SYNC that is waited for. */
const synced = (cpu: Expr<"cpu">, dev: Expr<"dev">, op: (typeof command.values)[number]): Stmt =>
  call(arm_smmu_cmdq_issue_cmdlist, {
    ...{ cpu, asid: constant(asid, 0), dev, range: WHOLE_MM, sync: TRUE },
    op: member(command, op),
  });

/** One master with ATS more, or less, in the domain of its mm. */
const counted = (dev: Expr<"dev">, by: typeof add): Stmt =>
  set(nr_ats_masters(dev_mm(dev)), by(nr_ats_masters(dev_mm(dev)), num(1)));

export const arm_smmu_v3_ats = [
  define(arm_smmu_attach_commit, {
    source: {
      file,
      function:
        "arm_smmu_attach_dev, arm_smmu_enable_ats (6.1), " +
        "arm_smmu_attach_prepare, arm_smmu_attach_commit (6.12)",
      sha: { "6.1": "f09403628c89", "6.12": "761dc07a62eb" },
    },
    abstracts: ["another domain before", "smp_mb(): CPUs run in order"],
    body: ({ cpu, dev }) => [
      since(
        "6.11",
        [
          label("count", counted(dev, add)),
          label("ste", set(ste_eats(dev), TRUE), synced(cpu, dev, "CMD_CFGI_STE")),
          label("mark-first"),
          label("enable", synced(cpu, dev, "CMD_ATC_INV"), call(pci_enable_ats, { dev })),
          label("mark", set(master_ats_enabled(dev), TRUE)),
        ],
        [
          label("mark", set(master_ats_enabled(dev), TRUE)),
          label("ste", set(ste_eats(dev), TRUE), synced(cpu, dev, "CMD_CFGI_STE")),
          label("count", counted(dev, add)),
          label("enable", synced(cpu, dev, "CMD_ATC_INV"), call(pci_enable_ats, { dev })),
        ],
      ),
    ],
  }),
  define(arm_smmu_detach_ats, {
    source: {
      file,
      function:
        "arm_smmu_detach_dev, arm_smmu_disable_ats (6.1), " +
        "arm_smmu_attach_prepare, arm_smmu_remove_master_domain (6.12)",
      sha: { "6.1": "46cf115b7390", "6.12": "5d086d16c924" },
    },
    abstracts: ["the new domain"],
    body: ({ cpu, dev }) => [
      label("disable", call(pci_disable_ats, { dev })),
      since(
        "6.11",
        [
          label("ste", set(ste_eats(dev), FALSE), synced(cpu, dev, "CMD_CFGI_STE")),
          label("atc", synced(cpu, dev, "CMD_ATC_INV")),
          counted(dev, sub),
          set(master_ats_enabled(dev), FALSE),
        ],
        [
          label("atc", synced(cpu, dev, "CMD_ATC_INV")),
          counted(dev, sub),
          set(master_ats_enabled(dev), FALSE),
          label("ste", set(ste_eats(dev), FALSE), synced(cpu, dev, "CMD_CFGI_STE")),
        ],
      ),
    ],
  }),
];
