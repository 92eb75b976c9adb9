// SPDX-License-Identifier: Apache-2.0
// The rules in short (Z1-Z5): what the others amount to.
//
// `status: MODELLED` needs a scenario whose head names the rule: test/rules.test.ts looks.

import type { HardwareRule } from "./rule.ts";
import { followsFrom } from "./rule.ts";

export const OVERVIEW: readonly HardwareRule[] = [
  {
    id: "Z1",
    title: "the window",
    text:
      "What an agent may use is every translation that memory held since the last " +
      "completed invalidation, as far as it may be cached.",
    source: "follows from A1-A6, S9, P5",
    status: followsFrom("A1", "A2", "A6", "S9", "P5"),
  },
  {
    id: "Z2",
    title: "walks are not atomic",
    text:
      "A walk may combine a table pointer of one moment with a leaf of another, and so " +
      "read a freed table.",
    source: "Arm ARM I_NDFND, R_RVJDB; SMMU 3.21.1",
    status: followsFrom("A2", "A21"),
  },
  {
    id: "Z3",
    title: "completion drains",
    text:
      "A completed invalidation means: entries gone, walks done or begun anew, accesses " +
      "by them visible.",
    source: "Arm ARM D8.17.8; SMMU 3.21.1; PCIe Base 10.3.3",
    status: followsFrom("A25", "A26", "S10", "P7"),
  },
  {
    id: "Z4",
    title: "software fans out",
    text:
      "From CPU to SMMU hardware carries maintenance with BTM alone, from SMMU to ATC " + "never.",
    source: "SMMU 3.9.1",
    status: followsFrom("S5", "S8"),
  },
  {
    id: "Z5",
    title: "two semantics, one answer",
    text:
      "Caches as sets that fill and lose entries step by step, or as windows of what they " +
      "may hold: both give the same answers.",
    source: "explore/compare.test.ts",
    status: followsFrom("A2", "A4"),
  },
];
