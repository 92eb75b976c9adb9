// SPDX-License-Identifier: Apache-2.0
// INVLPG and MOV to CR3: local, serializing, complete at once (Intel SDM 4.10.4; rule X2).

import { ANY, and, knobIs, ruleHolds } from "../../ir/expr.ts";
import { define } from "../../ir/machine.ts";
import { atomic, call, clear, set, when, whenElse } from "../../ir/stmt.ts";
import { asid_of } from "../../vocabulary/state.ts";
import { cr3, cr3_user, invlpg, smp_mb, write_cr3 } from "../../vocabulary/x86.ts";
import { droppedPcid, psc, x86_tlb } from "./tlb.ts";

export const invlpg_definition = define(invlpg, {
  source: { file: "Intel SDM 4.10.4.1", rules: ["X2"] },
  abstracts: ["global entries: only user pages are modelled", "AMD's EFER.TCE"],
  body: ({ cpu, va }) => [
    atomic(
      when(
        and(cr3_user(cpu), ruleHolds("X2")),
        clear(x86_tlb({ cpu, pcid: asid_of(cr3(cpu)), va })),
        // Every paging-structure cache of the PCID, whatever the address.
        clear(psc({ cpu, pcid: asid_of(cr3(cpu)), region: ANY })),
      ),
    ),
  ],
});

export const write_cr3_definition = define(write_cr3, {
  source: { file: "Intel SDM 4.10.4.1", rules: ["X2"] },
  abstracts: ["each mm has a PCID of its own on a CPU", "global entries go as others do"],
  body: ({ cpu, user, mm, flush }) => [
    call(smp_mb, { cpu }),
    atomic(
      set(cr3_user(cpu), user),
      when(user, set(cr3(cpu), mm)),
      when(
        and(flush, ruleHolds("X2")),
        whenElse(
          knobIs("pcid", "yes"),
          [when(user, ...droppedPcid(cpu, asid_of(mm)))],
          droppedPcid(cpu, ANY),
        ),
      ),
    ),
  ],
});
