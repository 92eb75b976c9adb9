// SPDX-License-Identifier: Apache-2.0
// The property of rules A17 and A18: an entry in use changes only when all have forgotten it.
//
//   none ──invalid stored──► stored ──DSB──► ordered ──TLBI──► sent ──DSB ISH──► complete

import type { Expr, Place } from "../ir/expr.ts";
import { and, eq, FALSE, ite, member, ne, not, or, ruleHolds, TRUE, varies } from "../ir/expr.ts";
import { observer, on } from "../ir/machine.ts";
import type { Stmt } from "../ir/stmt.ts";
import { forall, set, violate, when } from "../ir/stmt.ts";
import { pagesOf } from "./blocks.ts";
import {
  completedBySmmu,
  queuedTowardsSmmu,
  smmuForgot,
  smmuMustForget,
} from "./break-before-make-smmu.ts";
import { mayBeCached } from "./change.ts";
import { DBM, isTable, nextOf, PTE_NONE, pfnOf, RDONLY, valid } from "./descriptor.ts";
import { ANY_ASID, BROADCAST, dsb_op, events, tlbi_op } from "./events.ts";
import { Range, regionOf, t } from "./sorts.ts";
import {
  asid_of,
  blocks_linked,
  break_stage,
  breaking,
  breaking_cpu,
  breaking_sent,
  breaking_upper,
  breaking_upper_cpu,
  breaking_upper_sent,
  broken,
  broken_upper,
  is_global,
  is_xs,
  pmd,
  pte_table,
  smmu_breaking,
  smmu_breaking_upper,
} from "./state.ts";

type Stage = (typeof break_stage.values)[number];
const stage = (name: Stage) => member(break_stage, name);

/** How far the sequence has come for an entry. */
interface Sequence {
  readonly at: Place<"break_stage">;
  /** The same of the SMMU. */
  readonly smmu: Place<"break_stage">;
  readonly by: Place<"cpu">;
  /** Until it is ordered, who else has seen the store; then who has sent a TLBI since. */
  readonly sent: (cpu: Expr<"cpu">) => Place<"bool">;
  /** What the entry was. */
  readonly was: Place<"desc">;
}

interface Store {
  readonly cpu: Expr<"cpu">;
  readonly mm: Expr<"mm">;
  readonly old: Expr<"desc">;
  readonly value: Expr<"desc">;
}

interface Operation {
  readonly op: Expr<"tlbi_op">;
  readonly asid: Expr<"asid">;
  readonly range: Expr<"range">;
}

const page = (mm: Expr<"mm">, va: Expr<"va">): Sequence => ({
  at: breaking(mm, va),
  smmu: smmu_breaking(mm, va),
  by: breaking_cpu(mm, va),
  sent: (cpu) => breaking_sent(cpu, mm, va),
  was: broken(mm, va),
});

const upper = (mm: Expr<"mm">, r: Expr<"region">): Sequence => ({
  at: breaking_upper(mm, r),
  smmu: smmu_breaking_upper(mm, r),
  by: breaking_upper_cpu(mm, r),
  sent: (cpu) => breaking_upper_sent(cpu, mm, r),
  was: broken_upper(mm, r),
});

/** Another frame of a leaf, where a write may tell the two apart. */
const frameChanges = (old: Expr<"desc">, value: Expr<"desc">): Expr<"bool"> =>
  and(
    ...[not(isTable(old)), not(isTable(value)), ne(pfnOf(old), pfnOf(value))],
    or(not(RDONLY(old)), not(RDONLY(value)), DBM(old), DBM(value)),
  );

/**
 * Rule A17: a change that other agents must not see both sides of. Permissions and dirty state may
 * change in place; contents of frames are not modelled: between read-only leaves they are the same.
 */
const needsBreak = (old: Expr<"desc">, value: Expr<"desc">): Expr<"bool"> =>
  and(
    ...[ruleHolds("A17"), mayBeCached(old), mayBeCached(value)],
    or(ne(isTable(old), isTable(value)), frameChanges(old, value)),
  );

/** What a store of an entry means for its sequence. */
const stored = (
  s: Sequence,
  { cpu, mm, old, value, reachable }: Store & { readonly reachable: Expr<"bool"> },
): Stmt[] => [
  when(needsBreak(old, value), violate("break_before_make")),
  when(
    and(ruleHolds("A18"), not(valid(old)), needsBreak(s.was, value)),
    when(not(forgotten(s)), violate("break_before_make")),
  ),
  // Who stores another invalid entry does so after the store that it saw, and goes on with it.
  when(and(not(valid(old)), not(valid(value)), eq(s.at, stage("stored"))), set(s.sent(cpu), TRUE)),
  when(and(valid(old), not(valid(value)), reachable), ...breaks(s, cpu, mm, old)),
  when(valid(value), set(s.was, PTE_NONE)),
];

/** The sequence begins. */
const breaks = (s: Sequence, cpu: Expr<"cpu">, mm: Expr<"mm">, old: Expr<"desc">): Stmt[] => [
  set(s.was, old),
  ...reached(s, "stored", cpu),
  ...nobodySent(s),
  ...smmuMustForget(s.smmu, mm),
];

const nobodySent = (s: Sequence): Stmt[] => [forall(t.cpu, (of) => [set(s.sent(of), FALSE)])];

/** Every agent has been made to forget. */
const forgotten = (s: Sequence): Expr<"bool"> =>
  and(eq(s.at, stage("complete")), smmuForgot(s.smmu));

