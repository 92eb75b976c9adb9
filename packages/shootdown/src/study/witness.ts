// SPDX-License-Identifier: Apache-2.0
// Witness files: a concrete schedule with all that is needed to run it again, and its rows as text.

import { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import { minimal } from "../explore/minimal.ts";
import { reasonOf } from "../explore/reasons.ts";
import type { PathStep, Question } from "../explore/search.ts";
import { shows } from "../explore/shows.ts";
import { concretise } from "../explore/witness.ts";
import type { Scenario } from "../litmus/ast.ts";
import { printScenario } from "../litmus/print.ts";
import type { Verdict } from "./check.ts";
import type { Configuration } from "./configuration.ts";
import type { WitnessRow, WitnessStep } from "./player.ts";
import { Player, WitnessMismatch } from "./player.ts";
import type { Why } from "./why.ts";
import { whyEntry, whyWaits } from "./why.ts";

/** Version of the file format; docs/WITNESS.md has its history. */
export const WITNESS_SCHEMA = 1;

export interface Witness {
  readonly schema: typeof WITNESS_SCHEMA;
  /** Canonical text of the scenario. */
  readonly scenario: string;
  readonly test: string;
  readonly machine: string;
  readonly kernel: string;
  readonly knobs: Readonly<Record<string, string>>;
  readonly property: string;
  /** Hash of the program that the schedule runs. */
  readonly program: string;
  readonly steps: readonly WitnessStep[];
  /** Steps that may repeat for ever after `steps`. */
  readonly cycle: readonly WitnessStep[];
}

export interface Replay {
  readonly rows: readonly WitnessRow[];
  readonly cycle: readonly WitnessRow[];
  /** Which cached value let it happen, and what should have removed it; or who waits for what. */
  readonly why: Why | undefined;
  /** Whether the end shows what the witness claims. */
  readonly confirmed: boolean;
}

/** The witness of a verdict that has one; it was replayed on the concrete semantics. */
export function witnessOf(
  scenario: Scenario,
  configuration: Configuration,
  verdict: Verdict,
  question: Question,
): Witness | undefined {
  const { variant } = verdict;
  const { path, cycle = [] } = variant.outcome;
  if (!path) return undefined;
  const { program, semantics } = variant;
  const concrete = new PackedMachine(program, { semantics: "concrete" });
  const found =
    semantics === "concrete"
      ? { steps: path, cycle }
      : concretise(new PackedMachine(program, { semantics }), concrete, path, cycle);
  const schedule = minimal(concrete, found, question);
  const named = (s: PathStep): WitnessStep => {
    const { kind, name, slot } = concrete.transitions[s.transition]!;
    return { kind, name, slot, choices: s.choices };
  };
  return {
    schema: WITNESS_SCHEMA,
    scenario: printScenario(scenario),
    test: scenario.name.text,
    machine: configuration.machine,
    kernel: configuration.kernelName,
    knobs: variant.knobs,
    property: verdict.property,
    program: variant.program.hash,
    steps: schedule.steps.map(named),
    cycle: schedule.cycle.map(named),
  };
}

/**
 * Runs a witness on a program and tells what happens, step by step, and whether its end shows what
 * was asked for. Throws if it does not fit.
 */
export function replayWitness(witness: Witness, program: Program, question: Question): Replay {
  if (program.hash !== witness.program) {
    throw new WitnessMismatch(`the witness is of program ${witness.program}, not ${program.hash}`);
  }
  const machine = new PackedMachine(program, { semantics: "concrete" });
  const player = new Player(machine);
  const rows = witness.steps.map((s) => player.play(s));
  const end = player.state;
  // What a repetition finds must be there, unless it takes its entries itself.
  machine.hitsOnly = question.stuck !== undefined;
  let round = 0;
  const cycle = witness.cycle.map((s, n) => {
    const row = player.play(s);
    if (round === 0 && player.state.every((w, i) => w === end[i])) round = n + 1;
    return row;
  });
  machine.hitsOnly = false;
  const loop = witness.cycle.map((s) => ({ transition: player.find(s), choices: s.choices }));
  const confirmed = shows(machine, end, loop, question);
  const path = witness.steps.map((s) => ({ transition: player.find(s), choices: s.choices }));
  // One round tells it all.
  const why = whyOf(machine, question, { rows, cycle, path, loop: loop.slice(0, round), end });
  return { rows, cycle, why, confirmed };
}

interface Played {
  readonly rows: readonly WitnessRow[];
  readonly cycle: readonly WitnessRow[];
  readonly path: readonly PathStep[];
  readonly loop: readonly PathStep[];
  readonly end: Int32Array;
}

/** Waiting has its own reason; everything else an entry that was found. */
function whyOf(machine: PackedMachine, question: Question, played: Played): Why | undefined {
  const { rows, cycle, path, loop, end } = played;
  const { stuck, waits } = question;
  const waiting = waits?.threads ?? (stuck !== undefined && loop.length === 0 ? [stuck] : []);
  if (waiting.length > 0) return whyWaits(machine, end, waiting);
  const reason = reasonOf(
    machine,
    [...path, ...loop],
    stuck === undefined ? Infinity : path.length,
  );
  const all = [...rows, ...cycle];
  return reason && whyEntry(machine, reason, all.length, (n) => all[n]!);
}
