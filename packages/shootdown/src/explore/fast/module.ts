// SPDX-License-Identifier: Apache-2.0
// One module of a unit and the search around it, and an instance of it over a memory.

import type { StepUnit } from "../../engine/compiled/unit.ts";
import type { Exports, Fn, Memory, Module } from "../../engine/target/code.ts";
import { PAGE_BYTES } from "../../engine/target/code.ts";
import { instantiate as instantiateScript, plainMemory } from "../../engine/target/javascript.ts";
import type { Imports } from "../../engine/target/wasm.ts";
import { compile, instantiate, memoryFor } from "../../engine/target/wasm.ts";
import { frontierFunctions } from "./frontier.ts";
import { insertFunction } from "./insert.ts";
import type { Plan } from "./plan.ts";
import type { GrowingMemory } from "./store.ts";
import { firstPages } from "./store.ts";
import { sweepFunctions } from "./sweep.ts";

export type Target = "wasm" | "javascript";

export function moduleOf(
  unit: StepUnit,
  plan: Plan,
  more: readonly Fn[],
  memory_max: number,
): Module {
  const initial = firstPages(plan);
  const pages = Math.ceil(memory_max / PAGE_BYTES);
  return {
    imports: unit.imports,
    functions: [
      ...unit.functions,
      ...more,
      insertFunction(plan),
      ...frontierFunctions(plan),
      ...sweepFunctions(plan),
    ],
    memory: { initial, maximum: Math.max(initial, pages), shared: plan.shared },
  };
}

export interface Instance {
  readonly exports: Exports;
  readonly memory: GrowingMemory;
  /** What instances in other threads need. */
  readonly posted?: { readonly module: WebAssembly.Module; readonly memory: WebAssembly.Memory };
}

/** What the instance over a memory imports, given the words of the memory. */
export type ImportsOf = (words: () => Int32Array) => Imports;

export function instanceOf(module: Module, target: Target, importsOf: ImportsOf): Instance {
  if (target === "javascript") {
    const memory = plainMemory(module.memory);
    return { exports: instantiateScript(module, memory, importsOf(wordsOf(memory))), memory };
  }
  const compiled = compile(module);
  const memory = roomyMemory(module.memory);
  const exports = instantiate(compiled, memory, importsOf(wordsOf(memory)));
  return { exports, memory, posted: { module: compiled, memory } };
}

/** A memory that may grow as far as is allowed or, where that is not to be had, less far. */
function roomyMemory(memory: Memory): WebAssembly.Memory {
  for (let maximum = memory.maximum; ; maximum = Math.max(memory.initial, maximum >>> 1)) {
    try {
      return memoryFor({ ...memory, maximum });
    } catch (e) {
      if (maximum === memory.initial) throw e;
    }
  }
}

/** The words of a memory as it is now. */
export function wordsOf(memory: GrowingMemory): () => Int32Array {
  let words = new Int32Array(memory.buffer);
  return () => {
    if (words.buffer !== memory.buffer) words = new Int32Array(memory.buffer);
    return words;
  };
}
