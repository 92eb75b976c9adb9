// SPDX-License-Identifier: Apache-2.0
// The text of a routine as it is shown: what it says of itself, and one statement marked.
//
//    /*                                          head: lines of the first comment
//     * mm/pgtable-generic.c: ptep_clear_flush()
//     */
//    void f(...)
//    {
//      1     a = b;                             a number at the beginning is a statement's

/** `routine:step`, or the routine alone. */
export function placeOf(where: string): { readonly routine: string; readonly number: string } {
  const at = where.lastIndexOf(":");
  if (at < 0) return { routine: where, number: "" };
  return { routine: where.slice(0, at), number: where.slice(at + 1) };
}

export interface SourceLine {
  readonly text: string;
  readonly is_current: boolean;
}

export interface Marked {
  readonly head: readonly string[];
  readonly lines: readonly SourceLine[];
}

/**
 * One statement may stand in several branches. The parts of a property count anew each: where a
 * number is that of two statements, nothing is marked.
 */
export function marked(text: string, number: string): Marked {
  const all = text.trim().split("\n");
  const end = all[0]?.startsWith("/*") ? all.findIndex((l) => l.includes("*/")) : -1;
  const head = all
    .slice(0, end + 1)
    .map((l) => l.replace(/^\s*\/?\*+\/?\s?|\*\/\s*$/g, "").trim())
    .filter((l) => l !== "");
  const body = all.slice(end + 1);
  const texts = body.filter((line) => numberOf(line) === number).map((line) => line.trim());
  const isClear = new Set(texts.map((t) => t.replace(/\s+/g, " "))).size === 1;
  const isCurrent = (line: string) => isClear && numberOf(line) === number;
  const lines = body.map((line) => ({ text: line, is_current: isCurrent(line) }));
  return { head, lines };
}

const numberOf = (line: string): string | undefined => /^\s*(\d+)(?=\s)/.exec(line)?.[1];
