// SPDX-License-Identifier: Apache-2.0
// Options that several subcommands have, and readers of their values.

import { type Command, InvalidArgumentError, Option } from "commander";
import { type Problem, problemLine, quote, suggestion } from "../api/index.ts";
import { out, say } from "./output.ts";

/** The status for mistakes of usage or input. */
export const USAGE = 2;

export interface CommonOptions {
  readonly format: string;
  readonly color: "auto" | "always" | "never";
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

export function addCommon(command: Command, formats: readonly string[]): Command {
  return command
    .addOption(
      new Option("--format <format>", "how results are printed").choices(formats).default("text"),
    )
    .addOption(
      new Option("--color <when>", "colours in text")
        .choices(["auto", "always", "never"])
        .default("auto"),
    )
    .option("-q, --quiet", "less: no progress, only what is not as expected")
    .option("-v, --verbose", "more");
}

/** For options that may be repeated. */
export const collect = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  value,
];

/** For options with a few values. */
export const oneOf =
  <T extends string>(names: readonly T[]) =>
  (value: string): T => {
    const found = names.find((name) => name === value);
    if (found !== undefined) return found;
    const meant = suggestion(value, names);
    throw new InvalidArgumentError(
      meant === undefined ? "" : `${meant[0]!.toUpperCase()}${meant.slice(1)}`,
    );
  };

/** `KNOB=VALUE`, repeated. */
export function setting(
  value: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = value.indexOf("=");
  if (at <= 0 || at === value.length - 1) throw new InvalidArgumentError("Expected KNOB=VALUE.");
  const knob = value.slice(0, at);
  const chosen = value.slice(at + 1);
  if (Object.hasOwn(before, knob) && before[knob] !== chosen) {
    throw new InvalidArgumentError(`'${knob}' was set to '${before[knob]}' before.`);
  }
  return { ...before, [knob]: chosen };
}

/** A whole number from 1. */
export function count(value: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(value))
    throw new InvalidArgumentError("Expected a number from 1.");
  return Number(value);
}

const UNITS = "KMGT";
const SIZE_MAX = Number.MAX_SAFE_INTEGER;

/** Bytes: a number, then K, M, G or T for powers of 1024, as `2G`, `1.5GiB` or `512MB`. */
export function size(value: string): number {
  const number = /^[0-9]+(?:\.[0-9]+)?/.exec(value)?.[0] ?? "";
  const wrongAt = (at: number, expected: string): never => {
    const there = at < value.length ? quote([...value.slice(at)][0]!) : "the end";
    throw new InvalidArgumentError(
      `Expected ${expected} at character ${at + 1}, not ${there}. Examples: 512M, 2G, 1.5GiB.`,
    );
  };
  if (number === "") wrongAt(0, "a number");
  const unit = value.slice(number.length, number.length + 1).toUpperCase();
  const known = unit !== "" && UNITS.includes(unit);
  const after = number.length + (known ? 1 : 0);
  const rest = /^(?:i?B)?/i.exec(value.slice(after))?.[0] ?? "";
  const end = after + (known || rest.length < 2 ? rest.length : 0);
  if (end < value.length) wrongAt(end, known ? "nothing" : "K, M, G, T or nothing");
  const bytes = Math.floor(Number(number) * 1024 ** (known ? UNITS.indexOf(unit) + 1 : 0));
  if (bytes >= 1 && bytes <= SIZE_MAX) return bytes;
  throw new InvalidArgumentError(`Expected a size from 1 to ${SIZE_MAX} bytes.`);
}

/** The last object where a mistake of usage leaves nothing else to say. */
export function reportAll(problems: readonly Problem[], format: string): void {
  report(problems, format);
  if (format === "ndjson") {
    out(`${JSON.stringify({ type: "summary", errors: problems.length })}\n`);
  }
}

/** Tells people on stderr and, where it is read by programs, programs on stdout. */
export function report(problems: readonly Problem[], format: string): void {
  for (const p of problems) {
    say(p.text);
    if (format === "ndjson") out(problemLine(p));
  }
}
