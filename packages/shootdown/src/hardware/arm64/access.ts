// SPDX-License-Identifier: Apache-2.0
// A load or store of a PE: translate, manage access flag and dirty state, or fault and try again.

import type { Expr, Place } from "../../ir/expr.ts";
import { and, FALSE, knobIs, not, ruleHolds, TRUE, varies, withFields } from "../../ir/expr.ts";
import { define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  again,
  atomic,
  await_,
  call,
  callInto,
  choose,
  either,
  emit,
  forall,
  leave,
  lookup,
  loop,
  pick,
  ret,
  set,
  when,
  whenElse,
} from "../../ir/stmt.ts";
import {
  AF,
  DBM,
  desc,
  permits,
  pfnOf,
  RDONLY,
  valid,
  withAccessFlag,
  withDirtyState,
  writableClean,
} from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import {
  activate_mm,
  cpu_access,
  cpu_any,
  cpu_any_try,
  cpu_try,
  do_page_fault,
  leave_mm,
} from "../../vocabulary/primitives.ts";
import { regionOf, t } from "../../vocabulary/sorts.ts";
import { asid_of, is_global } from "../../vocabulary/state.ts";
import type { Updated } from "../update.ts";
import { anyAccess, hardwareUpdate, recorded } from "../update.ts";
import { sameAgain } from "./sticky.ts";
import {
  contextSynchronized,
  NEEDS_CSE,
  prefetched,
  tlb,
  translated,
  ttbr0,
  ttbr0_valid,
  walk_cache,
} from "./tlb.ts";

interface Attempt extends Updated {
  readonly cpu: Expr<"cpu">;
  /** What is chosen in the first step. */
  readonly choice?: readonly Stmt[];
  /** Locals. */
  readonly tag: Place<"asid">;
  readonly other: Place<"desc">;
}

/** What the PE uses for a page: any entry that it may have, or what a walk finds now. */
function translate({ cpu, mm, va, entry, other, tag }: Attempt): Stmt[] {
  const at = { cpu, asid: asid_of(mm), va };
  return [
    whenElse(NEEDS_CSE, [lookup(entry, prefetched(at))], translated(at, entry)),
    // A global leaf is one of every ASID.
    when(
      and(varies(is_global), is_global(va)),
      either([], [choose(tag, t.asid), pick(entry, tlb({ ...at, asid: tag }))]),
    ),
    // Entries are tagged by ASID.
    when(
      not(ruleHolds("A6")),
      either([], [choose(tag, t.asid), pick(entry, tlb({ ...at, asid: tag }))]),
    ),
    when(
      knobIs("cnp", "yes"),
      when(
        ruleHolds("A10"),
        forall(t.cpu, (peer) => [either([], [pick(entry, tlb({ ...at, cpu: peer }))])]),
      ),
    ),
    // Several entries match because break-before-make was left out: the frame of any of them.
    when(
      knobIs("amalgam", "yes"),
      when(
        and(ruleHolds("A19"), valid(entry)),
        either([], [pick(other, tlb(at)), set(entry, withFields(entry, { pfn: pfnOf(other) }))]),
      ),
    ),
    when(not(ruleHolds("A4")), ...sameAgain(cpu, va, entry)),
  ];
}

/**
 * One try, inside a loop: translation, the access if the entry permits it, and what hardware
 * manages. Leaves the loop when the access is done; otherwise `entry` is what denies it.
 */
function attempt(x: Attempt): Stmt[] {
  const { cpu, agent, mm, va, write, entry, done, upper, record = [], choice = [] } = x;
  const walk = [lookup(upper, walk_cache({ cpu, asid: asid_of(mm), region: regionOf(va) }))];
  const access: Stmt[] = [
    when(done, emit(events.access, { agent, mm, va, frame: pfnOf(entry), write })),
    ...record,
  ];
  return [
    whenElse(
      ruleHolds("A25"),
      [atomic(...choice, ...translate(x), set(done, permits(entry, write)), ...access)],
      // A TLBI may be finished although an access by the old translation is still to come.
      [
        atomic(...choice, ...translate(x), set(done, permits(entry, write))),
        atomic(await_(TRUE), ...access),
      ],
    ),
    when(done, leave()),
    when(
      knobIs("hafdbs", "yes"),
      when(
        and(not(ruleHolds("A15")), write, valid(entry), not(AF(entry)), DBM(entry), RDONLY(entry)),
        ...hardwareUpdate(x, walk, withDirtyState(entry)),
        leave(),
      ),
      when(
        and(valid(entry), not(AF(entry))),
        ...hardwareUpdate(x, walk, withAccessFlag(entry)),
        when(done, leave()),
      ),
      when(
        and(write, writableClean(entry)),
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
  file: "Arm ARM D8.5, D8.16, D8.17.8",
  rules: ["A2", "A3", "A4", "A6", "A10", "A12", "A13", "A14", "A15", "A19", "A25", "A27"],
};
const abstracts = [
  "translation and access are one step",
  "instruction fetches",
  "without registers in a scenario, each TLBI or DSB synchronizes the context of its CPU",
];

export const cpu_access_definition = define(cpu_access, {
  source,
  abstracts,
  locals: { entry: desc, upper: desc, other: desc, tag: t.asid, done: t.bool, resolved: t.bool },
  body: ({ cpu, agent, mm, va, write, entry, upper, other, tag, done, resolved }) => [
    loop(
      ...attempt({ cpu, agent, mm, va, write, entry, upper, other, tag, done }),
      callInto(resolved, do_page_fault, { cpu, mm, va, write }),
      contextSynchronized(cpu),
      when(not(resolved), emit(events.abort, { agent, va, write }), ret()),
    ),
  ],
});

export const cpu_try_definition = define(cpu_try, {
  source,
  abstracts,
  locals: { entry: desc, upper: desc, other: desc, tag: t.asid, done: t.bool },
  body: ({ cpu, agent, mm, va, write, into, entry, upper, other, tag, done }) => {
    const record = recorded(agent, into, { entry, done });
    return [
      loop(
        ...attempt({ cpu, agent, mm, va, write, entry, upper, other, tag, done, record }),
        leave(),
      ),
    ];
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
  locals: {
    ...{ va: t.va, write: t.bool },
    ...{ entry: desc, upper: desc, other: desc, tag: t.asid, done: t.bool },
  },
  body: ({ cpu, agent, mm, range, va, write, entry, upper, other, tag, done }) => {
    const choice = anyAccess(range, va, write);
    const x = { cpu, agent, mm, va, write, entry, upper, other, tag, done, choice };
    return [loop(...attempt(x), leave())];
  },
});

export const activate_mm_definition = define(activate_mm, {
  source: { file: "Arm ARM D8.2", rules: ["A6"] },
  body: ({ cpu, mm }) => [atomic(set(ttbr0(cpu), mm), set(ttbr0_valid(cpu), TRUE))],
});

export const leave_mm_definition = define(leave_mm, {
  source: { file: "Arm ARM D8.2", rules: ["A6"] },
  body: ({ cpu }) => [set(ttbr0_valid(cpu), FALSE)],
});
