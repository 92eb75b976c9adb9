// SPDX-License-Identifier: Apache-2.0
// Files that a recording is exported to while it is judged.

import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ByteSink,
  FirefoxTimeline,
  type Part,
  type PartedSink,
  PerfettoTimeline,
  type Problem,
  problem,
  quote,
  TimelineRecorder,
} from "../api/index.ts";
import { explain } from "./files.ts";
import { say } from "./output.ts";

/** Of a recording. */
export const EXPORT_FORMATS = ["perfetto", "firefox"] as const;

export interface ExportTarget<F extends string = (typeof EXPORT_FORMATS)[number]> {
  readonly format: F;
  readonly path: string;
}

const BUFFER_BYTES = 1 << 16;

/** What --export asks for, of some formats; mistakes name the place in the value. */
export function exportTargets<F extends string>(
  values: readonly string[],
  inputs: readonly string[],
  formats: readonly F[],
  /** One file is made of all inputs together. */
  together = false,
): { readonly targets: readonly ExportTarget<F>[]; readonly wrong: readonly Problem[] } {
  const expected = `expected ${formats.map((name) => `${name}=FILE`).join(" or ")}`;
  const targets: ExportTarget<F>[] = [];
  const wrong: Problem[] = [];
  for (const value of values) {
    const at = value.indexOf("=");
    const format = formats.find((name) => name === value.slice(0, Math.max(0, at)));
    const path = value.slice(at + 1);
    const bad = (column: number, what: string) =>
      wrong.push(problem(`--export ${quote(value)}: ${what} at character ${column}`));
    if (format === undefined) bad(1, expected);
    else if (path === "") bad(at + 2, "expected a file");
    else if (path === "-") bad(at + 2, "expected a file: stdout has the findings,");
    else if (targets.some((other) => isSame(other.path, path))) {
      bad(at + 2, "expected another file than before");
    } else if (inputs.some((input) => isSame(input, path))) {
      bad(at + 2, "expected a file that is not read,");
    } else targets.push({ format, path });
  }
  if (values.length > 0 && inputs.length > 1 && !together) {
    wrong.push(problem("--export takes one recording: name one FILE, or a folder"));
  }
  return { targets, wrong };
}

function isSame(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.isFile() && a.dev === b.dev && a.ino === b.ino;
}

/** An export that goes on; `close` says whether all of it was written. */
export interface Export {
  readonly observer: TimelineRecorder;
  close(): boolean;
}

/** @returns what is wrong if the file cannot be written. */
export function openExport({ format, path }: ExportTarget): Export | Problem {
  let file: OutputFile;
  try {
    file = new OutputFile(path, openSync(path, "w"));
  } catch (error) {
    return {
      ...problem(explain(error), { file: path }),
      text: `${path}: error: ${explain(error)}`,
    };
  }
  const timeline = format === "perfetto" ? new PerfettoTimeline(file) : new FirefoxTimeline(file);
  const observer = new TimelineRecorder(timeline);
  return {
    observer,
    close() {
      observer.finish();
      return file.close();
    },
  };
}

/** A file in one go; what goes wrong is said once, and nothing more is written. */
export class OutputFile implements PartedSink {
  readonly #path: string;
  readonly #out: Buffered;
  readonly #parts: Buffered[] = [];
  #folder: string | undefined;
  #failed = false;

  constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#out = new Buffered(descriptor);
  }

  write(bytes: Uint8Array): void {
    this.#try(() => this.#out.write(bytes));
  }

  part(): Part {
    let part: Buffered | undefined;
    this.#try(() => {
      this.#folder ??= mkdtempSync(join(tmpdir(), "shootdown-"));
      part = new Buffered(openSync(join(this.#folder, String(this.#parts.length)), "w+"));
      this.#parts.push(part);
    });
    return {
      write: (bytes) => this.#try(() => part?.write(bytes)),
      copy: () => this.#try(() => part?.copyTo(this.#out)),
    };
  }

  close(): boolean {
    this.#try(() => this.#out.flush());
    for (const one of [this.#out, ...this.#parts]) closeSync(one.descriptor);
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    return !this.#failed;
  }

  #try(what: () => void): void {
    if (this.#failed) return;
    try {
      what();
    } catch (error) {
      this.#failed = true;
      say(`${this.#path}: error: ${explain(error)}; the export is not complete`);
    }
  }
}

class Buffered implements ByteSink {
  readonly descriptor: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;

  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  write(bytes: Uint8Array): void {
    if (this.#used + bytes.length > BUFFER_BYTES) this.flush();
    if (bytes.length > BUFFER_BYTES) return writeAll(this.descriptor, bytes);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  flush(): void {
    const used = this.#used;
    this.#used = 0;
    writeAll(this.descriptor, this.#buffer.subarray(0, used));
  }

  /** All that was written to it, once more. */
  copyTo(out: ByteSink): void {
    this.flush();
    const chunk = new Uint8Array(BUFFER_BYTES);
    const { size } = fstatSync(this.descriptor);
    for (let at = 0; at < size; ) {
      const count = readSync(this.descriptor, chunk, 0, BUFFER_BYTES, at);
      if (count === 0) return;
      out.write(chunk.subarray(0, count));
      at += count;
    }
  }
}

/** A pipe that is full says EAGAIN. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
