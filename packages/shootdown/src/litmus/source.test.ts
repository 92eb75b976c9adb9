// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { kindOf, type LitmusKind } from "./source.ts";

test.each<[string, LitmusKind]>([
  ["MM a", "mm"],
  ["\uFEFF\r\n\tMM a", "mm"],
  ["(* SPDX-License-Identifier: Apache-2.0 (* nested *) *)\nMM a", "mm"],
  ["AArch64 MP+pos\n{ x=1; }", "aarch64"],
  ["AArch64", "aarch64"],
  ["AArch64x", "unknown"],
  ["MM_a", "unknown"],
  ["C CoRR", "unknown"],
  ["(* AArch64", "unknown"],
  ["*) MM", "unknown"],
  ["", "unknown"],
  ["\0\0", "unknown"],
  ["{ MM }", "unknown"],
])("the kind of %j", (text, kind) => {
  expect(kindOf(text)).toBe(kind);
  expect(kindOf(new TextEncoder().encode(text))).toBe(kind);
});
