// SPDX-License-Identifier: Apache-2.0
// `shootdown audit`: every pair of modelled operations at the same time, for kernels and machines.

import { accessSync, constants, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import {
  AUDIT_MACHINES,
  type AuditGroup,
  auditStatus,
  auditSummary,
  groupText,
  type KnownViolation,
  knownViolations,
  matrixText,
  type PairLine,
  type Problem,
  pairText,
  planAudit,
  problem,
  showPair,
  summaryText,
} from "../api/index.ts";
import { type Crew, startCrew } from "./crew.ts";
import type { StudyTask } from "./jobs.ts";
import {
  addCommon,
  type CommonOptions,
  collect,
  count,
  reportAll,
  setting,
  size,
  USAGE,
} from "./options.ts";
import { columnsOf, onUnread, out, paintFor } from "./output.ts";

const EXAMPLES = `
Every pair of operations, and each with itself, on the same two pages and on
neighbouring ones, while CPUs and a device access what they like at any time.
Only what is not safe is printed; -v adds the matrix and why known violations are.
A violation is known if a line \`Audit:\` of docs/FINDINGS.md lists it.

Examples:
  shootdown audit --kernel linux-6.12 --machine arm64+smmuv3+ats
  shootdown audit --kernel linux-6.1 --operation write_fault_upgrade -v
  shootdown audit --machine all --format ndjson > pairs.ndjson
  shootdown audit --cache ~/.cache/shootdown   # after an edit: only what it changes
  shootdown audit --show munmap fork 2 | shootdown check --set hafdbs=no -

Exit status: 0 all is safe or known, 1 a violation that is not known, 2 usage or
input error, 3 a pair hit a limit, 130 ended by Ctrl-C.`;

const DEFAULT_KERNEL = "linux-6.12";
const DEFAULT_MACHINE = "arm64+smmuv3+ats";
const INTERRUPTED = 130;

interface Options extends CommonOptions {
  readonly kernel?: readonly string[];
  readonly machine?: readonly string[];
  readonly operation?: readonly string[];
  readonly set?: Readonly<Record<string, string>>;
  readonly cache?: string;
  readonly jobs?: number;
  readonly maxStates?: number;
  readonly maxMemory?: number;
  readonly show?: boolean;
}

export function register(command: Command): void {
  command
    .argument("[operations...]", "with --show: two operations, and which of their scenarios")
    .option("--kernel <kernel>", "default linux-6.12 (repeatable)", collect)
    .option("--machine <machine>", "default arm64+smmuv3+ats; all (repeatable)", collect)
    .option("--operation <name>", "only its pairs; of several, those among them", collect)
    .option("--set <knob=value>", "fix a knob (repeatable)", setting)
    .option("--show", "print a scenario of two operations, as check reads it")
    .option("--cache <folder>", "keep outcomes of searches; equal programs are not searched again")
    .option("-j, --jobs <n>", "workers (default: one a core)", count)
    .option("--max-states <n>", "give up a search after so many states", count)
    .option("--max-memory <size>", "and after so many bytes (default 1G)", size);
  addCommon(command, ["text", "ndjson"]).addHelpText("after", EXAMPLES).action(audit);
}

async function audit(words: readonly string[], options: Options): Promise<void> {
  const kernels = options.kernel ?? [DEFAULT_KERNEL];
  const named = options.machine ?? [DEFAULT_MACHINE];
  const machines = named.includes("all") ? AUDIT_MACHINES : named;
  const wrong = (problems: Parameters<typeof reportAll>[0]) => {
    reportAll(problems, options.format);
    process.exitCode = USAGE;
  };
  if (options.show === true) return show(words, machines[0]!, kernels[0]!, wrong);
  if (words.length > 0) return wrong([problem("operations are named by --operation NAME")]);
  const operations = options.operation ?? [];
  const plan = planAudit({ kernels, machines, operations, set: options.set ?? {} });
  if (!plan.ok) return wrong(plan.problems);
  const unusable = options.cache === undefined ? undefined : folderProblem(options.cache);
  if (unusable) return wrong([unusable]);
  const findings = readKnown();
  if (findings.problems.length > 0) return wrong(findings.problems);
  await new AuditSession(plan.groups, findings.known, options).run();
}

function show(
  words: readonly string[],
  machine: string,
  kernel: string,
  wrong: (problems: Parameters<typeof reportAll>[0]) => void,
): void {
  const [a, b, of] = words;
  if (a === undefined || b === undefined || words.length > 3) {
    return wrong([
      problem("--show takes two operations and which of their scenarios, as munmap fork 2"),
    ]);
  }
  const shown = showPair(a, b, machine, kernel);
  if (!shown.ok) return wrong(shown.problems);
  const number = of === undefined ? 1 : Number(of);
  const text = shown.texts[number - 1];
  if (text === undefined) return wrong([problem(`${a} beside ${b} has ${shown.texts.length}`)]);
  out(text);
}

/** Why a folder cannot be written to. */
function folderProblem(path: string): Problem | undefined {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    const { code = "cannot be used" } = error as NodeJS.ErrnoException;
    return problem(`--cache: ${code}, a folder to write to was expected`, { file: path });
  }
}

