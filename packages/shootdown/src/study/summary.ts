// SPDX-License-Identifier: Apache-2.0
// A witness in five lines: what changed, what was kept, what was invalidated, what went wrong.

import type { WitnessRow } from "./player.ts";
import type { Replay } from "./witness.ts";

/** Lines of a summary at most. */
const LINES_MAX = 5;

const who = (a: Readonly<Record<string, string>>): string =>
  `${a["agent"]} ${a["write"] === "true" ? "writes" : "reads"}`;

/** What an event says in a few words; undefined for events that a summary leaves out. */
function phrase(event: string, a: Readonly<Record<string, string>>): string | undefined {
  switch (event) {
    case "pte_store":
      return `entry of ${a["va"]} changes from ${a["old"]} to ${a["value"]}`;
    case "tlbi_applied":
      return `TLBI ${a["op"]} ${a["range"]} takes effect in the TLB of ${a["cpu"]}`;
    case "dvm_applied":
      return `broadcast ${a["op"]} ${a["range"]} takes effect in the SMMU`;
    case "cmdq_done":
      return a["op"] === "CMD_SYNC" || a["op"] === "CMD_RESUME"
        ? undefined
        : `${a["op"]} ${a["range"]} takes effect`;
    case "page_freed":
      return `frame ${a["frame"]} is given back`;
    case "revoked":
      return a["reads"] === "true"
        ? `the kernel relies on it that nobody has what ${a["va"]} was mapped to`
        : `the kernel relies on it that nobody can write through ${a["va"]}`;
    case "access":
      return `${who(a)} frame ${a["frame"]} at ${a["va"]}`;
    case "fault":
      return `${a["agent"]} is denied at ${a["va"]}: it finds ${a["found"]}`;
    default:
      return undefined;
  }
}

interface Line {
  readonly weight: number;
  readonly at: number;
  readonly text: string;
}

/** Events in the order of how much they explain; the last access or fault always stays. */
const WEIGHTS: Readonly<Record<string, number>> = {
  pte_store: 3,
  page_freed: 4,
  revoked: 2,
  tlbi_applied: 1,
  dvm_applied: 2,
  cmdq_done: 2,
  access: 1,
  fault: 1,
};

/** The most telling lines of a replayed witness, in order. */
export function summarize(replay: Replay): string[] {
  const rows = [...replay.rows, ...replay.cycle];
  const lines = rows.flatMap((row, at) => linesOf(row, at));
  const last = lines.findLast((l) => l.weight > 0);
  const fill = rows.findLastIndex((r) => r.kind === "fill");
  const ranked = [...lines].sort((a, b) => weight(b) - weight(a) || a.at - b.at);
  const kept = new Set(ranked.slice(0, LINES_MAX - (replay.cycle.length > 0 ? 1 : 0)));
  const texts = lines.filter((l) => kept.has(l)).map((l) => l.text);
  return replay.cycle.length > 0 ? [...texts, "and so on for ever"] : texts;

  function weight(l: Line): number {
    return l === last ? 10 : l.at === fill ? 9 : l.weight;
  }
}

function linesOf(row: WitnessRow, at: number): Line[] {
  const n = String(row.n).padStart(3);
  if (row.kind === "fill") {
    const change = row.changed.find((c) => c.name.includes("["));
    if (!change) return [];
    const text = `${n}  ${change.name} takes ${change.to}`;
    return [{ weight: 1, at, text }];
  }
  return row.events.flatMap(({ event, args }): Line[] => {
    const words = phrase(event, args);
    return words ? [{ weight: WEIGHTS[event] ?? 1, at, text: `${n}  ${words}` }] : [];
  });
}
