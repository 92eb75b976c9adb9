// SPDX-License-Identifier: Apache-2.0
// What the ASID allocator promises: ASIDs are not shared, and who runs one has it kept.

import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
import { and, eq, ite, ne, not, or } from "../../packages/shootdown/src/ir/expr.ts";
import type { ObserverDecl } from "../../packages/shootdown/src/ir/machine.ts";
import { observer, on } from "../../packages/shootdown/src/ir/machine.ts";
import { forall, violate, when } from "../../packages/shootdown/src/ir/stmt.ts";
import {
  active,
  allocated,
  asid_map,
  asidOf,
  context_id,
  cpu,
  exhausted,
  generation,
  generationOf,
  INIT,
  mm,
  NO_CONTEXT,
  reserved,
  running,
  settled,
  ttbr,
  ttbr_asid,
} from "./asid-state.ts";

const other = (n: Expr<"mm">, m: Expr<"mm">) => and(ne(n, m), ne(n, INIT));
/** What a CPU has under the allocator's protection: what it took, or what was kept for it. */
const protectedOn = (c: Expr<"cpu">): Expr<"context"> =>
  ite(eq(active(c), NO_CONTEXT), reserved(c), active(c));

/** The halves of `asid_shared`. */
const SHARED = {
  "two contexts alike": on(allocated, ({ mm: m }) => [
    forall(mm, (n) => [
      when(and(other(n, m), eq(context_id(n), context_id(m))), violate("asid_shared")),
    ]),
  ]),
  "two mms run with one ASID": on(settled, () => [
    forall(cpu, (c) => [
      forall(cpu, (d) => [
        when(
          and(...[running(c), running(d), ne(ttbr(c), ttbr(d)), eq(ttbr_asid(c), ttbr_asid(d))]),
          violate("asid_shared"),
        ),
      ]),
    ]),
  ]),
};

/** What makes a CPU that runs unprotected. */
const UNPROTECTED = {
  "another context is kept": (c: Expr<"cpu">) => ne(protectedOn(c), context_id(ttbr(c))),
  "another ASID is kept": (c: Expr<"cpu">) => ne(asidOf(protectedOn(c)), ttbr_asid(c)),
  "its ASID is free": (c: Expr<"cpu">) => not(asid_map(ttbr_asid(c))),
  "its generation is over": (c: Expr<"cpu">) =>
    and(ne(active(c), NO_CONTEXT), ne(generationOf(active(c)), generation())),
};

const unprotectedIf = (...parts: ((c: Expr<"cpu">) => Expr<"bool">)[]): ObserverDecl =>
  observer(
    "asid_unprotected",
    "a CPU runs an ASID that is neither current nor reserved",
    on(settled, () => [
      forall(cpu, (c) => [
        when(and(running(c), or(...parts.map((p) => p(c)))), violate("asid_unprotected")),
      ]),
    ]),
  );

const sharedIf = (...parts: (typeof SHARED)[keyof typeof SHARED][]): ObserverDecl =>
  observer(
    "asid_shared",
    "two mms have the same ASID in one generation, or run with the same ASID",
    ...parts,
  );

export type Part = keyof typeof SHARED | keyof typeof UNPROTECTED;

/** Each part of a property as a property of its own: what it alone would find. */
export const ALLOCATOR_PARTS = Object.fromEntries([
  ...Object.entries(SHARED).map(([name, part]) => [name, sharedIf(part)]),
  ...Object.entries(UNPROTECTED).map(([name, part]) => [name, unprotectedIf(part)]),
]) as Readonly<Record<Part, ObserverDecl>>;

const shared = sharedIf(...Object.values(SHARED));
const unprotected = unprotectedIf(...Object.values(UNPROTECTED));

const none: ObserverDecl = observer(
  "asids_exhausted",
  "a rollover leaves no ASID free",
  on(exhausted, () => [violate("asids_exhausted")]),
);

export const allocatorProperties: readonly ObserverDecl[] = [shared, unprotected, none];
