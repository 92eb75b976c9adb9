// SPDX-License-Identifier: Apache-2.0
// The reference search with symmetries: the same normal form that compiled searches use, as
// generated JavaScript over a state of its own.

import { normalForm } from "../engine/normal-form.ts";
import type { PackedMachine } from "../engine/packed.ts";
import type { Symmetry } from "../engine/symmetry.ts";
import { instantiate, plainMemory } from "../engine/target/javascript.ts";
import type { PathStep } from "./search.ts";

/**
 * Puts one of all states in place of those that are alike: the question and the steps do not tell
 * them apart. The initial state stays itself.
 */
export type NormalForm = (state: Int32Array) => void;

/**
 * The normal form of a machine's states under the symmetries of its program; undefined if there are
 * none, or if the host forbids new code.
 */
export function normalizer(machine: PackedMachine, symmetry: Symmetry): NormalForm | undefined {
  const fn = normalForm(machine.program, machine.layout, symmetry, "canon");
  if (!fn) return undefined;
  const pages = { initial: 1, maximum: 1, shared: false };
  const memory = plainMemory(pages);
  const { words } = machine;
  const state = new Int32Array(memory.buffer, 0, words);
  try {
    const { canon } = instantiate({ imports: [], functions: [fn], memory: pages }, memory);
    return (given) => {
      for (let i = 0; i < words; i++) state[i] = given[i]!;
      canon!(0);
      for (let i = 0; i < words; i++) given[i] = state[i]!;
    };
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

/**
 * Steps from the initial state as they are, where a search knows states by those that stand for
 * them; and the state that they lead to.
 */
export function realPath(
  machine: PackedMachine,
  normal: NormalForm,
  stored: readonly { readonly state: Int32Array; readonly free: boolean }[],
): { path: PathStep[]; end: Int32Array } {
  const path: PathStep[] = [];
  let end = machine.initial();
  for (const { state, free } of stored) {
    let found: { readonly step: PathStep; readonly state: Int32Array } | undefined;
    for (const [transition, t] of machine.transitions.entries()) {
      if (found) break;
      if (t.free !== free) continue;
      machine.successors(t, end, 0, () => {
        if (found) return;
        const step = { transition, choices: [...machine.choices] };
        const reached = machine.state.slice();
        normal(machine.state);
        if (machine.state.every((w, i) => w === state[i])) found = { step, state: reached };
      });
    }
    if (!found) throw new Error("a step of the search cannot be repeated");
    path.push(found.step);
    end = found.state;
  }
  return { path, end };
}
