// SPDX-License-Identifier: Apache-2.0
// `shootdown tour`: the main job on shipped, real input, with the commands that repeat each part.

import { createReadStream, readFileSync } from "node:fs";
import { relative } from "node:path";
import type { Command } from "commander";
import {
  type CheckResult,
  checkReporter,
  checkScenario,
  checkTrace,
  costNdjson,
  costOf,
  type Finding,
  findingLines,
  type Paint,
  planCost,
  profileLines,
  readWorkload,
  type TraceSummary,
  traceStatus,
  wrapText,
} from "../api/index.ts";
import { fixture, shippedInputs } from "./files.ts";
import { addCommon, type CommonOptions } from "./options.ts";
import { columnsOf, out, paintFor } from "./output.ts";

const NOTES = `
It needs no input and writes nothing. Exit status: 0 all as documented, 1 not.

Example:
  shootdown tour | less`;

const SCENARIO = "litmus/permission-upgrade/upgrade.litmus";
const MACHINE = "arm64+smmuv3";

/** Findings that are printed of a recording; the command beside it prints all. */
const SHOWN_FINDINGS = 2;

interface CheckPart {
  readonly says: string;
  readonly kernel: string;
  readonly observed: string;
}

const CHECKS: readonly CheckPart[] = [
  {
    says:
      "Linux 6.1: a CPU's write makes a page writable. The CPU's TLB is flushed, the SMMU is " +
      "told nothing, and keeps its read-only entry: the device faults for ever. Every " +
      "interleaving of kernel and hardware was searched; this is the shortest that ends badly.",
    kernel: "linux-6.1",
    observed: "sometimes",
  },
  {
    says: "Linux 6.12 notifies where it flushes. The same search finds no such run.",
    kernel: "linux-6.12",
    observed: "never",
  },
];

interface TracePart {
  readonly says: string;
  readonly file: string;
  readonly status: number;
  /** Upgrades without an invalidation. */
  readonly missing: number;
}

const TRACES: readonly TracePart[] = [
  {
    says:
      "The same on a real kernel: a recording of Linux 6.1 on arm64. Each of its permission " +
      "upgrades lacks the call that would have told an IOMMU.",
    file: "6.1-upgrade.trace.txt",
    status: 1,
    missing: 8,
  },
  {
    says: "The same program recorded on Linux 6.12: every upgrade is followed by its call.",
    file: "6.12-upgrade.trace.txt",
    status: 0,
    missing: 0,
  },
];

export function register(command: Command): void {
  addCommon(command, ["text", "ndjson"]).addHelpText("after", NOTES).action(tour);
}

interface Show {
  readonly text: boolean;
  readonly width: number;
  readonly paint: Paint;
}

async function tour(options: CommonOptions): Promise<void> {
  const show: Show = {
    text: options.format === "text",
    width: columnsOf(process.stdout),
    paint: paintFor(options.color, process.stdout),
  };
  const started = performance.now();
  let ok = 0;
  for (const part of CHECKS) if (checked(part, show)) ok++;
  for (const part of TRACES) if (await traced(part, show)) ok++;
  if (await priced(show)) ok++;
  const parts = CHECKS.length + TRACES.length + 1;
  const seconds = Math.round(performance.now() - started) / 1000;
  if (show.text) {
    const end =
      ok === parts ? "All five parts came out as documented" : `${ok} of ${parts} as documented`;
    out(`${end}, in ${seconds.toFixed(1)} s.\n`);
  } else out(`${JSON.stringify({ type: "summary", parts, ok, failed: parts - ok, seconds })}\n`);
  process.exitCode = ok === parts ? 0 : 1;
}

const COST = {
  says:
    "What does the call cost, where it stands now and where it stood before? A recorded run of " +
    "java on a machine with ATS: 6.1 tells devices of every range that is unmapped, 6.12 of " +
    "those that are flushed. Counts are exact, times are intervals over what nobody measured.",
  workload: "java",
  profile: "grace",
  kernels: ["linux-6.1", "linux-6.12"],
} as const;

