// SPDX-License-Identifier: Apache-2.0
// How a state that was found is reached. The search keeps no predecessors; a second one, which
// does, goes as far as the first state found: the shortest way, the first in order, whoever asks.

import type { StepUnit } from "../../engine/compiled/unit.ts";
import type { FastOptions, FastOutcome } from "./explore.ts";
import { Exploration } from "./explore.ts";
import { FREE_ORDINAL } from "./frontier.ts";

export interface FastStep {
  /** Whether it is one of `free`'s successors, or of `expand`'s. */
  readonly free: boolean;
  /** Which of them. */
  readonly ordinal: number;
  /** The state that it leads to. */
  readonly state: Int32Array;
}

/** A search that also tells the way to the first state found; it takes a little more memory. */
export function exploreWithPath(
  unit: StepUnit,
  initial: Int32Array,
  options: Omit<FastOptions, "goesOn">,
): { readonly outcome: FastOutcome; readonly path: readonly FastStep[] | undefined } {
  const search = new Exploration(unit, initial, options, { origins: true, shards: 1 });
  const outcome = search.run();
  return { outcome, path: search.found && wayTo(search, search.found.place) };
}

/** The steps to the first state found; undefined if there is none within the limits. */
export function pathFast(
  unit: StepUnit,
  initial: Int32Array,
  options: Omit<FastOptions, "goesOn">,
): readonly FastStep[] | undefined {
  return exploreWithPath(unit, initial, options).path;
}

function wayTo({ store }: Exploration, found: number): readonly FastStep[] {
  const { words } = store.plan;
  const steps: FastStep[] = [];
  for (let place = found; ; ) {
    const at = store.at(place);
    const parent = store.words[at + words]! >>> 0;
    if (parent === 0) return steps.reverse();
    const nth = store.words[at + words + 1]! >>> 0;
    const free = nth >= FREE_ORDINAL;
    const state = store.words.slice(at, at + words);
    steps.push({ free, ordinal: free ? nth - FREE_ORDINAL : nth, state });
    place = parent - 1;
  }
}
