// SPDX-License-Identifier: Apache-2.0
// A load or store of an x86 CPU: translate, set A and D in memory, or fault, heal and try again.

import type { Expr, Place } from "../../ir/expr.ts";
import { and, FALSE, ite, not } from "../../ir/expr.ts";
import { define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  again,
  atomic,
  call,
  callInto,
  cas,
  emit,
  label,
  leave,
  lookup,
  loop,
  ret,
  set,
  when,
  whenElse,
} from "../../ir/stmt.ts";
import {
  AF,
  desc,
  isTable,
  nextOf,
  PTE_NONE,
  permits,
  pfnOf,
  valid,
  withAccessFlag,
  withDirtyState,
  writableClean,
} from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import {
  cpu_access,
  cpu_any,
  cpu_any_try,
  cpu_try,
  do_page_fault,
  eret,
} from "../../vocabulary/primitives.ts";
import { regionOf, t } from "../../vocabulary/sorts.ts";
import { asid_of, pte_table } from "../../vocabulary/state.ts";
import type { Updated } from "../update.ts";
import { anyAccess, recorded } from "../update.ts";
import { healed, psc, x86_tlb } from "./tlb.ts";

interface Attempt extends Updated {
  /** What is chosen in the first step. */
  readonly choice?: readonly Stmt[];
  readonly cpu: Expr<"cpu">;
  /** What a walk finds at the upper level. */
  readonly upper: Place<"desc">;
}

/**
 * Sets a flag in memory: walks again, through a table pointer that may be cached, and writes
 * `updated` over the entry if it is still as translated; otherwise takes what is there now. Then
 * makes the access if that is permitted. All of it is one locked operation.
 */
function flagged(x: Attempt, updated: Expr<"desc">): Stmt {
  const { cpu, agent, mm, va, write, entry, done, upper, record = [] } = x;
  const at = pte_table(nextOf(upper), va);
  return atomic(
    lookup(upper, psc({ cpu, pcid: asid_of(mm), region: regionOf(va) })),
    whenElse(
      isTable(upper),
      [cas(done, at, entry, updated), set(entry, ite(done, updated, at))],
      [set(entry, PTE_NONE), set(done, FALSE)],
    ),
    set(done, permits(entry, write)),
    when(done, emit(events.access, { agent, mm, va, frame: pfnOf(entry), write })),
    ...record,
  );
}

/**
 * One try, inside a loop: translation, the access if the entry permits it, and the flags. Leaves
 * the loop when the access is done; otherwise it faults, and the fault removes what denied it.
 */
function attempt(x: Attempt): Stmt[] {
  const { cpu, agent, mm, va, write, entry, done, record = [], choice = [] } = x;
  return [
    atomic(
      ...choice,
      lookup(entry, x86_tlb({ cpu, pcid: asid_of(mm), va })),
      set(done, permits(entry, write)),
      when(done, emit(events.access, { agent, mm, va, frame: pfnOf(entry), write })),
      ...record,
    ),
    when(done, leave()),
    when(and(valid(entry), not(AF(entry))), flagged(x, withAccessFlag(entry)), when(done, leave())),
    when(
      and(write, writableClean(entry)),
      flagged(x, withDirtyState(entry)),
      when(done, leave()),
      // Memory holds another clean entry by now.
      when(writableClean(entry), again()),
    ),
    healed(cpu, asid_of(mm), va),
    emit(events.fault, { agent, va, write, found: entry }),
  ];
}

const source = { file: "Intel SDM 4.7, 4.8, 4.10.4", rules: ["X1", "X3"] };
const abstracts = ["translation and access are one step", "instruction fetches"];

export const cpu_access_definition = define(cpu_access, {
  source,
  abstracts,
  locals: { entry: desc, upper: desc, done: t.bool, resolved: t.bool },
  body: ({ cpu, agent, mm, va, write, entry, upper, done, resolved }) => [
    loop(
      ...attempt({ cpu, agent, mm, va, write, entry, upper, done }),
      callInto(resolved, do_page_fault, { cpu, mm, va, write }),
      when(not(resolved), emit(events.abort, { agent, va, write }), ret()),
    ),
  ],
});

export const cpu_try_definition = define(cpu_try, {
  source,
  abstracts,
  locals: { entry: desc, upper: desc, done: t.bool },
  body: ({ cpu, agent, mm, va, write, into, entry, upper, done }) => {
    const record = recorded(agent, into, { entry, done });
    return [loop(...attempt({ cpu, agent, mm, va, write, entry, upper, done, record }), leave())];
  },
});

export const cpu_any_definition = define(cpu_any, {
  source,
  abstracts,
  locals: { va: t.va, write: t.bool },
  body: ({ cpu, agent, mm, range, va, write }) => [
    atomic(...anyAccess(range, va, write)),
    call(cpu_access, { cpu, agent, mm, va, write }),
  ],
});

export const cpu_any_try_definition = define(cpu_any_try, {
  source,
  abstracts: [...abstracts, "nobody handles a fault"],
  locals: { va: t.va, write: t.bool, entry: desc, upper: desc, done: t.bool },
  body: ({ cpu, agent, mm, range, va, write, entry, upper, done }) => {
    const choice = anyAccess(range, va, write);
    return [loop(...attempt({ cpu, agent, mm, va, write, entry, upper, done, choice }), leave())];
  },
});

export const eret_definition = define(eret, {
  source: { file: "Intel SDM vol. 3A 4.10", function: "IRET" },
  abstracts: ["nothing waits for the return: INVLPG and MOV to CR3 serialize by themselves"],
  body: () => [label("nothing")],
});
