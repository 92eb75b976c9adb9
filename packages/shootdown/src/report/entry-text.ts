// SPDX-License-Identifier: Apache-2.0
// A recorded page-table entry in words, for people who read a report.
import { type Layout, layoutOf } from "../trace/descriptor.ts";
import { bit, bits, parseWord, type Word64 } from "../trace/importers/word64.ts";

/** Where arm64 and x86 keep what is said of an entry; the frame is in the same bits. */
const ARM64 = { table: 1, readonly: 7, young: 10, dbm: 51, contiguous: 52, dirty: 55 } as const;
const X86 = { writable: 1, young: 5, dirty: 6 } as const;
const FRAME_HIGH = 47;
const FRAME_LOW = 12;

/** "read-only, young, frame 0x7ed60"; undefined for an entry of a layout that is not known. */
export function entryText(entry: string, layout: Layout | undefined): string | undefined {
  const word = parseWord(entry);
  if (word === undefined || layout === undefined || layout === "other") return undefined;
  if (word.hi === 0 && word.lo === 0) return "none";
  if (!bit(word, 0)) return "not valid (PROT_NONE, swap, migration)";
  const what = layout === "arm64" ? arm64(word) : x86(word);
  return [...what, `frame 0x${bits(word, FRAME_HIGH, FRAME_LOW).toString(16)}`].join(", ");
}

/** The layout of the first entry that shows it. */
export function layoutOfEntries(...entries: readonly (string | null)[]): Layout | undefined {
  for (const entry of entries) {
    const word = entry === null ? undefined : parseWord(entry);
    const layout = word === undefined ? undefined : layoutOf(word);
    if (layout !== undefined) return layout;
  }
  return undefined;
}

function arm64(word: Word64): string[] {
  const is = (name: keyof typeof ARM64) => bit(word, ARM64[name]);
  const writes = is("readonly") ? (is("dbm") ? "writable when dirty" : "read-only") : "writable";
  return [
    ...(is("table") ? [] : ["block"]),
    writes,
    ...(is("dirty") || (is("dbm") && !is("readonly")) ? ["dirty"] : []),
    is("young") ? "young" : "old",
    ...(is("contiguous") ? ["contiguous"] : []),
  ];
}

function x86(word: Word64): string[] {
  const is = (name: keyof typeof X86) => bit(word, X86[name]);
  return [
    is("writable") ? "writable" : "read-only",
    ...(is("dirty") ? ["dirty"] : []),
    is("young") ? "young" : "old",
  ];
}
