// SPDX-License-Identifier: Apache-2.0
// Without rule A4: a PE that has used a translation uses it again until a TLBI of any kind.
//
// Nothing here is in a model that has the rule. Losing an entry is no step in a window: a lookup
// may always walk afresh, which is what rule A4 allows.

import type { Expr, Place } from "../../ir/expr.ts";
import { field } from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { forall, set, when } from "../../ir/stmt.ts";
import { cacheable, desc, PTE_NONE, valid } from "../../vocabulary/descriptor.ts";
import { t } from "../../vocabulary/sorts.ts";

const kept = field("kept", [t.cpu, t.va], desc);

/** Replaces what was found by what was used before, and remembers what may be cached. */
export const sameAgain = (cpu: Expr<"cpu">, va: Expr<"va">, entry: Place<"desc">): Stmt[] => [
  when(valid(kept(cpu, va)), set(entry, kept(cpu, va))),
  when(cacheable(entry), set(kept(cpu, va), entry)),
];

/** A TLBI takes effect on the PE. */
export const forgotten = (cpu: Expr<"cpu">): Stmt =>
  forall(t.va, (va) => [set(kept(cpu, va), PTE_NONE)]);
