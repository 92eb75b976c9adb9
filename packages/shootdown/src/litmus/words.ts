// SPDX-License-Identifier: Apache-2.0
// The words of the scenario language, in tables: attributes by group, and statements.
//
// Of each group of attributes at most one word may stand. A new attribute is a new word here and a
// line in docs/LITMUS.md; lexer, parser and printer do not change.

export const OBSERVATIONS = ["Never", "Sometimes", "Always"] as const;
export type Observation = (typeof OBSERVATIONS)[number];

/**
 * Lines of the head that say what a scenario is evidence of, in canonical order: rules that its
 * Result lines hang on, freedoms that it shows or shows absent, exceptions that stay silent, known
 * failures.
 */
export const LABEL_KEYS = ["Rules", "Cells", "Silent", "Bug"] as const;
export type LabelKey = (typeof LABEL_KEYS)[number];

export const QUANTIFIERS = ["exists", "~exists", "forall"] as const;
export type Quantifier = (typeof QUANTIFIERS)[number];

/** The page-table entry and the page behind `map`; then the vma, as in `vma`. */
export const MAP_ATTRIBUTES = {
  permission: ["read-only", "writable"],
  dirtiness: ["clean", "dirty"],
  age: ["young", "old"],
  ownership: ["exclusive", "shared"],
  backing: ["anonymous", "file"],
  sharing: ["private", "shared-mapping"],
} as const;

export const VMA_ATTRIBUTES = {
  permission: ["read-only", "writable"],
  backing: ["anonymous", "file"],
  sharing: ["private", "shared-mapping"],
} as const;

export const PAGE_ATTRIBUTES = { content: ["zero"] } as const;

export const DEVICE_ATTRIBUTES = {
  ats: ["ats", "no-ats"],
  notifier: ["registered", "unregistered"],
} as const;

/** Not allowed as names: they begin a condition or a block. */
export const RESERVED: readonly string[] = ["exists", "forall", "loop"];

/** An agent that is a CPU; its number is the CPU's. */
export const CPU_NAME = /^CPU(0|[1-9][0-9]*)$/;

/** What may stand in one position of a statement, call or property. */
export type Param =
  /** A declared name of this kind; `agent` is a device or a CPU that has a body. */
  | "mm"
  | "page"
  | "va"
  | "device"
  | "cpu"
  | "agent"
  /** `A:x`; and `A:x` or `A:x..y`. */
  | "place"
  | "places"
  /** `x` or `x..y`, in the mm that the agent uses. */
  | "pages"
  | "number"
  /** A signal that this statement raises, and one that it waits for. */
  | "signal"
  | "awaited"
  /** Anything; names in it are not looked up. */
  | "any"
  /** One of these words. */
  | readonly string[];

export interface Signature {
  readonly params: readonly Param[];
  /** How many of the last parameters may be left out; default none. */
  readonly optional?: number;
  /** What may stand behind `->`; default nothing. */
  readonly into?: Param;
  /** Who may run it: default anyone. `user` is a CPU with an mm, `cpu` any CPU. */
  readonly by?: "cpu" | "user" | "device" | "user-or-device";
}

/** What a checker of names knows. A table that is absent is not checked. */
export interface Dictionary {
  readonly verbs: ReadonlyMap<string, Signature>;
  readonly routines?: ReadonlyMap<string, Signature>;
  readonly properties?: ReadonlyMap<string, Signature>;
  /** Ids that may stand in the lines of the head. */
  readonly labels?: { readonly [K in LabelKey]?: readonly string[] };
}

/** The statements that the language documents. */
export const STANDARD_VERBS: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ["load", { params: ["va"], by: "user-or-device" }],
  ["store", { params: ["va"], by: "user-or-device" }],
  ["munmap", { params: ["pages"], by: "user" }],
  ["mprotect", { params: ["pages", ["read-only", "read-write", "none"]], by: "user" }],
  ["fork", { params: [], into: "mm", by: "user" }],
  ["exit", { params: [], by: "user" }],
  ["signal", { params: ["signal"] }],
  ["await", { params: ["awaited"] }],
]);

export const STANDARD_DICTIONARY: Dictionary = { verbs: STANDARD_VERBS };
