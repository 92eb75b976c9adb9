// SPDX-License-Identifier: Apache-2.0
// Where recordings come from: files, standard input, streams; each ends when nobody reads the
// findings any more, and on Ctrl-C.

import { closeSync, openSync, read, readSync } from "node:fs";
import type { Readable } from "node:stream";
import type { DirectSource } from "../api/index.ts";
import { stdoutOpen } from "./output.ts";

let stopped = false;

/** After Ctrl-C: what was read until then is judged, and the status says that it was not all. */
export const interrupted = (): boolean => stopped;

/** So many reads one after the other; then signals and the reader of stdout have a turn. */
const READS_AT_ONCE = 64;
const PIECE_BYTES = 256 * 1024;

/** How long to wait where a pipe has nothing and says so at once. */
const NOTHING_MS = 5;

/** A file on a disk, read without waiting: one thread does nothing else meanwhile anyway. */
export class WholeFile implements DirectSource {
  readonly #file: number;
  #reads = 0;

  constructor(path: string) {
    this.#file = openSync(path, "r");
    process.on("SIGINT", stop);
  }

  readInto(into: Uint8Array): number | Promise<number> {
    if (++this.#reads % READS_AT_ONCE > 0) return readSync(this.#file, into);
    return this.#afterOthers(into);
  }

  close(): void {
    process.off("SIGINT", stop);
    closeSync(this.#file);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return piecesOf(this);
  }

  async #afterOthers(into: Uint8Array): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    return stopped || !stdoutOpen() ? 0 : readSync(this.#file, into);
  }
}

const stop = (): void => {
  stopped = true;
};

/** Standard input, read to where it is wanted: a stream would fill memory with its pieces. */
export class Piped implements DirectSource {
  /** Ends the read that waits. */
  #giveUp = (): void => undefined;
  readonly #stop = (): void => {
    stop();
    this.#giveUp();
  };

  constructor() {
    process.on("SIGINT", this.#stop);
  }

  readInto(into: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => resolve(0);
      const attempt = () =>
        read(0, into, 0, into.length, null, (error, count) => {
          if (error === null) resolve(stdoutOpen() ? count : 0);
          else if (error.code === "EAGAIN") setTimeout(attempt, NOTHING_MS);
          else if (error.code === "EOF") resolve(0);
          else reject(error);
        });
      if (stopped) resolve(0);
      else attempt();
    });
  }

  close(): void {
    process.off("SIGINT", this.#stop);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return piecesOf(this);
  }
}

async function* piecesOf(source: DirectSource): AsyncGenerator<Uint8Array> {
  for (;;) {
    const piece = new Uint8Array(PIECE_BYTES);
    const length = await source.readInto(piece);
    if (length === 0) return;
    yield piece.subarray(0, length);
  }
}

/** Ends when nobody reads the findings any more, and on Ctrl-C. */
export async function* whileWanted(stream: Readable): AsyncIterable<Uint8Array> {
  const interrupt = () => {
    stopped = true;
    stream.destroy();
  };
  process.on("SIGINT", interrupt);
  try {
    for await (const chunk of stream) {
      if (!stdoutOpen()) return;
      yield chunk;
    }
  } catch (error) {
    if (!stopped) throw error;
  } finally {
    process.off("SIGINT", interrupt);
  }
}
