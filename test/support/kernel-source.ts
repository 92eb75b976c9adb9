// SPDX-License-Identifier: Apache-2.0
// Functions in the source of kernels: which ones a routine was read from, their text, its hash.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Source } from "../../packages/shootdown/src/ir/machine.ts";

/** Where Debian's linux-source packages, or trees of other versions, are unpacked. */
const TREES = process.env["SHOOTDOWN_KERNEL_SOURCE"] ?? "/opt/ksrc";

/** The root of a version's tree. */
export const kernelTree = (version: string): string => join(TREES, `linux-source-${version}`);

export const hasKernelTree = (version: string): boolean => existsSync(kernelTree(version));

/** Whether a file is one of a kernel: not a specification's section, nor an imagined driver. */
export const isKernelFile = (file: string): boolean =>
  file.split(", ").every((f) => /^[\w/.-]+\.[chS]$/.test(f));

/**
 * The functions that a source names for a version. `a, b (6.1), c (6.12), d`: at 6.1 a, b and d, at
 * 6.12 c and d.
 */
export function functionsOf(name: string, source: Source, version: string): string[] {
  const found: string[] = [];
  let group: string[] = [];
  for (const item of (source.function ?? name).split(", ")) {
    const match = /^(\w+)(?: \(([\d.]+)\))?$/.exec(item);
    if (!match) throw new Error(`${name}: '${item}' names no function`);
    group.push(match[1]!);
    if (match[2] === undefined) continue;
    if (match[2] === version) found.push(...group);
    group = [];
  }
  return [...found, ...group];
}

const files = new Map<string, string>();

/** The text of the files of a source that a version has. */
function textsOf(source: Source, version: string): string[] {
  return source.file.split(", ").flatMap((file) => {
    const path = join(kernelTree(version), file);
    if (!files.has(path)) files.set(path, existsSync(path) ? readFileSync(path, "utf8") : "");
    return files.get(path) || [];
  });
}

/** The definitions of a function in C, from the line of its name on; several behind #ifdef. */
export function definitionsIn(text: string, name: string): string[] {
  const found: string[] = [];
  const starts = new RegExp(`^(?:[A-Za-z_][^\\n;{}=/"]*[ \\t*])?${name}\\(`, "gm");
  for (let m = starts.exec(text); m; m = starts.exec(text)) {
    const open = closing(text, starts.lastIndex - 1) + 1;
    // Annotations may stand between parameters and body, but no semicolon.
    const body = /^[^;{}]*\{/.exec(text.slice(open, open + 200));
    if (!body) continue;
    const end = text.indexOf("\n}", open);
    found.push(text.slice(m.index, end + 2));
  }
  const macro = new RegExp(`^#define[ \\t]+${name}\\((?:.*\\\\\\n)*.*`, "gm");
  return [...found, ...(text.match(macro) ?? [])];
}

/** The position of the parenthesis that closes the one at `open`. */
function closing(text: string, open: number): number {
  for (let at = open, depth = 0; at < text.length; at++) {
    if (text[at] === "(") depth++;
    else if (text[at] === ")" && --depth === 0) return at;
  }
  return text.length;
}

/** The hash of the functions of a source at a version; a list of those that are not there. */
export function hashOf(name: string, source: Source, version: string): string | string[] {
  const texts = textsOf(source, version);
  const missing: string[] = [];
  const parts = functionsOf(name, source, version).flatMap((f) => {
    const found = texts.flatMap((text) => definitionsIn(text, f));
    if (found.length === 0) missing.push(f);
    return found;
  });
  if (missing.length > 0) return missing;
  const text = parts.map((part) => part.replace(/\s+/g, " ")).join("\n");
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
