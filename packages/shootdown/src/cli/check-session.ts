// SPDX-License-Identifier: Apache-2.0
// One invocation of `check`: inputs go to workers, results to a printer, Ctrl-C ends it in order.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type CheckResult,
  type CheckSummary,
  CheckTally,
  type Problem,
  problem,
  type Reporter,
  type WitnessFile,
} from "../api/index.ts";
import { explain, type Input, InputError, readInput } from "./files.ts";
import type { Job, JobOptions, Message, Running } from "./jobs.ts";
import { report } from "./options.ts";
import { out, say, stdoutOpen } from "./output.ts";
import { OUT_OF_MEMORY, Pool } from "./pool.ts";
import { ProgressLine } from "./progress.ts";

export interface SessionOptions {
  readonly inputs: readonly (Input | InputError)[];
  readonly job: JobOptions;
  readonly reporter: Reporter;
  readonly format: string;
  /** Folder for witnesses. */
  readonly witnesses: string | undefined;
  /** Whether to show progress on stderr. */
  readonly progress: boolean;
}

/** Status of a second Ctrl-C. */
const INCONCLUSIVE = 3;

export class CheckSession {
  private readonly options: SessionOptions;
  private readonly tally = new CheckTally();
  private readonly line: ProgressLine;
  /** Problems of inputs that could not be read, by job. */
  private readonly unreadable = new Map<number, Problem>();
  private readonly inProgress = new Map<number, Running>();
  private readonly names = new Set<string>();
  private asked = 0;

  constructor(options: SessionOptions) {
    this.options = options;
    this.line = new ProgressLine(options.progress, options.inputs.length);
  }

  /** Makes all runs. */
  async run(threads: number): Promise<CheckSummary> {
    const { reporter, inputs } = this.options;
    const start = performance.now();
    this.print(reporter.begin(inputs.length));
    const pool = new Pool(() => this.nextJob(), {
      message: (m) => this.message(m),
      cut: (id) => this.cut(id),
      running: (id, r) => this.running(id, r),
    });
    const interrupt = () => {
      if (this.tally.interrupted) process.exit(INCONCLUSIVE);
      this.tally.interrupted = true;
      void pool.stop();
    };
    process.on("SIGINT", interrupt);
    process.on("SIGTERM", interrupt);
    await pool.run(Math.min(threads, Math.max(1, inputs.length)));
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    const summary = this.tally.summary((performance.now() - start) / 1000);
    this.print(reporter.end(summary));
    return summary;
  }

  private print(text: string): void {
    if (text === "") return;
    this.line.clear();
    out(text);
  }

  /** The next input as a job; one that cannot be read is a job without bytes. */
  private nextJob(): Job | undefined {
    const id = this.asked;
    const input = this.options.inputs[id];
    // Nobody reads the results any more.
    if (!input || !stdoutOpen()) return undefined;
    this.asked++;
    const failed = (path: string, message: string) => {
      this.unreadable.set(id, problem(message, { file: path }));
      return { id, input: new Uint8Array(0), options: {} };
    };
    if (input instanceof InputError) return failed(input.path, input.message);
    try {
      return { id, input: readInput(input), options: { ...this.options.job, file: input.name } };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return failed(error.path, error.message);
    }
  }

  private nameOf(id: number): string {
    const input = this.options.inputs[id]!;
    return input instanceof InputError ? input.path : input.name;
  }

  private message(m: Message): void {
    const { reporter } = this.options;
    const file = this.nameOf(m.id);
    const unreadable = this.unreadable.get(m.id);
    switch (m.says) {
      case "opened": {
        const { test, property, runs, common } = m;
        return this.print(reporter.file({ file, test, property, runs, common }));
      }
      case "litmus": {
        this.tally.litmus(m.result);
        return this.print(reporter.litmus(m.result));
      }
      case "problems":
        return this.problems(file, unreadable ? [unreadable] : m.problems);
      case "result":
        this.inProgress.delete(m.id);
        return this.result(m.result);
      case "crash":
        return this.crash(m);
      default:
        this.line.fileDone();
        this.inProgress.delete(m.id);
    }
  }

  private problems(file: string, problems: readonly Problem[]): void {
    this.tally.problem();
    this.line.clear();
    report(problems, "text");
    this.print(this.options.reporter.problems(file, problems));
  }

  private result(result: CheckResult): void {
    this.tally.run(result.run);
    const path = result.witness ? this.write(result) : null;
    this.print(this.options.reporter.run(result, path));
  }

  /** A worker without memory hit a limit of the machine; anything else is our mistake. */
  private crash({ id, message, stack }: Message & { readonly says: "crash" }): void {
    const file = this.nameOf(id);
    const running = this.inProgress.get(id);
    this.inProgress.delete(id);
    if (message === OUT_OF_MEMORY && running) {
      return this.result(partial(running, file, "the memory of the process", this.options.job));
    }
    if (process.env["SHOOTDOWN_DEBUG"]) say(stack);
    this.problems(file, [problem(`internal error: ${message}`, { file })]);
  }

  /** What was being searched when the user ended it. */
  private cut(id: number): void {
    const running = this.inProgress.get(id);
    if (!running) return;
    this.inProgress.delete(id);
    this.result(partial(running, this.nameOf(id), "interrupt", this.options.job));
  }

  private running(id: number, running: Running): void {
    this.inProgress.set(id, running);
    this.line.show(running);
  }

  /** Writes a witness; the name says the run and does not depend on the order of runs. */
  private write({ run, witness }: CheckResult): string | null {
    const { witnesses } = this.options;
    if (witnesses === undefined || !witness) return null;
    const set = Object.entries(run.set).map(([k, v]) => `${k}=${v}`);
    const drop = run.drop === null ? [] : [`drop-${run.drop.replace(":", "-")}`];
    const rules = run.without_rules.map((id) => `without-${id}`);
    const base = [run.test, run.machine, run.kernel, ...set, ...drop, ...rules].join(".");
    let name = `${base}.w.json`;
    for (let n = 2; this.names.has(name); n++) name = `${base}.${n}.w.json`;
    this.names.add(name);
    const path = join(witnesses, name);
    try {
      writeFileSync(path, witnessText(witness));
      return path;
    } catch (error) {
      this.problems(path, [problem(`cannot write the witness: ${explain(error)}`, { file: path })]);
      return null;
    }
  }
}

/** One step a line, so that two witnesses can be compared with diff. */
function witnessText(witness: WitnessFile): string {
  const { steps, cycle, ...rest } = witness;
  const list = (name: string, items: readonly unknown[]) => {
    const lines = items.map((s) => `\n  ${JSON.stringify(s)}`).join(",");
    return `"${name}": [${lines}${items.length > 0 ? "\n " : ""}]`;
  };
  const head = JSON.stringify(rest, undefined, 1).replace(/\n\}$/, "");
  return `${head},\n ${list("steps", steps)},\n ${list("cycle", cycle)}\n}\n`;
}

/** A run that was not finished. */
function partial(
  { name, states, depth, seconds }: Running,
  file: string,
  limit: string,
  job: JobOptions,
): CheckResult {
  const { test, property, machine, kernel, set, expected, line } = name;
  const run = {
    ...({ type: "check", file, test, machine, kernel, set, drop: job.drop ?? null } as const),
    ...{ without_rules: job.without_rules ?? [] },
    ...({ expected, observed: "inconclusive", ok: false, property, exhaustive: false } as const),
    ...{ limit, domain: {}, states, depth, seconds: Math.round(seconds * 1000) / 1000 },
    ...({ engine: job.engine ?? "fast", depends_on: [], line } as const),
  };
  return { run };
}
