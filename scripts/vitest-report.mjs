// SPDX-License-Identifier: Apache-2.0
// A vitest reporter that writes what scripts/test.mjs counts: totals and skips with their reason.
//
//   { "passed": 12, "failed": 0, "skipped": [{ "name": "...", "reason": "..." }] }
//
// The reason of a skip is the note of `ctx.skip(note)`, else what stands in the test's or suite's
// name as `(needs ...)`.

import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { root } from "./constants.mjs";

const FILE = process.env.SHOOTDOWN_TEST_REPORT;

function skipOf(test) {
  const where = relative(root, test.module.moduleId);
  const reason = test.result().note ?? /\((needs [^)]+)\)/.exec(test.fullName)?.[1];
  return { name: `${where}: ${test.fullName}`, reason: reason ?? "no reason given" };
}

export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      counts.failed += module.errors().length;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") counts.passed += 1;
        else if (state === "skipped") counts.skipped.push(skipOf(test));
        else counts.failed += 1;
      }
    }
    if (FILE) writeFileSync(FILE, JSON.stringify(counts));
  }
}
