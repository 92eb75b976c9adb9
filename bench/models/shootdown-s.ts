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
import type { Encoding } from "./operands.ts";
import { operands } from "./operands.ts";

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
const req_value = field("req_value", [], perm);
const dma = field("dma", [], bool);
export const ack = field("ack", [cpu, cpu], bool);
const done = field("done", [cpu], bool);
const q_op = field("q_op", [slot], command);

const source = { file: "bench/models/shootdown-s.ts" };
const q = (n: number) => constant(slot, n);
/** A cache, a response or an access has got hold of a page; a page's frame has been freed. */
const filled = event("filled", { page });
const freed = event("freed", { page });
const unlocked = event("unlocked", { page });

/** What may be absent, in either encoding. */
function parts(encoding: Encoding) {
  return {
    req_page: operands(encoding, "req_page", [], page)(),
    dma_page: operands(encoding, "dma_page", [], page)(),
    q_page: operands(encoding, "q_page", [slot], page),
    q_cpu: operands(encoding, "q_cpu", [slot], cpu),
    ipi_page: operands(encoding, "ipi_page", [cpu], page),
  };
}
type Parts = ReturnType<typeof parts>;
const PARTS = { numbers: parts("numbers"), sets: parts("sets") } as const;
const partsOf = (options: ModelOptions): Parts => PARTS[options.operands ?? "numbers"];

/** Handling an IPI: the sender's page is dropped, and forgotten with the last acknowledgement. */
export function ipiRule(options: ModelOptions, drop: CpuParts["flush"]): RuleDecl {
  const { ipi_page } = partsOf(options);
  const all = Array.from({ length: options.cpus }, (_, n) => constant(cpu, n));
  return rule("ipi", {
    forall: { from: cpu, to: cpu },
    when: ({ from, to }) => ack(from, to),
    body: ({ from, to }) => [
      forall(page, (p) => [when(ipi_page(from).is(p), drop(to, p))]),
      set(ack(from, to), FALSE),
      when(and(...all.map((c) => not(ack(from, c)))), ipi_page(from).drop),
    ],
    source,
  });
}

const rulesOf = ({ req_page, dma_page }: Parts): RuleDecl[] => [
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
    body: ({ p }) => [req_page.put(p), set(req_value(), stlb(p)), emit(filled, { page: p })],
    source,
  }),
  rule("ats_response", {
    forall: { p: page },
    when: ({ p }) => and(ne(req_value(), NONE), req_page.is(p)),
    body: ({ p }) => [
      set(atc(p), req_value()),
      set(req_value(), NONE),
      req_page.drop,
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
    body: ({ p }) => [set(dma(), TRUE), dma_page.put(p), emit(filled, { page: p })],
    source,
  }),
  rule("dma_land", {
    forall: {},
    when: () => dma(),
    body: () => [set(dma(), FALSE), dma_page.drop],
    source,
  }),
  rule("atc_invalidated", {
    forall: { p: page },
    when: ({ p }) => and(ainv(p), not(and(dma(), dma_page.is(p)))),
    body: ({ p }) => [
      set(atc(p), NONE),
      when(and(ne(req_value(), NONE), req_page.is(p)), set(req_value(), NONE), req_page.drop),
      set(ainv(p), FALSE),
    ],
    source,
  }),
];

const shift = ({ q_page, q_cpu }: Parts): Stmt[] => [
  set(q_op(q(0)), q_op(q(1))),
  q_page(q(0)).copy(q_page(q(1))),
  q_cpu(q(0)).copy(q_cpu(q(1))),
  set(q_op(q(1)), q_op(q(2))),
  q_page(q(1)).copy(q_page(q(2))),
  q_cpu(q(1)).copy(q_cpu(q(2))),
  set(q_op(q(2)), member(command, "none")),
  q_page(q(2)).drop,
  q_cpu(q(2)).drop,
];

