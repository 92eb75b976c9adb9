// SPDX-License-Identifier: Apache-2.0
// From the bytes of a file to text: UTF-8, the size limit, and which kind of litmus test it is.

import type { Span } from "../base/span.ts";
import type { Diagnostics } from "./codes.ts";

/** A scenario is a page of text; anything near this size is another kind of file. */
export const MAX_SOURCE_BYTES = 1 << 20;

/** `mm`: a scenario of this project. `aarch64`: a test for herd. */
export type LitmusKind = "mm" | "aarch64" | "unknown";

/** Bytes looked at for the first word. */
const KIND_WINDOW = 1 << 16;

const REPLACEMENT = "\uFFFD";

/** Which reader a file is for, by its first word (comments before it do not count). */
export function kindOf(input: Uint8Array | string): LitmusKind {
  const head = typeof input === "string" ? input : decodeUtf8(input.subarray(0, KIND_WINDOW));
  const word = firstWord(head.slice(0, KIND_WINDOW));
  if (word === "MM") return "mm";
  return word === "AArch64" ? "aarch64" : "unknown";
}

/**
 * The text without a byte order mark; undefined, with a diagnostic, if the file is empty, too large
 * or not text.
 */
export function readSource(
  input: Uint8Array | string,
  file: string,
  out: Diagnostics,
): string | undefined {
  const start: Span = { file, line: 1, col: 1, offset: 0, end: 0 };
  if (input.length > MAX_SOURCE_BYTES) {
    // Who reads files stops somewhere behind the limit: how large they are is not known here.
    const most = `${MAX_SOURCE_BYTES} ${typeof input === "string" ? "characters" : "bytes"}`;
    out.report("L003", start, `the file is larger than ${most}`);
    return undefined;
  }
  const text = textOf(input);
  const bad = text.search(/[\0\uFFFD]/);
  if (bad >= 0) {
    const what = text[bad] === REPLACEMENT ? "a byte that is not UTF-8" : "a NUL byte";
    out.report("L002", pointAt(text, bad, file), `not a text file: ${what}`);
    return undefined;
  }
  if (text.trim() === "") {
    out.report("L001", start, "the file is empty", "a scenario begins with 'MM' and its name");
    return undefined;
  }
  return text;
}

/** The text that spans count in: decoded, without a byte order mark, cut at the size limit. */
export function textOf(input: Uint8Array | string): string {
  const head = typeof input === "string" ? input : input.subarray(0, MAX_SOURCE_BYTES);
  const text = typeof head === "string" ? head.slice(0, MAX_SOURCE_BYTES) : decodeUtf8(head);
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

/** The word at the start, behind white space and comments; empty if there is none. */
function firstWord(text: string): string {
  const token = /\(\*|\*\)|[A-Za-z_][A-Za-z0-9_]*|[^\s\uFEFF]/g;
  let depth = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const word = match[0];
    if (word === "(*") depth++;
    else if (word === "*)" && depth > 0) depth--;
    else if (depth === 0) return word;
  }
  return "";
}

function pointAt(text: string, offset: number, file: string): Span {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return { file, line, col: offset - lineStart + 1, offset, end: offset + 1 };
}

/** UTF-8 to text, without `TextDecoder`: the core has the language's own library only. */
function decodeUtf8(bytes: Uint8Array): string {
  const chunk = new Uint16Array(4096);
  let text = "";
  let used = 0;
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    let code = length === 0 ? 0xfffd : bytes[i]!;
    if (length > 1) {
      code &= 0x7f >> length;
      for (let k = 1; k < length; k++) code = (code << 6) | (bytes[i + k]! & 0x3f);
    }
    i += Math.max(1, length);
    if (code > 0xffff) {
      chunk[used++] = 0xd7c0 + (code >> 10);
      code = 0xdc00 | (code & 0x3ff);
    }
    chunk[used++] = code;
    if (used >= chunk.length - 2) {
      text += String.fromCharCode(...chunk.subarray(0, used));
      used = 0;
    }
  }
  return text + String.fromCharCode(...chunk.subarray(0, used));
}

/** Bytes of the well-formed sequence at `i`, or 0 (Unicode 15, table 3-7). */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const first = bytes[i]!;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let k = 1; k < length; k++) {
    const byte = bytes[i + k];
    if (byte === undefined) return 0;
    if (k === 1 ? byte < low || byte > high : byte < 0x80 || byte > 0xbf) return 0;
  }
  return length;
}
