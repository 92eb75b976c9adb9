// SPDX-License-Identifier: Apache-2.0
// A Module as generated JavaScript, for hosts without WebAssembly and as a check of it.
//
// The memory is one that is not shared: atomic operations are plain, and nobody can wait.

import { type Exports, type Memory, type Module, PAGE_BYTES } from "./code.ts";
import { functionText, growsMemory, HELPERS } from "./javascript-code.ts";
import type { Imports } from "./wasm.ts";

/** What of WebAssembly.Memory is needed. */
export interface LinearMemory {
  readonly buffer: ArrayBufferLike;
  /** Pages before; throws a RangeError where there are no more. */
  grow(pages: number): number;
}

/** The body of a function of `memory` and `env` that yields what the module exports. */
export function write(module: Module): string {
  const { imports, functions } = module;
  const names = new Map([
    ...imports.map((f, n) => [f.name, `i${n}`] as const),
    ...functions.map((f, n) => [f.name, `f${n}`] as const),
  ]);
  const context = { functions: names, growing: growing(module) };
  const lines = ['"use strict";', "let M, B; views();", HELPERS];
  for (const [n, f] of imports.entries()) {
    const params = parameters(f.params);
    const made = `env[${JSON.stringify(f.name)}](${params})`;
    // Memory may have grown on the way.
    const body = f.result ? `const r = ${made} | 0; take(); return r;` : `${made}; take();`;
    lines.push(`function i${n}(${params}) { ${body} }`);
  }
  for (const [n, f] of functions.entries()) lines.push(functionText(f, `f${n}`, context));
  const exported = functions.flatMap((f, n) => {
    if (!f.exported) return [];
    const args = parameters(f.params, " | 0");
    const name = JSON.stringify(f.name);
    return [`${name}: (${parameters(f.params)}) => { take(); return f${n}(${args}); }`];
  });
  lines.push(`return { ${exported.join(",\n")} };`);
  return lines.join("\n");
}

/** An instance over a memory; throws an EvalError where the host's policy forbids new code. */
export function instantiate(module: Module, memory: LinearMemory, imports: Imports = {}): Exports {
  if (module.memory.shared) throw new Error("generated JavaScript has no shared memory");
  return new Function("memory", "env", write(module))(memory, imports) as Exports;
}

/** A memory for hosts without WebAssembly. */
export function plainMemory({ initial, maximum }: Memory): LinearMemory {
  let buffer = new ArrayBuffer(initial * PAGE_BYTES);
  return {
    get buffer() {
      return buffer;
    },
    grow(pages) {
      const before = buffer.byteLength / PAGE_BYTES;
      if (before + pages > maximum) throw new RangeError(`no more than ${maximum} pages`);
      const grown = new ArrayBuffer((before + pages) * PAGE_BYTES);
      new Uint8Array(grown).set(new Uint8Array(buffer));
      buffer = grown;
      return before;
    },
  };
}

const parameters = (count: number, suffix = ""): string =>
  Array.from({ length: count }, (_, n) => `a${n}${suffix}`).join(", ");

/** The functions that may grow memory: imports, and whoever calls one that may. */
function growing({ imports, functions }: Module): ReadonlySet<string> {
  const found = new Set(imports.map((f) => f.name));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const f of functions) {
      if (!found.has(f.name) && growsMemory(f, found)) found.add(f.name);
    }
  }
  return found;
}
