// SPDX-License-Identifier: Apache-2.0
// Runs the built command as a user would, after a build if the sources are newer.

import { type SpawnSyncOptions, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./files.ts";

const home = join(root, "packages/shootdown");
export const program = join(home, "bin/shootdown.js");
export const dist = join(home, "dist");

/** What goes into the build. */
const SOURCES = [join(home, "src"), join(root, "litmus"), join(home, "fixtures")];

/** Two test files must not build at the same time. */
const LOCK = join(root, "node_modules/.cache/shootdown-build.lock");
const LOCK_STALE_MS = 60_000;

function newest(path: string): number {
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  return Math.max(mtimeMs, ...readdirSync(path).map((entry) => newest(join(path, entry))));
}

function stale(): boolean {
  try {
    const built = statSync(join(dist, "cli.js")).mtimeMs;
    return SOURCES.some((path) => newest(path) > built);
  } catch {
    return true;
  }
}

function locked(): boolean {
  mkdirSync(join(LOCK, ".."), { recursive: true });
  try {
    mkdirSync(LOCK);
    return true;
  } catch {
    const age = Date.now() - (statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (age > LOCK_STALE_MS) rmSync(LOCK, { recursive: true, force: true });
    return false;
  }
}

/** Builds if the sources are newer than the build. */
export async function ensureBuilt(): Promise<void> {
  while (stale()) {
    if (!locked()) {
      await new Promise((wake) => setTimeout(wake, 100));
      continue;
    }
    try {
      const script = join(root, "scripts/build.mjs");
      const { status, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
      if (status !== 0) throw new Error(`the build failed:\n${stderr}`);
    } finally {
      rmdirSync(LOCK);
    }
  }
}

/** A folder to run in: `litmus` and `fixtures` lie in it, and `bin/shootdown`. */
export function workFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "shootdown-cli-"));
  symlinkSync(join(root, "litmus"), join(path, "litmus"));
  symlinkSync(join(home, "fixtures"), join(path, "fixtures"));
  mkdirSync(join(path, "bin"));
  symlinkSync(program, join(path, "bin/shootdown"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `shootdown` with arguments; nothing of the environment of the tests colours it. */
export function shootdown(
  args: readonly string[],
  options: SpawnSyncOptions & { readonly input?: string | Uint8Array } = {},
): Ran {
  const env = { ...process.env, ...options.env };
  delete env["FORCE_COLOR"];
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    ...options,
    env,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}
