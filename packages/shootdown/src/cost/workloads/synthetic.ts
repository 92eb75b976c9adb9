// SPDX-License-Identifier: Apache-2.0
// Workloads made up: the shapes that published measurements have, of any length, from a seed.
//
//   synthetic:mprotect,ops=1000000,processes=32,seed=1 ──► parameters ──► operations, one by one
//
// Nothing is kept of what was made; going through it again makes the same again.
import { suggestion } from "../../base/suggest.ts";
import type { Operation } from "../workload.ts";
import type { ReadResult } from "./input.ts";
import { CODES, type Code, type Problem, problemAt } from "./problem.ts";
import { type Parameters, SHAPES, type Shape } from "./shapes.ts";

export const SYNTHETIC = "synthetic:";

export const isSynthetic = (name: string): boolean => name.startsWith(SYNTHETIC);

export interface Parameter {
  readonly about: string;
  readonly default: number;
  readonly least: number;
  readonly most: number;
  /** In nanoseconds, written with ns, us, ms or s; otherwise a count, which may end in k or M. */
  readonly time?: true;
}

const count = (about: string, usual: number, least: number, most: number): Parameter => {
  return { about, default: usual, least, most };
};

/** Of every shape; each has its own defaults for some. */
export const PARAMETERS: Readonly<Record<keyof Parameters, Parameter>> = {
  ops: count("operations", 10_000, 1, 1e12),
  seed: count("seed of what is random", 1, 0, 2 ** 32 - 1),
  threads: count("threads of each process", 1, 1, 1024),
  processes: count("processes", 1, 1, 1024),
  pages: count("pages of a range", 64, 1, 2 ** 22),
  gap: { ...count("from one operation of a task to its next", 0, 0, 1e12), time: true },
};

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };
const MULTIPLES: Readonly<Record<string, number>> = { k: 1e3, M: 1e6 };

/** The workload of a name `synthetic:SHAPE,KEY=VALUE,...`. */
export function openSynthetic(name: string): ReadResult {
  const parsed = new SpecParser(name).parse();
  if (!("shape" in parsed)) return { diagnostics: parsed.diagnostics };
  const { shape, parameters } = parsed;
  const shown = Object.entries(parameters).map(([key, value]) => `${key}=${value}`);
  return {
    workload: {
      name,
      title: shape.about,
      provenance: `made by the generator ${shape.name}: ${shown.join(", ")}`,
      assumptions: [shape.assumes],
      operations: { [Symbol.iterator]: () => first(parameters.ops, shape, parameters) },
    },
  };
}

function* first(
  ops: number,
  shape: Shape,
  parameters: Parameters,
): Generator<Operation, void, undefined> {
  let left = ops;
  for (const operation of shape.make(parameters)) {
    if (left-- <= 0) return;
    yield operation;
  }
}

type Parsed =
  | { readonly shape: Shape; readonly parameters: Parameters }
  | { readonly diagnostics: readonly Problem[] };

class SpecParser {
  readonly #text: string;
  readonly #problems: Problem[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Parsed {
    const text = this.#text;
    const words: { text: string; at: number }[] = [];
    let at = text.startsWith(SYNTHETIC) ? SYNTHETIC.length : 0;
    for (const word of text.slice(at).split(",")) {
      words.push({ text: word, at });
      at += word.length + 1;
    }
    const name = words.shift()!;
    const shape = SHAPES.find((one) => one.name === name.text);
    if (shape === undefined) {
      const names = SHAPES.map((one) => one.name);
      const note = suggestion(name.text, names) ?? `known are ${names.join(", ")}`;
      this.#say(name.at, name.text.length, CODES.name, "no generator of this name", note);
    }
    const defaults = Object.entries(PARAMETERS).map(([key, one]) => [key, one.default]);
    const parameters = { ...Object.fromEntries(defaults), ...shape?.defaults };
    const seen = new Set<string>();
    for (const word of words) this.#parameter(word.text, word.at, parameters, seen);
    if (shape === undefined || this.#problems.length > 0) return { diagnostics: this.#problems };
    return { shape, parameters };
  }

  #parameter(text: string, at: number, into: Record<string, number>, seen: Set<string>): void {
    const equals = text.indexOf("=");
    const key = equals < 0 ? text : text.slice(0, equals);
    if (!Object.hasOwn(PARAMETERS, key)) {
      const note = suggestion(key, Object.keys(PARAMETERS));
      const notes = note === undefined ? [] : [note];
      this.#say(at, key.length, CODES.name, "no parameter of this name", ...notes);
      return;
    }
    const parameter = PARAMETERS[key as keyof Parameters];
    if (equals < 0) {
      this.#say(at, key.length, CODES.form, `${key} needs a value: ${key}=${parameter.default}`);
      return;
    }
    if (seen.has(key)) this.#say(at, text.length, CODES.form, `${key} is given twice`);
    seen.add(key);
    const value = text.slice(equals + 1);
    const from = at + equals + 1;
    const [, digits, unit = ""] = /^(\d{1,30}(?:\.\d{1,9})?)([a-zA-Z]*)$/.exec(value) ?? [];
    if (digits === undefined) {
      const why = value.startsWith("-") ? "a negative number" : "no number";
      this.#say(from, value.length, CODES.number, why);
      return;
    }
    const units = parameter.time ? UNITS : MULTIPLES;
    const factor = unit === "" ? 1 : Object.hasOwn(units, unit) ? units[unit]! : undefined;
    if (factor === undefined) {
      const known = Object.keys(units).join(", ");
      this.#say(from, value.length, CODES.number, `an unknown unit; known are ${known}`);
      return;
    }
    const number = Number(digits) * factor;
    if (!Number.isInteger(number) || number < parameter.least || number > parameter.most) {
      const range = `${key} is a whole number from ${parameter.least} to ${parameter.most}`;
      this.#say(from, value.length, CODES.number, range);
      return;
    }
    into[key] = number;
  }

  #say(at: number, length: number, code: Code, message: string, ...notes: string[]): void {
    const place = { file: "<workload>", line: 1, column: at + 1, length, source: this.#text };
    this.#problems.push(problemAt(place, code, message, ...notes));
  }
}
