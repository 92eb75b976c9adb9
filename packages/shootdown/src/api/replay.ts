// SPDX-License-Identifier: Apache-2.0
// Replaying: a witness file in, the run it describes out, step by step, on the concrete semantics.

import { quote } from "../base/diagnostic.ts";
import type { Program } from "../engine/program.ts";
import { KNOBS, PARTS } from "../hardware/machines.ts";
import { RULES } from "../hardware/rules/registry.ts";
import { ruleKnob } from "../ir/expr.ts";
import type { Overlay } from "../ir/kernel.ts";
import type { Problem, WitnessFile } from "../report/result.ts";
import type { ShownWitness } from "../report/shown.ts";
import { shownWitness } from "../report/shown.ts";
import { Checker } from "../study/check.ts";
import { configure } from "../study/configuration.ts";
import { dropNamed } from "../study/drop.ts";
import { WitnessMismatch } from "../study/player.ts";
import { replayWitness, WITNESS_SCHEMA } from "../study/witness.ts";
import { parseScenario } from "./check.ts";
import { problem, problemAt, wordsFor } from "./problem.ts";

export type ReplayResult =
  | { readonly ok: true; readonly witness: WitnessFile; readonly shown: ShownWitness }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A larger file is no witness. */
const WITNESS_CHARS_MAX = 1 << 26;

/** Longer schedules are not replayed. */
const STEPS_MAX = 1_000_000;

/** A witness that was read, with the program that it is a run of. */
export type WitnessRead =
  | {
      readonly ok: true;
      readonly witness: WitnessFile;
      readonly program: Program;
      readonly condition: Checker["condition"];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads a witness and runs it again; never throws, whatever the text. */
export function openReplay(text: string, file = "<witness>"): ReplayResult {
  const read = readWitness(text, file);
  if (!read.ok) return read;
  const { witness, program, condition } = read;
  try {
    return {
      ok: true,
      witness,
      shown: shownWitness(witness, replayWitness(witness, program, condition)),
    };
  } catch (error) {
    if (!(error instanceof WitnessMismatch)) throw error;
    return { ok: false, problems: [misfit(error, file)] };
  }
}

/** A schedule that cannot be followed. */
export const misfit = (error: WitnessMismatch, file: string): Problem =>
  problem(`the witness does not fit: ${error.message}`, { file, note: OTHER_VERSION });

/** Reads a witness and makes its program; its steps are not tried. Never throws. */
export function readWitness(text: string, file: string): WitnessRead {
  const fail = (message: string, note?: string): WitnessRead => ({
    ok: false,
    problems: [problem(message, { file, note })],
  });
  if (text.length > WITNESS_CHARS_MAX) return fail("the file is too large for a witness");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, problems: [jsonProblem(text, file, error)] };
  }
  const edited = (field: string, message: string): WitnessRead => ({
    ok: false,
    problems: [fieldProblem(text, file, field, message)],
  });
  const wrong = shapeProblem(json);
  if (wrong !== undefined) return fail(`not a witness: ${wrong}`, NOTE);
  const witness = json as WitnessFile;
  const read = parseScenario(witness.scenario, `${file}#scenario`);
  if (!read.ok) return { ok: false, problems: read.problems };
  const configured = configure(witness.machine, witness.kernel, {}, read.scenario);
  if (!configured.ok) {
    const { message, note } = wordsFor(configured.problem);
    return fail(message, note);
  }
  const { configuration } = configured;
  for (const [name, value] of Object.entries(witness.knobs)) {
    const own = configuration.knobs[name];
    if (own === value) continue;
    if (!knobExists(name, value)) return fail(`unknown knob ${quote(`${name}=${value}`)}`);
    if (own === undefined) continue;
    return edited("knobs", `${witness.machine} is ${name}=${own}, not ${name}=${value}`);
  }
  let overlay: Overlay | undefined;
  if (witness.drop !== undefined) {
    const dropped = dropNamed(configuration.kernel, witness.drop);
    if (!dropped.ok) return fail(dropped.problem.message);
    overlay = dropped.drop.overlay;
  }
  const { test, property } = witness;
  const name = read.scenario.name.text;
  if (test !== name) return edited("test", `the scenario is ${quote(name)}, not ${quote(test)}`);
  const checker = new Checker(read.scenario);
  const { condition } = checker;
  if (property !== condition.property) {
    const asked = quote(condition.property);
    return edited("property", `the scenario asks for ${asked}, not ${quote(property)}`);
  }
  try {
    const program = checker.programFor(configuration, witness.knobs, overlay);
    // check writes down all that the program asked for.
    const missing = program.knobs.find((k) => !(k in witness.knobs));
    if (missing !== undefined) return edited("knobs", `${quote(missing)} matters and is not there`);
    return { ok: true, witness, program, condition };
  } catch (error) {
    if (!(error instanceof WitnessMismatch)) throw error;
    return { ok: false, problems: [misfit(error, file)] };
  }
}

