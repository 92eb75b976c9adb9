// SPDX-License-Identifier: Apache-2.0
// A feature that the user gives a machine: `atc_span=exact`, `smmus=8`, `invlpgb=no`.

import type { Diagnostic } from "../base/diagnostic.ts";
import { quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";
import { DEFAULT_FEATURES, type Features, misfit, type Profile } from "./profile.ts";
import { COUNTED, WORDS } from "./profile-json.ts";

export interface Setting {
  readonly feature: keyof Features;
  readonly value: number | boolean | string;
}

/** What the place of a mistake is counted in, instead of a file. */
const OPTION = "--set";
const BOOLEANS: Readonly<Record<string, boolean>> = { yes: true, no: false };

export function readSetting(text: string): Setting | Diagnostic {
  const equals = text.indexOf("=");
  if (equals < 0) return mistake(0, text.length, "expected FEATURE=VALUE");
  const name = text.slice(0, equals);
  const names = Object.keys(DEFAULT_FEATURES);
  const feature = names.find((n) => n === name) as keyof Features | undefined;
  if (feature === undefined) {
    const note = suggestion(name, names) ?? `known are ${names.join(", ")}`;
    return mistake(0, equals, `unknown feature ${quote(name)}`, note);
  }
  const word = text.slice(equals + 1);
  const wrong = (expected: string) =>
    mistake(equals + 1, text.length, `${feature} is ${expected}, not ${quote(word)}`);
  if (typeof DEFAULT_FEATURES[feature] === "boolean") {
    const value = BOOLEANS[word];
    return value === undefined ? wrong("yes or no") : { feature, value };
  }
  const words = WORDS[feature];
  if (words !== undefined) {
    return words.includes(word) ? { feature, value: word } : wrong(words.join(" or "));
  }
  const [least, most] = COUNTED[feature]!;
  const value = /^[0-9]{1,12}$/.test(word) ? Number(word) : Number.NaN;
  const fits = value >= least && value <= most;
  return fits ? { feature, value } : wrong(`a number from ${least} to ${most}`);
}

/** The machine with these features instead, but for those that it cannot have. */
export const withSettings = (profile: Profile, settings: readonly Setting[]): Profile =>
  settings.reduce((so, one) => (unfit(so, one) === undefined ? changed(so, one) : so), profile);

/** What is said of a setting that none of the machines can have. */
export function unfitting(
  text: string,
  setting: Setting,
  profiles: readonly Profile[],
): Diagnostic | undefined {
  const why = profiles.map((profile) => unfit(profile, setting));
  return why.includes(undefined) ? undefined : mistake(0, text.length, why[0]!);
}

const unfit = (profile: Profile, setting: Setting) => misfit(changed(profile, setting));

const changed = (profile: Profile, { feature, value }: Setting): Profile => ({
  ...profile,
  features: { ...profile.features, [feature]: value },
});

function mistake(offset: number, end: number, message: string, note?: string): Diagnostic {
  const span = { file: OPTION, line: 1, col: offset + 1, offset, end };
  return { code: "P005", span, message, notes: note === undefined ? [] : [{ message: note }] };
}
