// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import type { Node } from "../ir/expr.ts";
import { field } from "../ir/expr.ts";
import { cell, event, pending } from "../ir/machine.ts";
import { bool, int } from "../ir/sort.ts";
import { beginsStep, defines, liveness, operands, successors, visitNode } from "./flow.ts";
import type { Instr, Operation } from "./program.ts";
import { codeText } from "./text.ts";
import { tidy } from "./tidy.ts";

const shared = field("shared", [int], int);
const source = { file: "toy" };
const store_ = cell("store", { keys: { int }, value: int, source });
const queue = pending("queue", {
  keys: {},
  entry: { n: int },
  capacity: "N",
  effect: () => [],
  source,
});
const seen = event("seen", { n: int });

const origin = { routine: "toy", step: 1, stmt: undefined };
const at = (o: Operation, extra: Partial<Instr> = {}): Instr =>
  ({ ...o, origin, joined: false, ...extra }) as Instr;
const r = (reg: number): Node => ({ k: "reg", reg, sort: int });
const c = (value: number): Node => ({ k: "const", value, sort: int });
const read: Node = { k: "read", field: shared.decl, index: [r(9)], sort: int };
const let_ = (reg: number, value: Node): Instr => at({ op: "let", reg, value });
const jump = (to: number): Instr => at({ op: "jump", to });
const branch = (cond: Node, to: number): Instr => at({ op: "branch", cond, to });
const put = (value: Node, extra: Partial<Instr> = {}): Instr =>
  at({ op: "store", field: shared.decl, index: [c(0)], value }, extra);
const halt = at({ op: "halt" });
const text = (code: readonly Instr[]): string[] =>
  codeText({ instrs: code, registers: new Map() })
    .split("\n")
    .map((line) => line.trim().replace(/ +/g, " "));
const live = (code: readonly Instr[]): number[][] => code.map((_, at) => liveness(code).at(at));

test("a register is live from where it is set to where it is read", () => {
  const code = [let_(1, c(0)), put(c(0)), let_(2, r(1)), put(r(2)), halt];
  expect(live(code)).toEqual([[], [1], [1], [2], []]);
});

test("a register is live round a loop", () => {
  const code = [let_(1, c(0)), branch(r(2), 4), put(r(1)), jump(1), halt];
  expect(live(code)).toEqual([[2], [1, 2], [1, 2], [1, 2], []]);
});

test("each, next and grow read the register that they change", () => {
  const code = [
    at({ op: "each", reg: 1, over: r(2), to: 3 }),
    at({ op: "grow", reg: 3, by: r(1) }),
    at({ op: "next", reg: 1, stride: c(1), to: 0 }),
    halt,
  ];
  expect(live(code)).toEqual([[1, 2, 3], [1, 2, 3], [1, 2, 3], []]);
});

test("a condition binds its own register", () => {
  const code = [
    at({ op: "choose", reg: 1, sort: int, where: r(1) }),
    at({ op: "clear", cell: store_.decl, index: [r(1)], where: { reg: 2, cond: r(2) } }),
    halt,
  ];
  expect(live(code)).toEqual([[], [1], []]);
});

const where = { reg: 2, cond: r(2) };
const operations: readonly (readonly [
  Operation,
  begins: boolean,
  reads: number[],
  sets: number,
])[] = [
  [{ op: "let", reg: 1, value: r(2) }, false, [2], 1],
  [{ op: "let", reg: 1, value: read }, true, [9], 1],
  [{ op: "store", field: shared.decl, index: [r(2)], value: r(3) }, true, [2, 3], -1],
  [{ op: "xchg", reg: 1, field: shared.decl, index: [r(2)], value: r(3) }, true, [2, 3], 1],
  [
    { op: "cas", reg: 1, field: shared.decl, index: [r(2)], expect: r(3), value: r(4) },
    true,
    [2, 3, 4],
    1,
  ],
  [{ op: "branch", cond: r(2), to: 0 }, false, [2], -1],
  [{ op: "branch", cond: read, to: 0 }, true, [9], -1],
  [{ op: "jump", to: 0 }, false, [], -1],
  [{ op: "each", reg: 1, over: r(2), to: 0 }, false, [2], -1],
  [{ op: "next", reg: 1, stride: r(2), to: 0 }, false, [2], -1],
  [{ op: "grow", reg: 1, by: r(2) }, false, [2], -1],
  [{ op: "await", cond: r(2) }, true, [2], -1],
  [{ op: "retry", permitted: r(2) }, true, [2], -1],
  [{ op: "choose", reg: 1, sort: int, where: undefined }, true, [], 1],
  [{ op: "either", to: [0, 1] }, true, [], -1],
  [{ op: "lookup", reg: 1, cell: store_.decl, index: [r(2)], walks: true }, true, [2], 1],
  [{ op: "insert", cell: store_.decl, index: [r(2)], value: r(3) }, true, [2, 3], -1],
  [{ op: "clear", cell: store_.decl, index: [r(3)], where }, true, [3, 2], -1],
  [{ op: "post", set: queue.decl, index: [], entry: [["n", r(2)]] }, true, [2], -1],
  [{ op: "emit", event: seen, args: [["n", r(2)]] }, false, [2], -1],
  [{ op: "yield", value: r(2) }, false, [2], -1],
  [{ op: "yieldHeld", cell: store_.decl, index: [r(2)] }, false, [2], -1],
  [{ op: "violate", observer: "o" }, false, [], -1],
  [{ op: "halt" }, true, [], -1],
];

