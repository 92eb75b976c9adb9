// SPDX-License-Identifier: Apache-2.0
// Texts made of another by a few edits that drop some of it and insert pieces or noise.

import * as fc from "fast-check";

/** Up to six edits of a text. */
export function mutations(seed: string, pieces: readonly string[]): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.nat(seed.length),
    drop: fc.nat(12),
    insert: fc.oneof(fc.constantFrom("", ...pieces), fc.string({ unit: "binary", maxLength: 5 })),
  });
  return fc
    .array(edit, { minLength: 1, maxLength: 6 })
    .map((edits) =>
      edits.reduce(
        (text, { at, drop, insert }) => text.slice(0, at) + insert + text.slice(at + drop),
        seed,
      ),
    );
}
