// SPDX-License-Identifier: Apache-2.0
// Other checkers on the models in bench/peers, where they and a C compiler are installed.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./files.ts";

/** What a checker says: what it counted up to the first error, and whether there was one. */
export interface PeerResult {
  readonly error: boolean;
  readonly states: number;
  readonly transitions: number;
}

export interface Peer {
  readonly name: string;
  readonly installed: boolean;
  /** Runs a model of bench/peers, named without its ending, with constants of its own. */
  readonly check: (model: string, constants: Readonly<Record<string, number>>) => PeerResult;
}

const has = (program: string, flag: string) => spawnSync(program, [flag]).error === undefined;
const compiler = has("gcc", "--version");

function run(cwd: string, program: string, ...args: string[]): string {
  const { stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (error) throw error;
  return stdout + stderr;
}

/** Does something in a folder that is gone afterwards. */
function within<T>(work: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), "shootdown-peer-"));
  try {
    return work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const counted = (text: string, pattern: RegExp): number => {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`no ${pattern} in:\n${text}`);
  return Number(found);
};

const spin: Peer = {
  name: "Spin",
  installed: compiler && has("spin", "-V"),
  check: (model, constants) =>
    within((dir) => {
      const defines = Object.entries(constants).map(([name, value]) => `-D${name}=${value}`);
      run(dir, "spin", "-a", ...defines, join(root, "bench/peers", `${model}.pml`));
      run(dir, "gcc", "-w", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c");
      const text = run(dir, "./pan", "-E", "-m100000", "-w20");
      return {
        error: counted(text, /errors: (\d+)/) > 0,
        states: counted(text, /(\d+) states, stored/),
        // The initial state is stored, and so counted as if something led to it.
        transitions: counted(text, /(\d+) transitions/) - 1,
      };
    }),
};

const rumur: Peer = {
  name: "rumur",
  installed: compiler && has("rumur", "--version"),
  check: (model, constants) =>
    within((dir) => {
      let text = readFileSync(join(root, "bench/peers", `${model}.m`), "utf8");
      for (const [name, value] of Object.entries(constants)) {
        text = text.replace(new RegExp(`^( +${name}): \\d+;`, "m"), `$1: ${value};`);
      }
      writeFileSync(join(dir, "model.m"), text);
      const alone = ["--threads", "1", "--deadlock-detection", "off"];
      run(dir, "rumur", ...alone, "--symmetry-reduction", "off", "--output", "m.c", "model.m");
      run(dir, "gcc", "-w", "-mcx16", "-o", "m", "m.c", "-lpthread");
      const out = run(dir, "./m");
      return {
        error: !out.includes("No error found"),
        states: counted(out, /(\d+) states, \d+ rules fired/),
        transitions: counted(out, /\d+ states, (\d+) rules fired/),
      };
    }),
};

export const PEERS: readonly Peer[] = [spin, rumur];