/** Knobs of machines, and rules of hardware that a check took out. */
function knobExists(name: string, value: string): boolean {
  const prefix = ruleKnob("");
  if (name.startsWith(prefix)) return RULES.has(name.slice(prefix.length)) && value === "no";
  const knob = [...KNOBS, ...PARTS].find((k) => k.name === name);
  return knob?.values.includes(value) === true;
}

const NOTE = "shootdown check --witness DIR writes witnesses";
const EDITED = "the witness was edited; check makes a new one";
const OTHER_VERSION =
  "it was made by another version of the model, or edited; check makes a new one";

/** A field that says something else than the rest of the file. */
function fieldProblem(text: string, file: string, field: string, message: string): Problem {
  // Quotes inside texts are escaped, so that this is the field itself.
  const at = text.search(new RegExp(`(?<!\\\\)"${field}"\\s*:`));
  const offset = Math.max(0, at);
  const before = text.slice(0, offset).split("\n");
  const col = before.at(-1)!.length + 1;
  const span = { file, line: before.length, col, offset, end: offset + field.length + 2 };
  return problemAt({ code: "W002", span, message, notes: [{ message: EDITED }] }, text);
}

/** V8 says the position in its message; other engines may not. */
function jsonProblem(text: string, file: string, error: unknown): Problem {
  const position = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined;
  if (position === undefined) return problem("not a witness: no JSON", { file, note: NOTE });
  const offset = Math.min(Number(position), text.length);
  const before = text.slice(0, offset).split("\n");
  const col = before.at(-1)!.length + 1;
  const span = { file, line: before.length, col, offset, end: offset + 1 };
  const notes = [{ message: NOTE }];
  return problemAt({ code: "W001", span, message: "not a witness: malformed JSON", notes }, text);
}

/** What keeps a value from being a witness; undefined if nothing does. */
function shapeProblem(json: unknown): string | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return "no object";
  const w = json as Readonly<Record<string, unknown>>;
  if (w["schema"] !== WITNESS_SCHEMA) return `schema is not ${WITNESS_SCHEMA}`;
  for (const name of ["scenario", "test", "machine", "kernel", "property", "program"]) {
    if (typeof w[name] !== "string") return `${name} is not a text`;
  }
  if (w["drop"] !== undefined && typeof w["drop"] !== "string") return "drop is not a text";
  const knobs = w["knobs"];
  if (typeof knobs !== "object" || knobs === null) return "knobs is no object";
  if (Object.values(knobs).some((v) => typeof v !== "string")) return "a knob is not a text";
  for (const name of ["steps", "cycle"]) {
    const steps = w[name];
    if (!Array.isArray(steps) || steps.length > STEPS_MAX) return `${name} is no list of steps`;
    if (!steps.every(isStep)) return `${name} has something that is no step`;
  }
  return undefined;
}

function isStep(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { kind, name, slot, choices } = value as Readonly<Record<string, unknown>>;
  const whole = (x: unknown) => Number.isSafeInteger(x);
  const texts = typeof kind === "string" && typeof name === "string";
  return texts && whole(slot) && Array.isArray(choices) && choices.every(whole);
}
