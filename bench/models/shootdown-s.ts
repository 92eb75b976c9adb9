// SPDX-License-Identifier: Apache-2.0
// Benchmark models S, M and L: unmap and upgrade with IPIs, a queue, an IOMMU and an ATS device.
//
//   CPU: lock, clear, flush, post IPIs, wait for acks, queue TLBI ATCI SYNC, wait, free
//   any time: fills, evictions, IPI handling, ATS request and response, DMA start and landing
//
// Written with plain fields and rules, so that a state is exactly what other checkers count.

import type { Domain, System } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
import {
  and,
  constant,
  eq,
  FALSE,
  field,
  member,
  ne,
  not,
  or,
  place,
  TRUE,
} from "../../packages/shootdown/src/ir/expr.ts";
import type { Machine, ObserverDecl, RuleDecl } from "../../packages/shootdown/src/ir/machine.ts";
import { event, observer, on, rule } from "../../packages/shootdown/src/ir/machine.ts";
import type { Ty } from "../../packages/shootdown/src/ir/sort.ts";
import { bool, enumeration, symbol } from "../../packages/shootdown/src/ir/sort.ts";
import type { Stmt } from "../../packages/shootdown/src/ir/stmt.ts";
import {
  atomic,
  await_,
  choose,
  emit,
  forall,
  set,
  violate,
  when,
  whenElse,
} from "../../packages/shootdown/src/ir/stmt.ts";

export const cpu = symbol("cpu");
export const page = symbol("page");
export const perm = enumeration("perm", ["none", "RO", "RW"]);
const command = enumeration("command", ["none", "TLBI", "ATCI", "SYNC"]);
const slot = symbol("slot");
export const NONE = member(perm, "none");
const RO = member(perm, "RO");
const RW = member(perm, "RW");

export const pte = field("pte", [page], perm);
export const free = field("free", [page], bool);
const locked = field("locked", [], bool);
const tlb = field("tlb", [cpu, page], perm);
const stlb = field("stlb", [page], perm);
const atc = field("atc", [page], perm);
export const ainv = field("ainv", [page], bool);
const req_page = field("req_page", [], page);
const req_value = field("req_value", [], perm);
const dma = field("dma", [], bool);
const dma_page = field("dma_page", [], page);
export const ack = field("ack", [cpu, cpu], bool);
const done = field("done", [cpu], bool);
const q_op = field("q_op", [slot], command);
const q_page = field("q_page", [slot], page);
const q_cpu = field("q_cpu", [slot], cpu);

const source = { file: "bench/models/shootdown-s.ts" };
const q = (n: number) => constant(slot, n);
const nobody = constant(cpu, 0);
const nowhere = constant(page, 0);
/** A cache, a response or an access has got hold of a page; a page's frame has been freed. */
const filled = event("filled", { page });
const freed = event("freed", { page });
const unlocked = event("unlocked", { page });

