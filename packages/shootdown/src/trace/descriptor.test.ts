// SPDX-License-Identifier: Apache-2.0
// Recorded arm64 entries and the classes of the changes between them, from real recordings.
import { expect, test } from "vitest";
import { afterSetAccessFlags, asArm64, classify, isBlock, layoutOf } from "./descriptor.ts";
import { formatWord, parseWord, type Word64 } from "./importers/word64.ts";

function word(text: string): Word64 {
  const parsed = parseWord(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

const READ_ONLY = "0x6000007ed60fc3";
const CLEAN = "0xe800007ed60fc3";
const DIRTY = "0xe800007ed60f43";
const YOUNG_OFF = "0xe800007ed60b43";
const OTHER_FRAME = "0xe800007ed61f43";
const PROT_NONE = "0xe000007ed60f82";

test.each([
  [READ_ONLY, DIRTY, "upgrade"],
  [READ_ONLY, CLEAN, "upgrade"],
  [DIRTY, READ_ONLY, "downgrade"],
  [CLEAN, READ_ONLY, "downgrade"],
  [CLEAN, DIRTY, "flags"],
  [DIRTY, CLEAN, "flags"],
  [DIRTY, OTHER_FRAME, "frame"],
  [DIRTY, "0x0", "unmap"],
  [DIRTY, PROT_NONE, "unmap"],
  ["0x0", DIRTY, "none"],
  [PROT_NONE, DIRTY, "none"],
  [DIRTY, DIRTY, "none"],
  [YOUNG_OFF, DIRTY, "access_flag"],
  [DIRTY, YOUNG_OFF, "access_flag"],
  // Hardware may have set the access flag by then, and cached it: still an upgrade.
  ["0xe0000041929bc3", "0xe8000041929f43", "upgrade"],
])("%s to %s is %s", (old, now, expected) => {
  expect(classify(word(old), word(now))).toBe(expected);
});

test("a table replaced by a block, and a block by nothing", () => {
  expect(classify(word("0x8000041863003"), word("0x60000041800f41"), "pmd")).toBe("table");
  expect(classify(word("0x60000041800f41"), word("0x0"), "pmd")).toBe("unmap");
});

test("the last 4 KiB of a 48-bit space are another frame than the first", () => {
  expect(classify(word("0xe8fffffffffff43"), word("0xe8000000000f43"))).toBe("frame");
});

test("what ptep_set_access_flags leaves behind, as the recordings show it", () => {
  const after = (old: string, entry: string) =>
    formatWord(afterSetAccessFlags(word(old), word(entry), "arm64"));
  expect(after(READ_ONLY, DIRTY)).toBe(DIRTY);
  expect(after(YOUNG_OFF, DIRTY)).toBe(DIRTY);
  // A writable-dirty entry stays writable although a read-only one is asked for.
  expect(after(DIRTY, CLEAN)).toBe(DIRTY);
});

test("layouts are told by one entry, blocks by bit 1", () => {
  expect(layoutOf(word(READ_ONLY))).toBe("arm64");
  expect(layoutOf(word("0x84000000465b5825"))).toBe("x86");
  expect(layoutOf(word("0x80000000465b5867"))).toBe("x86");
  expect(layoutOf(word("0x0"))).toBeUndefined();
  expect(isBlock(word("0x60000041800fc1"))).toBe(true);
  expect(isBlock(word(READ_ONLY))).toBe(false);
});

test("x86 entries have the classes of arm64's, the dirty bit left out", () => {
  const of = (old: string, now: string) =>
    classify(asArm64(word(old), "x86"), asArm64(word(now), "x86"));
  const [read_only, writable, dirty] = [
    "0x800000000e9c8025",
    "0x800000000e9c8027",
    "0x800000000e9c8067",
  ];
  expect(of(read_only, writable)).toBe("upgrade");
  expect(of(dirty, read_only)).toBe("downgrade");
  expect(of(writable, dirty)).toBe("none");
  expect(of(read_only, "0x800000000e9c8005")).toBe("access_flag");
  expect(of(dirty, "0x800000000e9c9067")).toBe("frame");
  // PROT_NONE: not present, bit 8 set.
  expect(of(dirty, "0x800000000e9c8140")).toBe("unmap");
  expect(isBlock(asArm64(word("0x800000000e8000e7"), "x86"))).toBe(true);
});
