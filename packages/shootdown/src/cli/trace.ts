// SPDX-License-Identifier: Apache-2.0
// `shootdown trace FILE...`: judges recordings of real kernels, line by line, in bounded memory.

import { createReadStream, existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Command } from "commander";
import {
  checkTrace,
  type Finding,
  FindingGroups,
  findingLines,
  PAGE_SIZES,
  Precision,
  type Problem,
  precisionLines,
  printable,
  problem,
  quote,
  type RecordingFile,
  summaryLines,
  type TraceObserver,
  type TraceOptions,
  type TraceResult,
  together,
  traceStatus,
} from "../api/index.ts";
import { EXPORT_FORMATS, type Export, exportTargets, openExport } from "./export-files.ts";
import { explain } from "./files.ts";
import { addCommon, type CommonOptions, collect, report, reportAll, USAGE } from "./options.ts";
import { out, paintFor, say, stdoutOpen } from "./output.ts";
import { interrupted, Piped, WholeFile, whileWanted } from "./trace-input.ts";

const EXAMPLES = `
FILE is a recording or -: ftrace text (the file trace of tracefs), the output of
trace-cmd report, perf script or bpftrace, QEMU's trace of its SMMUv3, the log of
TLB maintenance, a log of casemate; gzip is recognised. Each change of a page table
of a watched address space is judged at the moment after which the kernel relies on
it. A folder is one run: trace.txt, and tlbi.txt, smmu.txt, vtd.txt and stacks.txt
with it.

Examples:
  shootdown trace trace.txt
  shootdown trace --explain --mm 0xffff0000409a4f00 trace.txt.gz
  shootdown trace --with tlbi.txt --with smmu.txt trace.txt
  shootdown trace --export perfetto=night.pftrace FOLDER
  cat /sys/kernel/tracing/trace | shootdown trace -

Exit status: 0 nothing but advice (excess), 1 an invalidation is missing, short,
late, out of order or unpaired, 2 usage or input error, 3 undecidable, or right
only with a value of a knob that is not set.`;

interface Options extends CommonOptions {
  readonly machine?: string;
  readonly kernel?: string;
  readonly mm?: readonly string[];
  readonly explain?: boolean;
  readonly set?: readonly string[];
  readonly with?: readonly string[];
  readonly all?: boolean;
  readonly export?: readonly string[];
  readonly precision?: boolean;
}

/** Status of an input that was not read to its end. */
const INCONCLUSIVE = 3;

/** The worst of several statuses comes first. */
const WORST = [2, 1, 3, 0] as const;

export function register(command: Command): void {
  command
    .argument("<file...>", "recordings")
    .option("--machine <machine>", "whose page-table entries (default: recognised)")
    .option("--kernel <kernel>", "whose contract (default: recognised, and said)")
    .option("--mm <addr>", "judge this address space, or `all` (repeatable)", collect)
    .option("--set <knob=value>", "denyRewalk=yes or no; pageSize=4K, 16K or 64K", collect)
    .option("--with <file>", "another recording of the same run (repeatable)", collect)
    .option("--export <format=file>", "perfetto=FILE or firefox=FILE (repeatable)", collect)
    .option("--precision", "pages asked and invalidated, by operation")
    .option("--explain", "show the lines around each finding")
    .option("--all", "print each finding in full, also those that are alike");
  addCommon(command, ["text", "ndjson"]).addHelpText("after", EXAMPLES).action(trace);
}

async function trace(files: readonly string[], options: Options): Promise<void> {
  const wrong = [
    ...(await selectionOf(options)),
    ...mmProblems(options.mm ?? []),
    ...knobProblems(options.set ?? []),
    ...exportTargets(options.export ?? [], files, EXPORT_FORMATS).wrong,
  ];
  if (wrong.length > 0) {
    reportAll(wrong, options.format);
    process.exitCode = USAGE;
    return;
  }
  if (files.filter((file) => file === "-").length > 1) {
    reportAll([problem("- stands for the input, which can be read once")], options.format);
    process.exitCode = USAGE;
    return;
  }
  const statuses: (0 | 1 | 2 | 3)[] = [];
  for (const [n, file] of files.entries()) {
    if (!stdoutOpen()) break;
    if (n > 0 && options.format === "text" && !options.quiet) out("\n");
    statuses.push(await one(file, options));
    if (interrupted()) {
      say("shootdown: interrupted; the rest was not read");
      statuses.push(INCONCLUSIVE);
      // A read of standard input may wait for ever.
      if (file === "-") process.exit(WORST.find((s) => statuses.includes(s)));
      break;
    }
  }
  process.exitCode = WORST.find((s) => statuses.includes(s)) ?? 0;
}

