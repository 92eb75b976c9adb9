// SPDX-License-Identifier: Apache-2.0
// The formats that are known, how each is told from the others, and what is said of the rest.

import { isBpftrace, isBpftraceJson } from "./bpftrace.ts";
import {
  type ByteSource,
  DamagedGzip,
  type DirectSource,
  type ImportError,
  importError,
  isDirect,
  isGzip,
  joinBytes,
  plainBytes,
  startOfText,
} from "./bytes.ts";
import { isCasemate } from "./casemate.ts";
import { HEAD_BYTES, isFtrace } from "./ftrace.ts";
import { ascii } from "./ftrace-line.ts";
import { isPerfScript } from "./perf.ts";
import { isSmmu } from "./smmu.ts";
import { isTlbi } from "./tlbi.ts";
import { isVtdLog } from "./vtd-log.ts";

/** Who reads a recording: one importer each. */
export type FormatName =
  | "ftrace"
  | "perf"
  | "bpftrace"
  | "bpftrace-json"
  | "smmu"
  | "tlbi"
  | "casemate"
  | "vtd";

interface Format {
  readonly name: FormatName;
  /** As the messages call it. */
  readonly title: string;
  readonly is: (head: Uint8Array) => boolean;
}

/** In the order in which they are asked. */
export const FORMATS: readonly Format[] = [
  { name: "bpftrace-json", title: "bpftrace -f json", is: isBpftraceJson },
  { name: "bpftrace", title: "bpftrace", is: isBpftrace },
  { name: "casemate", title: "casemate's log", is: isCasemate },
  { name: "tlbi", title: "log of TLB maintenance instructions", is: isTlbi },
  { name: "vtd", title: "QEMU's VT-d trace", is: isVtdLog },
  { name: "smmu", title: "QEMU's SMMUv3 trace", is: isSmmu },
  { name: "ftrace", title: "ftrace text (`trace`, `trace-cmd report`)", is: isFtrace },
  { name: "perf", title: "perf script", is: isPerfScript },
];

const UTF16 =
  "UTF-16 text, as `>` of PowerShell writes it: run " +
  "`iconv -f UTF-16 -t UTF-8 FILE | shootdown trace -`";

/** Files that are known and not read, by how they begin, and what to do with them. */
const BINARY: readonly (readonly [string, string])[] = [
  ["\x17\x08Dtracing", "a trace.dat of trace-cmd: run `trace-cmd report FILE` and give its output"],
  ["PERFILE2", "a perf.data: run `perf script -i FILE` and give its output"],
  ["2ELIFREP", "a perf.data of the other byte order: run `perf script -i FILE` where it was made"],
  ["(\xb5/\xfd", "zstd data: run `zstd -dc FILE | shootdown trace -`"],
  ["\xfd7zXZ", "xz data: run `xz -dc FILE | shootdown trace -`"],
  ["BZh", "bzip2 data: run `bzip2 -dc FILE | shootdown trace -`"],
  ["\x04\x22\x4d\x18", "lz4 data: run `lz4 -dc FILE | shootdown trace -`"],
  ["\x1f\x8b", "gzip inside of gzip: run `gzip -dc FILE | shootdown trace -`"],
  ["\xff\xfe", UTF16],
  ["\xfe\xff", UTF16],
  ["PK\x03\x04", "a zip archive: unpack it first"],
];

/** Letters with a zero before or behind each. */
const WIDE = /^(?:[\t\n\r -~]\0){8}|^(?:\0[\t\n\r -~]){8}/;

const SHOWN = 60;

/** Read at once of what is not wanted anywhere else. */
const PIECE_BYTES = 256 * 1024;

export function recognise(head: Uint8Array): FormatName | undefined {
  return isOneLine(head) ? undefined : FORMATS.find(({ is }) => is(head))?.name;
}

/** Lines that end in CR alone, as on an old Macintosh: all of it would be one. */
const isOneLine = (head: Uint8Array): boolean =>
  !head.includes(10) && head.includes(13) && head.indexOf(13) < head.length - 1;

