// SPDX-License-Identifier: Apache-2.0
// Options that several subcommands have, and readers of their values.

import { type Command, InvalidArgumentError, Option } from "commander";
import { type Problem, problemLine } from "../api/index.ts";
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

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Bytes, with K, M or G. */
export function size(value: string): number {
  const parts = /^([1-9][0-9]{0,11})([KMG]?)(?:i?B)?$/i.exec(value);
  if (!parts) throw new InvalidArgumentError("Expected a size such as 512M or 2G.");
  return Number(parts[1]) * UNITS[parts[2]!.toUpperCase()]!;
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
