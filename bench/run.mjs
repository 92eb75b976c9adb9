// SPDX-License-Identifier: Apache-2.0
// Runs the benchmarks: `npm run bench -- [OPTION...] [NAME...]`.
//
// benches.ts is bundled once (as run-ts.mjs would do it) and each run gets a process of its own, so
// that CPU time and peak memory are those of the benchmark and not of the bundler. Each engine and
// each peer that is installed runs once a round, in turn; what is printed are medians. A line is an
// engine beside a peer; without any peer the line comes with "peer":null.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { rolldown } from "rolldown";
import { constants, root } from "../scripts/constants.mjs";
import { COST_BENCHES, costText, isCost, runCost } from "./cost.mjs";
import { EXPLORER_BENCHES, explorerText, isExplorer, watchExplorer } from "./explorer.mjs";
import { makeMeasure, makePeers, PEER_NAMES } from "./peers.mjs";
import { competeTraces, isTrace, TRACE_BENCHES } from "./trace.mjs";

const USAGE = `usage: npm run bench -- [OPTION...] [NAME...]
  --format text|ndjson
  --rounds N           runs of each engine and peer (5)
  --engines LIST       of wasm, javascript, reference (those of the benchmark)
  --peers LIST         of ${PEER_NAMES.join(", ")} (all), or none`;

process.env.BENCH_SCENARIO = join(root, "litmus/permission-upgrade/upgrade.litmus");

async function bundle(dir) {
  const build = await rolldown({
    input: { benches: join(root, "bench/benches.ts"), cost: join(root, "bench/cost.ts") },
    platform: "node",
    transform: { define: constants() },
  });
  const names = { entryFileNames: "[name].mjs", chunkFileNames: "[name].mjs" };
  await build.write({ dir, format: "esm", ...names });
  await build.close();
  return join(dir, "benches.mjs");
}

/** A folder that is gone when the process is. */
function scratch() {
  const cache = join(root, "node_modules/.cache/bench");
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(cache, "run-"));
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const lastLine = (text) => text.trim().split("\n").at(-1);

