// SPDX-License-Identifier: Apache-2.0
// WebAssembly and JavaScript do what the language of compiled code says.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Interpreter } from "../../../../../test/support/code-interpreter.ts";
import {
  BINARIES,
  EDGES,
  moduleFrom,
  UNARIES,
  WINDOW_BYTES,
} from "../../../../../test/support/random-code.ts";
import type { Ex, Exports, Fn, Memory, Module, St } from "./code.ts";
import {
  bin,
  binary,
  br,
  brIf,
  call,
  iff,
  load,
  local,
  num,
  select,
  set,
  store,
  unary,
} from "./code.ts";
import type { LinearMemory } from "./javascript.ts";
import * as javascript from "./javascript.ts";
import type { Imports } from "./wasm.ts";
import * as wasm from "./wasm.ts";

const MEMORY: Memory = { initial: 1, maximum: 3, shared: false };

interface Instance {
  readonly memory: LinearMemory;
  readonly exports: Exports;
}
type Target = (module: Module, imports?: Imports) => Instance;

const onWasm =
  (shared: boolean): Target =>
  (module, imports) => {
    const memory = wasm.memoryFor({ ...module.memory, shared });
    const exports = wasm.instantiate({ ...module, memory: { ...module.memory, shared } }, memory, {
      ...imports,
    });
    return { memory, exports };
  };
const onJavaScript =
  (memoryFor: (memory: Memory) => LinearMemory): Target =>
  (module, imports) => {
    const memory = memoryFor(module.memory);
    return { memory, exports: javascript.instantiate(module, memory, imports) };
  };
const interpreted: Target = (module, imports) => {
  const memory = javascript.plainMemory(module.memory);
  const interpreter = new Interpreter(module, memory, imports);
  const exports = module.functions.map(
    ({ name }) => [name, (...args: number[]) => interpreter.call(name, ...args)] as const,
  );
  return { memory, exports: Object.fromEntries(exports) };
};
const targets: readonly (readonly [string, Target])[] = [
  ["wasm", onWasm(false)],
  ["wasm, shared", onWasm(true)],
  ["javascript", onJavaScript(javascript.plainMemory)],
  // Here what was the memory before it grew cannot be read any more.
  ["javascript, WebAssembly's memory", onJavaScript(wasm.memoryFor)],
];

const yields = (value: Ex): St => ({ k: "return", value });
const fn = (params: number, locals: number, body: readonly St[], name = "f"): Fn => ({
  name,
  params,
  locals,
  result: true,
  body,
  exported: true,
});
const moduleOf = (...functions: readonly Fn[]): Module => ({
  imports: [],
  functions,
  memory: MEMORY,
});

/** What a module does with some arguments: each result, then its memory. */
function seen(target: Target, module: Module, calls: readonly (readonly [number, number])[]) {
  const noted: number[] = [];
  const { memory, exports } = target(module, {
    host: (a) => {
      noted.push(a as number);
      return Math.imul(a as number, 3) + noted.length;
    },
  });
  const words = new Int32Array(memory.buffer, 0, WINDOW_BYTES / 4);
  for (let n = 0; n < words.length; n++) words[n] = Math.imul(n, 0x9e3779b9);
  const results = calls.map(([a, b]) =>
    module.functions.map((f) => (exports[f.name] as (a: number, b: number) => number)(a, b)),
  );
  const after = new Int32Array(memory.buffer);
  const rest = after.subarray(WINDOW_BYTES / 4).findIndex((word) => word !== 0);
  const pages = memory.buffer.byteLength;
  return { results, noted, pages, rest, words: [...after.subarray(0, WINDOW_BYTES / 4)] };
}

test("random modules do the same on every target", () => {
  const edge = fc.constantFrom(...EDGES);
  fc.assert(
    fc.property(
      fc.array(fc.nat(999), { maxLength: 300, size: "max" }),
      fc.array(fc.tuple(edge, edge), { minLength: 1, maxLength: 2 }),
      (choices, calls) => {
        const module = moduleFrom(choices);
        const meant = seen(interpreted, module, calls);
        for (const [, target] of targets) expect(seen(target, module, calls)).toEqual(meant);
      },
    ),
    { numRuns: 400 },
  );
});