const rules: RuleDecl[] = [
  rule("tlb_fill", {
    forall: { c: cpu, p: page },
    when: ({ c, p }) => and(eq(tlb(c, p), NONE), ne(pte(p), NONE)),
    body: ({ c, p }) => [set(tlb(c, p), pte(p)), emit(filled, { page: p })],
    source,
  }),
  rule("tlb_evict", {
    forall: { c: cpu, p: page },
    when: ({ c, p }) => ne(tlb(c, p), NONE),
    body: ({ c, p }) => [set(tlb(c, p), NONE)],
    source,
  }),
  rule("ipi", {
    forall: { from: cpu, to: cpu },
    when: ({ from, to }) => ack(from, to),
    body: ({ from, to }) => [
      forall(page, (p) => [set(tlb(to, p), NONE)]),
      set(ack(from, to), FALSE),
    ],
    source,
  }),
  rule("stlb_fill", {
    forall: { p: page },
    when: ({ p }) => and(eq(stlb(p), NONE), ne(pte(p), NONE)),
    body: ({ p }) => [set(stlb(p), pte(p)), emit(filled, { page: p })],
    source,
  }),
  rule("stlb_evict", {
    forall: { p: page },
    when: ({ p }) => ne(stlb(p), NONE),
    body: ({ p }) => [set(stlb(p), NONE)],
    source,
  }),
  rule("ats_request", {
    forall: { p: page },
    when: ({ p }) => and(eq(req_value(), NONE), eq(atc(p), NONE), ne(stlb(p), NONE)),
    body: ({ p }) => [set(req_page(), p), set(req_value(), stlb(p)), emit(filled, { page: p })],
    source,
  }),
  rule("ats_response", {
    forall: { p: page },
    when: ({ p }) => and(ne(req_value(), NONE), eq(req_page(), p)),
    body: ({ p }) => [
      set(atc(p), req_value()),
      set(req_value(), NONE),
      set(req_page(), nowhere),
      emit(filled, { page: p }),
    ],
    source,
  }),
  rule("atc_evict", {
    forall: { p: page },
    when: ({ p }) => ne(atc(p), NONE),
    body: ({ p }) => [set(atc(p), NONE)],
    source,
  }),
  rule("dma_start", {
    forall: { p: page },
    when: ({ p }) => and(not(dma()), ne(atc(p), NONE)),
    body: ({ p }) => [set(dma(), TRUE), set(dma_page(), p), emit(filled, { page: p })],
    source,
  }),
  rule("dma_land", {
    forall: {},
    when: () => dma(),
    body: () => [set(dma(), FALSE), set(dma_page(), nowhere)],
    source,
  }),
  rule("atc_invalidated", {
    forall: { p: page },
    when: ({ p }) => and(ainv(p), not(and(dma(), eq(dma_page(), p)))),
    body: ({ p }) => [
      set(atc(p), NONE),
      when(
        and(ne(req_value(), NONE), eq(req_page(), p)),
        set(req_value(), NONE),
        set(req_page(), nowhere),
      ),
      set(ainv(p), FALSE),
    ],
    source,
  }),
];

const shift: Stmt[] = [
  set(q_op(q(0)), q_op(q(1))),
  set(q_page(q(0)), q_page(q(1))),
  set(q_cpu(q(0)), q_cpu(q(1))),
  set(q_op(q(1)), q_op(q(2))),
  set(q_page(q(1)), q_page(q(2))),
  set(q_cpu(q(1)), q_cpu(q(2))),
  set(q_op(q(2)), member(command, "none")),
  set(q_page(q(2)), nowhere),
  set(q_cpu(q(2)), nobody),
];

/** The queue's end; `invalidate` is what a TLBI does to the IOTLB. */
export function queueRules(pages: number, invalidate: (p: Expr<"page">) => Stmt): RuleDecl[] {
  const idle = Array.from({ length: pages }, (_, p) => not(ainv(constant(page, p))));
  return [
    rule("queue_tlbi", {
      forall: { p: page },
      when: ({ p }) => and(eq(q_op(q(0)), member(command, "TLBI")), eq(q_page(q(0)), p)),
      body: ({ p }) => [invalidate(p), ...shift],
      source,
    }),
    rule("queue_atci", {
      forall: { p: page },
      when: ({ p }) =>
        and(eq(q_op(q(0)), member(command, "ATCI")), eq(q_page(q(0)), p), not(ainv(p))),
      body: ({ p }) => [set(ainv(p), TRUE), ...shift],
      source,
    }),
    rule("queue_sync", {
      forall: { c: cpu },
      when: ({ c }) => and(eq(q_op(q(0)), member(command, "SYNC")), eq(q_cpu(q(0)), c), ...idle),
      body: ({ c }) => [set(done(c), TRUE), ...shift],
      source,
    }),
  ];
}

const local = <S extends string>(name: string, sort: Ty<S>) => place<S>({ k: "local", name, sort });

export interface ModelOptions {
  readonly cpus: number;
  readonly upgrade: boolean;
  /** Seeded bugs: 1 = ATCI queued before TLBI; 2 = freed without waiting for the SYNC. */
  readonly bug?: 1 | 2;
}

/** What a CPU does to its own TLB, and with its IPIs. */
export interface CpuParts {
  readonly flush: (c: Expr<"cpu">, p: Expr<"page">) => Stmt;
  readonly sent?: (c: Expr<"cpu">, p: Expr<"page">) => Stmt;
}