/** The contract of any version is known; x86 entries are recognised and not judged. */
async function selectionOf({ machine, kernel }: Options): Promise<readonly Problem[]> {
  const named = machine === undefined || machine === "x86" ? [] : [machine];
  const wrong = named.length === 0 ? [] : await machineProblems(named);
  if (kernel === undefined || /^linux-\d+\.\d+[\w.-]*$/.test(kernel)) return wrong;
  return [...wrong, problem(`--kernel ${quote(kernel)}: expected linux-VERSION, as linux-6.12`)];
}

/** Models of machines take longer to load than most recordings to read. */
async function machineProblems(machines: readonly string[]): Promise<readonly Problem[]> {
  const { selectionProblems } = await import("../api/plan.ts");
  return selectionProblems({ machines });
}

function mmProblems(mms: readonly string[]): Problem[] {
  return mms
    .filter((mm) => mm !== "all" && !/^(?:0x)?[0-9a-f]{1,16}$/i.test(mm))
    .map((mm) => problem(`--mm '${mm}' is no address`, { note: "hexadecimal, or all" }));
}

/** The only knob that a verdict on a recording may depend on. */
const KNOB = /^denyRewalk=(yes|no)$/;
/** How large the recorded kernel's pages are, where its entries do not tell. */
const PAGE_SIZE = /^pageSize=(4K|16K|64K)$/;
const EXPECTED = "expected denyRewalk=yes or denyRewalk=no, or pageSize=4K, 16K or 64K";

function knobProblems(settings: readonly string[]): Problem[] {
  return settings
    .filter((setting) => !KNOB.test(setting) && !PAGE_SIZE.test(setting))
    .map((setting) => problem(`--set ${quote(setting)}: ${EXPECTED}`));
}

/** One recording; its status. */
export async function one(file: string, options: Options): Promise<0 | 1 | 2 | 3> {
  const name = file === "-" ? "<stdin>" : file;
  const paint = paintFor(options.color, process.stdout);
  const text = options.format === "text";
  const exports = exportTargets(options.export ?? [], [file], EXPORT_FORMATS).targets.map(
    openExport,
  );
  const unusable = exports.filter((one): one is Problem => "text" in one);
  const open = exports.filter((one): one is Export => "observer" in one);
  if (unusable.length > 0) {
    for (const one of open) one.close();
    report(unusable, options.format);
    return USAGE;
  }
  const precision = options.precision ? new Precision() : undefined;
  const observers = open.map(({ observer }): TraceObserver => observer);
  const observe = together(precision === undefined ? observers : [...observers, precision]);
  const paths = pathsOf(file, options.with ?? []);
  const groups = options.all ? undefined : new FindingGroups();
  const onFinding = (finding: Finding) => {
    const { class: found, source } = finding;
    if (!text) return out(`${JSON.stringify({ ...finding, file: source ?? name })}\n`);
    if (options.quiet && found === "excess") return;
    const where = paths.get(source) ?? source ?? name;
    const [head, ...lines] = groups?.add(where, finding) ?? findingLines(where, finding);
    if (head === undefined) return;
    const painted = head.replace(
      new RegExp(`: ${found}:( |$)`),
      `: ${paint(found === "excess" ? "faint" : "bad", found)}:$1`,
    );
    out([painted, ...lines].map((l) => `${l}\n`).join(""));
  };
  const result = await judge(file, options.with ?? [], {
    ...{ ...monitorOptions(options), onFinding },
    ...(observe === undefined ? {} : { observe }),
  });
  const written = open.map((one) => one.close()).every(Boolean);
  const rest = groups?.rest() ?? [];
  if (rest.length > 0) out(`${rest.join("\n")}\n`);
  if (!result.ok) {
    const { line, column, message } = result.error;
    const said = message.replace(/^line \d+, column \d+: /, "");
    const at = line > 0 ? `${name}:${line}:${column}` : name;
    const p = { ...problem(said, { file: name }), text: `${at}: error: ${said}` };
    report([line > 0 ? { ...p, line, column } : p], options.format);
    return USAGE;
  }
  const rows = precision?.rows(result.summary) ?? [];
  if (!text) out(rows.map((row) => `${JSON.stringify({ ...row, file: name })}\n`).join(""));
  else if (precision !== undefined) out(`${precisionLines(rows).join("\n")}\n`);
  if (!text) out(`${JSON.stringify({ ...result.summary, file: name })}\n`);
  else if (!options.quiet) {
    out(`${paint("strong", printable(name))}\n`);
    out(
      summaryLines(result.summary)
        .map((l) => `${l}\n`)
        .join(""),
    );
  }
  return written ? traceStatus(result) : USAGE;
}

