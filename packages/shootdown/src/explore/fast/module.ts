// SPDX-License-Identifier: Apache-2.0
// One module of a unit and the search around it, and an instance of it over a memory.

import type { StepUnit } from "../../engine/compiled/unit.ts";
import type { Exports, Fn, Module } from "../../engine/target/code.ts";
import { PAGE_BYTES } from "../../engine/target/code.ts";
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

export function instanceOf(module: Module, target: Target, imports: Imports): Instance {
  if (target === "javascript") throw new Error("no JavaScript yet");
  const memory = memoryFor(module.memory);
  return { exports: instantiate(module, memory, imports), memory };
}
