// SPDX-License-Identifier: Apache-2.0
// Benchmark models S, M and L with caches as cells, so that they can be closed into windows.
//
//   pte ──► tlb[cpu][page]
//   pte ──► stlb ──► req ──► atc ──► dma     per page: IOTLB, ATS response, ATC, access in flight

import type { System } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
import { ANY, and, constant, FALSE, ne, not, TRUE } from "../../packages/shootdown/src/ir/expr.ts";
import type { CellFn, ObserverDecl, RuleDecl } from "../../packages/shootdown/src/ir/machine.ts";
import { cell, event, observer, on, rule } from "../../packages/shootdown/src/ir/machine.ts";
import { bool } from "../../packages/shootdown/src/ir/sort.ts";
import {
  clear,
  emit,
  forall,
  pick,
  set,
  violate,
  when,
  yields,
} from "../../packages/shootdown/src/ir/stmt.ts";
import { operands } from "./operands.ts";
import type { ModelOptions } from "./shootdown-s.ts";
import { ack, ainv, cpu, free, NONE, page, perm, pte, queueRules, system } from "./shootdown-s.ts";

const source = { file: "bench/models/shootdown-cells.ts" };

const tlb = cell("tlb", {
  keys: { cpu, page },
  value: perm,
  locals: { e: perm },
  fill: ({ page: p, e }) => [set(e, pte(p)), when(ne(e, NONE), yields(e))],
  source,
});
const stlb = cell("stlb", {
  keys: { page },
  value: perm,
  locals: { e: perm },
  fill: ({ page: p, e }) => [set(e, pte(p)), when(ne(e, NONE), yields(e))],
  source,
});

type PageCell = CellFn<{ page: typeof page }, "perm">;

/** A cell that takes what another holds. */
const captured = (name: string, from: PageCell): PageCell =>
  cell(name, {
    keys: { page },
    value: perm,
    locals: { e: perm },
    fill: ({ page: p, e }) => [pick(e, from({ page: p })), yields(e)],
    source,
  });
const req = captured("req", stlb);
const atc = captured("atc", req);
const dma = cell("dma", {
  keys: { page },
  value: bool,
  locals: { e: perm },
  fill: ({ page: p, e }) => [pick(e, atc({ page: p })), yields(TRUE)],
  source,
});

/** The page that a CPU's IPIs are about, while one is under way. */
const ipi_page = operands("sets", "ipi_page", [cpu], page);

/** What an IPI drops: everything, as in `shootdown-s.ts`, or the sender's page. */
export type IpiScope = "all" | "page";

function ipi(cpus: number, scope: IpiScope): RuleDecl {
  const all = Array.from({ length: cpus }, (_, n) => constant(cpu, n));
  return rule("ipi", {
    forall: { from: cpu, to: cpu },
    when: ({ from, to }) => ack(from, to),
    body: ({ from, to }) => [
      scope === "all"
        ? clear(tlb({ cpu: to, page: ANY }))
        : forall(page, (p) => [when(ipi_page(from).is(p), clear(tlb({ cpu: to, page: p })))]),
      set(ack(from, to), FALSE),
      when(and(...all.map((c) => not(ack(from, c)))), ipi_page(from).drop),
    ],
    source,
  });
}

const used = event("used", { page });

const rules: RuleDecl[] = [
  rule("atc_invalidated", {
    forall: { p: page },
    when: ({ p }) => ainv(p),
    body: ({ p }) => [
      clear(atc({ page: p })),
      clear(req({ page: p })),
      // The completion waits until accesses in flight have landed, which they always can.
      clear(dma({ page: p })),
      set(ainv(p), FALSE),
    ],
    source,
  }),
  // What the property speaks of: each cell is looked at once its frame is free.
  rule("tlb_used", {
    forall: { c: cpu, p: page },
    locals: { e: perm },
    when: ({ p }) => free(p),
    body: ({ c, p, e }) => [pick(e, tlb({ cpu: c, page: p })), emit(used, { page: p })],
    source,
  }),
  ...[stlb, req, atc].map((c) =>
    rule(`${c.decl.name}_used`, {
      forall: { p: page },
      locals: { e: perm },
      when: ({ p }) => free(p),
      body: ({ p, e }) => [pick(e, c({ page: p })), emit(used, { page: p })],
      source,
    }),
  ),
  rule("dma_used", {
    forall: { p: page },
    locals: { e: bool },
    when: ({ p }) => free(p),
    body: ({ p, e }) => [pick(e, dma({ page: p })), emit(used, { page: p })],
    source,
  }),
];

const useAfterFree: ObserverDecl = observer(
  "use_after_free",
  "a freed frame is still in a cache, in a response or in flight",
  on(used, () => [violate("use_after_free")]),
);

/**
 * The system; `pages` is 2 in S, M and L. With `scope` "page" the numbers of states are those of
 * the prototype (1,491 for S); with "all" a CPU may also have lost a page that it is about to flush
 * itself, to an IPI for the other page: 88 states more in S. The software parts are the same 1,453.
 */
export function cellModel(given: ModelOptions, scope: IpiScope = "page", pages = 2): System {
  const options = { operands: "sets", ...given } as const;
  const parts = {
    flush: (c: Expr<"cpu">, p: Expr<"page">) => clear(tlb({ cpu: c, page: p })),
    sent: (c: Expr<"cpu">, p: Expr<"page">) => ipi_page(c).put(p),
  };
  return system(options, pages, parts, {
    machine: {
      cells: [tlb.decl, stlb.decl, req.decl, atc.decl, dma.decl],
      pending: [],
      rules: [
        ipi(options.cpus, scope),
        ...rules,
        ...queueRules(options, pages, (p) => clear(stlb({ page: p }))),
      ],
      definitions: [],
    },
    observers: [useAfterFree],
  });
}
