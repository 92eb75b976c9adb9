// SPDX-License-Identifier: Apache-2.0
// Benchmark models S, M and L with caches as cells, so that they can be closed into windows.
//
//   pte ──► tlb[cpu][page]
//   pte ──► stlb ──► req ──► atc ──► dma     per page: IOTLB, ATS response, ATC, access in flight

import type { System } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
import { FALSE, ne, TRUE } from "../../packages/shootdown/src/ir/expr.ts";
import type { CellFn, ObserverDecl, RuleDecl } from "../../packages/shootdown/src/ir/machine.ts";
import { cell, event, observer, on, rule } from "../../packages/shootdown/src/ir/machine.ts";
import { bool } from "../../packages/shootdown/src/ir/sort.ts";
import {
  clear,
  emit,
  pick,
  set,
  violate,
  when,
  yields,
} from "../../packages/shootdown/src/ir/stmt.ts";
import type { ModelOptions } from "./shootdown-s.ts";
import {
  ainv,
  cpu,
  free,
  ipiRule,
  NONE,
  page,
  perm,
  pte,
  queueRules,
  system,
} from "./shootdown-s.ts";

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
 * The system; `pages` is 2 in S, M and L. The numbers of states are those of the prototype (1,491
 * for S).
 */
export function cellModel(given: ModelOptions, pages = 2): System {
  const options = { operands: "sets", ...given } as const;
  const flush = (c: Expr<"cpu">, p: Expr<"page">) => clear(tlb({ cpu: c, page: p }));
  return system(
    options,
    pages,
    { flush },
    {
      machine: {
        cells: [tlb.decl, stlb.decl, req.decl, atc.decl, dma.decl],
        pending: [],
        rules: [
          ipiRule(options, flush),
          ...rules,
          ...queueRules(options, pages, (p) => clear(stlb({ page: p }))),
        ],
        definitions: [],
      },
      observers: [useAfterFree],
    },
  );
}
