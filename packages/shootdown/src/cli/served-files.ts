// SPDX-License-Identifier: Apache-2.0
// Files that `shootdown serve` offers: those named, and those of folders that were named.
//
// The list is made at the start. Of a folder only what lies in it: a link that leads out of it is
// left out, and so is what has become one since.

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { problem } from "../api/index.ts";
import { explain } from "./files.ts";

export interface ServedFile {
  /** As the page shows it: below the folder that was named. */
  readonly name: string;
  readonly size: number;
  readonly path: string;
  /** The folder that it may not lead out of; undefined for a file that was named itself. */
  readonly folder: string | undefined;
}

/** More files of a folder are not listed. */
export const FILES_MAX = 5000;

/** What is wrong with a path that was given. */
export function pathProblems(path: string) {
  try {
    const found = statSync(path);
    if (found.isFile()) return [];
    if (!found.isDirectory()) return [problem("neither a file nor a folder", { file: path })];
    const { length } = filesOf(path);
    if (length === 0) return [problem("a folder without files", { file: path })];
    if (length > FILES_MAX) return [problem(`more than ${FILES_MAX} files`, { file: path })];
    return [];
  } catch (error) {
    return [problem(explain(error), { file: path })];
  }
}

/** All that is offered, in the order in which it was named. */
export function servedFiles(paths: readonly string[]): ServedFile[] {
  return paths.flatMap((path): ServedFile[] => {
    const found = statSync(path);
    if (found.isDirectory()) return filesOf(path);
    return [{ name: basename(path), size: found.size, path, folder: undefined }];
  });
}

/** Regular files below a folder, hidden ones left out; in the order of their names. */
function filesOf(folder: string): ServedFile[] {
  const home = realpathSync(folder);
  const found: ServedFile[] = [];
  const visit = (at: string): void => {
    const entries = readdirSync(at, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith(".") || found.length > FILES_MAX) continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== "node_modules") visit(path);
        continue;
      }
      const real = inside(path, home);
      if (real === undefined || !statSync(real).isFile()) continue;
      const name = join(basename(home), relative(home, path)).replaceAll("\\", "/");
      found.push({ name, size: statSync(real).size, path, folder: home });
    }
  };
  visit(home);
  return found;
}

/** The file that a path leads to, if that is in the folder. */
function inside(path: string, folder: string): string | undefined {
  try {
    const real = realpathSync(path);
    return real.startsWith(folder.endsWith(sep) ? folder : folder + sep) ? real : undefined;
  } catch {
    // A link to nothing, or gone.
    return undefined;
  }
}

/** Opens a file to be read; undefined if it is gone, or leads out of its folder by now. */
export function openServed({ path, folder }: ServedFile): number | undefined {
  try {
    const real = folder === undefined ? realpathSync(path) : inside(path, folder);
    if (real === undefined) return undefined;
    const file = openSync(real, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    if (fstatSync(file).isFile()) return file;
    closeSync(file);
    return undefined;
  } catch {
    return undefined;
  }
}
