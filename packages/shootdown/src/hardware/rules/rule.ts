// SPDX-License-Identifier: Apache-2.0
// What an entry of the registry of hardware rules says.

/** Whether the model has a rule. */
export type RuleStatus =
  /** Some scenario of the library gets another answer without it. */
  | { readonly kind: "modelled" }
  | { readonly kind: "notModelled"; readonly why: string }
  /** It sums up these rules. */
  | { readonly kind: "follows"; readonly from: readonly string[] };

/** A rule of the hardware notes, in our own words. */
export interface HardwareRule {
  readonly id: string;
  /** A few words. */
  readonly title: string;
  /** One or two sentences. */
  readonly text: string;
  /** Document and section. */
  readonly source: string;
  readonly status: RuleStatus;
}

export const MODELLED: RuleStatus = { kind: "modelled" };

/** Left out, and why: a sentence without a full stop. */
export const notModelled = (why: string): RuleStatus => ({ kind: "notModelled", why });

export const followsFrom = (...from: readonly string[]): RuleStatus => ({ kind: "follows", from });

/** Whatever the model has of it, nothing shows it. */
export const UNTESTED: RuleStatus = notModelled("no scenario depends on it yet");
