// SPDX-License-Identifier: Apache-2.0
// docs/ANSWERS.md says what the runs say.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { answers } from "../packages/shootdown/src/study/answers.ts";

test("the page of answers is up to date", () => {
  const root = join(import.meta.dirname, "..");
  const text = answers((path) => readFileSync(join(root, path), "utf8"));
  expect(readFileSync(join(root, "docs/ANSWERS.md"), "utf8")).toBe(text);
});
