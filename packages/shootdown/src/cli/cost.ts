// SPDX-License-Identifier: Apache-2.0
// `shootdown cost WORKLOAD...`: what placements of invalidations cost, on machines of others.

import { createReadStream, existsSync, readFileSync } from "node:fs";
import type { Command } from "commander";
import {
  asExpected,
  type CostPlan,
  calibrateProfile,
  costNdjson,
  costOf,
  DMA_MODES,
  footLines,
  openProfile,
  type Placement,
  POPULATED,
  type Problem,
  type Profile,
  planCost,
  problem,
  profileLines,
  readWorkload,
  SHIPPED_WORKLOADS,
  shippedNamed,
  suggestion,
  VALIDATION_HEAD,
  validate,
  validationLines,
  validationNdjson,
  type Workload,
  workloadLines,
} from "../api/index.ts";
import { COST_EXPORTS, CostExport } from "./export-cost.ts";
import { exportTargets } from "./export-files.ts";
import { explain, fixture } from "./files.ts";
import { addCommon, type CommonOptions, collect, oneOf, reportAll, USAGE } from "./options.ts";
import { columnsOf, out, paintFor, say, stdoutOpen } from "./output.ts";

const EXAMPLES = `
WORKLOAD is a recording of a kernel, text of \`strace -f -ttt -T -e trace=%memory\` or
of perf trace, - for stdin, the name of a shipped program
(${SHIPPED_WORKLOADS.map((s) => s.name).join(", ")}), or
synthetic:SHAPE,KEY=VALUE,... (docs/WORKLOADS.md). Each system call runs the
kernel's own routines; counts are exact, times are intervals over what is not known.

Examples:
  shootdown cost java --kernel linux-6.1 --kernel linux-6.12 --profile grace
  shootdown cost my.strace --profile mine.json --sweep atc_round_trip_ns=300..5000
  shootdown cost synthetic:dma,threads=64,ops=100000 --profile kunpeng-920
  shootdown cost java gcc --export html=cost.html
  shootdown cost --validate
  shootdown cost --calibrate tlbi.txt dma.txt --profile grace > mine.json

Exit status: 0, 1 if --validate is not as published, 2 usage or input error.`;

interface Options extends CommonOptions {
  readonly kernel?: readonly string[];
  readonly profile?: readonly string[];
  readonly sweep?: readonly string[];
  readonly set?: readonly string[];
  readonly bound?: "first" | "all";
  readonly dma?: (typeof DMA_MODES)[number];
  readonly populated?: (typeof POPULATED)[number];
  readonly validate?: boolean;
  readonly calibrate?: boolean;
  readonly export?: readonly string[];
}

type Planned = CostPlan & { readonly ok: true };

const BOUND = ["first", "all"] as const;
const NOT_AS_EXPECTED = 1;

export function register(command: Command): void {
  command
    .argument("[workload...]", "what is run")
    .option("--kernel <kernel>", "a placement to compare (repeatable)", collect)
    .option("--profile <profile>", "on this machine, a name or a JSON file (repeatable)", collect)
    .option("--sweep <param=low..high>", "what is not known of a quantity (repeatable)", collect)
    .option("--set <feature=value>", "a machine's feature, as smmus=8 (repeatable)", collect)
    .option("--bound <which>", "processes with a device: first or all", oneOf(BOUND))
    .option("--dma <mode>", "strict, lazy or passthrough", oneOf(DMA_MODES))
    .option("--populated <how>", "pages in use where faults are not recorded", oneOf(POPULATED))
    .option("--export <format=file>", "html=FILE: a report with plots", collect)
    .option("--validate", "published results, simulated")
    .option("--calibrate", "a profile from outputs of docs/calibrate, given as files");
  addCommon(command, ["text", "ndjson"]).addHelpText("after", EXAMPLES).action(cost);
}

