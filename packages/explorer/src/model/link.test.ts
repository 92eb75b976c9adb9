// SPDX-License-Identifier: Apache-2.0
// A link says all that it was written from, and whatever is in it is read without complaint.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Link, NO_LINK, readLink, writeLink } from "./link.ts";

const name = fc.stringMatching(/^[a-z][a-z0-9+.-]{0,12}$/);
const set = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.stringMatching(/^[a-z]{1,6}$/));
const link: fc.Arbitrary<Link> = fc.record({
  scenario: fc.option(fc.stringMatching(/^[a-z-]{1,8}\/[a-z-]{1,8}\.litmus$/)),
  text: fc.option(fc.string({ unit: "grapheme" })),
  machine: fc.option(name),
  kernel: fc.option(name),
  set,
  at: fc.nat(1_000_000),
  keep: fc.option(fc.nat(1_000_000)),
  branch: fc.array(fc.nat(9999), { maxLength: 30 }),
  beside: fc.option(fc.record({ machine: name, kernel: name, set })),
});

test("what is written is read", async () => {
  await fc.assert(
    fc.asyncProperty(link, async (l) => {
      const text = l.scenario === null ? l.text : null;
      expect(await readLink(`#${await writeLink(l)}`)).toEqual({ ...l, text });
    }),
  );
});

test("whatever a fragment holds, it is read", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), async (s) => {
      expect(await readLink(s)).toMatchObject({ at: expect.any(Number) });
    }),
  );
  expect(await readLink("#t=%%%&at=-1&b=..&set=a&keep=x")).toEqual(NO_LINK);
});
