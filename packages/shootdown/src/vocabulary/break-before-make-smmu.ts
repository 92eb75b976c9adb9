// SPDX-License-Identifier: Apache-2.0
// Break-before-make towards an SMMU that does not hear the CPUs' broadcasts: what it was told.
//
//   none ──invalid stored──► stored ──CMD_TLBI queued──► sent ──command complete──► complete

import type { Expr, Place } from "../ir/expr.ts";
import { and, eq, knobIs, member, ne, not, or, TRUE, varies } from "../ir/expr.ts";
import type { Stmt } from "../ir/stmt.ts";
import { forall, set, when } from "../ir/stmt.ts";
import { pagesOf } from "./blocks.ts";
import { isTable } from "./descriptor.ts";
import { command } from "./events.ts";
import { cd_aset, cd_asid, cd_epd0, cd_ttb0, cd_v, cr2_ptm } from "./iommu.ts";
import { Range, t } from "./sorts.ts";
import {
  blocks_linked,
  break_stage,
  breaking,
  breaking_cpu,
  breaking_upper,
  breaking_upper_cpu,
  broken_upper,
  is_global,
  smmu_breaking,
  smmu_breaking_upper,
} from "./state.ts";

type Stage = (typeof break_stage.values)[number];
const stage = (name: Stage) => member(break_stage, name);

interface Command {
  readonly op: Expr<"command">;
  readonly asid: Expr<"asid">;
  readonly range: Expr<"range">;
}

/** Broadcasts reach a context that the SMMU matches by the CPUs' ASID. */
const hears = (pasid: Expr<"pasid">): Expr<"bool"> =>
  and(knobIs("btm", "yes"), not(cr2_ptm()), not(cd_aset(pasid)));

/** Runs `then` for the context of an mm, if there is one that hears no broadcasts. */
const contextOf = (mm: Expr<"mm">, then: (pasid: Expr<"pasid">) => readonly Stmt[]): Stmt =>
  when(
    knobIs("smmuv3", "yes"),
    forall(t.pasid, (pasid) => [
      when(and(cd_v(pasid), eq(cd_ttb0(pasid), mm), not(hears(pasid))), ...then(pasid)),
    ]),
  );

/** An entry that was valid is not: the SMMU may hold it from here on. */
export const smmuMustForget = (at: Place<"break_stage">, mm: Expr<"mm">): Stmt[] => [
  set(at, stage("none")),
  contextOf(mm, (pasid) => [when(not(cd_epd0(pasid)), set(at, stage("stored")))]),
];

/** It was told, or there is none. */
export const smmuForgot = (at: Expr<"break_stage">): Expr<"bool"> =>
  or(eq(at, stage("none")), eq(at, stage("complete")));

const is = (op: Expr<"command">, ...names: readonly (typeof command.values)[number][]) =>
  or(...names.map((name) => eq(op, member(command, name))));
const ALL = ["CMD_TLBI_NH_ALL", "CMD_TLBI_NSNH_ALL", "CMD_TLBI_S12_VMALL"] as const;

const removesPage = ({ op, asid, range }: Command, va: Expr<"va">, of: Expr<"asid">) =>
  or(
    is(op, ...ALL),
    and(is(op, "CMD_TLBI_NH_VAA"), Range.contains(range, va)),
    and(
      eq(asid, of),
      or(
        and(is(op, "CMD_TLBI_NH_ASID"), not(is_global(va))),
        and(is(op, "CMD_TLBI_NH_VA", "CMD_TLBI_NH_VA_Leaf"), Range.contains(range, va)),
      ),
    ),
  );

/** Any address in a block removes it (A8); a table's pointer goes with Leaf=0 alone. */
function removesUpper(
  { op, asid, range }: Command,
  r: Expr<"region">,
  { was, of }: { readonly was: Expr<"desc">; readonly of: Expr<"asid"> },
) {
  const touched = Range.overlaps(range, pagesOf(r));
  const leaf = is(op, "CMD_TLBI_NH_VA_Leaf", "CMD_TLBI_NH_VA_TTL2");
  return or(
    is(op, ...ALL),
    and(is(op, "CMD_TLBI_NH_VAA"), touched),
    and(
      eq(asid, of),
      or(
        is(op, "CMD_TLBI_NH_ASID"),
        and(or(is(op, "CMD_TLBI_NH_VA"), and(leaf, not(isTable(was)))), touched),
      ),
    ),
  );
}

/** For each entry whose sequence stands at `from`, if the command removes it. */
const advance = (
  [from, to]: readonly [Stage, Stage],
  c: Command,
  also: (at: Expr<"break_stage">, by: Expr<"cpu">, pasid: Expr<"pasid">) => Expr<"bool">,
): Stmt =>
  forall(t.mm, (mm) => [
    contextOf(mm, (pasid) => {
      const of = cd_asid(pasid);
      return [
        forall(t.va, (va) => [
          when(
            and(
              ...[eq(smmu_breaking(mm, va), stage(from)), removesPage(c, va, of)],
              also(breaking(mm, va), breaking_cpu(mm, va), pasid),
            ),
            set(smmu_breaking(mm, va), stage(to)),
          ),
        ]),
        when(
          varies(blocks_linked),
          forall(t.region, (r) => [
            when(
              and(
                eq(smmu_breaking_upper(mm, r), stage(from)),
                removesUpper(c, r, { was: broken_upper(mm, r), of }),
                also(breaking_upper(mm, r), breaking_upper_cpu(mm, r), pasid),
              ),
              set(smmu_breaking_upper(mm, r), stage(to)),
            ),
          ]),
        ),
      ];
    }),
  ]);

/** A command is queued: behind it the SMMU sees the stores of the CPU, and what others ordered. */
export const queuedTowardsSmmu = (cpu: Expr<"cpu">, c: Command): Stmt =>
  advance(["stored", "sent"], c, (at, by) => or(eq(by, cpu), ne(at, stage("stored"))));

/**
 * A command is complete; what was sent and it removes is gone. Of tables that the SMMU does not
 * walk any more nothing comes after it.
 */
export const completedBySmmu = (c: Command): Stmt[] => [
  advance(["sent", "complete"], c, () => TRUE),
  advance(["stored", "complete"], c, (_at, _by, pasid) => cd_epd0(pasid)),
];