const reached = (s: Sequence, to: Stage, cpu: Expr<"cpu">): Stmt[] => [
  set(s.at, stage(to)),
  set(s.by, cpu),
];

const is = (op: Expr<"tlbi_op">, ...names: readonly (typeof tlbi_op.values)[number][]) =>
  or(...names.map((name) => eq(op, member(tlbi_op, name))));

/** Every PE of the domain removes translations of this mm's stage 1. */
const reaches = ({ op, asid }: Operation, mm: Expr<"mm">): Expr<"bool"> =>
  and(
    ...[is(op, ...BROADCAST), not(is(op, "IPAS2E1IS"))],
    or(eq(asid, asid_of(mm)), is(op, ...ANY_ASID)),
  );

/** A wrong hint need not remove anything (A22), an nXS form not wait for XS=1 (A28). */
const removesPage = ({ op, range }: Operation, va: Expr<"va">, was: Expr<"desc">) =>
  and(
    ...[Range.contains(range, va), not(is(op, "VAE1IS_TTL2", "VALE1IS_TTL2"))],
    not(and(is(op, "VALE1ISnXS"), is_xs(pfnOf(was)))),
    not(and(is(op, "ASIDE1IS"), is_global(va))),
  );

/** Any address in a block removes it (A8); of a table the pointer, unless leaf-only (A21). */
function removesUpper({ op, range }: Operation, r: Expr<"region">, was: Expr<"desc">) {
  const leafOnly = is(op, "VALE1IS", "VAALE1IS", "VALE1IS_TTL2", "VALE1IS_TTL3", "VALE1ISnXS");
  const ofTable = not(or(leafOnly, is(op, "VAE1IS_TTL2", "VAE1IS_TTL3")));
  const xs = and(is(op, "VALE1ISnXS"), is_xs(pfnOf(was)));
  const ofBlock = not(or(is(op, "VAE1IS_TTL3", "VALE1IS_TTL3"), xs));
  return and(Range.overlaps(range, pagesOf(r)), ite(isTable(was), ofTable, ofBlock));
}

/** The pages of a table are unlinked with it, and a block in its place waits for each. */
const ofPages = ({ cpu, mm, old, value }: Store, va: Expr<"va">): Stmt[] => {
  const s = page(mm, va);
  const leaf = pte_table(nextOf(old), va);
  return [
    when(
      and(ruleHolds("A18"), valid(value), not(isTable(value))),
      when(and(mayBeCached(s.was), not(forgotten(s))), violate("break_before_make")),
    ),
    when(and(isTable(old), not(valid(value)), mayBeCached(leaf)), ...breaks(s, cpu, mm, leaf)),
  ];
};

/** For each entry that changes. */
const forEach = (
  then: (s: Sequence) => readonly Stmt[],
  ofPage: (s: Sequence, mm: Expr<"mm">, va: Expr<"va">) => Expr<"bool">,
  ofUpper: (s: Sequence, mm: Expr<"mm">, r: Expr<"region">) => Expr<"bool">,
): Stmt =>
  forall(t.mm, (mm) => [
    forall(t.va, (va) => {
      const s = page(mm, va);
      return [when(ofPage(s, mm, va), ...then(s))];
    }),
    when(
      varies(blocks_linked),
      forall(t.region, (r) => {
        const s = upper(mm, r);
        return [when(ofUpper(s, mm, r), ...then(s))];
      }),
    ),
  ]);

export const break_before_make = observer(
  "break_before_make",
  "an entry in use changes its frame or size, and not everybody was made to forget the old one",
  on(events.pte_store, ({ cpu, mm, va, old, value }) => {
    // An entry of a table that was unlinked and forgotten is in use no more.
    const linked = or(not(varies(blocks_linked)), isTable(pmd(mm, regionOf(va))));
    const reachable = or(linked, not(forgotten(page(mm, va))));
    return stored(page(mm, va), { cpu, mm, old, value, reachable });
  }),
  on(events.block_store, ({ cpu, mm, region: r, old, value }) => [
    ...stored(upper(mm, r), { cpu, mm, old, value, reachable: TRUE }),
    forall(t.va, (va) => [when(eq(regionOf(va), r), ...ofPages({ cpu, mm, old, value }, va))]),
  ]),
  on(events.cmdq, ({ cpu, ...command }) => [queuedTowardsSmmu(cpu, command)]),
  on(events.cmdq_done, (command) => completedBySmmu(command)),
  on(events.tlbi, ({ cpu, ...operation }) => {
    const waits = (s: Sequence) => eq(s.at, stage("ordered"));
    return [
      forEach(
        (s) => [set(s.sent(cpu), TRUE)],
        (s, mm, va) => and(waits(s), reaches(operation, mm), removesPage(operation, va, s.was)),
        (s, mm, r) => and(waits(s), reaches(operation, mm), removesUpper(operation, r, s.was)),
      ),
    ];
  }),
  on(events.dsb, ({ cpu, op }) => {
    const sent = (s: Sequence) => and(eq(s.at, stage("ordered")), s.sent(cpu));
    const seen = (s: Sequence) => and(eq(s.at, stage("stored")), or(eq(s.by, cpu), s.sent(cpu)));
    const completed = (s: Sequence) => [set(s.at, stage("complete"))];
    const ordered = (s: Sequence) => [set(s.at, stage("ordered")), ...nobodySent(s)];
    return [
      when(eq(op, member(dsb_op, "ISH")), forEach(completed, sent, sent)),
      when(ne(op, member(dsb_op, "NSH")), forEach(ordered, seen, seen)),
    ];
  }),
);
