// SPDX-License-Identifier: Apache-2.0
// `shootdown run FILE`: one execution of a scenario under one schedule, event by event.

import { type Command, InvalidArgumentError } from "commander";
import { problem, type RunOptions, runNdjson, runScenario, runText } from "../api/index.ts";
import { InputError, readInput } from "./files.ts";
import { addCommon, type CommonOptions, reportAll, setting, USAGE } from "./options.ts";
import { columnsOf, out, paintFor } from "./output.ts";

const EXAMPLES = `
The machine and the kernel are those of the first Result line that matches, or
the ones given. The same seed gives the same run. Events are followed by what
each cache holds; an entry is stale if memory says something else by now.

Examples:
  shootdown run upgrade.litmus --kernel linux-6.1
  shootdown run upgrade.litmus --seed 7 --format ndjson
  for s in $(seq 100); do shootdown run -q --seed $s x.litmus; done | grep STALE

Exit status: 0, or 2 for a usage or input error.`;

interface Options extends CommonOptions {
  readonly machine?: string;
  readonly kernel?: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly drop?: string;
  readonly seed: number;
}

export function register(command: Command): void {
  command
    .argument("<file>", "a scenario")
    .option("--machine <machine>", "on this machine")
    .option("--kernel <kernel>", "with this kernel")
    .option("--set <knob=value>", "fix a knob (repeatable)", setting)
    .option("--drop <routine:step>", "with that statement removed")
    .option("--seed <n>", "which schedule", seed, 0);
  addCommon(command, ["text", "ndjson"]).addHelpText("after", EXAMPLES).action(run);
}

function seed(value: string): number {
  if (!/^[0-9]{1,9}$/.test(value)) throw new InvalidArgumentError("Expected a number from 0.");
  return Number(value);
}

function run(path: string, options: Options): void {
  const name = path === "-" ? "<stdin>" : path;
  const opened = open(path, name, options);
  if (!opened.ok) {
    reportAll(opened.problems, options.format);
    process.exitCode = USAGE;
    return;
  }
  if (options.format === "ndjson") return out(runNdjson(opened.report));
  const paint = paintFor(options.color, process.stdout);
  const { quiet = false } = options;
  out(runText(opened.report, { width: columnsOf(process.stdout), paint, quiet }));
}

function open(path: string, name: string, options: Options): ReturnType<typeof runScenario> {
  const { machine, kernel, set, drop } = options;
  const asked: RunOptions = {
    ...{ file: name, seed: options.seed },
    ...(machine === undefined ? {} : { machines: [machine] }),
    ...(kernel === undefined ? {} : { kernels: [kernel] }),
    ...(set === undefined ? {} : { set }),
    ...(drop === undefined ? {} : { drop }),
  };
  try {
    return runScenario(readInput({ path, name }), asked);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { ok: false, problems: [problem(error.message, { file: error.path })] };
  }
}
