// SPDX-License-Identifier: Apache-2.0
// The SMMU's command queue: commands take effect in any order between CMD_SYNCs (rule S13).
//
//   cmdq_insert ──► cmdq ──any order──► TLB, configuration caches, devices
//   cmdq_wait        └─ CMD_SYNC: after all that came before it ──► the CPU that waits

import type { Expr } from "../../ir/expr.ts";
import {
  ANY,
  and,
  eq,
  FALSE,
  inRange,
  member,
  not,
  or,
  outstanding,
  ruleHolds,
  TRUE,
} from "../../ir/expr.ts";
import { define, pending, rule } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  await_,
  call,
  clear,
  emit,
  forall,
  leave,
  loop,
  post,
  set,
  when,
  whenElse,
} from "../../ir/stmt.ts";
import { command, events } from "../../vocabulary/events.ts";
import { dev_pasid, dev_stalled, gerror_cmdq } from "../../vocabulary/iommu.ts";
import { cmdq_insert, cmdq_wait, handle_cmdq_error } from "../../vocabulary/primitives.ts";
import { regionsOf, t } from "../../vocabulary/sorts.ts";
import { invalidateRequest, invalidationsAllow, isAtcInv } from "../pcie/invalidate.ts";
import { forgetContexts, forgetStreams } from "./config.ts";
import { dvm_smmu } from "./dvm.ts";
import { atc_timed_out, delivered, running, TIMEOUTS } from "./timeouts.ts";
import { dropAll, dropAsid, dropBlocks, dropPages, smmu_tlb, smmu_walk_cache } from "./tlb.ts";
import { drained, streamDrained } from "./transactions.ts";

type Command = (typeof command.values)[number];

const is = (op: Expr<"command">, ...names: readonly Command[]) =>
  or(...names.map((n) => eq(op, member(command, n))));

interface Entry {
  readonly op: Expr<"command">;
  readonly asid: Expr<"asid">;
  readonly dev: Expr<"dev">;
  readonly range: Expr<"range">;
}

/** Commands that remove translations by address (rule S14). ASET means nothing to them (S6). */
const TLBI_VA = ["CMD_TLBI_NH_VA", "CMD_TLBI_NH_VA_Leaf", "CMD_TLBI_NH_VAA"] as const;
/** Commands that remove all translations of the one VMID there is. */
const TLBI_VMID = ["CMD_TLBI_NH_ALL", "CMD_TLBI_NSNH_ALL", "CMD_TLBI_S12_VMALL"] as const;

/** Commands about the configuration of one stream. */
const CFGI_STREAM = [
  ...(["CMD_CFGI_STE", "CMD_CFGI_STE_RANGE", "CMD_CFGI_CD", "CMD_CFGI_CD_ALL"] as const),
] as const;

/**
 * TLB maintenance. CMD_TLBI_S2_IPA removes nothing: there is no stage 2. A hint that names another
 * level restricts what is removed to that level.
 */
const tlbInvalidation = ({ op, asid, range }: Entry): Stmt[] => [
  when(
    is(op, "CMD_TLBI_NH_VA"),
    ...dropPages(asid, range, "command"),
    dropBlocks(asid, range),
    // Leaf=0: the walk cache goes too.
    clear(smmu_walk_cache({ asid, region: inRange(regionsOf(range)) })),
  ),
  when(
    or(is(op, "CMD_TLBI_NH_VA_Leaf"), and(is(op, "CMD_TLBI_NH_VA_TTL2"), not(ruleHolds("S14")))),
    ...dropPages(asid, range, "command"),
  ),
  when(is(op, "CMD_TLBI_NH_VA_Leaf", "CMD_TLBI_NH_VA_TTL2"), dropBlocks(asid, range)),
  when(
    is(op, "CMD_TLBI_NH_VAA"),
    clear(smmu_tlb({ asid: ANY, va: inRange(range) })),
    dropBlocks(ANY, range),
    clear(smmu_walk_cache({ asid: ANY, region: inRange(regionsOf(range)) })),
  ),
  when(is(op, "CMD_TLBI_NH_ASID"), ...dropAsid(asid)),
  when(is(op, ...TLBI_VMID), ...dropAll()),
];

/** Configuration invalidation: the TLB keeps what it has (rule S2). */
const configurationInvalidation = ({ op, dev }: Entry): Stmt[] => [
  when(is(op, "CMD_CFGI_CD"), forgetContexts({ dev, pasid: dev_pasid(dev) })),
  when(is(op, "CMD_CFGI_CD_ALL"), forgetContexts({ dev, pasid: ANY })),
  when(is(op, "CMD_CFGI_STE", "CMD_CFGI_STE_RANGE"), ...forgetStreams(dev)),
  when(is(op, "CMD_CFGI_ALL"), ...forgetStreams(ANY)),
  when(
    and(is(op, "CMD_CFGI_CD", "CMD_CFGI_CD_ALL", "CMD_CFGI_STE"), not(ruleHolds("S2"))),
    ...dropAll(),
  ),
];

