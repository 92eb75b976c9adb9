// SPDX-License-Identifier: Apache-2.0
// Every rule of the hardware notes by its id, and the definitions that carry it.

import type { Machine, Source } from "../../ir/machine.ts";
import { rulesAsked } from "../../ir/rules.ts";
import { ARM64 } from "./arm64.ts";
import { OVERVIEW } from "./overview.ts";
import { PCIE } from "./pcie.ts";
import type { HardwareRule } from "./rule.ts";
import { SMMUV3 } from "./smmuv3.ts";
import { X86 } from "./x86.ts";

/** The parts, in the order in which a reader meets them. */
export const RULE_PARTS: readonly (readonly [string, readonly HardwareRule[]])[] = [
  ["In short", OVERVIEW],
  ["arm64 PE", ARM64],
  ["SMMUv3", SMMUV3],
  ["PCIe ATS, PASID and PRI", PCIE],
  ["x86 CPU", X86],
];

export const RULES: ReadonlyMap<string, HardwareRule> = new Map(
  RULE_PARTS.flatMap(([, rules]) => rules.map((r) => [r.id, r] as const)),
);

/** A cell, pending set, rule or definition of a machine. */
export interface Carrier {
  readonly name: string;
  readonly source: Source;
  /** Ids that it names as its source. */
  readonly named: readonly string[];
  /** Ids that it asks for by `ruleHolds`, so that it is another without them. */
  readonly asked: readonly string[];
}

/** All that a machine is made of, with the rules that each part names and asks for. */
export function carriers(machine: Machine): readonly Carrier[] {
  const { cells, pending, rules, definitions } = machine;
  return [...cells, ...pending, ...rules, ...definitions].map((part) => ({
    name: part.name,
    source: part.source,
    named: part.source.rules ?? [],
    asked: rulesAsked(part),
  }));
}
