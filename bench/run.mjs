// SPDX-License-Identifier: Apache-2.0
// Runs the benchmarks: `npm run bench -- [--format text|ndjson] [NAME...]`.
//
// benches.ts is bundled once (as run-ts.mjs would do it) and each benchmark gets a process of its
// own, so that CPU time and peak memory are those of the benchmark and not of the bundler. A peer
// is run where it is installed and has a model in bench/peers/; the line comes without it too.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
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

/** Rumur's verifier for the same model: CPU seconds of the search, without making it. */
function peerOf(name) {
  const model = join(root, "bench/peers", `${name.replace("/", "-")}.m`);
  const none = { peer: null, peer_cpu_seconds: null, ratio: null };
  if (!existsSync(model) || spawnSync("rumur", ["--version"]).status !== 0) return none;
  const dir = mkdtempSync(join(root, "node_modules/.cache/bench/peer-"));
  try {
    const steps = [
      ["rumur", ["--threads", "1", "--output", join(dir, "m.c"), model]],
      ["cc", ["-O3", "-march=native", "-mcx16", "-o", join(dir, "m"), join(dir, "m.c"), "-lpthread"]],
    ];
    for (const [command, args] of steps) if (spawnSync(command, args).status !== 0) return none;
    const script = `"${join(dir, "m")}" >/dev/null 2>&1; times`;
    const { stdout } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    // The second line of `times`: user and system time of children, as 0m1.234s.
    const [, children = ""] = stdout.trim().split("\n");
    const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
      (sum, [, m, s]) => sum + Number(m) * 60 + Number(s),
      0,
    );
    return { peer: "rumur", peer_cpu_seconds: Math.round(seconds * 100) / 100 };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function line(measured) {
  const peer = peerOf(measured.name);
  if (peer.peer === null) return { type: "bench", ...measured, ...peer };
  const ratio = Math.round((peer.peer_cpu_seconds / measured.cpu_seconds) * 100) / 100;
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
  ].join(" ").trimEnd();

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