async function cost(workloads: readonly string[], options: Options): Promise<void> {
  if (options.calibrate) return calibrated(workloads, options);
  const plan = planned(options);
  const none = workloads.length === 0 && !options.validate;
  const asked = none ? [problem("no workload", { note: `shipped: ${shippedNames()}` })] : [];
  const problems = [...asked, ...(plan.ok ? [] : plan.problems)];
  const exported = exportOf(workloads, options);
  problems.push(...exported.problems);
  if (!plan.ok || problems.length > 0) return refuse(problems, options);
  const statuses: number[] = [];
  for (const [n, name] of workloads.entries()) {
    if (!stdoutOpen()) break;
    if (n > 0 && options.format === "text") out("\n");
    statuses.push(await one(name, plan, options, exported.report));
  }
  if (exported.report && !exported.report.write(plan, noteOf(options))) statuses.push(USAGE);
  if (options.validate) statuses.push(await validated(options));
  if (options.format === "ndjson") {
    out(`${JSON.stringify({ type: "summary", workloads: workloads.length })}\n`);
  }
  process.exitCode = statuses.includes(USAGE) ? USAGE : Math.max(0, ...statuses);
}

/** What --export asks for, opened before anything runs. */
function exportOf(workloads: readonly string[], options: Options): Exported {
  const values = options.export ?? [];
  const { targets, wrong } = exportTargets(values, workloads, COST_EXPORTS, true);
  const problems = [...wrong];
  if (values.length > 0 && workloads.length === 0) problems.push(problem("--export: no workload"));
  if (targets.length > 1) problems.push(problem("--export: one report is enough"));
  if (problems.length > 0 || targets.length === 0) return { problems };
  const report = CostExport.open(targets[0]!);
  return report instanceof CostExport ? { report, problems } : { problems: [report] };
}

interface Exported {
  readonly report?: CostExport;
  readonly problems: readonly Problem[];
}

function refuse(problems: readonly Problem[], { format }: Options): void {
  reportAll(problems, format);
  process.exitCode = USAGE;
}

const shippedNames = () => SHIPPED_WORKLOADS.map((s) => s.name).join(", ");

/** Names, and profiles that are files. */
function planned({ kernel = [], profile = [], sweep = [], set = [] }: Options): CostPlan {
  const problems: Problem[] = [];
  const profiles = profile.map((name): string | Profile => {
    if (!/[./]/.test(name) && !existsSync(name)) return name;
    try {
      const read = openProfile(readFileSync(name, "utf8"), name);
      if (read.ok) return read.profile;
      problems.push(...read.problems);
    } catch (error) {
      problems.push(problem(explain(error), { file: name }));
    }
    return "";
  });
  const known = profiles.filter((p) => p !== "");
  const plan = planCost({ kernels: kernel, profiles: known, sweeps: sweep, settings: set });
  if (problems.length === 0) return plan;
  return { ok: false, problems: [...problems, ...(plan.ok ? [] : plan.problems)] };
}

/** One workload; its status. */
async function one(
  name: string,
  plan: Planned,
  options: Options,
  report: CostExport | undefined,
): Promise<number> {
  const read = await opened(name, options);
  if (!read.ok) {
    reportAll(read.problems, options.format);
    return USAGE;
  }
  print(read.workload, plan, options, report);
  return 0;
}

async function opened(name: string, { populated }: Options): ReturnType<typeof readWorkload> {
  const shipped = shippedNamed(name);
  const path = shipped ? fixture(`workloads/${shipped.name}.txt.gz`) : name;
  const synthetic = name.startsWith("synthetic:");
  if (!shipped && !synthetic && name !== "-" && !existsSync(name)) {
    const note = suggestion(
      name,
      SHIPPED_WORKLOADS.map((s) => s.name),
    );
    const known = note ?? `shipped workloads: ${shippedNames()}`;
    return { ok: false, problems: [problem("no such file", { file: name, note: known })] };
  }
  const source = async function* () {
    if (synthetic) return;
    yield* name === "-" ? process.stdin : createReadStream(path);
  };
  try {
    const said = name === "-" ? "<stdin>" : name;
    return await readWorkload(said, source(), populated === undefined ? {} : { populated });
  } catch (error) {
    return { ok: false, problems: [problem(explain(error), { file: name })] };
  }
}

