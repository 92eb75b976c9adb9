// SPDX-License-Identifier: Apache-2.0
// What a change of a descriptor takes away or gives, seen by an observer that kept the old one.
//
//   none, access_flag     nothing that may be cached changes: no invalidation is owed (rule A1)
//   flags                 a difference only for hardware that manages no dirty state (A14)
//   upgrade               the new one permits a write that the old one denies (A3)
//   downgrade             the old one permits a write that the new one denies
//   frame, table, unmap   the old one leads elsewhere, at another level, or should lead nowhere

import type { Expr } from "../ir/expr.ts";
import { and, ite, member, ne, not, or, TRUE } from "../ir/expr.ts";
import { enumeration } from "../ir/sort.ts";
import type { Desc } from "./descriptor.ts";
import {
  AF,
  cacheable,
  isTable,
  nextOf,
  permits,
  pfnOf,
  valid,
  withAccessFlag,
  writableClean,
} from "./descriptor.ts";

export const change = enumeration("change", [
  ...(["none", "access_flag", "flags", "upgrade"] as const),
  ...(["downgrade", "frame", "table", "unmap"] as const),
]);

export type ChangeName = (typeof change.values)[number];

/**
 * Whether an observer may hold the descriptor, now or later. Hardware may set the access flag of a
 * valid one at any time (A12), and from then on it may be cached (A1): a clear flag is no shelter.
 */
export const mayBeCached = (d: Desc): Expr<"bool"> => cacheable(withAccessFlag(d));

/** Whether a write gets through, on hardware that manages no dirty state. */
const writes = (d: Desc): Expr<"bool"> => permits(withAccessFlag(d), TRUE);

/** The same where writable-clean is writable: hardware makes it dirty by itself (A13, A14). */
const writesWhereDirtyIsManaged = (d: Desc): Expr<"bool"> =>
  or(writes(d), writableClean(withAccessFlag(d)));

const is = (name: ChangeName) => member(change, name);

/** The class of the change from `old` to `now`; of several that apply, the most severe one. */
export function changeOf(old: Desc, now: Desc): Expr<"change"> {
  const before = writesWhereDirtyIsManaged(old);
  const after = writesWhereDirtyIsManaged(now);
  const permissions = ite(
    and(before, not(after)),
    is("downgrade"),
    ite(
      and(not(before), after),
      is("upgrade"),
      ite(
        ne(writes(old), writes(now)),
        is("flags"),
        ite(ne(AF(old), AF(now)), is("access_flag"), is("none")),
      ),
    ),
  );
  const leaves = ite(ne(pfnOf(old), pfnOf(now)), is("frame"), permissions);
  const tables = ite(ne(nextOf(old), nextOf(now)), is("table"), is("none"));
  const both = ite(isTable(old), tables, leaves);
  return ite(
    not(mayBeCached(old)),
    is("none"),
    ite(not(valid(now)), is("unmap"), ite(ne(isTable(old), isTable(now)), is("table"), both)),
  );
}
