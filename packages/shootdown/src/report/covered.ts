// SPDX-License-Identifier: Apache-2.0
// What a search that was ended covered, what ended it, and what may help.

import type { CheckRun } from "./result.ts";

/** Why a run was not finished, in words; nothing for one that was. */
export function coveredLines(run: CheckRun): string[] {
  const { limit, states, transitions, queue, depth, exhaustive } = run;
  if (limit === null) return [];
  const left = queue === undefined ? "" : `, ${counted(queue, "state")} in the queue`;
  const covered = `${counted(states, "state")}, ${counted(transitions, "transition")}${left}`;
  const most = exhaustive ? [] : [`not exhaustive: ${covered}, depth ${depth}`];
  return [`stopped by: ${limitText(limit)}`, ...most, ...waysOut(run)];
}

/** `--max-memory 1G` */
export function limitText(limit: string): string {
  return limit.replace(/^(--max-memory) (\d+)$/, (_, option, n) => `${option} ${bytesText(+n)}`);
}

const UNITS = ["", "K", "M", "G", "T"] as const;

/** As the option reads it, if that is exact. */
function bytesText(bytes: number): string {
  let unit = 0;
  let n = bytes;
  while (n % 1024 === 0 && n > 0 && unit < UNITS.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${n}${UNITS[unit]}`;
}

/** For a limit that a user can do something about. */
function waysOut({ limit, semantics, reductions }: CheckRun): string[] {
  if (/^an index of pte_table/.test(limit ?? "")) {
    return [
      "try: huge_pages() = true, where a block of pages may be: who reads a table looks first",
    ];
  }
  if (/ exceeds the domain$/.test(limit ?? "")) {
    return ["try: more frames, free-frames 8; or fewer references, loops and repetitions"];
  }
  const option = /^--max-\w+/.exec(limit ?? "")?.[0];
  const memory = limit === NO_MEMORY;
  if (option === undefined && !memory) return [];
  const ways = [memory ? "lower -j" : `raise ${option}`];
  if (semantics === "concrete") ways.push("search with --semantics window");
  if (reductions.length === 0) ways.push("allow reductions with --reduce all");
  return [`try: ${ways.join(", or ")}`];
}

/** The limit that is hit where a worker has no memory left. */
export const NO_MEMORY = "the memory of the process";

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
