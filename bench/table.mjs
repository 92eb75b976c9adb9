// SPDX-License-Identifier: Apache-2.0
// Puts the figures of a bench run into docs/PERFORMANCE.md, between its two marks.
//
//   npm run bench -- --format ndjson [NAME...] > run.ndjson
//   node bench/table.mjs run.ndjson...          the lines of all; of the same run the last counts

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { root } from "../scripts/constants.mjs";

const DOCUMENT = join(root, "docs/PERFORMANCE.md");
const MARKS = ["<!-- figures -->", "<!-- end of figures -->"];
const HEAD = [
  "| benchmark | run by | states | transitions | CPU s (least - most) | wall s | ",
  "states / CPU s | against wasm | peak MB | bytes / state |\n",
  "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
].join("");

const whole = (n) => Math.round(n).toLocaleString("en-US");
const fixed = (n, digits) => (n === null || n === undefined ? "" : n.toFixed(digits));

/** One row of what ran: `prefix` says whose fields of a line they are. */
function row(line, who, prefix) {
  const get = (key) => line[prefix + key];
  const cpu = get("cpu_seconds");
  const span = `${fixed(get("cpu_seconds_min"), 2)} - ${fixed(get("cpu_seconds_max"), 2)}`;
  return {
    key: `${line.name} ${who}`,
    name: line.name,
    who,
    cpu,
    cells: (wasm) => [
      ...[line.name, who, whole(line.states), whole(line.transitions)],
      `${fixed(cpu, 2)} (${line.rounds > 1 ? span : "one run"})`,
      ...[fixed(get("wall_seconds"), 2), whole(line.states / cpu)],
      wasm ? fixed(wasm / cpu, 2) : "",
      ...[whole(get("peak_mb")), fixed(get("bytes_per_state"), 1)],
    ],
  };
}

/** Rows of what ran, each once; of several runs the last counts. */
function rows(lines) {
  const found = new Map();
  for (const line of lines) {
    const ours = row(line, line.engine, "");
    found.set(ours.key, ours);
    if (line.peer === null) continue;
    const its = row(line, line.peer, "peer_");
    found.set(its.key, its);
  }
  return [...found.values()];
}

const first = (command, ...args) =>
  spawnSync(command, args, { encoding: "utf8" }).stdout?.trim().split("\n")[0] || "none";

function machine() {
  const [{ model }] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return [
    `Machine: ${cpus().length} CPUs (${model.trim()}), ${gib} GiB; Linux.`,
    `Node ${process.versions.node}.`,
    `Peers: ${first("spin", "-V")}; ${first("rumur", "--version")}; ${first("gcc", "--version")}.`,
    `Load of the machine when the table was written: ${loadavg()[1].toFixed(1)}.`,
  ];
}

const lines = process.argv
  .slice(2)
  .flatMap((file) => readFileSync(file, "utf8").trim().split("\n"))
  .map((text) => JSON.parse(text))
  .filter((line) => line.type === "bench");
const all = rows(lines);
const wasmOf = (name) => all.find((r) => r.name === name && r.who === "wasm")?.cpu;
const names = [...new Set(all.map((r) => r.name))];
const table = names
  .flatMap((name) => all.filter((r) => r.name === name))
  .map((r) => `| ${r.cells(wasmOf(r.name)).join(" | ")} |`);
const made = lines
  .filter((line) => line.peer_make_seconds)
  .map((line) => `${line.peer} on ${line.name} ${line.peer_make_seconds}`);
const text = [
  ...machine(),
  `CPU seconds to generate and compile, not counted above: ${[...new Set(made)].join("; ")}.`,
  "",
  HEAD,
  ...table,
].join("\n");
const document = readFileSync(DOCUMENT, "utf8");
const [from, to] = MARKS.map((mark) => document.indexOf(mark));
if (from < 0 || to < from) throw new Error(`${DOCUMENT} has no marks`);
const before = document.slice(0, from + MARKS[0].length);
writeFileSync(DOCUMENT, `${before}\n${text}\n${document.slice(to)}`);
