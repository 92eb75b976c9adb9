// SPDX-License-Identifier: Apache-2.0
// Cuts a stream into lines as LineCutter does, and lets the scanner in WebAssembly take those that
// it can: only what it leaves comes out here.
import { MAX_LINE_BYTES } from "../bytes.ts";
import {
  MAX_RECORDS,
  PADDING_BYTES,
  RECORD_BYTES,
  RECORDS,
  STATE,
  STOP,
  TEXT,
  TEXT_BYTES,
} from "./layout.ts";
import type { Scanner } from "./memory.ts";

/** Who gets what the scanner leaves, in the order of the lines. */
export interface LeftTaker {
  /** Lines so far. */
  readonly lines: number;
  /** A record, at that offset of the memory; lines count from the number before this call. */
  record(at: number): void;
  /** So many lines and events were taken, records among them. */
  took(lines: number, events: number): void;
  /** A line that the scanner does not take; `strange` if it has control characters. */
  left(bytes: Uint8Array, start: number, end: number, strange: boolean): void;
  tooLong(): void;
}

const NEWLINE = 10;
const RETURN = 13;

export class ScannedLines {
  readonly #scanner: Scanner;
  readonly #taker: LeftTaker;
  /** Bytes before TEXT that begin a line. */
  #tail = 0;
  #skipping = false;

  constructor(scanner: Scanner, taker: LeftTaker) {
    this.#scanner = scanner;
    this.#taker = taker;
  }

  /** Where the next bytes of the input may be put, to be taken by `take`. */
  get space(): Uint8Array<ArrayBuffer> {
    return this.#scanner.memory.bytes.subarray(TEXT, TEXT + TEXT_BYTES);
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += TEXT_BYTES) {
      const part = chunk.subarray(at, at + TEXT_BYTES);
      this.#scanner.memory.bytes.set(part, TEXT);
      this.take(part.length);
    }
  }

  /** So many bytes lie in `space`. */
  take(count: number): void {
    const { bytes } = this.#scanner.memory;
    const end = TEXT + count;
    let at = TEXT - this.#tail;
    if (this.#skipping) {
      const newline = bytes.subarray(TEXT, end).indexOf(NEWLINE);
      if (newline < 0) return;
      this.#skipping = false;
      this.#taker.tooLong();
      at = TEXT + newline + 1;
    }
    bytes.fill(NEWLINE, end, end + PADDING_BYTES);
    at = this.#lines(at, end);
    this.#tail = end - at;
    if (this.#tail > MAX_LINE_BYTES) {
      this.#skipping = true;
      this.#tail = 0;
    } else bytes.copyWithin(TEXT - this.#tail, at, end);
  }

  /** To be called once, at the end: a last line may lack its line end. */
  finish(): void {
    if (this.#skipping) this.#taker.tooLong();
    else if (this.#tail > 0) this.#line(TEXT - this.#tail, TEXT, true);
    this.#tail = 0;
    this.#skipping = false;
  }

  /** Takes whole lines; where the first one begins that is not whole. */
  #lines(from: number, end: number): number {
    const { memory } = this.#scanner;
    const taker = this.#taker;
    let at = from;
    for (;;) {
      memory.setWord(STATE.lines_before, taker.lines);
      const why = this.#scanner.scan(at, end);
      const records = memory.word(STATE.records);
      const last = RECORDS + RECORD_BYTES * Math.min(records, MAX_RECORDS);
      memory.setWord(STATE.records, 0);
      for (let record = RECORDS; record < last; record += RECORD_BYTES) taker.record(record);
      taker.took(memory.word(STATE.lines), memory.word(STATE.events));
      at = memory.word(STATE.at);
      if (why === STOP.full) continue;
      if (why === STOP.end) return at;
      const strange = why === STOP.control;
      const newline = strange ? memory.bytes.indexOf(NEWLINE, at) : memory.word(STATE.line_end);
      if (newline >= end) return at;
      this.#line(at, newline, strange);
      at = newline + 1;
    }
  }

  #line(start: number, end: number, strange: boolean): void {
    const { bytes } = this.#scanner.memory;
    if (end - start > MAX_LINE_BYTES) this.#taker.tooLong();
    else {
      const returned = end > start && bytes[end - 1] === RETURN;
      this.#taker.left(bytes, start, returned ? end - 1 : end, strange);
    }
  }
}
