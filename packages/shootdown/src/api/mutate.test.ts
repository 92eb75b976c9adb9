// SPDX-License-Identifier: Apache-2.0
// A pass that goes on: what is done is taken over, and what killed before is tried first.

import { expect, test } from "vitest";
import type { MutateJob } from "./mutate.ts";
import { mutateRoutine } from "./mutate.ts";

const text = (name: string, statement: string) => ({
  name,
  text: `MM ${name}
(* A page is used no more once it is given back.
 * Result: Never machine=arm64 kernel=linux-6.12 set=hafdbs=no *)
{ mm A; page P, Q; va x, z; map A:x -> P; map A:z -> Q; }
CPU0(A) { ${statement} }
CPU1(A) { loop { access x unhandled; } }
exists (use_after_free)
`,
});

const job: MutateJob = {
  kernel: "linux-6.12",
  routine: "tlb_end_vma",
  scenarios: [text("a", "madvise x DONTNEED;"), text("b", "madvise x..z DONTNEED; load x;")],
  pairs: false,
  explained: [],
};
const clock = () => 0;

test("results are taken over; the run that killed before kills again", () => {
  const first = mutateRoutine(job, clock);
  expect(first.length).toBeGreaterThan(3);
  const done = first.slice(0, 3).map((l) => ({ ...l, by: "before" }));
  const resumed = mutateRoutine({ ...job, done }, clock);
  expect(resumed.slice(0, 3)).toEqual(done);
  expect(resumed.slice(3)).toEqual(first.slice(3));
  for (const by of ["a arm64 hafdbs=no", "b arm64 hafdbs=no"]) {
    // Statements may have had other numbers then.
    const earlier = first.map((l) => ({ ...l, step: 99, by }));
    const again = mutateRoutine({ ...job, earlier }, clock).filter((l) => l.how === "result");
    expect(again.map((l) => l.by)).toContain(by);
    expect(again.every((l) => l.by === by)).toBe(true);
  }
});
