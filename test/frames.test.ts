// SPDX-License-Identifier: Apache-2.0
// A kernel that runs out of frames has no verdict: what it would have done next is not known.

import { expect, test } from "vitest";
import { openCheck } from "../packages/shootdown/src/api/check.ts";

const two = (free: number) => `MM two-copies
(* Two pages are copied. *)
{
  mm A;
  page P, Q;
  map A:x -> P read-only shared;
  map A:y -> Q read-only shared;
  vma A:x..y writable;
  free-frames ${free};
}
CPU0(A) { store x; store y; }
exists (use_after_free)
`;

test.each(["closures", "wasm", "javascript"] as const)("%s: a frame for each copy", (engine) => {
  const run = (free: number) => {
    const opened = openCheck(two(free), { file: "two.litmus", witness: "none", engine });
    if (opened.kind !== "scenario") throw new Error(opened.kind);
    return opened.check.run(opened.check.runs[0]!).run;
  };
  expect(run(2)).toMatchObject({ observed: "never", exhaustive: true });
  expect(run(1)).toMatchObject({ observed: "inconclusive", exhaustive: false });
  expect(run(1).limit).toContain("an index of page_life exceeds the domain");
});
