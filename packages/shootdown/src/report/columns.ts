// SPDX-License-Identifier: Apache-2.0
// Text in columns: padding, breaking of long lines, and marks that a terminal may colour.

/** What a piece of text is; a terminal has a colour for each, other outputs have none. */
export type Tone = "good" | "bad" | "unsure" | "strong" | "faint";

/** Adds the colour of a tone, or nothing. */
export type Paint = (tone: Tone, text: string) => string;

export const plain: Paint = (_tone, text) => text;

const SGR: Readonly<Record<Tone, string>> = {
  good: "32",
  bad: "1;31",
  unsure: "33",
  strong: "1",
  faint: "2",
};

export const coloured: Paint = (tone, text) => `\u001b[${SGR[tone]}m${text}\u001b[0m`;

/** Characters that take two columns of a terminal, and those that take none. */
const WIDE = new RegExp(
  "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}" +
    "\\p{Emoji_Presentation}\\u3000-\\u303f\\uff01-\\uff60]",
  "u",
);
const NARROW = /^[\p{Mn}\p{Me}]$/u;

const columnsOfOne = (unit: string): number => (WIDE.test(unit) ? 2 : NARROW.test(unit) ? 0 : 1);

/** Columns of a text without colours. */
export function columns(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let count = 0;
  for (const unit of text) count += columnsOfOne(unit);
  return count;
}

export const pad = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - columns(text)));

/** Words in lines of at most `width` columns; a word that is longer has a line to itself. */
export function breakWords(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && columns(last) + 1 + columns(word) <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** A sentence in lines of at most `width` columns. */
export const wrapText = (text: string, width: number): string[] =>
  breakWords(
    text.split(" ").flatMap((w) => chop(w, width)),
    width,
  );

/** A word too long for any line, in pieces. */
function chop(word: string, width: number): string[] {
  const pieces = [""];
  let used = 0;
  for (const unit of word) {
    const more = columnsOfOne(unit);
    if (used + more > width && used > 0) {
      pieces.push("");
      used = 0;
    }
    pieces[pieces.length - 1] += unit;
    used += more;
  }
  return pieces;
}

/** At most `width` columns, with dots where something was left out. */
export function cutTo(text: string, width: number): string {
  if (columns(text) <= width) return text;
  return `${chop(text, Math.max(1, width - 3))[0]}...`;
}