/** One CPU's program: 15 places, 0..14. */
function thread(c: number, options: ModelOptions, parts: CpuParts): Stmt[] {
  const { flush } = parts;
  const me = constant(cpu, c);
  const p = local("p", page);
  const was = local("was", perm);
  const others = Array.from({ length: options.cpus }, (_, n) => n).filter((n) => n !== c);
  const put = (n: number, op: "TLBI" | "ATCI" | "SYNC", pg: Expr<"page">, who: Expr<"cpu">) => [
    set(q_op(q(n)), member(command, op)),
    set(q_page(q(n)), pg),
    set(q_cpu(q(n)), who),
  ];
  const [first, second] =
    options.bug === 1 ? (["ATCI", "TLBI"] as const) : (["TLBI", "ATCI"] as const);
  const unmap: Stmt[] = [
    flush(me, p),
    atomic(
      ...others.map((o) => set(ack(me, constant(cpu, o)), TRUE)),
      ...(parts.sent ? [parts.sent(me, p)] : []),
      set(locked(), FALSE),
    ),
    await_(and(...others.map((o) => not(ack(me, constant(cpu, o)))))),
    atomic(
      await_(eq(q_op(q(0)), member(command, "none"))),
      ...put(0, first, p, nobody),
      ...put(1, second, p, nobody),
      ...put(2, "SYNC", nowhere, me),
    ),
    ...(options.bug === 2 ? [] : [atomic(await_(done(me)), set(done(me), FALSE))]),
    atomic(set(free(p), TRUE), emit(freed, { page: p })),
  ];
  const upgrade: Stmt[] = [
    choose(p, page),
    atomic(await_(not(locked())), set(locked(), TRUE)),
    atomic(set(was, pte(p)), when(eq(was, RO), set(pte(p), RW))),
    when(eq(was, RO), flush(me, p)),
    // The page register is given up with the lock.
    atomic(set(locked(), FALSE), emit(unlocked, { page: p })),
  ];
  return [
    choose(p, page),
    atomic(await_(not(locked())), set(locked(), TRUE)),
    atomic(set(was, pte(p)), whenElse(eq(was, NONE), [set(locked(), FALSE)], [set(pte(p), NONE)])),
    when(ne(was, NONE), ...unmap),
    ...(options.upgrade ? upgrade : []),
  ];
}

const useAfterFree: ObserverDecl = observer(
  "use_after_free",
  "a freed frame is still in a cache, in a response or in flight",
  on(filled, ({ page: p }) => [when(free(p), violate("use_after_free"))]),
  on(freed, ({ page: p }) => [
    when(
      or(
        ne(stlb(p), NONE),
        ne(atc(p), NONE),
        and(ne(req_value(), NONE), eq(req_page(), p)),
        and(dma(), eq(dma_page(), p)),
      ),
      violate("use_after_free"),
    ),
    forall(cpu, (c) => [when(ne(tlb(c, p), NONE), violate("use_after_free"))]),
  ]),
);

/** The system; `pages` is 2 in S, M and L. */
export function model(options: ModelOptions, pages = 2): System {
  return system(
    options,
    pages,
    { flush: (c, p) => set(tlb(c, p), NONE) },
    {
      machine: {
        cells: [],
        pending: [],
        rules: [...rules, ...queueRules(pages, (p) => set(stlb(p), NONE))],
        definitions: [],
      },
      observers: [useAfterFree],
    },
  );
}

/** The CPUs' programs on some hardware. */
export function system(
  options: ModelOptions,
  pages: number,
  parts: CpuParts,
  hardware: { readonly machine: Machine; readonly observers: readonly ObserverDecl[] },
): System {
  const domain: Domain = {
    sizes: { cpu: options.cpus, page: pages, slot: 3 },
    names: {},
    limits: {},
  };
  return {
    ...hardware,
    kernel: { name: "model", version: "0", routines: new Map() },
    domain,
    knobs: {},
    threads: Array.from({ length: options.cpus }, (_, c) => ({
      name: `CPU${c}`,
      locals: { p: page, was: perm },
      body: thread(c, options, parts),
    })),
    initial: Array.from({ length: pages }, (_, p) => ({
      field: pte.decl,
      index: [p],
      value: 1,
    })),
    entries: [],
  };
}
