// SPDX-License-Identifier: Apache-2.0
// A driver's PRI queue handler. Mainline has none for SVA on SMMUv3 (arm_smmu_handle_ppr only
// complains); this one is as the drivers of other IOMMUs have it (drivers/iommu/intel/prq.c).

import { not } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { await_, call, callInto, leave, loop, set, when } from "../../ir/stmt.ts";
import {
  cd_ttb0,
  dev_pasid,
  ppr_last,
  ppr_stop,
  ppr_va,
  ppr_valid,
  ppr_write,
} from "../../vocabulary/iommu.ts";
import { cmd_pri_resp, dma_wmb, priq_cons } from "../../vocabulary/primitives.ts";
import { t } from "../../vocabulary/sorts.ts";
import { iommu_sva_handle_mm } from "./io-pgfault.ts";

const of = { cpu: t.cpu, dev: t.dev };

/** Handles one entry of the PRI queue, for the mm that the PASID belongs to now. */
export const handle_page_request = declare("handle_page_request", of);
/** Handles entries up to the stop marker of the PASID. */
export const drain_page_requests = declare("drain_page_requests", of);
/** Gives the PASID of a device to another mm. */
export const reassign_pasid = declare("reassign_pasid", { dev: t.dev, mm: t.mm });

const source = { file: "imagined, after drivers/iommu/intel/prq.c" };

export const page_requests = [
  define(handle_page_request, {
    source,
    abstracts: ["groups without a last request", "a request that cannot be resolved"],
    locals: { resolved: t.bool },
    body: ({ cpu, dev, resolved }) => [
      await_(ppr_valid(dev)),
      when(
        not(ppr_stop(dev)),
        callInto(resolved, iommu_sva_handle_mm, {
          ...{ cpu, mm: cd_ttb0(dev_pasid(dev)), va: ppr_va(dev), write: ppr_write(dev) },
        }),
        when(ppr_last(dev), call(dma_wmb, { cpu }), call(cmd_pri_resp, { dev })),
      ),
      call(priq_cons, { dev }),
    ],
  }),
  define(drain_page_requests, {
    source,
    locals: { stopped: t.bool },
    body: ({ cpu, dev, stopped }) => [
      loop(
        await_(ppr_valid(dev)),
        set(stopped, ppr_stop(dev)),
        call(handle_page_request, { cpu, dev }),
        when(stopped, leave()),
      ),
    ],
  }),
  define(reassign_pasid, {
    source,
    abstracts: ["the invalidation of all that is tagged with the PASID"],
    body: ({ dev, mm }) => [set(cd_ttb0(dev_pasid(dev)), mm)],
  }),
];
