// SPDX-License-Identifier: Apache-2.0
// How runs are searched: names that users give, and what they mean for the search.
//
//   engine       semantics  steps by                        reductions
//   fast, auto   window     what is quickest for the size   all
//   reference    concrete   closures                        none
//   wasm, ..     window     that                            all
//
// Semantics and reductions can be said by themselves.

import { quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";

export type { Reduction } from "../explore/tiers.ts";

import { REDUCTIONS, type Reduction, type Engine as Tier } from "../explore/tiers.ts";
import type { Engine, Semantics } from "../report/result.ts";

export interface SearchingOptions {
  /** `reference`: caches step by step. `fast` (default, also `auto`): sets of possible values. */
  readonly engine?: Engine;
  /** Default: what the engine's name stands for. */
  readonly semantics?: Semantics;
  /** Those that may be used; default all, and none for `reference`. */
  readonly reductions?: readonly Reduction[];
}

export interface Searching {
  readonly engine: Tier;
  readonly semantics: Semantics;
  readonly reductions: readonly Reduction[];
}

/** What the options stand for. */
export function searchingOf(options: SearchingOptions): Searching {
  const { engine = "fast" } = options;
  const reference = engine === "reference";
  const { semantics = reference ? "concrete" : "window" } = options;
  const { reductions = reference ? [] : REDUCTIONS } = options;
  if (reference) return { engine: "closures", semantics, reductions };
  return { engine: engine === "fast" ? "auto" : engine, semantics, reductions };
}

/** Reads `all`, `none` or names between commas; or says what is wrong. */
export function reductionsNamed(list: string): readonly Reduction[] | string {
  if (list === "all") return REDUCTIONS;
  if (list === "none") return [];
  const names = list.split(",").map((name) => name.trim());
  for (const name of names) {
    if (isReduction(name)) continue;
    return `Unknown reduction ${quote(name)}; ${suggestion(name, [...REDUCTIONS, "none", "all"])}`;
  }
  return REDUCTIONS.filter((name) => names.includes(name));
}

const isReduction = (name: string): name is Reduction =>
  (REDUCTIONS as readonly string[]).includes(name);
