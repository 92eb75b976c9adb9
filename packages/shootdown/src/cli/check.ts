// SPDX-License-Identifier: Apache-2.0
// `shootdown check [PATH...]`: every run of every scenario, searched and compared with its Result.

import { existsSync, mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import {
  CHECK_FORMATS,
  type CheckFormat,
  checkReporter,
  checkStatus,
  ENGINES,
  type Engine,
  type Expected,
  LITMUS_MODES,
  type LitmusMode,
  problem,
  type Reduction,
  SEMANTICS,
  type Selection,
  type Semantics,
  selectionProblems,
} from "../api/index.ts";
import { CheckSession } from "./check-session.ts";
import { explain, scenarioInputs } from "./files.ts";
import type { JobOptions } from "./jobs.ts";
import {
  addCommon,
  type CommonOptions,
  collect,
  count,
  oneOf,
  reportAll,
  setting,
  size,
  USAGE,
} from "./options.ts";
import { columnsOf, paintFor } from "./output.ts";
import { reductions } from "./reductions.ts";

const EXAMPLES = `
PATH is a .litmus file, a folder (all below it) or -; without one, the library.
Each Result line is a run. --machine, --kernel and --set choose among them; where
none matches, the configuration is run by itself, without an expectation.

A file whose first word is AArch64 is a test of herd with page-table entries: all
its final states are found, as protocol (CPUs in order) or arm, and the verdict.

Examples:
  shootdown check upgrade.litmus --machine arm64+smmuv3 --kernel linux-6.1 -v
  shootdown check upgrade.litmus --kernel linux-6.12 --drop flush_tlb_page:2
  shootdown check litmus/permission-upgrade --semantics concrete --max-memory 4G
  shootdown check --mode arm --set ets2=yes MP+shoot.litmus
  git bisect run shootdown check --bisect --expect never new.litmus

Exit status: 0 as expected, 1 not, 2 usage or input error, 3 inconclusive or a
test of herd that cannot be decided, 130 ended by Ctrl-C.`;

interface Options extends CommonOptions {
  readonly format: CheckFormat;
  readonly machine?: readonly string[];
  readonly kernel?: readonly string[];
  readonly set?: Readonly<Record<string, string>>;
  readonly engine: Engine;
  readonly semantics?: Semantics;
  readonly reduce?: readonly Reduction[];
  readonly jobs?: number;
  readonly maxStates?: number;
  readonly maxMemory?: number;
  readonly witness?: string;
  readonly drop?: string;
  readonly withoutRule?: readonly string[];
  readonly expect?: Expected;
  readonly mode: LitmusMode;
  readonly bisect?: boolean;
}

/** What `--bisect` makes of 3: "this one cannot be tested". */
const BISECT_SKIP = 125;
const INCONCLUSIVE = 3;
/** What shells make of Ctrl-C; it ends a `git bisect run` too. */
const INTERRUPTED = 130;

export function register(command: Command): void {
  command
    .argument("[path...]", "scenarios")
    .option("--machine <machine>", "only this machine (repeatable)", collect)
    .option("--kernel <kernel>", "only this kernel (repeatable)", collect)
    .option("--set <knob=value>", "fix a knob (repeatable)", setting)
    .option("--expect <result>", "never|sometimes|always, instead of the file's", expectation)
    .option("--drop <routine:step>", "run with that statement removed")
    .option("--without-rule <id>", "run without that rule of hardware (repeatable)", collect)
    .option("--mode <mode>", "how to decide tests of herd: protocol or arm", mode, "protocol")
    .option("--witness <dir>", "write the witnesses there")
    .option("--engine <engine>", "auto|fast|reference|wasm|javascript|closures", engine, "auto")
    .option("--semantics <which>", "of caches: window (fast) or concrete (reference)", semantics)
    .option("--reduce <list>", "reductions that may be used: all, none, or names", reductions)
    .option("-j, --jobs <n>", "workers (default: one for two cores)", count)
    .option("--max-states <n>", "give up a search after so many states", count)
    .option("--max-memory <size>", "and after so many bytes (default 1G)", size)
    .option("--bisect", "exit 125 in place of 3, for git bisect run");
  addCommon(command, CHECK_FORMATS).addHelpText("after", EXAMPLES).action(check);
}

const engine = oneOf(ENGINES);
const semantics = oneOf(SEMANTICS);
const mode = oneOf(LITMUS_MODES);

function expectation(value: string): Expected {
  const word = value.toLowerCase();
  if (word === "never" || word === "sometimes" || word === "always") return word;
  throw new InvalidArgumentError("Expected never, sometimes or always.");
}

async function check(paths: readonly string[], options: Options): Promise<void> {
  const selection = selectionOf(options);
  const wrong = selectionProblems(selection, paths.length > 0);
  if (options.witness !== undefined) wrong.push(...makeFolder(options.witness));
  const { format, quiet = false, verbose = false } = options;
  const paint = paintFor(options.color, process.stdout);
  const width = columnsOf(process.stdout);
  const reporter = checkReporter(format, { width, paint, quiet, verbose });
  if (wrong.length > 0) {
    reportAll(wrong, format);
    process.exitCode = USAGE;
    return;
  }
  const session = new CheckSession({
    inputs: scenarioInputs(paths),
    job: jobOptions(selection, options),
    reporter,
    format,
    witnesses: options.witness,
    progress: !quiet && process.stderr.isTTY === true && process.env["TERM"] !== "dumb",
  });
  const summary = await session.run(options.jobs ?? Math.ceil(availableParallelism() / 2));
  const status = checkStatus(summary);
  const shown = options.bisect && status === INCONCLUSIVE ? BISECT_SKIP : status;
  process.exitCode = summary.interrupted ? INTERRUPTED : shown;
}

function selectionOf(options: Options): Selection {
  const { machine, kernel, set, expect, drop, withoutRule } = options;
  return {
    ...(machine ? { machines: machine } : {}),
    ...(kernel ? { kernels: kernel } : {}),
    ...(set ? { set } : {}),
    ...(expect ? { expect } : {}),
    ...(drop === undefined ? {} : { drop }),
    ...(withoutRule ? { without_rules: [...new Set(withoutRule)] } : {}),
  };
}

function jobOptions(selection: Selection, options: Options): JobOptions {
  const { engine, semantics, reduce, maxStates, maxMemory, verbose, witness, format, mode } =
    options;
  const all = witness !== undefined || (verbose && format !== "ndjson") || format === "mail";
  return {
    ...selection,
    mode,
    engine,
    ...(semantics === undefined ? {} : { semantics }),
    ...(reduce === undefined ? {} : { reductions: reduce }),
    // Several runs for one: only where it is shown.
    depends_on: verbose === true || format === "ndjson" || format === "mail",
    witness: all ? "all" : format === "ndjson" ? "none" : "unexpected",
    ...(maxStates === undefined ? {} : { states_max: maxStates }),
    ...(maxMemory === undefined ? {} : { bytes_max: maxMemory }),
  };
}

/** Step by step: Node's own recursion does not end where a folder vanishes, as in /proc. */
function makeFolders(folder: string): void {
  if (existsSync(folder)) return;
  makeFolders(dirname(resolve(folder)));
  mkdirSync(folder);
}

function makeFolder(folder: string) {
  try {
    makeFolders(folder);
    return [];
  } catch (error) {
    return [problem(`cannot write witnesses: ${explain(error)}`, { file: folder })];
  }
}
