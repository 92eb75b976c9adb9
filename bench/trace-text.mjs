// SPDX-License-Identifier: Apache-2.0
// Makes the recordings that `shootdown trace` is measured on: the same text, byte for byte, always.
//
//   flush   tlb_flush and the IOMMU's map and unmap, 131 bytes an event: what an x86 server writes
//   mm      recordings/mm.txt again and again: every probe of page tables, one process, four CPUs

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/constants.mjs";

const MEGABYTE = 1e6;

/** Numbers below 2^24, the same ones for the same seed. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 8;
  };
}

const seconds = (us) => `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, "0")}`;
const word = (value) => `0x${value.toString(16).padStart(16, "0")}`;

const HEADER = `# tracer: nop
#
# entries-in-buffer/entries-written: 1500000/1500000   #P:8
#
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
`;
const REASONS = [
  "flush on task switch",
  "remote shootdown",
  "local shootdown",
  "local MM shootdown",
];
const FLAGS = [".....", "d..1.", "d.h1.", "..s2."];

function* flushEvents() {
  const next = random(20261123);
  let us = 51e6;
  yield HEADER;
  for (;;) {
    us += 1 + (next() % 40);
    const pid = 1000 + (next() % 64);
    const task = `kworker/u${pid % 64}:${pid % 7}`.padStart(16);
    const place = `[00${next() % 8}] ${FLAGS[next() % 4]}`;
    yield `${task}-${String(pid).padEnd(7)} ${place} ${seconds(us).padStart(12)}: ${body(next)}\n`;
  }
}

function body(next) {
  const kind = next() % 4;
  if (kind === 0) {
    const reason = next() % 4;
    return `tlb_flush: pages:${(next() % 34) - 1} reason:${REASONS[reason]} (${reason})`;
  }
  const first = (next() % 2 ** 20) * 4096;
  const span = `IOMMU: iova=${word(first)} - ${word(first + 4096)}`;
  if (kind > 1) return `unmap: ${span} size=4096 unmapped_size=4096`;
  return `map: ${span} paddr=${word(next() * 4096)} size=4096`;
}

const EVENT = /^(.{16}-\d+ +\[\d+\] \S+ +)(\d+)\.(\d{6})(: .*)$/;

function* mmEvents() {
  const lines = readFileSync(join(root, "bench/recordings/mm.txt"), "utf8").trimEnd().split("\n");
  const head = lines.filter((line) => !EVENT.test(line) || / mn_register: | watch: /.test(line));
  const events = lines.filter((line) => !head.includes(line)).map((line) => EVENT.exec(line));
  const at = ([, , whole, part]) => Number(whole) * 1e6 + Number(part);
  const once = at(events.at(-1)) - at(events[0]) + 1000;
  yield `${head.join("\n")}\n`;
  for (let shift = 0; ; shift += once) {
    for (const event of events) yield `${event[1]}${seconds(at(event) + shift)}${event[4]}\n`;
  }
}

const MAKERS = { flush: flushEvents, mm: mmEvents };

/** Writes so many megabytes; how many lines there are. */
export function writeTrace(kind, megabytes, path) {
  const file = openSync(path, "w");
  let [bytes, lines, text] = [0, 0, ""];
  for (const line of MAKERS[kind]()) {
    text += line;
    lines += line.split("\n").length - 1;
    if (text.length < 2 ** 20) continue;
    bytes += writeSync(file, text);
    text = "";
    if (bytes >= megabytes * MEGABYTE) break;
  }
  closeSync(file);
  return { bytes, lines };
}
