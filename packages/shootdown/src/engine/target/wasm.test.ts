// SPDX-License-Identifier: Apache-2.0
// What only WebAssembly has: shared memory with waiters, compiled modules, and code made smaller.

import { expect, test } from "vitest";
import type { Ex, Fn, Memory, Module, St } from "./code.ts";
import { bin, call, FnBuilder, local, num, set, un } from "./code.ts";
import { compile, encode, instantiate, memoryFor } from "./wasm.ts";

const MEMORY: Memory = { initial: 1, maximum: 4, shared: false };
const yields = (value: Ex): St => ({ k: "return", value });

function moduleOf(body: readonly St[], params = 2, memory = MEMORY): Module {
  const f: Fn = { name: "f", params, locals: params + 4, result: true, body, exported: true };
  return { imports: [], functions: [f], memory };
}

/** Instructions of the one function's body, as hexadecimal digits without its end. */
function bodyOf(body: readonly St[]): string {
  const f: Fn = { name: "f", params: 2, locals: 3, result: false, body };
  const bytes = encode({ imports: [], functions: [f], memory: MEMORY });
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  // Its size, one group of one local, i32 (0x7f); and its end, 0x0b.
  return hex.slice(hex.lastIndexOf("01017f") + 6, -2);
}

test("bytes, a module and a compiled module give the same instance", () => {
  const module = moduleOf([yields(bin("sub", local(0), local(1)))]);
  for (const source of [module, encode(module), compile(module)]) {
    expect(instantiate(source, memoryFor(MEMORY))["f"]?.(3, 10)).toBe(-7);
  }
});

test("functions call each other and what is imported; only what is exported is seen", () => {
  const half: Fn = {
    name: "half",
    params: 1,
    locals: 1,
    result: true,
    body: [yields(bin("shr_u", local(0), num(1)))],
  };
  const f: Fn = {
    ...half,
    name: "f",
    exported: true,
    body: [
      { k: "do", value: call("note", local(0)) },
      { k: "do", value: call("half", local(0)) },
      yields(call("plus", call("half", local(0)), num(5))),
    ],
  };
  const imports = [
    { name: "note", params: 1, result: false },
    { name: "plus", params: 2, result: true },
  ];
  const noted: number[] = [];
  const exports = instantiate(
    { imports, functions: [half, f], memory: MEMORY },
    memoryFor(MEMORY),
    {
      note: (a) => void noted.push(a as number),
      plus: (a, b) => (a as number) + (b as number),
    },
  );
  expect(exports["f"]?.(40)).toBe(25);
  expect(noted).toEqual([40]);
  expect(Object.keys(exports)).toEqual(["f"]);
});

test("a waiter goes on at once when the word is another, and nobody is there to be woken", () => {
  const shared: Memory = { initial: 1, maximum: 1, shared: true };
  const memory = memoryFor(shared);
  const wait = instantiate(
    moduleOf([yields({ k: "wait", addr: local(0), expect: local(1) })], 2, shared),
    memory,
  );
  const notify = instantiate(
    moduleOf([yields({ k: "notify", addr: local(0) })], 2, shared),
    memory,
  );
  new Int32Array(memory.buffer)[4] = 7;
  expect(wait["f"]?.(16, 8)).toBe(1);
  expect(notify["f"]?.(16)).toBe(0);
});

test("a name that is no function is refused", () => {
  expect(() => encode(moduleOf([yields(call("other"))]))).toThrow("no function other");
});

test("constant parts of addresses are offsets", () => {
  const at = bin("add", local(0), num(8));
  // local.get 0, i32.const 1, i32.store offset=12
  expect(bodyOf([{ k: "store", addr: at, offset: 4, value: num(1) }])).toBe("2000410136020c");
  // Below zero they are not: local.get 0, i32.const -4, i32.add, i32.const 1, i32.store offset=0
  expect(bodyOf([{ k: "store", addr: local(0), offset: -4, value: num(1) }])).toBe(
    "2000417c6a4101360200",
  );
});

test("conditions lose what changes nothing about them", () => {
  const label = new FnBuilder("f", 2).label();
  const leaves = (c: Ex): string =>
    bodyOf([{ k: "block", label, body: [{ k: "br_if", c, label }] }]);
  expect(leaves(un("eqz", un("eqz", local(0))))).toBe(leaves(local(0)));
  expect(leaves(bin("ne", local(0), num(0)))).toBe(leaves(local(0)));
  expect(leaves(bin("eq", local(0), num(0)))).toBe(leaves(un("eqz", local(0))));
  expect(leaves(un("eqz", bin("lt_u", local(0), local(1))))).toBe(
    leaves(bin("ge_u", local(0), local(1))),
  );
  expect(
    bodyOf([
      {
        k: "block",
        label,
        body: [{ k: "if", c: local(0), then: [{ k: "br", label }], else: [] }],
      },
    ]),
  ).toBe(leaves(local(0)));
});

test("a value that is used as soon as it is kept stays on the stack", () => {
  // local.get 0, local.tee 2, drop
  expect(bodyOf([set(2, local(0)), { k: "do", value: local(2) }])).toBe("200022021a");
  expect(bodyOf([set(2, local(0)), { k: "do", value: local(1) }])).toBe("2000210220011a");
});