/** docs/FINDINGS.md, as it was when the program was built. */
function readKnown() {
  const path = fileURLToPath(new URL("./FINDINGS.md", import.meta.url));
  return knownViolations(readFileSync(path, "utf8"), path);
}

class AuditSession {
  private readonly groups: readonly AuditGroup[];
  private readonly options: Options;
  private readonly known: readonly KnownViolation[];
  private readonly lines: PairLine[] = [];
  private readonly width = columnsOf(process.stdout);
  private shown = 0;

  constructor(groups: readonly AuditGroup[], known: readonly KnownViolation[], options: Options) {
    this.groups = groups;
    this.known = known;
    this.options = options;
  }

  async run(): Promise<void> {
    const start = performance.now();
    let interrupted = false;
    const threads = this.options.jobs ?? availableParallelism();
    for (const group of this.groups) {
      if (interrupted) break;
      const from = this.lines.length;
      this.begin(group);
      const tasks = group.pairs.map(([a, b]) => this.task(group, a, b));
      const crew: Crew = startCrew<PairLine>(tasks, threads, (line) => this.result(line));
      const stop = () => {
        interrupted = true;
        crew.stop();
      };
      process.on("SIGINT", stop).on("SIGTERM", stop);
      onUnread(stop);
      try {
        await crew.done;
      } finally {
        process.off("SIGINT", stop).off("SIGTERM", stop);
      }
      this.end(group, this.lines.slice(from));
    }
    const summary = auditSummary(this.lines, (performance.now() - start) / 1000, interrupted);
    this.progress("");
    const text = this.options.format === "ndjson" ? `${JSON.stringify(summary)}\n` : undefined;
    out(text ?? summaryText(summary));
    process.exitCode = interrupted ? INTERRUPTED : auditStatus(summary);
  }

  private task({ kernel, machine, set }: AuditGroup, a: string, b: string): StudyTask {
    const { maxStates, maxMemory, cache, verbose = false } = this.options;
    return {
      ...(cache === undefined ? {} : { cache }),
      audit: {
        ...{ kernel, machine, a, b, set, known: this.known, explain: verbose },
        ...(maxStates === undefined ? {} : { states_max: maxStates }),
        ...(maxMemory === undefined ? {} : { bytes_max: maxMemory }),
      },
    };
  }

  private begin({ kernel, machine, set, pairs }: AuditGroup): void {
    if (this.options.format === "ndjson" || this.options.quiet) return;
    out(groupText({ kernel, machine, pairs: pairs.length }, set, this.width));
  }

  private result(line: PairLine): void {
    this.lines.push(line);
    if (this.options.format === "ndjson") return out(`${JSON.stringify(line)}\n`);
    const paint = paintFor(this.options.color, process.stdout);
    const quiet = this.options.quiet === true && line.known;
    const text = quiet ? "" : pairText(line, { width: this.width, paint });
    if (text !== "") this.progress("");
    out(text);
    this.progress(`[${this.lines.length}] ${line.a} | ${line.b}`);
  }

  private end(group: AuditGroup, lines: readonly PairLine[]): void {
    this.progress("");
    if (this.options.format === "ndjson" || this.options.verbose !== true) return;
    out(matrixText(group.operations, lines, this.width));
  }

  /** A line on a terminal that says how far it is; empty: none. */
  private progress(text: string): void {
    if (this.options.quiet === true || process.stderr.isTTY !== true) return;
    const now = performance.now();
    if (text !== "" && now - this.shown < 200) return;
    this.shown = now;
    process.stderr.write(`\r\u001b[K${text}`);
  }
}
