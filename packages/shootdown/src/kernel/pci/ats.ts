// SPDX-License-Identifier: Apache-2.0
// ATS of a PCIe function, and its reset: drivers/pci/ats.c, pci.c, 6.1 and 6.12.

import { FALSE, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, set } from "../../ir/stmt.ts";
import { function_level_reset, stop_pasid, write_ats_enable } from "../../vocabulary/primitives.ts";
import { t } from "../../vocabulary/sorts.ts";
import { pci_disconnected } from "../state.ts";

const file = "drivers/pci/ats.c";

export const pci_enable_ats = declare("pci_enable_ats", { dev: t.dev });
export const pci_disable_ats = declare("pci_disable_ats", { dev: t.dev });
/** The function was taken out, or its link is down. */
export const pci_dev_set_disconnected = declare("pci_dev_set_disconnected", { dev: t.dev });
export const pcie_flr = declare("pcie_flr", { dev: t.dev });
/** What a driver does before `iommu_sva_unbind_device`: its device uses the PASID no more. */
export const stop_dma = declare("stop_dma", { dev: t.dev });

export const ats = [
  define(pci_enable_ats, {
    source: { file, sha: { "6.1": "5711e60aa521", "6.12": "5711e60aa521" } },
    abstracts: ["the smallest translation unit"],
    body: ({ dev }) => [call(write_ats_enable, { dev, enable: TRUE })],
  }),
  define(pci_disable_ats, {
    source: { file, sha: { "6.1": "ff891c9036a7", "6.12": "ff891c9036a7" } },
    body: ({ dev }) => [call(write_ats_enable, { dev, enable: FALSE })],
  }),
  define(pci_dev_set_disconnected, {
    source: { file: "drivers/pci/pci.h", sha: { "6.1": "fe0efaea7b58", "6.12": "c693bf91d040" } },
    body: ({ dev }) => [set(pci_disconnected(dev), TRUE)],
  }),
  define(pcie_flr, {
    source: { file: "drivers/pci/pci.c", sha: { "6.1": "d3fd171ba7b7", "6.12": "d3fd171ba7b7" } },
    abstracts: ["waiting for transactions before it", "the state that is saved and restored"],
    body: ({ dev }) => [call(function_level_reset, { dev })],
  }),
  define(stop_dma, {
    source: { file: "a driver" },
    body: ({ dev }) => [call(stop_pasid, { dev })],
  }),
];