describe.each(targets)("%s", (_, target) => {
  const run = (f: Fn, ...args: readonly number[]) => target(moduleOf(f)).exports["f"]?.(...args);

  test("every operator at edges", () => {
    const binaries = BINARIES.map((op) =>
      fn(2, 2, [yields({ k: "bin", op, a: local(0), b: local(1) })], op),
    );
    const unaries = UNARIES.map((op) => fn(1, 1, [yields({ k: "un", op, a: local(0) })], op));
    const { exports } = target(moduleOf(...binaries, ...unaries));
    for (const a of EDGES) {
      for (const op of UNARIES) expect([op, a, exports[op]?.(a)]).toEqual([op, a, unary(op, a)]);
      for (const b of EDGES) {
        for (const op of BINARIES) {
          if (/div|rem/.test(op) && (b === 0 || (b === -1 && a === -0x80000000))) continue;
          expect([op, a, b, exports[op]?.(a, b)]).toEqual([op, a, b, binary(op, a, b)]);
        }
      }
    }
  });

  test("every operator with a constant on its right, and negated as a condition", () => {
    for (const b of [0, 1, -1, 5, -0x80000000]) {
      const ops = BINARIES.filter((op) => !/div|rem/.test(op) || b > 0);
      const functions = ops.flatMap((op) => {
        const it: Ex = { k: "bin", op, a: local(0), b: num(b) };
        const not: Ex = { k: "un", op: "eqz", a: it };
        return [
          fn(1, 1, [yields(it)], op),
          fn(1, 1, [iff(not, [yields(num(1))]), yields(num(2))], `${op}!`),
          fn(1, 1, [yields({ k: "select", c: not, a: num(1), b: num(2) })], `${op}?`),
          fn(1, 1, [yields({ k: "un", op: "eqz", a: not })], `${op}!!`),
        ];
      });
      const { exports } = target(moduleOf(...functions));
      for (const a of EDGES) {
        for (const op of ops) {
          const is = binary(op, a, b);
          const both = [exports[op]?.(a), exports[`${op}!!`]?.(a)];
          expect([op, a, b, ...both]).toEqual([op, a, b, is, is === 0 ? 0 : 1]);
          const chosen = [exports[`${op}!`]?.(a), exports[`${op}?`]?.(a)];
          expect([op, a, b, ...chosen]).toEqual([op, a, b, ...Array(2).fill(is === 0 ? 1 : 2)]);
        }
      }
    }
  });

  test("loops within loops, left from inside", () => {
    // The first product i * j above `limit` of i, j < 50, as i * 100 + j.
    const [out, rows, columns, row] = [0, 1, 2, 3];
    const f = fn(1, 3, [
      {
        k: "block",
        label: out,
        body: [
          {
            k: "loop",
            label: rows,
            body: [
              set(2, num(0)),
              {
                k: "block",
                label: row,
                body: [
                  {
                    k: "loop",
                    label: columns,
                    body: [
                      brIf(bin("gt_u", bin("mul", local(1), local(2)), local(0)), out),
                      set(2, bin("add", local(2), num(1))),
                      brIf(bin("ge_u", local(2), num(50)), row),
                      br(columns),
                    ],
                  },
                ],
              },
              set(1, bin("add", local(1), num(1))),
              brIf(bin("lt_u", local(1), num(50)), rows),
            ],
          },
          yields(num(-1)),
        ],
      },
      yields(bin("add", bin("mul", local(1), num(100)), local(2))),
    ]);
    expect(run(f, 90)).toBe(246);
    expect(run(f, 2400)).toBe(4949);
    expect(run(f, 2401)).toBe(-1);
  });

  test("a switch goes where the number says, and falls through after it", () => {
    const f = fn(1, 2, [
      {
        k: "block",
        label: 9,
        body: [
          {
            k: "block",
            label: 7,
            body: [{ k: "switch", on: local(0), labels: [7, 9, 7], otherwise: 9 }],
          },
          set(1, num(10)),
        ],
      },
      yields(bin("add", local(1), num(1))),
    ]);
    expect([0, 1, 2, 3, -1].map((n) => run(f, n))).toEqual([11, 1, 11, 1, 1]);
  });

  test("blocks within hundreds of blocks", () => {
    const count = 600;
    let body: readonly St[] = [
      { k: "switch", on: local(0), labels: [...Array(count).keys()], otherwise: count - 1 },
    ];
    for (let label = 0; label < count; label++) {
      body = [{ k: "block", label, body }, set(1, bin("add", local(1), num(1)))];
    }
    const f = fn(1, 2, [...body, yields(local(1))]);
    expect([0, 1, 42, 599, 600, -1].map((n) => run(f, n))).toEqual([600, 599, 558, 1, 1, 1]);
  });

  test("thousands of locals", () => {
    const count = 5000;
    const places = [...Array(count).keys()];
    const f = fn(1, count + 1, [
      ...places.map((n) => set(n + 1, bin("add", local(n), num(n)))),
      ...places.map((n) => store(num(4 * n), 0, local(n + 1))),
      yields(load(local(0))),
    ]);
    expect(run(f, 4000)).toBe(4000 + (1000 * 1001) / 2);
  });

  test("copies may overlap, short ones written out and long ones", () => {
    for (const bytes of [0, 4, 8, 12, 20, 64, 68, 100, 1000]) {
      for (const [to, from] of [
        [128, 120],
        [120, 128],
        [4, 2000],
      ] as const) {
        const copy: St = { k: "copy", to: local(0), from: local(1), bytes: num(bytes) };
        const { memory, exports } = target(moduleOf(fn(2, 2, [copy, yields(num(0))])));
        const words = new Int32Array(memory.buffer).subarray(0, 1024);
        for (let n = 0; n < words.length; n++) words[n] = n;
        const meant = words.slice().copyWithin(to / 4, from / 4, (from + bytes) / 4);
        exports["f"]?.(to, from);
        expect([...words]).toEqual([...meant]);
      }
    }
  });

  test("memory grows up to its limit, also while something else is read and written", () => {
    const grow: Ex = { k: "memory_grow", pages: local(0) };
    const f = fn(1, 2, [
      store(num(8), 0, bin("add", { ...grow }, num(70))),
      store(num(8), 0, bin("add", load(num(8)), { k: "memory_size" })),
      yields(bin("add", { k: "memory_grow", pages: num(0) }, load(num(8)))),
    ]);
    const { memory, exports } = target(moduleOf(f));
    expect(exports["f"]?.(1)).toBe(73 + 2);
    expect(exports["f"]?.(2)).toBe(71 + 2);
    expect(exports["f"]?.(1)).toBe(75 + 3);
    expect(memory.buffer.byteLength).toBe(3 * 65_536);
    expect(new Int32Array(memory.buffer)[2]).toBe(75);
  });

  test("what is imported may grow memory, and so may the host between two calls", () => {
    const place: { memory?: LinearMemory } = {};
    const imports = [{ name: "more", params: 0, result: false }];
    const functions = [
      fn(0, 0, [{ k: "do", value: call("more") }, yields(num(1))], "g"),
      fn(0, 1, [
        set(0, load(num(4))),
        iff(call("g"), [store(num(4), 0, bin("add", load(num(4)), num(5)))]),
        yields(load(num(4))),
      ]),
    ];
    const { memory, exports } = target(
      { imports, functions, memory: MEMORY },
      { more: () => void place.memory?.grow(1) },
    );
    expect(exports["f"]?.()).toBe(5);
    place.memory = memory;
    expect(exports["f"]?.()).toBe(10);
    place.memory = { ...memory, grow: () => 0 };
    memory.grow(1);
    expect(exports["f"]?.()).toBe(15);
    expect(new Int32Array(memory.buffer)[1]).toBe(15);
  });

  test("atomic operations yield what was there", () => {
    const at = { addr: local(0), offset: 4 };
    const steps: readonly Ex[] = [
      { k: "rmw", op: "add", ...at, a: num(-3) },
      { k: "rmw", op: "or", ...at, a: num(8) },
      { k: "rmw", op: "xchg", ...at, a: num(100) },
      { k: "cas", ...at, expect: num(99), value: num(1) },
      { k: "cas", ...at, expect: num(100), value: num(2) },
      { k: "load", ...at, atomic: true },
    ];
    const f = fn(1, 1, [
      { k: "store", ...at, value: num(10), atomic: true },
      ...steps.map((ex, n) => store(num(100), 4 * n, ex)),
      yields(num(0)),
    ]);
    const { memory, exports } = target(moduleOf(f));
    exports["f"]?.(16);
    const words = new Int32Array(memory.buffer).slice(25, 31);
    expect([...words]).toEqual([10, 7, 15, 100, 100, 2]);
  });
});

test("generated JavaScript refuses a shared memory", () => {
  const module: Module = { ...moduleOf(), memory: { ...MEMORY, shared: true } };
  expect(() => javascript.instantiate(module, javascript.plainMemory(MEMORY))).toThrow("shared");
});

test("what is known is not asked", () => {
  const two = bin("and", local(0), num(3));
  expect(bin("eq", two, num(4))).toEqual(num(0));
  expect(bin("ne", two, num(-1))).toEqual(num(1));
  expect(bin("eq", two, num(2))).toMatchObject({ op: "eq" });
  expect(select(bin("eq", two, num(5)), local(1), local(2))).toEqual(local(2));
  expect(select(num(1), local(1), load(local(2)))).toEqual(local(1));
  // What does something is done.
  expect(bin("eq", bin("and", call("f"), num(1)), num(2))).toMatchObject({ op: "eq" });
  expect(select(num(1), local(1), call("f"))).toMatchObject({ k: "select" });
});
