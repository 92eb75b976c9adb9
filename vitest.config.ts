// SPDX-License-Identifier: Apache-2.0
// The tests: unit tests beside their source, cross-cutting ones in test/.

import { defineConfig } from "vitest/config";
import { constants } from "./scripts/constants.mjs";

/** Tests of minutes are a step of their own: `npm run test:slow`. */
const SLOW = "**/*.slow.test.ts";
const slow = process.env["SHOOTDOWN_SLOW"] === "1";

/** No test measures time; this only ends one that hangs. */
const HANG_MS = 300_000;

export default defineConfig({
  define: constants(),
  test: {
    include: slow ? [SLOW] : ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/fixtures/**", ...(slow ? [] : [SLOW])],
    // One a core: most of them do nothing but compute.
    maxWorkers: "100%",
    testTimeout: HANG_MS,
    hookTimeout: HANG_MS,
  },
});