/** Both placements on one workload; whether the later tells devices less often. */
async function priced(show: Show): Promise<boolean> {
  const { says, workload: name, profile, kernels } = COST;
  const plan = planCost({ kernels, profiles: [profile] });
  const read = await readWorkload(name, createReadStream(fixture(`workloads/${name}.txt.gz`)));
  if (!plan.ok || !read.ok) throw new Error(`${name} or ${profile} is not installed`);
  const sides = [...costOf(read.workload, plan)];
  if (show.text) {
    const which = kernels.map((k) => `--kernel ${k}`).join(" ");
    introduce(says, `shootdown cost ${name} --profile ${profile} \\\n      ${which}`, show);
    out(`${profileLines(sides, { ...show, verbose: false }).join("\n")}\n\n`);
  } else for (const side of sides) out(costNdjson(name, side));
  const [before, now] = sides.map((side) => side.counts);
  return before!.notifier_calls > 4 * now!.notifier_calls && now!.notifier_calls > 0;
}

/** What the part is about, and the command that repeats it. */
function introduce(says: string, command: string, { width, paint }: Show): void {
  out(`${wrapText(says, width).join("\n")}\n\n${paint("strong", `  $ ${command}`)}\n\n`);
}

function checked({ says, kernel, observed }: CheckPart, show: Show): boolean {
  const input = shippedInputs().find(({ name }) => name === SCENARIO);
  if (!input) throw new Error(`${SCENARIO} is not installed`);
  const clock = () => performance.now() / 1000;
  const results: CheckResult[] = [
    ...checkScenario(readFileSync(input.path), {
      ...{ file: SCENARIO, machines: [MACHINE], kernels: [kernel], witness: "all", clock },
    }),
  ];
  const { width, paint } = show;
  const reporter = checkReporter(show.text ? "text" : "ndjson", { width, paint, verbose: true });
  if (show.text) {
    const command = `shootdown check ${SCENARIO} \\\n      --machine ${MACHINE} --kernel ${kernel}`;
    introduce(says, `${command} -v`, show);
  }
  const [first] = results;
  if (first) {
    const { test, property, file } = first.run;
    out(reporter.file({ file, test, property, runs: results.length, common: first.run.set }));
  }
  for (const result of results) out(reporter.run(result, null));
  if (show.text) out("\n");
  return results.length > 0 && results.every(({ run }) => run.ok && run.observed === observed);
}

async function traced(part: TracePart, show: Show): Promise<boolean> {
  const findings: Finding[] = [];
  const path = fixture(part.file);
  const onFinding = (f: Finding) => findings.push(f);
  const result = await checkTrace(createReadStream(path), { onFinding });
  if (!result.ok) throw new Error(result.error.message);
  const { summary } = result;
  const near = relative(process.cwd(), path);
  const file = near.startsWith("..") ? path : near;
  if (show.text) {
    introduce(part.says, `shootdown trace ${file}`, show);
    for (const f of findings.slice(0, SHOWN_FINDINGS)) {
      const lines = findingLines(part.file, f).flatMap((l) => wrapText(l, show.width - 2));
      out(lines.map((l) => `  ${l}\n`).join(""));
    }
    const more = findings.length - SHOWN_FINDINGS;
    if (more > 0) out(`  and ${more} more findings like these\n`);
    out(`${counted(summary)}\n\n`);
  } else {
    for (const f of findings) out(`${JSON.stringify({ ...f, file: part.file })}\n`);
    out(`${JSON.stringify({ ...summary, type: "trace", file: part.file })}\n`);
  }
  return traceStatus(result) === part.status && summary.missing === part.missing;
}

const counted = (s: TraceSummary): string =>
  `  recognised: ${s.kernel}; ${s.changes} changes judged, ${s.upgrades} of them permission\n` +
  `  upgrades; ${s.conforming} conform, ${s.missing} lack their invalidation`;
