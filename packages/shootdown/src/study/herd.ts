// SPDX-License-Identifier: Apache-2.0
// Deciding a herd test: the complete set of its final states, by one of the controls.

import { TooManyValues } from "../engine/interner.ts";
import { lower } from "../engine/lower.ts";
import { PackedMachine } from "../engine/packed.ts";
import { DomainOverflow } from "../engine/packed-expr.ts";
import { ends } from "../explore/finals.ts";
import type { Progress } from "../explore/search.ts";
import type { FinalState, HerdTest } from "../litmus/herd/ast.ts";
import { elaborateHerd } from "../litmus/herd/elaborate.ts";
import { finalStates } from "../litmus/herd/final.ts";
import type { Control } from "../litmus/herd/order.ts";
import { Unsupported } from "../litmus/herd/words.ts";

export interface DecideOptions {
  readonly mode: Control;
  readonly ets2: boolean;
  readonly statesMax?: number;
  readonly bytesMax?: number;
  readonly progress?: (p: Progress) => void;
}

export type Decision =
  | { readonly ok: true; readonly states: readonly FinalState[]; readonly visited: number }
  | { readonly ok: false; readonly reason: string };

const STATES_MAX = 3_000_000;

export function decide(test: HerdTest, options: DecideOptions): Decision {
  if (test.unsupported !== undefined) return { ok: false, reason: test.unsupported };
  try {
    const system = elaborateHerd(test, options.mode, options.ets2);
    const machine = new PackedMachine(lower(system.system), { semantics: "window" });
    const states_max = options.statesMax ?? STATES_MAX;
    const bytes_max = options.bytesMax ?? Number.POSITIVE_INFINITY;
    const limits = { states_max, bytes_max };
    const result = ends(machine, finalStates(test, system), limits, options.progress);
    if (!result.exhaustive) {
      const full = result.bytes > bytes_max;
      return {
        ok: false,
        reason: `more than ${full ? `${bytes_max} bytes` : `${states_max} states`}`,
      };
    }
    return { ok: true, states: [...result.found.values()], visited: result.states };
  } catch (error) {
    if (error instanceof Unsupported) return { ok: false, reason: error.message };
    if (error instanceof DomainOverflow || error instanceof TooManyValues) {
      return { ok: false, reason: error.message };
    }
    throw error;
  }
}
