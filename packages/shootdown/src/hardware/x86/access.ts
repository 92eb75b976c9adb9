// SPDX-License-Identifier: Apache-2.0
// A load or store of an x86 CPU: translate, set A and D in memory, or fault, heal and try again.

import { and, not } from "../../ir/expr.ts";
import { define } from "../../ir/machine.ts";
import {
  again,
  atomic,
  callInto,
  emit,
  leave,
  lookup,
  loop,
  ret,
  set,
  when,
} from "../../ir/stmt.ts";
import {
  AF,
  desc,
  permits,
  pfnOf,
  valid,
  withAccessFlag,
  withDirtyState,
  writableClean,
} from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { cpu_access, do_page_fault } from "../../vocabulary/primitives.ts";
import { t } from "../../vocabulary/sorts.ts";
import { asid_of } from "../../vocabulary/state.ts";
import { hardwareUpdate } from "../update.ts";
import { healed, x86_tlb } from "./tlb.ts";

export const cpu_access_definition = define(cpu_access, {
  source: { file: "Intel SDM 4.7, 4.8, 4.10.4", rules: ["X1", "X3"] },
  abstracts: ["translation and access are one step", "instruction fetches"],
  locals: { entry: desc, done: t.bool, resolved: t.bool },
  body: ({ cpu, agent, mm, va, write, entry, done, resolved }) => {
    const update = { agent, mm, va, write, entry, done };
    return [
      loop(
        atomic(
          lookup(entry, x86_tlb({ cpu, pcid: asid_of(mm), va })),
          set(done, permits(entry, write)),
          when(done, emit(events.access, { agent, mm, va, frame: pfnOf(entry), write })),
        ),
        when(done, leave()),
        when(
          and(valid(entry), not(AF(entry))),
          ...hardwareUpdate(update, withAccessFlag(entry)),
          when(done, leave()),
        ),
        when(
          and(write, writableClean(entry)),
          ...hardwareUpdate(update, withDirtyState(entry)),
          when(done, leave()),
          // Memory holds another clean entry by now.
          when(writableClean(entry), again()),
        ),
        healed(cpu, asid_of(mm), va),
        emit(events.fault, { agent, va, write, found: entry }),
        callInto(resolved, do_page_fault, { cpu, mm, va, write }),
        when(not(resolved), emit(events.abort, { agent, va, write }), ret()),
      ),
    ];
  },
});
