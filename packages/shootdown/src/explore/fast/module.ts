// SPDX-License-Identifier: Apache-2.0
// One module of a unit and the search around it, and an instance of it over a memory.

import type { StepUnit } from "../../engine/compiled/unit.ts";
import type { Exports, Fn, Module } from "../../engine/target/code.ts";
import { PAGE_BYTES } from "../../engine/target/code.ts";
import { instantiate as instantiateScript, plainMemory } from "../../engine/target/javascript.ts";
import type { Imports } from "../../engine/target/wasm.ts";
import { instantiate, memoryFor } from "../../engine/target/wasm.ts";
import { frontierFunctions } from "./frontier.ts";
import { insertFunction } from "./insert.ts";
import type { Plan } from "./plan.ts";
import type { GrowingMemory } from "./store.ts";
import { firstPages, MEMORY_MAX } from "./store.ts";
import { sweepFunctions } from "./sweep.ts";

export type Target = "wasm" | "javascript";

export function moduleOf(
  unit: StepUnit,
  plan: Plan,
  more: readonly Fn[],
  bytes_max: number,
): Module {
  const initial = firstPages(plan);
  const pages = Math.ceil(Math.min(bytes_max, MEMORY_MAX) / PAGE_BYTES);
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
}

/** What the instance over a memory imports, given the words of the memory. */
export type ImportsOf = (words: () => Int32Array) => Imports;

export function instanceOf(module: Module, target: Target, importsOf: ImportsOf): Instance {
  const memory = target === "wasm" ? memoryFor(module.memory) : plainMemory(module.memory);
  const imports = importsOf(wordsOf(memory));
  const exports =
    target === "wasm"
      ? instantiate(module, memory as WebAssembly.Memory, imports)
      : instantiateScript(module, memory, imports);
  return { exports, memory };
}

/** The words of a memory as it is now. */
export function wordsOf(memory: GrowingMemory): () => Int32Array {
  let words = new Int32Array(memory.buffer);
  return () => {
    if (words.buffer !== memory.buffer) words = new Int32Array(memory.buffer);
    return words;
  };
}
