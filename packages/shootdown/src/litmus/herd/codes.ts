// SPDX-License-Identifier: Apache-2.0
// The codes of the diagnostics of herd's tests; docs/HERD.md explains each. Numbers are not reused.

import type { Code } from "../codes.ts";

export const HERD_CODES = {
  H001: "malformed head",
  H002: "something else expected",
  H003: "unknown word",
  H004: "no label of this name",
  H005: "no such thread",
  H006: "row with too many or too few columns",
  H007: "said twice",
  H008: "number out of range",
  H009: "comment without an end",
  H010: "nested too deeply",
} as const;

/** Reading bytes is shared with scenarios, and with it the first codes of those. */
export type HerdCode = keyof typeof HERD_CODES | Code;