test.each(operations)("%o", (operation, begins, reads, sets) => {
  expect(beginsStep(at(operation))).toBe(begins);
  expect(beginsStep(at(operation, { joined: true }))).toBe(false);
  expect(beginsStep(at(operation, { first: true }))).toBe(true);
  const found: number[] = [];
  for (const node of operands(operation)) {
    visitNode(node, (n) => {
      if (n.k === "reg") found.push(n.reg);
    });
  }
  expect(found).toEqual(reads);
  expect(defines(operation)).toBe(sets);
});

test("nodes are visited with all below them", () => {
  const node: Node = {
    k: "outstanding",
    set: queue.decl,
    index: [{ k: "any" }, { k: "in", range: r(1) }],
    where: [
      [
        "n",
        {
          k: "with",
          arg: { k: "get", field: "f", arg: r(2), sort: int },
          set: [["g", r(3)]],
          sort: int,
        },
      ],
    ],
    sort: bool,
  };
  const kinds: string[] = [];
  visitNode(node, (n) => kinds.push(n.k === "reg" ? `r${n.reg}` : n.k));
  expect(kinds).toEqual(["outstanding", "r1", "with", "get", "r2", "r3"]);
});

test("where an operation may go on", () => {
  expect(successors(jump(7), 2)).toEqual([7]);
  expect(successors(branch(r(1), 7), 2)).toEqual([3, 7]);
  expect(successors(at({ op: "either", to: [5, 6] }), 2)).toEqual([5, 6]);
  expect(successors(halt, 2)).toEqual([]);
  expect(successors(put(c(0)), 2)).toEqual([3]);
});

test("tidy: values that nobody reads, transitively", () => {
  const code = [let_(1, c(1)), let_(2, r(1)), let_(3, r(2)), put(c(5)), halt];
  expect(text(tidy(code))).toEqual(["0 shared[0] := 5", "1 halt"]);
});

test("tidy: unreachable code and jumps to jumps", () => {
  const code = [branch(r(1), 3), jump(4), put(c(9)), jump(5), put(c(1)), jump(6), halt];
  expect(text(tidy(code))).toEqual(["0 unless r1 goto 2", "1 shared[0] := 1", "2 halt"]);
});

test("tidy: alternatives go where their jumps led", () => {
  const code = [at({ op: "either", to: [1, 2] }), jump(4), jump(3), put(c(1)), halt];
  expect(text(tidy(code))).toEqual(["0 either 2,1", "1 shared[0] := 1", "2 halt"]);
});

test("tidy: a jump to itself stays", () => {
  expect(text(tidy([jump(0), halt]))).toEqual(["0 goto 0"]);
});

test("tidy: an atomic block keeps its beginning when its first statement goes", () => {
  const first = at({ op: "let", reg: 1, value: c(1) }, { first: true });
  const code = tidy([put(c(1)), first, put(c(2), { joined: true }), halt]);
  expect(text(code)).toEqual(["0 shared[0] := 1", "1 ^ goto 2", "2 + shared[0] := 2", "3 halt"]);
  expect(code.map(beginsStep)).toEqual([true, true, false, true]);
});

test("tidy: an atomic block of which nothing is left leaves nothing", () => {
  const first = at({ op: "let", reg: 1, value: c(1) }, { first: true });
  expect(text(tidy([put(c(1)), first, put(c(2)), halt]))).toEqual([
    "0 shared[0] := 1",
    "1 shared[0] := 2",
    "2 halt",
  ]);
});
