// SPDX-License-Identifier: Apache-2.0
// Deciding a herd test: the complete set of its final states, by one of the controls.

import type { FinalState, HerdTest } from "../litmus/herd/ast.ts";

export interface DecideOptions {
  readonly mode: "protocol" | "arm" | "strong";
  readonly ets2: boolean;
  readonly statesMax?: number;
}

export type Decision =
  | { readonly ok: true; readonly states: readonly FinalState[] }
  | { readonly ok: false; readonly reason: string };

export function decide(test: HerdTest, _options: DecideOptions): Decision {
  return { ok: false, reason: test.unsupported ?? "not decided yet" };
}
