// SPDX-License-Identifier: Apache-2.0
// A device that reads and writes through SVA: stalled and resumed by the SMMU, or with its own ATC.
//
//   platform device   SMMU TLB ──denied──► stall ──► kernel ──► CMD_RESUME ──► again
//   ATS device        ATC ──denied──► (asks again?) ──► its driver's handler ──► again

import type { Expr, Place } from "../ir/expr.ts";
import { and, eq, FALSE, knobIs, not, or, ruleHolds, TRUE, varies } from "../ir/expr.ts";
import { define } from "../ir/machine.ts";
import type { Stmt } from "../ir/stmt.ts";
import {
  again,
  atomic,
  await_,
  call,
  callInto,
  emit,
  forall,
  leave,
  loop,
  ret,
  retry,
  set,
  when,
  whenElse,
} from "../ir/stmt.ts";
import { BLOCKS, isBlock } from "../vocabulary/blocks.ts";
import {
  desc,
  isTable,
  PTE_NONE,
  permits,
  pfnOf,
  withDirtyState,
  writableClean,
} from "../vocabulary/descriptor.ts";
import { events } from "../vocabulary/events.ts";
import {
  ats_off,
  cd,
  cd_epd0,
  cd_v,
  dev_ats,
  dev_pasid,
  dev_stalled,
  ste,
  ste_eats,
  ste_v,
} from "../vocabulary/iommu.ts";
import {
  device_access,
  device_any,
  device_any_retry,
  device_any_try,
  device_try,
  handle_device_fault,
} from "../vocabulary/primitives.ts";
import { regionOf, t } from "../vocabulary/sorts.ts";
import { is_contiguous, pmd, pte } from "../vocabulary/state.ts";
import { translateByAtc } from "./pcie/function.ts";
import { pageRequest } from "./pcie/pri.ts";
import { request } from "./pcie/requests.ts";
import type { Configured } from "./smmuv3/ats.ts";
import { checkedRequest, untranslated } from "./smmuv3/ats.ts";
import { CD_ASID } from "./smmuv3/config.ts";
import { walksToUpdate } from "./smmuv3/httu.ts";
import { transacts } from "./smmuv3/transactions.ts";
import type { Updated } from "./update.ts";
import { anyAccess, hardwareUpdate, recorded } from "./update.ts";

interface Access {
  readonly dev: Expr<"dev">;
  readonly mm: Expr<"mm">;
  readonly va: Expr<"va">;
  readonly write: Expr<"bool">;
}

/** Through the ATC, or, without one or with ATS disabled, through the SMMU. */
const translated = (dev: Expr<"dev">) => and(dev_ats(dev), not(ats_off(dev)));

/** Whether memory and configuration permit the access right now, caches aside. */
const memoryPermits = ({ dev, mm, va, write }: Access): Expr<"bool"> =>
  and(
    ste_v(dev),
    or(not(translated(dev)), ste_eats(dev)),
    cd_v(dev_pasid(dev)),
    not(cd_epd0(dev_pasid(dev))),
    or(
      and(isTable(pmd(mm, regionOf(va))), leafPermits(pte(mm, va), write)),
      and(BLOCKS, isBlock(pmd(mm, regionOf(va))), leafPermits(pmd(mm, regionOf(va)), write)),
    ),
  );

const leafPermits = (leaf: Expr<"desc">, write: Expr<"bool">) =>
  or(permits(leaf, write), and(knobIs("httu", "yes"), write, writableClean(leaf)));

const CONTIGUOUS = varies(is_contiguous);

/** A8: in a group of contiguous entries, what any of them permits. */
const groupPermits = ({ mm, va, write }: Access, joined: Place<"bool">): Stmt[] => [
  when(
    CONTIGUOUS,
    atomic(
      set(joined, FALSE),
      when(
        and(isTable(pmd(mm, regionOf(va))), is_contiguous(va)),
        forall(t.va, (of) => [
          when(
            and(is_contiguous(of), eq(regionOf(of), regionOf(va)), permits(pte(mm, of), write)),
            set(joined, TRUE),
          ),
        ]),
      ),
    ),
  ),
];

interface Attempt extends Access, Updated, Configured {
  /** A frame that a device which lies makes up. */
  readonly forged: Place<"pfn">;
  /** What is chosen in the first step. */
  readonly choice?: readonly Stmt[];
  /** The transaction has stalled and was resumed. */
  readonly resumed?: Expr<"bool">;
}

/** S19: a resumed transaction is translated as if it had just arrived. */
const arrives = ({ resumed }: Attempt): Expr<"bool"> =>
  resumed ? or(ruleHolds("S19"), not(resumed)) : TRUE;

function translate(x: Attempt): Stmt[] {
  const { dev, va, entry } = x;
  return [
    whenElse(
      translated(dev),
      [...translateByAtc(x), ...checkedRequest(entry, x, dev)],
      untranslated(entry, x, { dev, pasid: dev_pasid(dev) }, va),
    ),
  ];
}

/** The access itself. */
function accesses(x: Attempt): Stmt {
  const { dev, agent, mm, va, write, entry } = x;
  const access = { dev, agent, mm, va, frame: pfnOf(entry), write };
  return whenElse(
    translated(dev),
    [request(access)],
    [transacts({ ...access, asid: CD_ASID(x, dev_pasid(dev)) })],
  );
}

