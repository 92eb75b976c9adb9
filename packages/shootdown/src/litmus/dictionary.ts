// SPDX-License-Identifier: Apache-2.0
// The statements and properties that scenarios may use, as this model has them.

import { OBSERVERS } from "../vocabulary/properties.ts";
import type { Dictionary, Signature } from "./words.ts";

/** What each statement does is in threads.ts. */
const VERBS: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ["load", { params: ["va"], by: "user-or-device" }],
  ["store", { params: ["va"], by: "user-or-device" }],
  ["munmap", { params: ["pages"], by: "user" }],
  ["mprotect", { params: ["pages", ["read-only", "read-write"]], by: "user" }],
  ["fork", { params: [], by: "user" }],
  ["exit", { params: [], by: "user" }],
  ["signal", { params: ["signal"] }],
  ["await", { params: ["awaited"] }],
]);

const PROPERTIES: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ...[...OBSERVERS.keys()].map((name) => [name, { params: [] }] as const),
  ["stuck", { params: ["device"] }],
]);

export const DICTIONARY: Dictionary = {
  verbs: VERBS,
  routines: new Map(),
  properties: PROPERTIES,
};
