// SPDX-License-Identifier: Apache-2.0
// Inputs made to exhaust tables, stacks or time: endless distinct names, numbers without bound,
// lines without end. What grows must stop growing, and the time for a byte must not.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { checkTrace } from "../../../packages/shootdown/src/trace/check.ts";
import { traceStatus } from "../../../packages/shootdown/src/trace/finding.ts";
import { type Flood, ftrace, HEADER, IOMMU, KERNEL, probe } from "./flood-events.ts";
import { CASEMATE, command, JSON_HEAD, LOGS, OTHERS, START, TABLES, VTD } from "./flood-logs.ts";

export interface Flooded {
  readonly status: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Memory at the end over that at the beginning, rubbish left out. */
  readonly grown_mb: number;
  readonly evicted: Readonly<Record<string, number>>;
  /** The input was ended early for its slowness. */
  readonly cut: boolean;
  readonly wrong: readonly string[];
}

/** More than this is not bounded, or too much. */
const MOST_MB = 350;
/** Growth of the second half of an input, beyond the noise. */
const HALF_MB = 40;
const MOST_SECONDS = 40;
const MOST_MS_PER_MB = 1500;
const CHUNK = 65_536;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Behind the beginning of each format. */
const HEADS: readonly (readonly [string, string])[] = [
  ["ftrace", HEADER + ftrace(0, probe("mn_register", "mm=0x5"))],
  ["perf", "  mmsteps   256 [003]    51.127622: mm:mn_register: (ffff8) mm=0x5\n"],
  ["bpftrace", "Attaching 24 probes...\n"],
  ["json", JSON_HEAD],
  ["vtd", VTD],
  ["smmu", command(0, "SYNC")],
  ["tlbi", START],
  ["casemate", TABLES],
];
const ENDLESS: readonly (readonly [string, string, boolean])[] = [
  ["a line without end", "x".repeat(CHUNK), true],
  ["NULs", "\0".repeat(CHUNK), true],
  ["empty lines", "\n".repeat(CHUNK), false],
  ["CRs", "\r".repeat(CHUNK), true],
  ["brackets", "([{".repeat(CHUNK / 3), true],
];

export const floods: readonly Flood[] = [
  ...[...KERNEL, ...IOMMU, ...LOGS, ...CASEMATE, ...OTHERS],
  ...HEADS.flatMap(([format, head]) =>
    ENDLESS.map(([what, text, plain]) => ({
      name: `${format}: ${what}`,
      head,
      more: () => text,
      plain,
    })),
  ),
];

/** Checks so many bytes of a flood. */
export async function pour(flood: Flood, bytes: number, measured = true): Promise<Flooded> {
  const encoder = new TextEncoder();
  const used = () => {
    if (measured) collect();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  // Of the processor, for others may work beside.
  const begun = process.cpuUsage();
  const elapsed = () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1e6;
  };
  let [half, end, poured, cut] = [0, 0, 0, false];
  const input = async function* () {
    yield encoder.encode(flood.head);
    poured = flood.head.length;
    for (let n = 0; poured < bytes; ) {
      let text = "";
      while (text.length < CHUNK) text += flood.more(n++);
      yield encoder.encode(text);
      poured += text.length;
      if (half === 0 && poured > bytes / 2) half = used();
      cut = elapsed() > MOST_SECONDS;
      if (cut) break;
    }
    end = used();
  };
  const result = await checkTrace(input());
  const seconds = elapsed();
  const status = traceStatus(result);
  const grown_mb = Math.round((end - before) / 1e6);
  const wrong: string[] = [];
  if (measured && (cut || (seconds * 1e9) / poured > MOST_MS_PER_MB)) wrong.push("too slow");
  if (measured && (grown_mb > MOST_MB || (end - half) / 1e6 > HALF_MB)) {
    wrong.push(`memory grows: ${Math.round((half - before) / 1e6)} MB, then ${grown_mb} MB`);
  }
  if (flood.plain === true && status === 0) wrong.push("status 0");
  const evicted = result.ok ? result.summary.evicted : {};
  return { status, bytes: poured, seconds, grown_mb, evicted, cut, wrong };
}
