// SPDX-License-Identifier: Apache-2.0
// A step under construction: the source state, what has changed of it so far, and the registers.
//
//   source words ──read──► values ──write──► changes ──commit──► words of the successor at `out`

import type { Bits } from "../layout.ts";
import type { Ex, FnBuilder, St } from "../target/code.ts";
import { bin, call, iff, load, local, num, set, store } from "../target/code.ts";
import type { Piece } from "./values.ts";
import { bounded, cut, cutOf, maxOf, merge } from "./values.ts";

/** The program cannot be compiled: the closures of the packed executor must run it. */
export class Uncompilable extends Error {}

/** Where the source state is: words in locals, or behind an address. */
export type Source = { readonly words: readonly Ex[] } | { readonly at: Ex };

/** One function being written: where the source state is, and where statements go. */
export class Writer {
  readonly fb: FnBuilder;
  readonly words: number;
  /** Reasons why compiled code may fail, by number. */
  readonly reasons: string[];
  code: St[] = [];
  private readonly source: Source;

  constructor(fb: FnBuilder, words: number, source: Source, reasons: string[]) {
    this.fb = fb;
    this.words = words;
    this.source = source;
    this.reasons = reasons;
  }

  word(n: number): Ex {
    return "at" in this.source ? load(this.source.at, 4 * n) : this.source.words[n]!;
  }

  /** Address of the source state, if that is where it is. */
  get address(): Ex | undefined {
    return "at" in this.source ? this.source.at : undefined;
  }

  push(...s: readonly St[]): void {
    this.code.push(...s);
  }

  /** Statements that `write` pushes, apart. */
  apart(write: () => void): St[] {
    const outer = this.code;
    this.code = [];
    write();
    const inner = this.code;
    this.code = outer;
    return inner;
  }

  /** A value that is computed once, here. */
  bind(ex: Ex): Ex {
    if (ex.k === "const" || ex.k === "local" || cutOf(ex)) return ex;
    const n = this.fb.fresh();
    this.push(set(n, ex));
    return bounded(local(n), maxOf(ex));
  }

  /** Fails at run time if a value does not fit its bits. */
  fit(value: Ex, mask: number, what: string): Ex {
    if (maxOf(value) <= mask >>> 0) return value;
    const v = this.bind(value);
    this.failIf(bin("and", v, num(~mask)), what);
    return bounded(v, mask >>> 0);
  }

  failIf(c: Ex, what: string): void {
    this.push(iff(c, [{ k: "do", value: call("fail", num(this.reason(what))) }]));
  }

  private reason(what: string): number {
    const at = this.reasons.indexOf(what);
    return at >= 0 ? at : this.reasons.push(what) - 1;
  }
}

interface Change {
  readonly bits: Bits;
  readonly value: Ex;
}

/** A name of a value that is the same wherever it has that name, if it has one. */
function nameOf(value: Ex): string | undefined {
  const c = cutOf(value);
  if (c) return `${c.word} ${c.shift} ${c.mask}`;
  return value.k === "local" ? `${value.n}` : undefined;
}

/** Names a variable; variables do not overlap. */
export const placeOf = (b: Bits): number => b.word * 32 + b.shift;

/** Values of variables and registers at one point of the code. */
export class Frame {
  readonly writer: Writer;
  readonly changes: Map<number, Change>;
  readonly regs: Map<number, Ex>;
  /** What has been written that windows rest on, as bits of PackedCells' `dirty`. */
  dirty = 0;
  /** Values that are known to be less than a number, by what they are. */
  private below: ReadonlyMap<string, number> = new Map();

  constructor(
    writer: Writer,
    changes: ReadonlyMap<number, Change> = new Map(),
    regs: ReadonlyMap<number, Ex> = new Map(),
  ) {
    this.writer = writer;
    this.changes = new Map(changes);
    this.regs = new Map(regs);
  }

  copy(): Frame {
    const f = new Frame(this.writer, this.changes, this.regs);
    f.dirty = this.dirty;
    f.below = this.below;
    return f;
  }

  /** Whether a value is known to be less than a number. */
  isBelow(value: Ex, size: number): boolean {
    if (maxOf(value) < size) return true;
    const name = nameOf(value);
    return name !== undefined && (this.below.get(name) ?? Infinity) <= size;
  }

  /** From here on the value is less than a number. */
  setBelow(value: Ex, size: number): void {
    const name = nameOf(value);
    if (name !== undefined) this.below = new Map([...this.below, [name, size]]);
  }

  /** What is known of values where these frames meet. */
  meet(frames: readonly Frame[]): void {
    const [first, ...others] = frames;
    const all = [...(first?.below ?? [])].map(([name, size]) => {
      const sizes = others.map((f) => f.below.get(name) ?? Infinity);
      return [name, Math.max(size, ...sizes)] as const;
    });
    this.below = new Map(all.filter(([, size]) => size < Infinity));
  }

  /** Statements that `write` pushes, apart; they need not run. */
  apart(write: () => void): St[] {
    const { below } = this;
    const code = this.writer.apart(write);
    this.below = below;
    return code;
  }

  read(b: Bits): Ex {
    if (b.mask === 0) return num(0);
    const changed = this.changes.get(placeOf(b));
    return changed ? changed.value : this.original(b);
  }

  original(b: Bits): Ex {
    return cut(this.writer.word(b.word), b.word, b.shift, b.mask);
  }

  /** The value must have been checked to fit. */
  write(b: Bits, value: Ex): void {
    if (b.mask === 0) return;
    this.changes.set(placeOf(b), { bits: b, value: this.writer.bind(value) });
  }

  reg(n: number): Ex {
    return this.regs.get(n) ?? num(0);
  }

  setReg(n: number, value: Ex): void {
    this.regs.set(n, this.writer.bind(value));
  }

  /** Writes the state under construction to memory at `to`; `more` and `cleared` by word. */
  commit(
    to: Ex,
    more: ReadonlyMap<number, readonly Piece[]> = new Map(),
    cleared: ReadonlyMap<number, number> = new Map(),
  ): void {
    const pieces = new Map<number, Piece[]>();
    for (const { bits, value } of this.changes.values()) {
      const list = pieces.get(bits.word) ?? [];
      pieces.set(bits.word, list);
      list.push({ shift: bits.shift, mask: bits.mask, value });
    }
    const { writer } = this;
    const { address } = writer;
    if (address) writer.push({ k: "copy", to, from: address, bytes: num(4 * writer.words) });
    for (let w = 0; w < writer.words; w++) {
      const all = [...(pieces.get(w) ?? []), ...(more.get(w) ?? [])];
      if (address && all.length === 0 && !cleared.get(w)) continue;
      writer.push(store(to, 4 * w, merge(writer.word(w), w, all, cleared.get(w) ?? 0)));
    }
  }
}
