// SPDX-License-Identifier: Apache-2.0
// Words that the page shows for names of the model.

export { laneTitle } from "../model/drawing.ts";

const CACHES: Readonly<Record<string, string>> = {
  tlb: "TLB",
  walk_cache: "walk cache",
  smmu_tlb: "TLB",
  smmu_walk_cache: "walk cache",
  atc: "ATC",
  unordered_store: "stores not observed yet",
};

export const cacheTitle = (cell: string): string => CACHES[cell] ?? cell.replaceAll("_", " ");

/** `never` and so on, as a verdict in words. */
export const VERDICTS: Readonly<Record<string, string>> = {
  never: "never: no run shows it",
  sometimes: "found: some run shows it",
  always: "always: every run shows it",
  inconclusive: "inconclusive",
};
