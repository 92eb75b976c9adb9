// SPDX-License-Identifier: Apache-2.0
// A replayed witness as plain text pieces: what every printer of witnesses starts from.

import type { Origin } from "../engine/program.ts";
import { printStmt } from "../ir/print.ts";
import { type NamedEvent, toldOrigin, type WitnessRow } from "../study/player.ts";
import type { Replay, Witness } from "../study/witness.ts";
import { type WhyPart, whyParts, whyText } from "./why.ts";

/** One step. Plain data: it may travel between threads and into files. */
export interface ShownStep {
  /** From 1; fills and evictions share the number of the step before them. */
  readonly n: number;
  readonly agent: string;
  /** Hardware acts by itself; `thread` is a program. */
  readonly kind: WitnessRow["kind"];
  /** `routine:step` of the statement that the step is about; empty for hardware without a name. */
  readonly where: string;
  /** That statement as C-like text. */
  readonly statement: string;
  readonly events: readonly string[];
  readonly changed: readonly string[];
}

export interface ShownWitness {
  readonly test: string;
  readonly machine: string;
  readonly kernel: string;
  readonly knobs: Readonly<Record<string, string>>;
  readonly property: string;
  readonly steps: readonly ShownStep[];
  /** Steps that may repeat for ever after the others. */
  readonly cycle: readonly ShownStep[];
  /** Which cached value let it happen, and what should have removed it; or who waits for what. */
  readonly why: string | null;
  /** The same in pieces, with the steps that it names. */
  readonly why_parts: readonly WhyPart[];
  /** Whether the replay ended as the witness claims. */
  readonly confirmed: boolean;
}

export function shownWitness(witness: Witness, replay: Replay): ShownWitness {
  const { test, machine, kernel, knobs, property } = witness;
  const { confirmed } = replay;
  const why = replay.why ? whyText(replay.why) : null;
  const steps = replay.rows.map(shownStep);
  const cycle = replay.cycle.map(shownStep);
  const why_parts = replay.why ? whyParts(replay.why) : [];
  return { test, machine, kernel, knobs, property, steps, cycle, why, why_parts, confirmed };
}

export function shownStep(row: WitnessRow): ShownStep {
  const told = toldOrigin(row);
  return {
    n: row.n,
    agent: row.agent,
    kind: row.kind,
    where: told ? `${told.routine}:${told.step}` : "",
    statement: statementOf(told),
    events: row.events.map((e) => eventText(e, row.agent)),
    changed: row.changed.map((c) => `${c.name}: ${c.from} -> ${c.to}`),
  };
}

const statementOf = (told: Origin | undefined): string => (told?.stmt ? printStmt(told.stmt) : "");

/** `pte_store A x P ro -> P rw`: names of values only where they are flags. */
function eventText({ event, args }: NamedEvent, agent: string): string {
  const words: string[] = [event];
  for (const [name, value] of Object.entries(args)) {
    if ((name === "cpu" || name === "agent" || name === "dev") && value === agent) continue;
    if (name === "write") words.push(value === "true" ? "write" : "read");
    else if (name === "old") words.push(value, "->");
    else if (value === "true" || value === "false")
      words.push(value === "true" ? name : `!${name}`);
    else words.push(value);
  }
  return words.join(" ");
}
