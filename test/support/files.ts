// SPDX-License-Identifier: Apache-2.0
// The project's own source files, for tests that read them.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

const NOT_OURS = new Set(["node_modules", "dist", "fixtures", "coverage"]);
const SOURCE = /\.(ts|tsx|js|mjs|cjs)$/;

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

/** Every source file of the repository, or those below a folder of it. */
export function sourceFiles(folder = "."): SourceFile[] {
  return walk(join(root, folder))
    .map((file) => relative(root, file).replaceAll("\\", "/"))
    .sort()
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      return { path, text, lines: text.replace(/\n$/, "").split("\n") };
    });
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ours(entry.name) ? walk(path) : [];
    return SOURCE.test(entry.name) ? [path] : [];
  });
}

/** Hidden folders hold tools and caches; .ci and the like hold no source file. */
function ours(folder: string): boolean {
  return !NOT_OURS.has(folder) && !folder.startsWith(".");
}