/** The queue's end; `invalidate` is what a TLBI does to the IOTLB. */
export function queueRules(
  options: ModelOptions,
  pages: number,
  invalidate: (p: Expr<"page">) => Stmt,
): RuleDecl[] {
  const { q_page, q_cpu } = partsOf(options);
  const next = shift(partsOf(options));
  const idle = Array.from({ length: pages }, (_, p) => not(ainv(constant(page, p))));
  return [
    rule("queue_tlbi", {
      forall: { p: page },
      when: ({ p }) => and(eq(q_op(q(0)), member(command, "TLBI")), q_page(q(0)).is(p)),
      body: ({ p }) => [invalidate(p), ...next],
      source,
    }),
    rule("queue_atci", {
      forall: { p: page },
      when: ({ p }) =>
        and(eq(q_op(q(0)), member(command, "ATCI")), q_page(q(0)).is(p), not(ainv(p))),
      body: ({ p }) => [set(ainv(p), TRUE), ...next],
      source,
    }),
    rule("queue_sync", {
      forall: { c: cpu },
      when: ({ c }) => and(eq(q_op(q(0)), member(command, "SYNC")), q_cpu(q(0)).is(c), ...idle),
      body: ({ c }) => [set(done(c), TRUE), ...next],
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
  /** How operands that may be absent are written; numbers, unless symmetries are asked for. */
  readonly operands?: Encoding;
}

/** What a CPU does to its own TLB. */
export interface CpuParts {
  readonly flush: (c: Expr<"cpu">, p: Expr<"page">) => Stmt;
}

/** One CPU's program: 15 places, 0..14. */
function thread(c: number, options: ModelOptions, parts: CpuParts): Stmt[] {
  const { flush } = parts;
  const me = constant(cpu, c);
  const p = local("p", page);
  const was = local("was", perm);
  const others = Array.from({ length: options.cpus }, (_, n) => n).filter((n) => n !== c);
  const { q_page, q_cpu, ipi_page } = partsOf(options);
  const put = (n: number, op: "TLBI" | "ATCI" | "SYNC") => [
    set(q_op(q(n)), member(command, op)),
    op === "SYNC" ? q_cpu(q(n)).put(me) : q_page(q(n)).put(p),
  ];
  const [first, second] =
    options.bug === 1 ? (["ATCI", "TLBI"] as const) : (["TLBI", "ATCI"] as const);
  const unmap: Stmt[] = [
    flush(me, p),
    atomic(
      ...others.map((o) => set(ack(me, constant(cpu, o)), TRUE)),
      ipi_page(me).put(p),
      set(locked(), FALSE),
    ),
    await_(and(...others.map((o) => not(ack(me, constant(cpu, o)))))),
    atomic(
      await_(eq(q_op(q(0)), member(command, "none"))),
      ...put(0, first),
      ...put(1, second),
      ...put(2, "SYNC"),
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

const useAfterFree = ({ req_page, dma_page }: Parts): ObserverDecl =>
  observer(
    "use_after_free",
    "a freed frame is still in a cache, in a response or in flight",
    on(filled, ({ page: p }) => [when(free(p), violate("use_after_free"))]),
    on(freed, ({ page: p }) => [
      when(
        or(
          ne(stlb(p), NONE),
          ne(atc(p), NONE),
          and(ne(req_value(), NONE), req_page.is(p)),
          and(dma(), dma_page.is(p)),
        ),
        violate("use_after_free"),
      ),
      forall(cpu, (c) => [when(ne(tlb(c, p), NONE), violate("use_after_free"))]),
    ]),
  );

/** The system; `pages` is 2 in S, M and L. */
export function model(options: ModelOptions, pages = 2): System {
  const flush: CpuParts["flush"] = (c, p) => set(tlb(c, p), NONE);
  return system(
    options,
    pages,
    { flush },
    {
      machine: {
        cells: [],
        pending: [],
        rules: [
          ipiRule(options, flush),
          ...rulesOf(partsOf(options)),
          ...queueRules(options, pages, (p) => set(stlb(p), NONE)),
        ],
        definitions: [],
      },
      observers: [useAfterFree(partsOf(options))],
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
