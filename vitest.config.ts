// SPDX-License-Identifier: Apache-2.0
// The tests: unit tests beside their source, cross-cutting ones in test/.

import { defineConfig } from "vitest/config";
import { constants } from "./scripts/constants.mjs";

/** No test measures time; this only ends one that hangs. */
const HANG_MS = 300_000;

export default defineConfig({
  define: constants(),
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/fixtures/**"],
    // One a core: most of them do nothing but compute.
    maxWorkers: "100%",
    testTimeout: HANG_MS,
    hookTimeout: HANG_MS,
  },
});
