// SPDX-License-Identifier: Apache-2.0
// A quantity that the user lets run from a lowest to a highest value: `dsb_base_ns=200..900`.

import type { Diagnostic } from "../base/diagnostic.ts";
import { quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";
import type { Profile } from "./profile.ts";
import { largest, QUANTITY_NAMES, type QuantityName } from "./quantities.ts";

export interface Sweep {
  readonly quantity: QuantityName;
  readonly low: number;
  readonly high: number;
}

/** What the place of a mistake is counted in, instead of a file. */
export const SWEEP_OPTION = "--sweep";

const NUMBER = /^(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i;

export function readSweep(text: string): Sweep | Diagnostic {
  const equals = text.indexOf("=");
  if (equals < 0) return mistake(text, 0, text, "expected QUANTITY=LOW..HIGH");
  const name = text.slice(0, equals);
  const known = QUANTITY_NAMES.find((quantity) => quantity === name);
  if (known === undefined) return mistake(text, 0, name, unknownQuantity(name), near(name));
  const dots = text.indexOf("..", equals);
  if (dots < 0) return mistake(text, equals + 1, text.slice(equals + 1), "expected LOW..HIGH");
  const low = text.slice(equals + 1, dots);
  const high = text.slice(dots + 2);
  for (const [at, word] of [[equals + 1, low] as const, [dots + 2, high] as const]) {
    const wrong = wrongNumber(known, word);
    if (wrong !== undefined) return mistake(text, at, word, wrong);
  }
  if (Number(low) > Number(high)) {
    return mistake(text, equals + 1, text.slice(equals + 1), `${low} is more than ${high}`);
  }
  return { quantity: known, low: Number(low), high: Number(high) };
}

export function unknownQuantity(name: string): string {
  const unit = /_(us|ms|s|cycles|percent|pages|bytes)$/.exec(name)?.[1];
  const of = unit === undefined ? "" : `; no quantity is in '${unit}'`;
  return `unknown quantity ${quote(name)}${of}`;
}

/** The sentence on the name that was meant; a unit that is none of ours is not held against it. */
export function near(name: string): string | undefined {
  const stem = name.replace(/_(us|ms|s|cycles)$/, "_ns");
  return suggestion(stem, QUANTITY_NAMES);
}

/** The profile with the sweep; its middle is moved only as far as it must be. */
export function swept(profile: Profile, sweeps: readonly Sweep[]): Profile {
  const quantities = { ...profile.quantities };
  for (const { quantity, low, high } of sweeps) {
    const given = quantities[quantity];
    if (given === undefined) continue;
    const value = Math.min(high, Math.max(low, given.value));
    quantities[quantity] = { ...given, value, low, high };
  }
  return { ...profile, quantities };
}

function wrongNumber(name: QuantityName, word: string): string | undefined {
  if (/^-/.test(word)) return `${name} cannot be negative`;
  if (!NUMBER.test(word)) return `expected a number, found ${quote(word)}`;
  if (Number(word) > largest(name)) return `${name} is at most ${largest(name)}`;
  return undefined;
}

function mistake(
  text: string,
  at: number,
  word: string,
  message: string,
  note?: string,
): Diagnostic {
  const end = Math.min(text.length, at + word.length);
  const span = { file: SWEEP_OPTION, line: 1, col: at + 1, offset: at, end };
  return { code: "P002", span, message, notes: note === undefined ? [] : [{ message: note }] };
}
