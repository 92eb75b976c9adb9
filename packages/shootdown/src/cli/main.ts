// SPDX-License-Identifier: Apache-2.0
// The command line's door: names the subcommands and loads only the one that is asked for.

import { Command } from "commander";
import { watchStdout } from "./output.ts";

/** What a subcommand's file exports: `register` adds its options and action to its command. */
export interface Subcommand {
  register(command: Command): void;
}

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Subcommand>;
}

const SUBCOMMANDS: readonly Entry[] = [
  {
    name: "tour",
    summary: "the permission-upgrade bug on real input, in a few seconds",
    load: () => import("./tour.ts"),
  },
  {
    name: "check",
    summary: "search every interleaving of scenarios",
    load: () => import("./check.ts"),
  },
  {
    name: "run",
    summary: "run a scenario once, event by event",
    load: () => import("./run.ts"),
  },
  {
    name: "trace",
    summary: "judge a recorded trace of a real kernel",
    load: () => import("./trace.ts"),
  },
  {
    name: "record",
    summary: "print what records a kernel for trace, or check what it offers",
    load: () => import("./record.ts"),
  },
  {
    name: "audit",
    summary: "every pair of operations at the same time, with a device that may do anything",
    load: () => import("./audit.ts"),
  },
  {
    name: "mutate",
    summary: "statements of routines that no scenario would miss",
    load: () => import("./mutate.ts"),
  },
  {
    name: "replay",
    summary: "run a witness of check again, step by step",
    load: () => import("./replay.ts"),
  },
  {
    name: "cost",
    summary: "what placements of invalidations cost: counts, and times as intervals",
    load: () => import("./cost.ts"),
  },
  {
    name: "serve",
    summary: "the explorer in the browser, on this machine alone",
    load: () => import("./serve.ts"),
  },
  {
    name: "show",
    summary: "print a routine, a part of hardware, a rule or a property",
    load: () => import("./show.ts"),
  },
  {
    name: "list",
    summary: "names of scenarios, routines, rules, hardware, machines, kernels, knobs",
    load: () => import("./list.ts"),
  },
];

/** Status for a mistake of usage, and for a mistake of this program. */
const FAILED = 2;

const AFTER = `
Exit status: 0 as expected, 1 not as expected, 2 usage or input error,
3 inconclusive. \`shootdown COMMAND --help\` has examples.`;

/** The subcommand that is asked for, or for whose help is asked. */
function wantedOf(words: readonly string[]): string | undefined {
  const names = words.filter((word) => !word.startsWith("-"));
  return names[0] === "help" ? names[1] : names[0];
}

async function main(argv: readonly string[]): Promise<void> {
  watchStdout();
  const ndjson = /(?:^| )--format[ =]ndjson(?: |$)/.test(argv.join(" "));
  const program = new Command("shootdown")
    .description("Can a CPU, an IOMMU or a device still use a translation the kernel has revoked?")
    .version(__SHOOTDOWN_VERSION__)
    .addHelpText("after", AFTER)
    .configureOutput({ outputError: (text, write) => write(usageError(text, ndjson)) })
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : FAILED));
  const wanted = wantedOf(argv.slice(2));
  for (const { name, summary, load } of SUBCOMMANDS) {
    const command = program.command(name).description(summary);
    if (name === wanted) (await load()).register(command);
  }
  await program.parseAsync(argv);
}

/** Programs that read NDJSON learn about mistakes there; people on stderr. */
function usageError(text: string, ndjson: boolean): string {
  const message = text.replace(/^error: /, "").trim();
  if (ndjson) {
    const place = { file: null, line: null, column: null, code: null };
    const error = { type: "error", ...place, message: message.split("\n")[0], notes: [] };
    const summary = { type: "summary", errors: 1 };
    process.stdout.write(`${JSON.stringify(error)}\n${JSON.stringify(summary)}\n`);
  }
  return `shootdown: error: ${message}\n`;
}

try {
  await main(process.argv);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`shootdown: internal error: ${message}\n`);
  if (process.env["SHOOTDOWN_DEBUG"] && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
  }
  process.exitCode = FAILED;
}
