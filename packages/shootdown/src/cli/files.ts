// SPDX-License-Identifier: Apache-2.0
// Inputs: files, folders of scenarios, stdin; gzip undone; no more memory than one may need.

import { closeSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/** An input that cannot be read. */
export class InputError extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

export interface Input {
  /** As results name it. */
  readonly name: string;
  readonly path: string;
}

/** Read of one input at most; the reader of scenarios refuses what is much smaller. */
const MAX_BYTES = 1 << 26;
const CHUNK = 1 << 16;
const STDIN = 0;

/** Folders inside each other. */
const MAX_FOLDERS = 64;

/** The scenarios that come with the program. */
const shipped = fileURLToPath(new URL("./litmus", import.meta.url));

/** The recordings that come with the program. */
export const fixture = (name: string): string =>
  fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** The files that paths name: folders stand for the scenarios below them, in order. */
export function scenarioInputs(paths: readonly string[]): (Input | InputError)[] {
  if (paths.length === 0) return shippedInputs();
  return paths.flatMap((path): (Input | InputError)[] => {
    if (path === "-") return [{ name: "<stdin>", path }];
    try {
      if (!statSync(path).isDirectory()) return [{ name: path, path }];
      const found = below(path);
      if (found.length > 0) return found.map((p) => ({ name: p, path: p }));
      return [new InputError(path, "no .litmus file in this folder or below it")];
    } catch (error) {
      return [new InputError(path, explain(error))];
    }
  });
}

/** The shipped library, named as in the repository. */
export function shippedInputs(): Input[] {
  return below(shipped).map((path) => ({
    path,
    name: join("litmus", relative(shipped, path)).replaceAll("\\", "/"),
  }));
}

function below(folder: string, above: readonly string[] = []): string[] {
  const real = realpathSync(folder);
  // A link back to a folder that this one is in.
  if (above.includes(real) || above.length > MAX_FOLDERS) return [];
  const inside = [...above, real];
  const entries = readdirSync(folder).sort((a, b) => (a < b ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry);
    if (entry.endsWith(".litmus"))
      return statSync(path).isDirectory() ? below(path, inside) : [path];
    if (entry.startsWith(".") || entry === "node_modules") return [];
    return isFolder(path) ? below(path, inside) : [];
  });
}

/** Whether reading it may wait for somebody: stdin, a pipe, a terminal. */
export function mayBlock({ path }: Input): boolean {
  if (path === "-") return true;
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The bytes of an input, decompressed. Throws InputError. */
export function readInput({ path, name }: Input): Uint8Array {
  try {
    const bytes = readBounded(path === "-" ? STDIN : openSync(path, "r"));
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
  } catch (error) {
    throw new InputError(name, explain(error));
  }
}

/** Everything, up to the limit and a little more. */
function readBounded(descriptor: number): Uint8Array {
  const chunks: Buffer[] = [];
  let total = 0;
  try {
    while (total <= MAX_BYTES) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const count = readSome(descriptor, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      total += count;
    }
  } finally {
    if (descriptor !== STDIN) closeSync(descriptor);
  }
  return Buffer.concat(chunks);
}

/** A terminal or pipe without data yet says EAGAIN; a closed one EOF. */
function readSome(descriptor: number, into: Buffer): number {
  for (;;) {
    try {
      return readSync(descriptor, into);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EISDIR: "a folder",
  ENOTDIR: "a part of the path is not a folder",
  ELOOP: "links in a circle",
  ENOSPC: "no space left on the device",
  EPIPE: "nobody reads it any more",
  EROFS: "a read-only file system",
  EFBIG: "the file became too large",
  ERR_BUFFER_TOO_LARGE: "the decompressed file is too large",
};

/** Why a file cannot be read, in words. */
export function explain(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code?.startsWith("Z_")) return "the gzip data is damaged or ends early";
  return (code === undefined ? undefined : REASONS[code]) ?? message;
}
