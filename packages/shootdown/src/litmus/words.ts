// SPDX-License-Identifier: Apache-2.0
// The words of the scenario language, in tables: attributes by group, and statements.
//
// Of each group of attributes at most one word may stand. A new attribute is a new word here and a
// line in docs/LITMUS.md; lexer, parser and printer do not change.

import type { Scenario } from "./ast.ts";
import { SMMU_VERBS } from "./smmu-words.ts";

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
  scope: ["global"],
  group: ["contiguous"],
  size: ["huge"],
  presence: ["absent"],
} as const;

export const VMA_ATTRIBUTES = {
  permission: ["read-only", "writable"],
  backing: ["anonymous", "file"],
  sharing: ["private", "shared-mapping"],
} as const;

export const PAGE_ATTRIBUTES = { content: ["zero"], access: ["xs"] } as const;

export const DEVICE_ATTRIBUTES = {
  ats: ["ats", "no-ats"],
  notifier: ["registered", "unregistered"],
  tables: ["kvm", "hmm"],
} as const;

/** Not allowed as names: they begin a condition or a block. */
export const RESERVED: readonly string[] = ["exists", "forall", "loop", "kernel"];

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
  /** A place, or an address in the mm that the agent uses; the same for ranges, or an mm. */
  | "spot"
  | "spots"
  | "scope"
  /** A page, or `none`. */
  | "frame"
  /** A page, `none` or `table`. */
  | "upper"
  /** A register of the agent: any name that means nothing else. */
  | "register"
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
  /** Words of which at most one of each list may stand. */
  readonly groups?: readonly (readonly string[])[];
  /** Who may run it: default anyone. `user` is a CPU with an mm, `cpu` any CPU. */
  readonly by?: "cpu" | "user" | "device" | "user-or-device";
}

/** What a checker of names knows. A table that is absent is not checked. */
export interface Dictionary {
  readonly verbs: ReadonlyMap<string, Signature>;
  readonly routines?: ReadonlyMap<string, Signature>;
  readonly properties?: ReadonlyMap<string, Signature>;
  /** The routines that a scenario's own `kernel` blocks define; null: they cannot be called. */
  readonly own?: (scenario: Scenario) => ReadonlyMap<string, Signature | null>;
  /** The fields that they declare, and what a condition compares them with: `into`. */
  readonly fields?: (scenario: Scenario) => ReadonlyMap<string, Signature | null>;
  /** Ids that may stand in the lines of the head. */
  readonly labels?: { readonly [K in LabelKey]?: readonly string[] };
}

/** Attributes of a leaf that `set_pte` stores. */
const LEAF_GROUPS = [
  MAP_ATTRIBUTES.permission,
  MAP_ATTRIBUTES.dirtiness,
  MAP_ATTRIBUTES.age,
] as const;
const LEAF_WORDS = LEAF_GROUPS.flat();

/** Operations of `tlbi` that take addresses, and those that take none. */
export const TLBI_BY_VA = [
  ...(["VAE1", "VALE1", "VAAE1", "VAALE1"] as const),
  ...(["VAE1IS", "VALE1IS", "VAAE1IS", "VAALE1IS"] as const),
  ...(["VAE1IS_TTL2", "VALE1IS_TTL2", "VAE1IS_TTL3", "VALE1IS_TTL3", "VALE1ISnXS"] as const),
];
export const TLBI_WHOLE = [
  ...(["ASIDE1", "ASIDE1IS", "VMALLE1", "VMALLE1IS", "IPAS2E1IS", "VMALLS12E1IS"] as const),
];

/** What a CMD_ATC_INV is about: SSV=0, or G=1; default the PASID of the device alone. */
export const ATC_SCOPES = ["no-pasid", "global"] as const;

/** What a page request may say: W=1, and L=0. */
const PAGE_REQUEST = ["write", "more"] as const;

/** What madvise() may be told: MADV_DONTNEED and so on. */
export const ADVICE = ["DONTNEED", "FREE", "COLD", "REMOVE", "PAGEOUT"] as const;

/** Single instructions and commands, as the kernel and the specifications name them. */
const INSTRUCTIONS: readonly (readonly [string, Signature])[] = [
  [
    "set_pte",
    {
      params: ["spot", "frame", ...LEAF_GROUPS.map(() => LEAF_WORDS)],
      optional: LEAF_GROUPS.length,
      groups: LEAF_GROUPS,
      by: "cpu",
    },
  ],
  ["set_pmd", { params: ["spot", "upper"], by: "cpu" }],
  ["set_s2", { params: ["page", "frame"], by: "cpu" }],
  ["tlbi", { params: [[...TLBI_BY_VA, ...TLBI_WHOLE], "scope"], optional: 1, by: "cpu" }],
  ["dsb", { params: [["ISH", "ISHST", "NSH", "NSHST"]], by: "cpu" }],
  ["isb", { params: [], by: "cpu" }],
  ["ttbr0", { params: ["mm"], by: "user" }],
  ["set_asid", { params: ["mm", "mm"], by: "cpu" }],
  ["CMD_TLBI_NH_VA", { params: ["spots"], by: "cpu" }],
  ["CMD_TLBI_NH_ASID", { params: ["mm"], optional: 1, by: "cpu" }],
  ["CMD_ATC_INV", { params: ["device", "pages", ATC_SCOPES], optional: 1, by: "cpu" }],
  ["CMD_CFGI_CD", { params: ["device"], by: "cpu" }],
  ["CMD_SYNC", { params: [], by: "cpu" }],
  ["invlpg", { params: ["va"], by: "user" }],
  ["lazy", { params: [], by: "user" }],
  ["switch", { params: ["mm"], by: "user" }],
  [
    "page_request",
    {
      params: ["va", PAGE_REQUEST, PAGE_REQUEST],
      optional: 2,
      groups: [["write"], ["more"]],
      by: "device",
    },
  ],
  ["stop_marker", { params: [], by: "device" }],
  ["prg_response", { params: [], by: "device" }],
  ["free", { params: ["page"], by: "cpu" }],
  ["free_table", { params: ["spot"], by: "cpu" }],
  ["rely", { params: ["spot"], by: "cpu" }],
];

/** Of `access`: nobody handles a fault, so that the access ends; or it is made again. */
const ACCESS_WORDS = ["unhandled", "retried"] as const;

/** The statements that the language documents. */
export const STANDARD_VERBS: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ["load", { params: ["va"], into: "register", by: "user-or-device" }],
  ["store", { params: ["va"], into: "register", by: "user-or-device" }],
  ["access", { params: ["pages", ACCESS_WORDS], optional: 1, by: "user-or-device" }],
  ["munmap", { params: ["pages"], by: "user" }],
  ["mprotect", { params: ["pages", ["read-only", "read-write", "none"]], by: "user" }],
  ["madvise", { params: ["pages", ADVICE], by: "user" }],
  ["mremap", { params: ["pages", "va", ["table"]], optional: 1, by: "user" }],
  ["fork", { params: [], into: "mm", by: "user" }],
  ["exit", { params: [], by: "user" }],
  ["signal", { params: ["signal"] }],
  ["await", { params: ["awaited"] }],
  ...INSTRUCTIONS,
  ...SMMU_VERBS,
]);

export const STANDARD_DICTIONARY: Dictionary = { verbs: STANDARD_VERBS };
