// SPDX-License-Identifier: Apache-2.0
// Bytes of a trace on their way to an importer: gzip undone, cut into lines, memory bounded.

// Every host has it; TypeScript declares it only together with the DOM or Node.
declare const DecompressionStream: new (
  format: "gzip",
) => {
  readonly writable: { getWriter(): ByteWriter };
  readonly readable: { getReader(): ByteReader };
};

interface ByteWriter {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(reason: unknown): Promise<void>;
}

interface ByteReader {
  read(): Promise<{ done: false; value: Uint8Array } | { done: true; value?: undefined }>;
  cancel(): Promise<void>;
}

/** What an importer can read from: a file, standard input, a fetched body; pieces of any size. */
export type ByteSource = AsyncIterable<Uint8Array>;

/** A source that also puts its bytes where they are wanted: one of the two is used, not both. */
export interface DirectSource extends ByteSource {
  /** Reads the next bytes into a buffer; how many, 0 at the end. */
  readInto(into: Uint8Array): number | Promise<number>;
}

export function isDirect(source: ByteSource): source is DirectSource {
  return "readInto" in source && typeof source.readInto === "function";
}

/** An expected failure to read an input; line and column count from 1. */
export interface ImportError {
  readonly line: number;
  readonly column: number;
  /** Begins with "line L, column C: ". */
  readonly message: string;
}

export type ImportResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ImportError };

/** A line longer than this is skipped; the kernel's own limit is a buffer of 8 KiB or less. */
export const MAX_LINE_BYTES = 64 * 1024;

export function importError(line: number, column: number, text: string): ImportError {
  return { line, column, message: `line ${line}, column ${column}: ${text}` };
}

/** A source of the UTF-8 bytes of texts, for tests and for what is already in memory. */
export async function* bytesOf(...pieces: readonly (string | Uint8Array)[]): ByteSource {
  const encoder = new TextEncoder();
  for (const piece of pieces) yield typeof piece === "string" ? encoder.encode(piece) : piece;
}

/** Thrown by `plainBytes` for a gzip stream that is damaged or cut off. */
export class DamagedGzip extends Error {
  override readonly name = "DamagedGzip";
}

/** The source, decompressed if its first two bytes say gzip. Throws DamagedGzip. */
export async function* plainBytes(source: ByteSource): ByteSource {
  const pieces = source[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  let done = false;
  try {
    while (head.length < 2 && !done) {
      const next = await pieces.next();
      if (next.done === true) done = true;
      else head = joinBytes(head, next.value);
    }
    const rest = async function* (): ByteSource {
      if (head.length > 0) yield head;
      while (!done) {
        const next = await pieces.next();
        if (next.done === true) return;
        yield next.value;
      }
    };
    yield* isGzip(head) ? gunzip(rest()) : rest();
  } finally {
    await pieces.return?.();
  }
}

export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b;

async function* gunzip(source: ByteSource): ByteSource {
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  let failure: { readonly reason: unknown } | undefined;
  const feed = async (): Promise<void> => {
    try {
      for await (const piece of source) await writer.write(piece);
      await writer.close();
    } catch (reason) {
      // Either the source failed, or the decompressor did and the reader is told as well.
      failure = { reason };
      await writer.abort(reason).catch(() => undefined);
    }
  };
  const fed = feed();
  try {
    for (;;) {
      const next = await reader.read();
      if (next.done) break;
      yield next.value;
    }
  } catch (reason) {
    // A failing decompressor rejects with a TypeError; anything else came from the source.
    if (reason instanceof TypeError || isZlibError(reason)) {
      throw new DamagedGzip("the gzip data is damaged or ends early");
    }
    throw reason;
  } finally {
    await reader.cancel().catch(() => undefined);
    await fed;
  }
  if (failure !== undefined) throw failure.reason;
}

/** Some runtimes reject with the error of their zlib instead of the TypeError of the standard. */
function isZlibError(reason: unknown): boolean {
  if (typeof reason !== "object" || reason === null || !("code" in reason)) return false;
  return typeof reason.code === "string" && reason.code.startsWith("Z_");
}

export function joinBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Takes a line: `bytes[start, end)`, without the line end, valid until it returns. */
export type LineTaker = (bytes: Uint8Array, start: number, end: number) => void;

const NEWLINE = 10;
const RETURN = 13;

/**
 * Cuts chunks into lines. `line` gets each line of up to MAX_LINE_BYTES, in order; `tooLong` is
 * called in place of `line` for a longer one.
 */
export class LineCutter {
  readonly #line: LineTaker;
  readonly #tooLong: () => void;
  /** The beginning of a line that the last chunk did not end. */
  #carry = new Uint8Array(4096);
  #carried = 0;
  #skipping = false;

  constructor(line: LineTaker, tooLong: () => void) {
    this.#line = line;
    this.#tooLong = tooLong;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    if (this.#carried > 0 || this.#skipping) {
      const end = chunk.indexOf(NEWLINE);
      this.#keep(chunk, 0, end < 0 ? chunk.length : end);
      if (end < 0) return;
      this.#endCarried();
      at = end + 1;
    }
    for (;;) {
      const end = chunk.indexOf(NEWLINE, at);
      if (end < 0) break;
      this.#take(chunk, at, end);
      at = end + 1;
    }
    this.#keep(chunk, at, chunk.length);
  }

  /** To be called once, after the last chunk: a last line may lack its line end. */
  finish(): void {
    if (this.#carried > 0 || this.#skipping) this.#endCarried();
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > MAX_LINE_BYTES) this.#tooLong();
    else if (end > start && bytes[end - 1] === RETURN) this.#line(bytes, start, end - 1);
    else this.#line(bytes, start, end);
  }

  #endCarried(): void {
    if (this.#skipping) this.#tooLong();
    else this.#take(this.#carry, 0, this.#carried);
    this.#carried = 0;
    this.#skipping = false;
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const length = this.#carried + end - start;
    if (this.#skipping || length > MAX_LINE_BYTES) {
      this.#skipping = true;
      return;
    }
    if (length > this.#carry.length) {
      const larger = new Uint8Array(Math.min(2 * length, MAX_LINE_BYTES));
      larger.set(this.#carry.subarray(0, this.#carried));
      this.#carry = larger;
    }
    this.#carry.set(chunk.subarray(start, end), this.#carried);
    this.#carried = length;
  }
}

/** Offset behind a byte order mark. */
export function startOfText(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}