/** Where nothing measures processes they do it themselves. */
function runAlone(command, cwd) {
  const [program, ...args] = command;
  const options = { cwd, encoding: "utf8", maxBuffer: 2 ** 26 };
  const begin = performance.now();
  const { status, stdout, stderr } = spawnSync(program, args, options);
  const wall_seconds = (performance.now() - begin) / 1000;
  if (status !== 0) return { status, stdout, stderr };
  const { cpu_seconds, peak_kb } = JSON.parse(lastLine(stdout));
  return { status, stdout, stderr, wall_seconds, cpu_seconds, peak_kb };
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

const round = (n, digits) => (n === null ? null : Math.round(n * 10 ** digits) / 10 ** digits);

/** Medians of a contestant's runs. */
function summary({ runs, found }) {
  const cpu = runs.map((r) => r.cpu_seconds);
  return {
    cpu_seconds: median(cpu),
    cpu_seconds_min: Math.min(...cpu),
    cpu_seconds_max: Math.max(...cpu),
    wall_seconds: median(runs.map((r) => r.wall_seconds)),
    ...(found.run_ms === undefined ? {} : { run_ms: median(runs.map((r) => r.found.run_ms)) }),
    peak_mb: median(runs.map((r) => r.peak_kb)) / 1024,
    bytes_per_state: found.bytes ? found.bytes / found.states : null,
  };
}

function contestants(bench, tools) {
  const { program, options } = tools;
  const engines = bench.engines.filter((e) => !options.engines || options.engines.includes(e));
  const ours = engines.map((engine) => ({
    engine,
    command: [process.execPath, program, bench.name, engine],
    read: (text) => JSON.parse(lastLine(text)),
  }));
  return [...ours, ...makePeers(bench, options.peers, tools.dir, tools.measure, program)];
}

/** Runs all contestants of a benchmark in turn; one line for an engine beside a peer. */
function compete(bench, tools) {
  const all = contestants(bench, tools).map((who) => ({ ...who, runs: [] }));
  const run = tools.measure ?? runAlone;
  for (let n = 0; n < tools.options.rounds; n++) {
    for (const who of all) {
      const ran = run(who.command, tools.dir);
      const name = who.engine ?? who.peer;
      if (ran.status !== 0) throw new Error(`${name}: ${ran.stderr || ran.stdout}`);
      who.found = who.read(ran.stdout);
      who.runs.push({ ...ran, found: who.found });
      const { states, transitions } = who.found;
      const { states: meant } = all[0].found;
      if (states !== meant || (bench.transitions ?? transitions) !== transitions) {
        throw new Error(`${name} counts ${states} states, ${transitions} transitions`);
      }
    }
  }
  const peers = all.filter((who) => who.peer);
  return all
    .filter((who) => who.engine)
    .flatMap((who, n) =>
      // The first engine stands beside each peer, the others beside the first of them.
      (n === 0 && peers.length > 0 ? peers : peers.slice(0, 1))
        .concat(peers.length === 0 ? [undefined] : [])
        .map((peer) => line(bench, who, peer)),
    );
}

function line(bench, who, peer) {
  const ours = summary(who);
  const { states, transitions } = who.found;
  const its = peer && summary(peer);
  const digits = (key) => (key.includes("seconds") ? 3 : 1);
  const rounded = (values, prefix) =>
    Object.entries(values).map(([key, v]) => [prefix + key, round(v, digits(key))]);
  return {
    ...{ type: "bench", name: bench.name, engine: who.engine, states, transitions },
    ...Object.fromEntries(rounded(ours, "")),
    rounds: who.runs.length,
    peer: peer?.peer ?? null,
    peer_cpu_seconds: null,
    ...(its ? Object.fromEntries(rounded(its, "peer_")) : {}),
    ...(its ? { peer_make_seconds: round(peer.make_seconds, 2) } : {}),
    ratio: its ? round(its.cpu_seconds / ours.cpu_seconds, 2) : null,
  };
}

const text = (b) =>
  [
    b.name.padEnd(18),
    b.engine.padEnd(10),
    (b.states === undefined ? `${b.events} events` : `${b.states} states`).padStart(16),
    `${b.cpu_seconds.toFixed(2)} CPU s`.padStart(12),
    `${b.peak_mb} MB`.padStart(9),
    b.peer === null ? "" : `  ${b.peer} ${b.peer_cpu_seconds.toFixed(2)} CPU s, ratio ${b.ratio}`,
  ]
    .join(" ")
    .trimEnd();

const LISTS = { engines: ["wasm", "javascript", "reference"], peers: PEER_NAMES };

/** What is asked for; throws what is wrong with it. */
function read(values) {
  if (!["text", "ndjson"].includes(values.format)) throw new Error(`no format ${values.format}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`no number ${values.rounds}`);
  const lists = Object.entries(LISTS).map(([key, known]) => {
    const words = values[key] === "none" ? [] : values[key]?.split(",");
    const unknown = words?.find((word) => !known.includes(word));
    if (unknown !== undefined) throw new Error(`no ${key} ${unknown}`);
    return [key, words];
  });
  const { engines, peers = PEER_NAMES } = Object.fromEntries(lists);
  return { ...values, rounds, engines, peers };
}

function options() {
  try {
    const string = { type: "string" };
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        format: { ...string, default: "text" },
        rounds: { ...string, default: "5" },
        ...{ engines: string, peers: string, help: { type: "boolean" } },
      },
    });
    return { ...read(values), names: positionals };
  } catch (e) {
    return { error: e.message };
  }
}

/** The benchmarks that are wanted; throws if there is none of a name. */
function choose(known, words) {
  // A group by the word before its names' slash.
  const names = words.flatMap((word) => {
    const group = known.filter((k) => k.name.startsWith(`${word}/`) && !k.slow);
    return group.length > 0 ? group.map((k) => k.name) : [word];
  });
  const unknown = names.filter((n) => !known.some((k) => k.name === n));
  if (unknown.length > 0) {
    const all = known.map((k) => k.name).join(", ");
    throw new Error(`no benchmark ${unknown.join(", ")}; there are ${all}`);
  }
  return known.filter((k) => (names.length > 0 ? names.includes(k.name) : !k.slow));
}

function runnerOf(bench) {
  if (isExplorer(bench)) return watchExplorer;
  if (isCost(bench)) return runCost;
  return isTrace(bench) ? competeTraces : compete;
}

async function main() {
  const asked = options();
  if (asked.help) return void process.stdout.write(`${USAGE}\n`);
  const dir = scratch();
  let chosen = [];
  const tools = { options: asked, dir };
  try {
    if (asked.error) throw new Error(`${asked.error}\n${USAGE}`);
    tools.program = await bundle(dir);
    const known = spawnSync(process.execPath, [tools.program], { encoding: "utf8" });
    chosen = choose(
      [...JSON.parse(known.stdout), ...TRACE_BENCHES, ...EXPLORER_BENCHES, ...COST_BENCHES],
      asked.names,
    );
  } catch (e) {
    process.stderr.write(`bench: ${e.message}\n`);
    process.exitCode = 2;
    return;
  }
  tools.measure = makeMeasure(dir);
  const ndjson = asked.format === "ndjson";
  let failed = 0;
  for (const bench of chosen) {
    try {
      const run = runnerOf(bench);
      const shown = isExplorer(bench) ? explorerText : isCost(bench) ? costText : text;
      for await (const result of run(bench, tools)) {
        process.stdout.write(`${ndjson ? JSON.stringify(result) : shown(result)}\n`);
      }
    } catch (e) {
      failed++;
      process.stderr.write(`bench: ${bench.name}: ${e.message}\n`);
    }
  }
  if (ndjson) {
    const end = { type: "summary", benches: chosen.length, failed };
    process.stdout.write(`${JSON.stringify(end)}\n`);
  }
  if (failed > 0) process.exitCode = 1;
}

await main();
