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

/** Whether a freedom exists on an agent, and the rule that says so. */
export interface Verdict {
  readonly is: "allowed" | "forbidden" | "conditional";
  readonly rule: string;
}

/** Agents that the freedom matrix tells apart. */
export type MatrixColumn = "arm64" | "x86" | "smmu" | "btm" | "atc";

/** A row of the freedom matrix. */
export interface Freedom {
  readonly id: string;
  /** What happens. */
  readonly says: string;
  /** Absent: it means nothing there. */
  readonly columns: { readonly [C in MatrixColumn]?: Verdict };
  /** Why no scenario shows it there. */
  readonly notShown?: { readonly [C in MatrixColumn]?: string };
}

/** Behaviour that looks like a bug and is none. */
export interface PermittedOddity {
  readonly id: string;
  readonly says: string;
  /** Why no scenario contains it. */
  readonly notShown?: string;
}

/** A failure of a real system. */
export interface KnownFailure {
  readonly id: string;
  readonly says: string;
  /** Why it cannot be shown here. */
  readonly elsewhere?: string;
}