/** What a command waits for, other than commands (which `order` says). */
const ready = ({ op, asid, dev, range }: Entry): Expr<"bool"> =>
  and(
    invalidationsAllow(op, dev),
    // S10: performed when all that used the entries is visible.
    or(not(is(op, "CMD_TLBI_NH_VA", "CMD_TLBI_NH_VA_Leaf")), drained(asid, inRange(range))),
    or(not(is(op, "CMD_TLBI_NH_VAA")), drained(ANY, inRange(range))),
    or(not(is(op, "CMD_TLBI_NH_ASID")), drained(asid, ANY)),
    or(not(is(op, ...TLBI_VMID)), drained(ANY, ANY)),
    or(not(is(op, ...CFGI_STREAM)), streamDrained(dev)),
    or(not(is(op, "CMD_CFGI_ALL")), streamDrained(ANY)),
    running(is(op, "CMD_SYNC")),
    // Only without S13: the order of the queue. Only without S11: broadcasts too.
    or(ruleHolds("S13"), not(isAtcInv(op)), not(tlbiOutstanding())),
    or(ruleHolds("S11"), not(is(op, "CMD_SYNC")), not(outstanding(dvm_smmu({ issuer: ANY })))),
  );

const tlbiOutstanding = (): Expr<"bool"> =>
  or(
    ...([...TLBI_VA, ...TLBI_VMID, "CMD_TLBI_NH_ASID"] as const).map((n) =>
      outstanding(cmdq({}), { op: member(command, n) }),
    ),
  );

export const cmdq = pending("cmdq", {
  keys: {},
  entry: { op: command, asid: t.asid, dev: t.dev, range: t.range, cpu: t.cpu },
  capacity: "CMDQ_ENTRIES",
  orderBy: "op",
  order: [
    ["*", "CMD_SYNC"],
    ["CMD_SYNC", "*"],
  ],
  ready,
  effect: ({ op, asid, dev, range }) => [
    ...tlbInvalidation({ op, asid, dev, range }),
    ...configurationInvalidation({ op, asid, dev, range }),
    when(isAtcInv(op), when(ruleHolds("S17"), ...delivered(invalidateRequest({ dev, op, range })))),
    when(is(op, "CMD_RESUME"), set(dev_stalled(dev), FALSE)),
    emit(events.cmdq_done, { op, asid, dev, range }),
  ],
  source: {
    file: "SMMU 4.1, 4.3-4.7",
    rules: ["S2", "S10", "S11", "S13", "S14", "S15", "S17", "S18", "S19", "S20", "P5"],
  },
});

/** CERROR_ATC_INV_SYNC: CONS stays at the CMD_SYNC, nothing is signalled. */
export const cerror_atc_inv_sync = rule("cerror_atc_inv_sync", {
  forall: {},
  when: () =>
    and(TIMEOUTS, atc_timed_out(), outstanding(cmdq({}), { op: member(command, "CMD_SYNC") })),
  body: () => [set(gerror_cmdq(), TRUE), set(atc_timed_out(), FALSE)],
  // "Strongly recommended": an SMMU that leaves the CMD_SYNC waiting instead is not modelled.
  fair: true,
  source: { file: "SMMU 3.9.1.4, 4.7.3, 7.1", rules: ["S30"] },
});

export const cmdq_insert_definition = define(cmdq_insert, {
  source: { file: "SMMU 3.5, 4.1", rules: ["S12", "S13"] },
  abstracts: ["queue wrap and PROD/CONS", "commands of one range are one entry"],
  body: ({ cpu, op, asid, dev, range }) => [
    post(cmdq({}), { op, asid, dev, range, cpu }),
    emit(events.cmdq, { cpu, op, asid, dev, range }),
  ],
});

/** This CPU's CMD_SYNC is in the queue. */
const waiting = (cpu: Expr<"cpu">) =>
  outstanding(cmdq({}), { op: member(command, "CMD_SYNC"), cpu });

export const cmdq_wait_definition = define(cmdq_wait, {
  source: { file: "SMMU 4.7.3, 7.1", rules: ["S11", "S13", "S30"] },
  abstracts: ["an error is handled by the CPU that waits"],
  body: ({ cpu }) => [
    whenElse(
      TIMEOUTS,
      [
        loop(
          await_(or(not(waiting(cpu)), gerror_cmdq())),
          when(not(waiting(cpu)), leave()),
          call(handle_cmdq_error, { cpu }),
        ),
      ],
      [await_(not(waiting(cpu)))],
    ),
    // Only without S20: stalled transactions hold back completion.
    when(
      not(ruleHolds("S20")),
      forall(t.dev, (dev) => [await_(not(dev_stalled(dev)))]),
    ),
  ],
});