/** Paths of the recordings by the names that findings give them; undefined is the first. */
function pathsOf(file: string, beside: readonly string[]): Map<string | undefined, string> {
  const paths = new Map<string | undefined, string>();
  if (file !== "-" && statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    const main = inFolder(file, "trace.txt");
    if (main !== undefined) paths.set(undefined, main);
    for (const path of filesBeside(file)) paths.set(basename(path), path);
  }
  for (const path of beside) paths.set(basename(path), path);
  return paths;
}

function monitorOptions({ machine, kernel, mm, explain: lines, set }: Options): TraceOptions {
  const last = (knob: RegExp) => set?.flatMap((setting) => knob.exec(setting)?.[1] ?? []).at(-1);
  const rewalk = last(KNOB);
  const units = PAGE_SIZES[last(PAGE_SIZE) ?? ""];
  const normal = (a: string) => (a.toLowerCase().startsWith("0x") ? a.toLowerCase() : `0x${a}`);
  return {
    ...(machine === undefined ? {} : { machine }),
    ...(kernel === undefined ? {} : { kernel }),
    ...(mm === undefined ? {} : { mm: mm.includes("all") ? "all" : mm.map(normal) }),
    ...(units === undefined ? {} : { page_units: units }),
    ...(rewalk === undefined ? {} : { deny_rewalk: rewalk === "yes" }),
    explain: lines ?? false,
  };
}

async function judgeSource(source: WholeFile | Piped, options: TraceOptions): Promise<TraceResult> {
  try {
    return await checkTrace(source, options);
  } finally {
    source.close();
  }
}

async function judgeRun(
  main: RecordingFile,
  beside: readonly RecordingFile[],
  options: TraceOptions,
): Promise<TraceResult> {
  const { checkRecording } = await import("../api/recording.ts");
  return checkRecording(main, beside, options);
}

/** Failures to read are results here: line 0 stands for the file as a whole. */
async function judge(
  file: string,
  beside: readonly string[],
  options: TraceOptions,
): Promise<TraceResult> {
  const fail = (message: string): TraceResult => ({
    ok: false,
    error: { line: 0, column: 0, message },
  });
  try {
    const folder = beside.find((path) => statSync(path).isDirectory());
    if (folder !== undefined) return fail(`--with ${quote(folder)}: a folder`);
    if (file === "-" && beside.length > 0) return fail("--with needs a file: it is read twice");
    if (file === "-") return await judgeSource(new Piped(), options);
    if (statSync(file).isDirectory()) {
      const main = inFolder(file, "trace.txt");
      if (main === undefined) return fail("a folder without trace.txt, not a recording");
      const others = [...filesBeside(file), ...beside];
      return await judgeRun(fileOf(main), others.map(fileOf), options);
    }
    if (beside.length > 0) return await judgeRun(fileOf(file), beside.map(fileOf), options);
    if (statSync(file).isFile()) return await judgeSource(new WholeFile(file), options);
    return await checkTrace(whileWanted(createReadStream(file)), options);
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const other = path !== undefined && beside.includes(path);
    return fail(other ? `--with ${quote(path)}: ${explain(error)}` : explain(error));
  }
}

/** Files of a run that may lie beside its trace.txt. */
const BESIDE = ["tlbi.txt", "smmu.txt", "vtd.txt", "stacks.txt"] as const;

const filesBeside = (folder: string): string[] =>
  BESIDE.flatMap((name) => inFolder(folder, name) ?? []);

function inFolder(folder: string, name: string): string | undefined {
  return [join(folder, name), join(folder, `${name}.gz`)].find((path) => existsSync(path));
}

function fileOf(path: string): RecordingFile {
  return { name: basename(path), open: () => whileWanted(createReadStream(path)) };
}
