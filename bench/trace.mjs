// SPDX-License-Identifier: Apache-2.0
// How fast the built `shootdown trace` reads ftrace text, beside `grep -c ''` on the same file.
//
// Everybody is a whole process with its start, on one core (taskset, where there is one), in turn.
// grep's output goes into a pipe: to /dev/null it would stop at the first line.
//
//   grep -c          grep reads the file itself
//   cat | grep -c    it is read from a pipe

import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/constants.mjs";
import { writeTrace } from "./trace-text.mjs";

const PROGRAM = join(root, "packages/shootdown/bin/shootdown.js");
const MEGABYTES = 200;
/** How often the text is repeated where more than memory holds is wanted. */
const TIMES = 50;

/** Of engines: `javascript` is what a host without WebAssembly has. */
const ENGINES = { wasm: [], javascript: ["--no-expose-wasm"] };

export const TRACE_BENCHES = [
  { name: "trace/flush", kind: "flush", engines: ["wasm", "javascript"] },
  { name: "trace/mm", kind: "mm", engines: ["wasm", "javascript"] },
  { name: "trace/stream", kind: "flush", engines: ["wasm"], times: TIMES, slow: true },
];

export const isTrace = ({ name }) => name.startsWith("trace/");

const onOneCore = () =>
  spawnSync("taskset", ["-c", "0", "true"]).status === 0 ? ["taskset", "-c", "0"] : [];

/** The text of a kind, made once a run. */
function recording(kind, dir) {
  const file = join(dir, `${kind}.txt`);
  if (!existsSync(file)) writeTrace(kind, MEGABYTES, file);
  return file;
}

const shell = (text) => ["sh", "-c", text];
const again = (times, file) => `n=0; while [ $n -lt ${times} ]; do cat ${file}; n=$((n + 1)); done`;

function contestants({ kind, engines, times = 1 }, { options, dir }) {
  const file = recording(kind, dir);
  const one = onOneCore();
  const ours = engines
    .filter((engine) => !options.engines || options.engines.includes(engine))
    .map((engine) => {
      const node = [process.execPath, ...ENGINES[engine], PROGRAM, "trace", "--format", "ndjson"];
      const read = (text) => JSON.parse(text.trim().split("\n").at(-1));
      if (times === 1) return { engine, command: [...one, ...node, file], read };
      const piped = shell(`(${again(times, file)}) | ${[...one, ...node, "-"].join(" ")}`);
      return { engine, command: piped, read };
    });
  const read = (text) => ({ lines: Number(text) });
  const peers = [
    { peer: "grep -c", command: [...one, "grep", "-c", "", file], read },
    { peer: "cat | grep -c", command: [...one, ...shell(`cat ${file} | grep -c ''`)], read },
  ];
  const piped = shell(`(${again(times, file)}) | ${one.join(" ")} grep -c ''`);
  if (times > 1) return [...ours, { peer: "cat | grep -c", command: piped, read }];
  return [...ours, ...(options.peers?.length === 0 ? [] : peers)];
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

const rounded = (n, digits) => Math.round(n * 10 ** digits) / 10 ** digits;

/** Runs all in turn; a line for an engine beside a peer. */
export function competeTraces(bench, tools) {
  if (tools.measure === undefined) throw new Error("no compiler for bench/measure.c");
  const all = contestants(bench, tools).map((who) => ({ ...who, runs: [] }));
  for (let n = 0; n < tools.options.rounds; n++) {
    for (const who of all) {
      const ran = tools.measure(who.command, tools.dir);
      // Findings and what cannot be told have a status of their own.
      if (![0, 1, 3].includes(ran.status)) throw new Error(ran.stderr || ran.stdout);
      who.found = who.read(ran.stdout);
      who.runs.push(ran);
    }
  }
  const megabytes = (statSync(recording(bench.kind, tools.dir)).size * (bench.times ?? 1)) / 1e6;
  return all
    .filter((who) => who.engine)
    .flatMap((who) => {
      const peers = all.filter((other) => other.peer);
      return (peers.length === 0 ? [undefined] : peers).map((peer) =>
        line(bench.name, who, peer, megabytes),
      );
    });
}

function line(name, who, peer, megabytes) {
  const of = (runs, key) => rounded(median(runs.map((run) => run[key])), 3);
  const { runs, found } = who;
  const wall_seconds = of(runs, "wall_seconds");
  const peer_wall_seconds = peer ? of(peer.runs, "wall_seconds") : null;
  const peer_cpu_seconds = peer ? of(peer.runs, "cpu_seconds") : null;
  const cpu_seconds = of(runs, "cpu_seconds");
  return {
    ...{ type: "bench", name, engine: who.engine, events: found.events },
    megabytes: Math.round(megabytes),
    ...{ cpu_seconds, wall_seconds },
    megabytes_per_second: Math.round(megabytes / wall_seconds),
    events_per_second: Math.round(found.events / wall_seconds),
    peak_mb: rounded(of(runs, "peak_kb") / 1024, 1),
    rounds: runs.length,
    ...{ peer: peer?.peer ?? null, peer_cpu_seconds, peer_wall_seconds },
    ratio: peer ? rounded(peer_cpu_seconds / cpu_seconds, 2) : null,
    wall_ratio: peer ? rounded(peer_wall_seconds / wall_seconds, 2) : null,
  };
}