/** Whether a write that an entry denies comes to the SMMU, which sees that the page is clean. */
const asksSmmu = (dev: Expr<"dev">): Expr<"bool"> =>
  or(not(translated(dev)), and(ruleHolds("P3"), knobIs("atcReRequest", "yes")));

/**
 * One try, inside a loop: translation, the access if the entry permits it, HTTU. Leaves the loop
 * when the access is done; otherwise `entry` is what denies it.
 */
function attempt(x: Attempt): Stmt[] {
  const { dev, agent, va, write, entry, done, upper, record = [], choice = [] } = x;
  const walk = walksToUpdate(upper, x, { dev, pasid: dev_pasid(dev) }, va);
  return [
    atomic(
      ...choice,
      when(arrives(x), set(entry, PTE_NONE), ...translate(x)),
      set(done, permits(entry, write)),
      when(done, accesses(x)),
      ...record,
    ),
    when(done, leave()),
    when(
      knobIs("httu", "yes"),
      when(
        and(write, writableClean(entry), asksSmmu(dev)),
        ...hardwareUpdate(x, walk, withDirtyState(entry)),
        when(done, leave()),
        // Memory holds another writable-clean descriptor by now.
        when(writableClean(entry), again()),
      ),
    ),
    emit(events.fault, { agent, va, write, found: entry }),
  ];
}

const source = {
  file: "SMMU 3.9, 3.12, 3.13; PCIe Base 10.2",
  rules: ["S1", "S9", "S19", "S20", "S22", "S23", "S24", "P2", "P3"],
};
const inOneStep =
  "one access at a time; translation and access are one step, since a completed invalidation " +
  "has drained what was in flight (S10, P7); with the part inflight they are two";
const locals = {
  entry: desc,
  upper: desc,
  done: t.bool,
  forged: t.pfn,
  stream: ste,
  context: cd,
} as const;

export const device_access_definition = define(device_access, {
  source,
  abstracts: [
    inOneStep,
    "a page request is handled where it is made",
    "the SMMU never sets the access flag (CD.HA): an old entry faults, or a CPU makes it young",
    "a stalled transaction is not tried again before its CMD_RESUME, though it may be (S20)",
  ],
  locals: {
    ...locals,
    resolved: t.bool,
    asked: t.bool,
    overflowed: t.bool,
    resumed: t.bool,
    joined: t.bool,
  },
  body: ({ dev, agent, mm, worker, va, write, ...own }) => {
    const {
      entry,
      upper,
      done,
      forged,
      stream,
      context,
      resolved,
      asked,
      overflowed,
      resumed,
      joined,
    } = own;
    const found = { entry, upper, done, forged, stream, context, resumed };
    return [
      set(overflowed, FALSE),
      set(resumed, FALSE),
      loop(
        ...groupPermits({ dev, mm, va, write }, joined),
        retry(or(memoryPermits({ dev, mm, va, write }), and(CONTIGUOUS, joined))),
        ...attempt({ dev, agent, mm, va, write, ...found }),
        whenElse(
          dev_ats(dev),
          pageRequest({ dev, mm, worker, va, write, resolved, asked, overflowed }),
          [
            set(dev_stalled(dev), TRUE),
            callInto(resolved, handle_device_fault, { cpu: worker, dev, mm, va, write }),
            await_(not(dev_stalled(dev))),
            set(resumed, TRUE),
          ],
        ),
        when(not(resolved), emit(events.abort, { agent, va, write }), ret()),
      ),
    ];
  },
});

export const device_try_definition = define(device_try, {
  source,
  abstracts: [inOneStep, "the transaction that faults is terminated"],
  locals,
  body: ({ dev, agent, mm, va, write, into, ...found }) => {
    const record = recorded(agent, into, found);
    return [loop(...attempt({ dev, agent, mm, va, write, ...found, record }), leave())];
  },
});

export const device_any_definition = define(device_any, {
  source,
  abstracts: [inOneStep],
  locals: { va: t.va, write: t.bool },
  body: ({ dev, agent, mm, worker, range, va, write }) => [
    atomic(...anyAccess(range, va, write)),
    call(device_access, { dev, agent, mm, worker, va, write }),
  ],
});

export const device_any_try_definition = define(device_any_try, {
  source,
  abstracts: [inOneStep, "the transaction that faults is terminated"],
  locals: { ...locals, va: t.va, write: t.bool },
  body: ({ dev, agent, mm, range, va, write, ...found }) => {
    const choice = anyAccess(range, va, write);
    return [loop(...attempt({ dev, agent, mm, va, write, ...found, choice }), leave())];
  },
});

export const device_any_retry_definition = define(device_any_retry, {
  source,
  abstracts: [inOneStep, "a transaction that faults is made again, and nobody handles the fault"],
  locals: { ...locals, va: t.va, write: t.bool },
  body: ({ dev, agent, mm, range, va, write, ...found }) => [
    atomic(...anyAccess(range, va, write)),
    loop(
      retry(memoryPermits({ dev, mm, va, write })),
      ...attempt({ dev, agent, mm, va, write, ...found }),
    ),
  ],
});
