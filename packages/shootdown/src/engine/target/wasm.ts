// SPDX-License-Identifier: Apache-2.0
// A Module in WebAssembly's binary format, and instances of it.
//
//   types │ imports: env.memory, env.NAME │ functions │ exports │ code

import type { Exports, Memory, Module } from "./code.ts";
import { Bytes } from "./wasm-bytes.ts";
import { functionBody } from "./wasm-code.ts";

/** Functions that a module imports; what one without a result returns is ignored. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function whose result is ignored
export type Imports = Readonly<Record<string, (...args: number[]) => number | void>>;

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const I32 = 0x7f;
const FUNCTION_TYPE = 0x60;
const KIND = { function: 0, memory: 2 } as const;
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;

/** The bytes of a module. */
export function encode(module: Module): Uint8Array<ArrayBuffer> {
  const all = [...module.imports, ...module.functions];
  const functions = new Map(all.map((f, index) => [f.name, { index, result: f.result }]));
  const context = { functions, shared: module.memory.shared };
  const types = new Map<string, number>();
  const typeOf = ({ params, result }: { readonly params: number; readonly result: boolean }) => {
    const key = `${params}:${result}`;
    const index = types.get(key) ?? types.size;
    types.set(key, index);
    return index;
  };
  const typeIndexes = all.map(typeOf);
  const out = new Bytes();
  out.put(...MAGIC);
  section(out, SECTION.type, [...types.keys()], typeEntry);
  section(out, SECTION.import, [undefined, ...module.imports], (to, f, n) => {
    to.name("env");
    if (f === undefined) return memoryEntry(to, module.memory);
    to.name(f.name);
    to.byte(KIND.function);
    to.unsigned(typeIndexes[n - 1] as number);
  });
  section(out, SECTION.function, typeIndexes.slice(module.imports.length), (to, index) =>
    to.unsigned(index),
  );
  section(
    out,
    SECTION.export,
    module.functions.filter((f) => f.exported),
    (to, f) => {
      to.name(f.name);
      to.byte(KIND.function);
      to.unsigned(functions.get(f.name)?.index ?? 0);
    },
  );
  section(out, SECTION.code, module.functions, (to, f) => to.sized(functionBody(f, context)));
  return out.done();
}

/** A compiled module; it can be posted to other threads. */
export function compile(module: Module): WebAssembly.Module {
  return new WebAssembly.Module(encode(module));
}

/** A memory that a module can be instantiated with. */
export function memoryFor({ initial, maximum, shared }: Memory): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial, maximum, shared });
}

/** An instance over a memory, at once: of a module, of its bytes or of what was compiled. */
export function instantiate(
  source: Module | Uint8Array<ArrayBuffer> | WebAssembly.Module,
  memory: WebAssembly.Memory,
  imports: Imports = {},
): Exports {
  const instance = new WebAssembly.Instance(compiled(source), { env: { ...imports, memory } });
  return instance.exports as Exports;
}

function compiled(
  source: Module | Uint8Array<ArrayBuffer> | WebAssembly.Module,
): WebAssembly.Module {
  if (source instanceof Uint8Array) return new WebAssembly.Module(source);
  return "functions" in source ? compile(source) : source;
}

function section<T>(
  out: Bytes,
  id: number,
  items: readonly T[],
  entry: (to: Bytes, item: T, n: number) => void,
): void {
  const body = new Bytes();
  body.unsigned(items.length);
  for (const [n, item] of items.entries()) entry(body, item, n);
  out.byte(id);
  out.sized(body);
}

function typeEntry(to: Bytes, key: string): void {
  const [params, result] = key.split(":");
  to.byte(FUNCTION_TYPE);
  to.unsigned(Number(params));
  for (let n = Number(params); n > 0; n--) to.byte(I32);
  if (result === "true") to.put(1, I32);
  else to.byte(0);
}

function memoryEntry(to: Bytes, { initial, maximum, shared }: Memory): void {
  to.name("memory");
  to.put(KIND.memory, shared ? 3 : 1);
  to.unsigned(initial);
  to.unsigned(maximum);
}
