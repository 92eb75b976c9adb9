// SPDX-License-Identifier: Apache-2.0
// Which rules of hardware a declaration asks for by `ruleHolds`, read off its expressions.

import { ruleKnob } from "./expr.ts";
import type { CellDecl, Definition, ObserverDecl, PendingDecl, RuleDecl } from "./machine.ts";

type Part = CellDecl | PendingDecl | RuleDecl | Definition | ObserverDecl;

/** The ids, each once, in the order in which they first stand there. */
export function rulesAsked(part: Part): string[] {
  const found = new Set<string>();
  for (const piece of pieces(part)) collect(piece, found);
  return [...found];
}

function pieces(part: Part): unknown[] {
  if ("on" in part) return part.on.map((o) => o.body());
  if (!("kind" in part)) return "when" in part ? [part.when, part.body()] : [part.body()];
  if (part.kind === "cell") return [part.admits, part.fill?.()];
  return [part.ready, part.effect()];
}

/** Whatever statements and expressions look like; declarations that they name are left out. */
function collect(value: unknown, into: Set<string>): void {
  if (typeof value !== "object" || value === null || "kind" in value) return;
  if ("k" in value && value.k === "knob" && "knob" in value) {
    const prefix = ruleKnob("");
    const knob = String(value.knob);
    if (knob.startsWith(prefix)) into.add(knob.slice(prefix.length));
    return;
  }
  for (const inner of Array.isArray(value) ? value : Object.values(value)) collect(inner, into);
}
