// SPDX-License-Identifier: Apache-2.0
// A guest, or a device with page tables and a TLB of its own: translate, or fault and try again.

import type { Expr } from "../ir/expr.ts";
import { and, inRange, not, or } from "../ir/expr.ts";
import { cell, define } from "../ir/machine.ts";
import {
  atomic,
  await_,
  callInto,
  clear,
  either,
  emit,
  leave,
  lookup,
  loop,
  ret,
  retry,
  set,
  when,
  yields,
} from "../ir/stmt.ts";
import { BLOCKS, isBlock } from "../vocabulary/blocks.ts";
import { cacheable, DBM, desc, isTable, permits, pfnOf, valid } from "../vocabulary/descriptor.ts";
import { events } from "../vocabulary/events.ts";
import {
  handle_shadow_fault,
  shadow_access,
  shadow_pte,
  shadow_tlbi,
} from "../vocabulary/shadow.ts";
import { regionOf, t } from "../vocabulary/sorts.ts";
import { pmd, pte } from "../vocabulary/state.ts";

const source = { file: "Arm ARM D8.15 (stage 2, VMIDs); a device of its own", rules: ["A1", "A9"] };

/** What translates for a guest or device; filled at any time. */
export const shadow_tlb = cell("shadow_tlb", {
  keys: { dev: t.dev, va: t.va },
  value: desc,
  fill: ({ dev, va }) => [yields(shadow_pte(dev, va))],
  admits: cacheable,
  source,
});

/** Whether the mm's own table permits it, for somebody whom software serves. */
const mmPermits = (mm: Expr<"mm">, va: Expr<"va">, write: Expr<"bool">): Expr<"bool"> => {
  const leafPermits = (leaf: Expr<"desc">) => and(valid(leaf), or(not(write), DBM(leaf)));
  const upper = pmd(mm, regionOf(va));
  return or(
    and(isTable(upper), leafPermits(pte(mm, va))),
    and(BLOCKS, isBlock(upper), leafPermits(upper)),
  );
};

export const shadow_access_definition = define(shadow_access, {
  source,
  abstracts: [
    "a guest's own stage 1, and devices that it is given",
    "one access at a time; a completed invalidation has drained what was in flight",
  ],
  locals: { entry: desc, done: t.bool, resolved: t.bool },
  body: ({ dev, agent, mm, worker, va, write, entry, done, resolved }) => [
    loop(
      retry(mmPermits(mm, va, write)),
      atomic(
        either(
          [lookup(entry, shadow_tlb({ dev, va }))],
          // A walk that finds nothing leaves nothing: it is so each time, until somebody maps it.
          [await_(not(cacheable(shadow_pte(dev, va)))), set(entry, shadow_pte(dev, va))],
        ),
        set(done, permits(entry, write)),
        when(done, emit(events.access, { agent, mm, va, frame: pfnOf(entry), write })),
      ),
      when(done, leave()),
      emit(events.fault, { agent, va, write, found: entry }),
      callInto(resolved, handle_shadow_fault, { cpu: worker, dev, mm, va, write }),
      when(not(resolved), emit(events.abort, { agent, va, write }), ret()),
    ),
  ],
});

export const shadow_tlbi_definition = define(shadow_tlbi, {
  source,
  abstracts: ["the invalidation and the wait for it are one step, at its end"],
  body: ({ dev, range }) => [clear(shadow_tlb({ dev, va: inRange(range) }))],
});

export const shadow_definitions = [shadow_access_definition, shadow_tlbi_definition];
