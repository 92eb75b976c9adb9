// SPDX-License-Identifier: Apache-2.0
// The properties, as observers of events (hardware.md 6; design of the conditions in LITMUS.md).

import { and, eq, FALSE, member, TRUE } from "../ir/expr.ts";
import type { ObserverDecl } from "../ir/machine.ts";
import { observer, on } from "../ir/machine.ts";
import { set, violate, when } from "../ir/stmt.ts";
import { DBM, pfnOf, valid } from "./descriptor.ts";
import { events } from "./events.ts";
import { life, page_life, sealed } from "./state.ts";

const FREED = member(life, "freed");

export const use_after_free = observer(
  "use_after_free",
  "a CPU or device accesses a frame that the kernel has given back",
  on(events.access, ({ frame }) => [when(eq(page_life(frame), FREED), violate("use_after_free"))]),
);

export const stale_write = observer(
  "stale_write",
  "a CPU or device writes a frame after the kernel relies on it that its mm cannot",
  on(events.write_revoked, ({ mm, frame }) => [set(sealed(mm, frame), TRUE)]),
  on(events.pte_store, ({ mm, value }) => [
    when(and(valid(value), DBM(value)), set(sealed(mm, pfnOf(value)), FALSE)),
  ]),
  on(events.access, ({ mm, frame, write }) => [
    when(and(write, sealed(mm, frame)), violate("stale_write")),
  ]),
);

/** By the name that a scenario's condition uses. */
export const OBSERVERS: ReadonlyMap<string, ObserverDecl> = new Map(
  [use_after_free, stale_write].map((o) => [o.name, o]),
);
