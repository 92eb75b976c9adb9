// SPDX-License-Identifier: Apache-2.0
// The SMMU's command queue: commands take effect in any order between CMD_SYNCs (rule S13).

import type { Expr } from "../../ir/expr.ts";
import { ANY, eq, FALSE, inRange, member, not, outstanding } from "../../ir/expr.ts";
import { define, pending } from "../../ir/machine.ts";
import { await_, clear, emit, post, set, when } from "../../ir/stmt.ts";
import { command, events } from "../../vocabulary/events.ts";
import { dev_stalled } from "../../vocabulary/iommu.ts";
import { cmdq_insert, cmdq_wait } from "../../vocabulary/primitives.ts";
import { regionsOf, t } from "../../vocabulary/sorts.ts";
import { invalidateRequest, invalidationsAllow, isAtcInv } from "../pcie/invalidate.ts";
import { smmu_tlb, smmu_walk_cache } from "./tlb.ts";

const is = (op: Expr<"command">, name: (typeof command.values)[number]) =>
  eq(op, member(command, name));

export const cmdq = pending("cmdq", {
  keys: {},
  entry: { op: command, asid: t.asid, dev: t.dev, range: t.range, cpu: t.cpu },
  capacity: "CMDQ_ENTRIES",
  orderBy: "op",
  order: [
    ["*", "CMD_SYNC"],
    ["CMD_SYNC", "*"],
  ],
  ready: ({ op, dev }) => invalidationsAllow(op, dev),
  effect: ({ op, asid, dev, range }) => [
    when(
      is(op, "CMD_TLBI_NH_VA"),
      clear(smmu_tlb({ asid, va: inRange(range) })),
      // Leaf=0: the walk cache goes too.
      clear(smmu_walk_cache({ asid, region: inRange(regionsOf(range)) })),
    ),
    when(
      is(op, "CMD_TLBI_NH_ASID"),
      clear(smmu_tlb({ asid, va: ANY })),
      clear(smmu_walk_cache({ asid, region: ANY })),
    ),
    when(isAtcInv(op), ...invalidateRequest({ dev, op, range })),
    when(is(op, "CMD_RESUME"), set(dev_stalled(dev), FALSE)),
    emit(events.cmdq_done, { op, asid, dev, range }),
  ],
  source: {
    file: "SMMU 4.1, 4.3-4.7",
    rules: ["S10", "S11", "S13", "S14", "S17", "S18", "S19"],
  },
});

export const cmdq_insert_definition = define(cmdq_insert, {
  source: { file: "SMMU 3.5, 4.1", rules: ["S12", "S13"] },
  abstracts: ["queue wrap and PROD/CONS", "commands of one range are one entry"],
  body: ({ cpu, op, asid, dev, range }) => [
    post(cmdq({}), { op, asid, dev, range, cpu }),
    emit(events.cmdq, { cpu, op, asid, dev, range }),
  ],
});

export const cmdq_wait_definition = define(cmdq_wait, {
  source: { file: "SMMU 4.7.3", rules: ["S11", "S13"] },
  abstracts: ["time-out: a CMD_SYNC always completes"],
  body: ({ cpu }) => [await_(not(outstanding(cmdq({}), { op: member(command, "CMD_SYNC"), cpu })))],
});
