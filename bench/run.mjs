// SPDX-License-Identifier: Apache-2.0
// Runs the benchmarks: `npm run bench -- [--format text|ndjson] [NAME...]`.
//
// benches.ts is bundled once (as run-ts.mjs would do it) and each benchmark gets a process of its
// own, so that CPU time and peak memory are those of the benchmark and not of the bundler. Rumur
// is run beside it where it is installed; the line comes without it too, with "peer":null.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { rolldown } from "rolldown";
import { constants, root } from "../scripts/constants.mjs";

const USAGE = "usage: npm run bench -- [--format text|ndjson] [NAME...]";

async function bundle() {
  const cache = join(root, "node_modules/.cache/bench");
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(cache, "run-"));
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  const build = await rolldown({
    input: { benches: join(root, "bench/benches.ts") },
    platform: "node",
    transform: { define: constants() },
  });
  await build.write({ dir, format: "esm", entryFileNames: "[name].mjs" });
  await build.close();
  return join(dir, "benches.mjs");
}

/** The last line that a process prints, as JSON. */
function ask(program, args) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 24,
  });
  if (status !== 0) throw new Error(stderr.trim() || `exit status ${status}`);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

/** The constants of bench/peers/shootdown.m for the benchmarks that it stands beside. */
const PEER_MODELS = {
  "explore/S": { CPUS: 2, UPGRADE: 1 },
  "explore/M": { CPUS: 3, UPGRADE: 0 },
};
const RUMUR = ["--threads", "1", "--deadlock-detection", "off", "--symmetry-reduction", "off"];
const CC = ["-O3", "-march=native", "-mcx16"];

/** Rumur's verifier for the same states: CPU seconds of its search, without making it. */
function peerOf(name, states) {
  const none = { peer: null, peer_cpu_seconds: null };
  const values = PEER_MODELS[name];
  if (!values || spawnSync("rumur", ["--version"]).status !== 0) return none;
  const dir = mkdtempSync(join(root, "node_modules/.cache/bench/peer-"));
  try {
    let model = readFileSync(join(root, "bench/peers/shootdown.m"), "utf8");
    for (const [constant, value] of Object.entries(values)) {
      model = model.replace(new RegExp(`${constant}: \\d+;`), `${constant}: ${value};`);
    }
    const [source, c, verifier] = ["m.m", "m.c", "m"].map((file) => join(dir, file));
    writeFileSync(source, model);
    if (spawnSync("rumur", [...RUMUR, "--output", c, source]).status !== 0) return none;
    if (spawnSync("cc", [...CC, "-o", verifier, c, "-lpthread"]).status !== 0) return none;
    const ran = spawnSync("bash", ["-c", `"${verifier}"; times`], { encoding: "utf8" });
    if (!ran.stdout.includes(`${states} states`)) throw new Error("rumur counts other states");
    // The last line of `times`: user and system time of children, as 0m1.234s.
    const seconds = [
      ...ran.stdout
        .trim()
        .split("\n")
        .at(-1)
        .matchAll(/(\d+)m([\d.]+)s/g),
    ];
    const sum = seconds.reduce((n, [, m, s]) => n + Number(m) * 60 + Number(s), 0);
    return { peer: "rumur", peer_cpu_seconds: Math.round(sum * 100) / 100 };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function line(measured) {
  const peer = peerOf(measured.name, measured.states);
  const ratio =
    peer.peer === null
      ? null
      : Math.round((peer.peer_cpu_seconds / measured.cpu_seconds) * 100) / 100;
  return { type: "bench", ...measured, ...peer, ratio };
}

const text = (b) =>
  [
    b.name.padEnd(20),
    b.engine.padEnd(10),
    `${b.states} states`.padStart(16),
    `${b.cpu_seconds.toFixed(2)} CPU s`.padStart(12),
    `${b.peak_mb} MB`.padStart(8),
    b.peer === null ? "" : `  ${b.peer} ${b.peer_cpu_seconds} CPU s, ratio ${b.ratio}`,
  ]
    .join(" ")
    .trimEnd();

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { format: { type: "string", default: "text" }, help: { type: "boolean" } },
    });
    return { ...values, names: positionals };
  } catch (e) {
    return { error: e.message };
  }
}

async function main() {
  const { error, help, format, names } = options();
  if (help) return void process.stdout.write(`${USAGE}\n`);
  const wrong = error ?? (["text", "ndjson"].includes(format) ? undefined : `no format ${format}`);
  if (wrong) {
    process.stderr.write(`bench: ${wrong}\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  const program = await bundle();
  const known = ask(program, []);
  const unknown = names.filter((n) => !known.some((k) => k.name === n));
  if (unknown.length > 0) {
    const all = known.map((k) => k.name).join(", ");
    process.stderr.write(`bench: no benchmark ${unknown.join(", ")}; there are ${all}\n`);
    process.exitCode = 2;
    return;
  }
  const chosen = names.length > 0 ? names : known.filter((k) => !k.slow).map((k) => k.name);
  let failed = 0;
  for (const name of chosen) {
    try {
      const result = line(ask(program, [name]));
      process.stdout.write(`${format === "ndjson" ? JSON.stringify(result) : text(result)}\n`);
    } catch (e) {
      failed++;
      process.stderr.write(`bench: ${name}: ${e.message}\n`);
    }
  }
  if (format === "ndjson") {
    const summary = { type: "summary", benches: chosen.length, failed };
    process.stdout.write(`${JSON.stringify(summary)}\n`);
  }
  if (failed > 0) process.exitCode = 1;
}

await main();
