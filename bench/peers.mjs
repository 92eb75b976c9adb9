// SPDX-License-Identifier: Apache-2.0
// The programs that benchmarks are run beside, made ready: Spin, rumur, and our own module as C.
//
// A peer is { peer, command, make_seconds, read }: `read` finds in what it prints the numbers of
// states and transitions and, where it says so, the bytes of its tables. One that is not installed
// is left out.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/constants.mjs";

const PEERS = join(root, "bench/peers");
const MIB = 2 ** 20;

/** Spin: 2^w slots of the table, how deep its stack may be, and whether runs may end anywhere. */
const SPIN_SIZES = {
  "explore/S": ["-w20", "-m20000"],
  "explore/M": ["-w23", "-m50000"],
  "explore/L": ["-w26", "-m500000"],
  "explore/asid": ["-w20", "-m100000", "-E"],
};

const has = (program, flag) => spawnSync(program, [flag]).error === undefined;

/** Runs the steps of making something; yields the seconds of user and system time, or throws. */
function make(measure, steps, cwd) {
  let seconds = 0;
  for (const [program, ...args] of steps) {
    const ran = measure([program, ...args], cwd);
    if (ran.status !== 0) throw new Error(`${program}: ${ran.stderr || ran.stdout}`);
    seconds += ran.cpu_seconds;
  }
  return seconds;
}

function spin({ name, model, transitions: meant }, dir, measure) {
  if (!has("spin", "-V")) return undefined;
  const defines = Object.entries(model.constants).map(([key, value]) => `-D${key}=${value}`);
  // Without -o2 Spin forgets registers that are not read any more: 0.2 % fewer states. So do we
  // with those of the allocator.
  const keep = model.file === "shootdown" ? ["-o2"] : [];
  const generate = ["spin", "-a", ...keep, ...defines, join(PEERS, `${model.file}.pml`)];
  const compile = ["gcc", "-O2", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"];
  return {
    peer: "spin",
    make_seconds: make(measure, [generate, compile], dir),
    command: [join(dir, "pan"), ...SPIN_SIZES[name]],
    read: (text) => {
      if (!/errors: 0\b/.test(text)) throw new Error("spin found an error");
      const number = (pattern) => Number(pattern.exec(text)?.[1]);
      const states = number(/(\d+) states, stored/);
      // Its transitions count the initial state, which is stored too, and have eight digits.
      const counted = number(/^\s*([\d.e+]+) transitions/m);
      const transitions = Number((meant + 1).toPrecision(8)) === counted ? meant : counted - 1;
      return { states, transitions, bytes: number(/([\d.]+)\s+total actual memory/) * MIB };
    },
  };
}

function rumur({ model: { file, constants } }, dir, measure) {
  if (!has("rumur", "--version")) return undefined;
  let model = readFileSync(join(PEERS, `${file}.m`), "utf8");
  for (const [constant, value] of Object.entries(constants)) {
    model = model.replace(new RegExp(`^( +${constant}): \\d+;`, "m"), `$1: ${value};`);
  }
  writeFileSync(join(dir, "m.m"), model);
  const alone = ["--threads", "1", "--deadlock-detection", "off", "--symmetry-reduction", "off"];
  const generate = ["rumur", ...alone, "--output", "m.c", "m.m"];
  const compile = ["gcc", "-O3", "-march=native", "-mcx16", "-o", "m", "m.c", "-lpthread"];
  return {
    peer: "rumur",
    make_seconds: make(measure, [generate, compile], dir),
    command: [join(dir, "m")],
    read: (text) => {
      if (!text.includes("No error found")) throw new Error("rumur found an error");
      const [, states, fired] = /(\d+) states, (\d+) rules fired/.exec(text) ?? [];
      return { states: Number(states), transitions: Number(fired) };
    },
  };
}

function c({ name }, dir, measure, program) {
  const wrote = spawnSync(process.execPath, [program, name, "c"], { encoding: "utf8" });
  if (wrote.status !== 0) throw new Error(wrote.stderr);
  const text = `${JSON.parse(wrote.stdout)}#include "${join(root, "bench/limit.c")}"\n`;
  writeFileSync(join(dir, "limit.c"), text);
  return {
    peer: "c",
    make_seconds: make(measure, [["gcc", "-O2", "-o", "limit", "limit.c"]], dir),
    command: [join(dir, "limit")],
    read: (out) => JSON.parse(out),
  };
}

const MAKERS = { spin, rumur, c };
export const PEER_NAMES = Object.keys(MAKERS);

/** A program that measures others; undefined without a compiler. */
export function makeMeasure(dir) {
  if (!has("gcc", "--version")) return undefined;
  const binary = join(dir, "measure");
  const made = spawnSync("gcc", ["-O2", "-o", binary, join(root, "bench/measure.c")]);
  if (made.status !== 0) return undefined;
  return (command, cwd) => {
    const options = { cwd, encoding: "utf8", maxBuffer: 2 ** 26 };
    const stdio = ["ignore", "pipe", "pipe", "pipe"];
    const { status, stdout, stderr, output } = spawnSync(binary, command, { ...options, stdio });
    return { status, stdout, stderr, ...JSON.parse(output[3] || "{}") };
  };
}

/** The peers of a benchmark that are wanted and installed. */
export function makePeers(bench, wanted, dir, measure, program) {
  if (!bench.model || !measure) return [];
  return wanted.flatMap((peer) => {
    const own = join(dir, `${bench.name.replaceAll("/", "-")}-${peer}`);
    mkdirSync(own, { recursive: true });
    return MAKERS[peer](bench, own, measure, program) ?? [];
  });
}
