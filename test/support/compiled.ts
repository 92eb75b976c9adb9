// SPDX-License-Identifier: Apache-2.0
// Compiled steps against the packed executor: the same successors, in the same order, to the bit.

import { compileSteps } from "../../packages/shootdown/src/engine/compiled/compile.ts";
import { PackedMachine, type Semantics } from "../../packages/shootdown/src/engine/packed.ts";
import { DomainOverflow } from "../../packages/shootdown/src/engine/packed-expr.ts";
import type { Program } from "../../packages/shootdown/src/engine/program.ts";
import type { Exports, Module } from "../../packages/shootdown/src/engine/target/code.ts";
import type { LinearMemory } from "../../packages/shootdown/src/engine/target/javascript.ts";
import {
  instantiate as asJavaScript,
  plainMemory,
} from "../../packages/shootdown/src/engine/target/javascript.ts";
import { instantiate, memoryFor } from "../../packages/shootdown/src/engine/target/wasm.ts";
import { VisitedSet } from "../../packages/shootdown/src/explore/visited.ts";

const BASE = 64;

export interface Compared {
  readonly states: number;
  readonly successors: number;
  /** States from which a step runs into a limit of the domain, in both. */
  readonly refused: number;
  /** What differs first, in words. */
  readonly difference?: string;
}

const text = (s: Int32Array): string => [...s].map((w) => (w >>> 0).toString(16)).join(" ");

/** The limit of the domain that a computation runs into, in words. */
function failure(compute: () => void): string | undefined {
  try {
    compute();
    return undefined;
  } catch (error) {
    if (error instanceof DomainOverflow) return error.message;
    throw error;
  }
}

/** Compares the successors of up to `states_max` reachable states. */
export function compareSteps(
  program: Program,
  semantics: Semantics,
  states_max: number,
  target: "wasm" | "javascript" = "wasm",
): Compared {
  const machine = new PackedMachine(program, { semantics });
  const visited = new VisitedSet(machine.words);
  visited.add(machine.initial());
  const unit = compileSteps(machine, BASE);
  const src = BASE + 4 * unit.data.length + 64;
  const out = src + 4 * unit.words + 64;
  const pages = Math.ceil((out + 4 * unit.words * unit.successors_max + 64) / 65_536);
  const size = { initial: pages, maximum: pages, shared: false };
  const memory = target === "wasm" ? memoryFor(size) : plainMemory(size);
  const words = new Int32Array(memory.buffer);
  words.set(unit.data, BASE >> 2);
  const module: Module = {
    imports: unit.imports,
    functions: unit.functions,
    memory: size,
  };
  const host = { ...unit.host(() => words) };
  const run: Exports =
    target === "wasm"
      ? instantiate(module, memory as WebAssembly.Memory, host)
      : asJavaScript(module, memory as LinearMemory, host);
  let successors = 0;
  let limited = 0;
  const compiled = (name: string, state: Int32Array): string[] => {
    words.set(state, src >> 2);
    const end = run[name]!(src, out);
    const found: string[] = [];
    for (let at = out; at < end; at += 4 * unit.words) {
      found.push(text(words.subarray(at >> 2, (at >> 2) + unit.words)));
    }
    return found;
  };
  for (let id = 0; id < visited.count && id < states_max; id++) {
    const state = visited.arena.slice(id * machine.words, (id + 1) * machine.words);
    const expected = { costed: [] as string[], free: [] as string[], moves: 0 };
    const refused = failure(() => {
      for (const t of machine.transitions) {
        machine.successors(t, state, 0, () => {
          (t.free ? expected.free : expected.costed).push(text(machine.state));
          if (t.kind === "thread" || t.kind === "effect") expected.moves++;
          visited.add(machine.state);
        });
      }
    });
    if (refused !== undefined) {
      const also = failure(() => {
        compiled("expand", state);
        if (unit.free !== undefined) compiled(unit.free, state);
      });
      limited++;
      if (also === refused) continue;
      const difference = `state ${id} (${text(state)}): ${refused}, compiled ${also}`;
      return { states: id, successors, refused: limited, difference };
    }
    const costed = compiled("expand", state);
    const moves = (words[(out >> 2) - 1]! - out) / (4 * unit.words);
    const free = unit.free === undefined ? [] : compiled(unit.free, state);
    successors += costed.length + free.length;
    const differs = (name: string, a: string[], b: string[]): string | undefined => {
      const at = Array.from({ length: Math.max(a.length, b.length) }, (_, n) => n).find(
        (n) => a[n] !== b[n],
      );
      return at === undefined
        ? undefined
        : `${name} ${at} of state ${id} (${text(state)}): ${a[at]}, compiled ${b[at]}`;
    };
    const difference =
      differs("successor", expected.costed, costed) ??
      differs("free successor", expected.free, free) ??
      (moves === expected.moves ? undefined : `moves of state ${id}: ${expected.moves}, ${moves}`);
    if (difference !== undefined) return { states: id, successors, refused: limited, difference };
  }
  return { states: Math.min(visited.count, states_max), successors, refused: limited };
}