/** Why an input is of no known format: what its first line is, and which there are. */
export function unknownFormat(head: Uint8Array): ImportError {
  if (head.length === 0) return importError(1, 1, `the input is empty; ${known()}`);
  const start = ascii(head, 0, Math.min(head.length, 16));
  const binary = BINARY.find(([magic]) => start.startsWith(magic));
  if (binary !== undefined) return importError(1, 1, binary[1]);
  if (ascii(head, 257, Math.min(head.length, 262)) === "ustar") {
    return importError(1, 1, "a tar archive: run `tar -xOf FILE NAME | shootdown trace -`");
  }
  if (isOneLine(head)) {
    const how = "run `tr '\\r' '\\n' < FILE | shootdown trace -`";
    return importError(1, 1, `lines that end in CR alone: ${how}`);
  }
  if (WIDE.test(start)) return importError(1, 1, UTF16);
  const { line, text } = firstLine(head);
  const what = isText(text) ? `"${cut(text)}"` : "no text";
  return importError(line, 1, `no known format: the line is ${what}; ${known()}`);
}

function known(): string {
  return `known are ${FORMATS.map(({ title }) => title).join(", ")}`;
}

/** The first line that is not blank. */
function firstLine(head: Uint8Array): { readonly line: number; readonly text: string } {
  let line = 1;
  let start = startOfText(head);
  for (;;) {
    const newline = head.indexOf(10, start);
    const end = newline < 0 ? head.length : newline;
    const text = new TextDecoder().decode(head.subarray(start, Math.min(end, start + 4 * SHOWN)));
    if (text.trim() !== "" || newline < 0) return { line, text: text.trimEnd() };
    start = newline + 1;
    line++;
  }
}

/** No control characters but tabs, and at most a few bytes that are no UTF-8. */
function isText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  return !/[\x00-\x08\x0e-\x1f\x7f\ufffd]/.test(text);
}

const cut = (text: string): string => (text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text);

/** An input with its first HEAD_BYTES looked at: `source` yields all of it, decompressed. */
export interface Peeked {
  readonly head: Uint8Array;
  readonly source: ByteSource;
}

/** Reads as much as it takes to recognise a format. A damaged gzip may show only later. */
export async function peek(source: ByteSource): Promise<Peeked> {
  return isDirect(source) ? peekDirectly(source) : peekPieces(source);
}

/** What is not compressed goes on straight to where it is wanted. */
async function peekDirectly(source: DirectSource): Promise<Peeked> {
  const space = new Uint8Array(HEAD_BYTES);
  let count = 0;
  while (count < space.length) {
    const more = await source.readInto(space.subarray(count));
    if (more === 0) break;
    count += more;
  }
  const head = space.subarray(0, count);
  const pieces = async function* (): ByteSource {
    if (head.length > 0) yield head;
    for (;;) {
      const piece = new Uint8Array(PIECE_BYTES);
      const length = await source.readInto(piece);
      if (length === 0) return;
      yield piece.subarray(0, length);
    }
  };
  if (isGzip(head)) return peekPieces(pieces());
  let given = false;
  const readInto = (into: Uint8Array): number | Promise<number> => {
    if (given || head.length === 0) return source.readInto(into);
    given = true;
    into.set(head);
    return head.length;
  };
  const all: DirectSource = {
    readInto,
    [Symbol.asyncIterator]: () => pieces()[Symbol.asyncIterator](),
  };
  return { head, source: all };
}

async function peekPieces(source: ByteSource): Promise<Peeked> {
  const pieces = plainBytes(source)[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  let damage: unknown;
  try {
    while (head.length < HEAD_BYTES) {
      const next = await pieces.next();
      if (next.done === true) break;
      head = joinBytes(head, next.value);
    }
  } catch (reason) {
    if (!(reason instanceof DamagedGzip)) throw reason;
    damage = reason;
  }
  const rest = async function* (): ByteSource {
    try {
      if (head.length > 0) yield head;
      if (damage !== undefined) throw damage;
      for (;;) {
        const next = await pieces.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await pieces.return?.();
    }
  };
  return { head, source: rest() };
}
