// SPDX-License-Identifier: Apache-2.0
// Ways to damage a recording. What anybody can see on the result is `plain`: it must be said.
import { gzipSync } from "node:zlib";

/** Numbers below a bound, the same for the same seed. */
export type Next = (below: number) => number;

export function numbers(seed: number): Next {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** A damaged recording. */
export interface Damaged {
  readonly bytes: Uint8Array;
  readonly kinds: readonly string[];
  /** Lines that were changed, added or taken away. */
  readonly count: number;
  /** It shows: no verdict may be `conforms`. */
  readonly plain: boolean;
}

type Mutation = (lines: string[], at: number, next: Next, others: readonly string[]) => void;

const NUMBERS = [
  ...["NaN", "Infinity", "-1", "1e400", "0x10000000000000000", "0xffffffffffffffff", "-0x1"],
  ...["99999999999999999999", "18446744073709551616", "0", "0x", "", "0x8000000000000000"],
  ...["4294967296", "0xfffffffffffff000", "-9223372036854775808", "1.5", "０"],
];
const NOISE = ["\0", "ÿ", "=", " ", "\t", "\u{1f600}", "\u2028", "\r", "(", ")", '"', "\\", "\x1b"];
const GARBAGE = [
  "?!",
  "\0\0\0\0\0\0\0\0",
  "(((((((((((((((((((((((((((((((",
  '{"type":"printf","data":',
  "\ufffd\ufffd=0x12 [003] mn_invalidate_secondary:",
  "[".repeat(300),
];

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  garbage: (lines, at, next) => {
    lines.splice(at, 0, GARBAGE[next(GARBAGE.length)] ?? "");
  },
  nul: (lines, at, next) => {
    const line = lines[at] ?? "";
    const cut = next(line.length + 1);
    lines[at] = `${line.slice(0, cut)}\0${line.slice(cut)}`;
  },
  long: (lines, at, next) => {
    // They cost time: one in fifty.
    if (next(50) > 0) return;
    lines[at] = `${lines[at]}${" ".repeat(66_000)}`;
  },
  cut: (lines, at, next) => {
    const line = lines[at] ?? "";
    lines[at] = line.slice(0, next(line.length + 1));
  },
  joined: (lines, at) => {
    lines.splice(at, 2, `${lines[at]}${lines[at + 1] ?? ""}`);
  },
  noise: (lines, at, next) => {
    const line = lines[at] ?? "";
    const cut = next(line.length + 1);
    const noise = NOISE[next(NOISE.length)] ?? "";
    lines[at] = line.slice(0, cut) + noise + line.slice(cut + next(4));
  },
  bit: (lines, at, next) => {
    const line = lines[at] ?? "";
    const where = next(line.length);
    const code = line.charCodeAt(where) ^ (1 << next(7));
    lines[at] = line.slice(0, where) + String.fromCharCode(code) + line.slice(where + 1);
  },
  number: (lines, at, next) => {
    const line = lines[at] ?? "";
    const found = [...line.matchAll(/(?<![\w.])(?:0x[\da-f]+|\d+)(?![\w.])/g)];
    const one = found[next(found.length)];
    if (one === undefined) return;
    const value = NUMBERS[next(NUMBERS.length)] ?? "";
    lines[at] = line.slice(0, one.index) + value + line.slice(one.index + one[0].length);
  },
  delete: (lines, at, next) => {
    lines.splice(at, 1 + next(4));
  },
  repeat: (lines, at, next) => {
    lines.splice(at, 0, ...lines.slice(at, at + 1 + next(8)));
  },
  move: (lines, at, next) => {
    const moved = lines.splice(at, 1 + next(3));
    lines.splice(next(lines.length + 1), 0, ...moved);
  },
  foreign: (lines, at, next, others) => {
    lines.splice(at, 0, others[next(others.length)] ?? "");
  },
  returns: (lines, at) => {
    lines[at] = `${lines[at]}\r`;
  },
};
const KINDS = Object.keys(MUTATIONS);

/** What a file as a whole may suffer. */
type WholeDamage = (
  text: string,
  next: Next,
  other: string,
) => { bytes: Uint8Array; plain: boolean };

const encode = (text: string) => new TextEncoder().encode(text);

const WHOLE: Readonly<Record<string, WholeDamage>> = {
  gzip: (text, next) => {
    const bytes = Uint8Array.from(gzipSync(text));
    const at = 12 + next(Math.max(1, bytes.length - 12));
    bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8));
    return { bytes, plain: true };
  },
  "gzip cut": (text, next) => {
    const bytes = Uint8Array.from(gzipSync(text));
    return { bytes: bytes.subarray(0, 12 + next(bytes.length - 20)), plain: true };
  },
  "utf-16": (text) => {
    const bytes = new Uint8Array(2 + 2 * text.length);
    bytes.set([0xff, 0xfe]);
    for (let at = 0; at < text.length; at++) {
      bytes[2 + 2 * at] = text.charCodeAt(at) & 255;
      bytes[3 + 2 * at] = text.charCodeAt(at) >> 8;
    }
    return { bytes, plain: true };
  },
  twice: (text) => ({ bytes: encode(text + text), plain: true }),
  interleaved: (text, _next, other) => {
    const [a, b] = [text.split("\n"), other.split("\n")];
    const mixed = a.flatMap((line, at) => (at < b.length ? [line, b[at] ?? ""] : [line]));
    return { bytes: encode(mixed.join("\n")), plain: text !== other };
  },
  "bytes lost": (text, next) => {
    const from = next(text.length);
    return { bytes: encode(text.slice(0, from) + text.slice(from + next(400))), plain: false };
  },
  "lone CR": (text) => ({ bytes: encode(text.replaceAll("\n", "\r")), plain: true }),
};
const WHOLES = Object.keys(WHOLE);

/** No line of any format, whatever it stands in. */
const isPlain = (line: string): boolean =>
  line.includes("\0") || line.length > 65_536 || GARBAGE.includes(line);

/** Damages some lines of a recording, and one time in ten all of it. */
export function damage(lines: readonly string[], others: readonly string[], next: Next): Damaged {
  const damaged = [...lines];
  const kinds: string[] = [];
  // One in three has little damage: a verdict on the rest is expected of it.
  const times = 1 + (next(3) === 0 ? next(4) : next(Math.max(1, Math.floor(lines.length / 2))));
  for (let n = 0; n < times && damaged.length > 1; n++) {
    const kind = KINDS[next(KINDS.length)] ?? "";
    // The first line may tell the format.
    const at = 1 + next(damaged.length - 1);
    MUTATIONS[kind]?.(damaged, at, next, others);
    kinds.push(kind);
  }
  const plain = damaged.some(isPlain);
  const text = `${damaged.join("\n")}\n`;
  if (next(10) > 0) return { bytes: encode(text), kinds, count: times, plain };
  const kind = WHOLES[next(WHOLES.length)] ?? "";
  const whole = WHOLE[kind]?.(text, next, others.join("\n"));
  if (whole === undefined) return { bytes: encode(text), kinds, count: times, plain };
  return { bytes: whole.bytes, kinds: [...kinds, kind], count: times, plain: whole.plain };
}
