// SPDX-License-Identifier: Apache-2.0
// What software does to a function as a whole: ATS Enable, reset, the end of a PASID (rule P11).
//
// All of it empties the ATC without an Invalidate Request, and so without a Completion.

import { FALSE, not, ruleHolds, TRUE } from "../../ir/expr.ts";
import { define } from "../../ir/machine.ts";
import { atomic, await_, set, when } from "../../ir/stmt.ts";
import { ats_off, dev_pasid, in_flr } from "../../vocabulary/iommu.ts";
import { function_level_reset, stop_pasid, write_ats_enable } from "../../vocabulary/primitives.ts";
import { dropAll, dropPasid, sent } from "./invalidate.ts";

const source = { file: "PCIe Base 10.3.7, 10.5.1", rules: ["P11"] };

export const write_ats_enable_definition = define(write_ats_enable, {
  source,
  body: ({ dev, enable }) => [
    atomic(
      when(enable, when(ats_off(dev), when(ruleHolds("P11"), ...dropAll(dev)))),
      set(ats_off(dev), not(enable)),
    ),
  ],
});

export const function_level_reset_definition = define(function_level_reset, {
  source,
  abstracts: [
    "the device's program goes on as if nothing had happened",
    "reads of configuration space that follow push ahead what was sent before",
  ],
  body: ({ dev }) => [
    atomic(await_(not(sent(dev))), set(in_flr(dev), TRUE), when(ruleHolds("P11"), ...dropAll(dev))),
    set(in_flr(dev), FALSE),
  ],
});

export const stop_pasid_definition = define(stop_pasid, {
  source,
  body: ({ dev }) => [
    atomic(await_(not(sent(dev))), when(ruleHolds("P11"), ...dropPasid(dev, dev_pasid(dev)))),
  ],
});