function print(
  workload: Workload,
  plan: Planned,
  options: Options,
  report: CostExport | undefined,
): void {
  const style = {
    width: columnsOf(process.stdout),
    paint: paintFor(options.color, process.stdout),
    verbose: options.verbose ?? false,
  };
  const progress = progressOf(options);
  const all: Placement[] = [];
  const ofProfile: Placement[] = [];
  for (const side of costOf(workload, plan, { ...sideOptions(options), progress })) {
    if (!stdoutOpen() && report === undefined) return;
    report?.add(workload, side);
    if (options.format === "ndjson") {
      out(costNdjson(workload.name, side));
      continue;
    }
    progress(0);
    if (all.length === 0) out(lines(workloadLines(workload, side.operations, style)));
    all.push(side);
    ofProfile.push(side);
    if (ofProfile.length < plan.kernels.length) continue;
    out(`\n${lines(profileLines(ofProfile, style))}`);
    ofProfile.length = 0;
  }
  if (options.format === "text" && !options.quiet) out(`\n${lines(footLines(all, style))}`);
}

const lines = (all: readonly string[]): string => all.map((l) => `${l}\n`).join("");

const sideOptions = ({ bound, dma }: Options) => ({
  ...(bound === undefined ? {} : { bound }),
  ...(dma === undefined ? {} : { dma }),
});

function progressOf(options: Options): (operations: number) => void {
  const note = noteOf(options);
  return (n) => note(n === 0 ? "" : `${(n / 1000).toFixed(0)}k operations`);
}

/** A line on a terminal, gone when there is something to print. */
function noteOf({ quiet }: Options): (text: string) => void {
  if (quiet || !process.stderr.isTTY) return () => undefined;
  return (text) => process.stderr.write(`\r\u001b[K${text}`);
}

/** The profile on stdout, fits and residuals on stderr. */
function calibrated(files: readonly string[], options: Options): void {
  const plan = planned({ ...options, profile: options.profile ?? [DEFAULT_BASE] });
  if (!plan.ok) return refuse(plan.problems, options);
  if (files.length === 0) return refuse([problem("no file to calibrate from")], options);
  const inputs: { file: string; text: string }[] = [];
  const problems: Problem[] = [];
  for (const file of files) {
    try {
      inputs.push({ file, text: readFileSync(file === "-" ? 0 : file, "utf8") });
    } catch (error) {
      problems.push(problem(explain(error), { file }));
    }
  }
  if (problems.length > 0) return refuse(problems, options);
  const found = calibrateProfile(inputs, plan.profiles[0]!);
  if (!found.ok) return refuse(found.problems, options);
  out(found.text);
  const paint = paintFor(options.color, process.stderr);
  if (!options.quiet) for (const line of found.report(paint)) say(line);
}

/** What gives the quantities that were not measured. */
const DEFAULT_BASE = "n1-server";

async function validated(options: Options): Promise<number> {
  const paint = paintFor(options.color, process.stdout);
  const width = columnsOf(process.stdout);
  const load = async (name: string): Promise<Workload> => {
    const read = await opened(name, {} as Options);
    if (!read.ok) throw new Error(`${name}: ${read.problems[0]!.message}`);
    return read.workload;
  };
  if (options.format === "text") out(`${VALIDATION_HEAD}\n`);
  let right = 0;
  let inBand = 0;
  let judged = 0;
  const known: string[] = [];
  let count = 0;
  for await (const v of validate(load)) {
    count++;
    if (asExpected(v)) right++;
    if (!v.negative_control) judged++;
    if (!v.negative_control && v.ok) inBand++;
    if (v.known_outside && !v.ok) known.push(v.id);
    if (options.format === "ndjson") out(validationNdjson(v));
    else if (!options.quiet || !asExpected(v)) out(lines(validationLines(v, width, paint)));
  }
  const said = `${inBand} of ${judged} published results are in their bands${outside(known)}`;
  if (options.format === "text") out(`${said}\n`);
  else if (!options.quiet) say(`shootdown: ${said}`);
  return right === count ? 0 : NOT_AS_EXPECTED;
}

/** Results that are known to lie outside, whose reasons stand with them. */
const outside = (ids: readonly string[]): string =>
  ids.length === 0 ? "" : `; known to be outside: ${ids.join(", ")}`;
