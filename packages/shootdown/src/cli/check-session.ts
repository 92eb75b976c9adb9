// SPDX-License-Identifier: Apache-2.0
// One invocation of `check`: inputs go to workers, results to a printer, Ctrl-C ends it in order.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type CheckResult,
  type CheckRun,
  type CheckSummary,
  CheckTally,
  NO_MEMORY,
  type Problem,
  problem,
  type Reporter,
  searchingOf,
  type WitnessFile,
} from "../api/index.ts";
import { explain, type Input, InputError, mayBlock, readInput } from "./files.ts";
import type { Job, JobOptions, Message, RunName, Running } from "./jobs.ts";
import { report } from "./options.ts";
import { onUnread, out, say, stdoutOpen } from "./output.ts";
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

/** What ends the search, and leaves time to say how far it was. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export class CheckSession {
  private readonly options: SessionOptions;
  private readonly tally = new CheckTally();
  private readonly line: ProgressLine;
  /** Inputs that were read before the search, by job. */
  private readonly read = new Map<number, Uint8Array>();
  /** Problems of inputs that could not be read, by job. */
  private readonly unreadable = new Map<number, Problem>();
  private readonly inProgress = new Map<number, Running>();
  /** Verdicts of runs that are still being looked at. */
  private readonly known = new Map<number, CheckRun>();
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
    this.readBlocking();
    const pool = new Pool(() => this.nextJob(threads - 1), {
      message: (m) => this.message(m),
      cut: (id) => this.ended(id, "interrupt"),
      rests: (id) => this.rests(id),
      running: (id, r) => this.running(id, r),
      known: (id, run) => this.known.set(id, run),
    });
    onUnread(() => void pool.stop());
    const forget = () => {
      for (const s of SIGNALS) process.off(s, interrupt);
    };
    const interrupt = (signal: NodeJS.Signals) => {
      this.line.end();
      const again = this.tally.interrupted;
      this.tally.interrupted = true;
      if (!again) return void pool.stop();
      // Who asks twice does not want to wait for anything.
      forget();
      process.kill(process.pid, signal);
    };
    for (const s of SIGNALS) process.on(s, interrupt);
    await pool.run(threads);
    forget();
    this.line.end();
    const summary = this.tally.summary((performance.now() - start) / 1000);
    this.print(reporter.end(summary));
    return summary;
  }

  private print(text: string): void {
    if (text === "") return;
    this.line.clear();
    out(text);
  }

  /** Reads what may keep us waiting while Ctrl-C still ends us by itself. */
  private readBlocking(): void {
    for (const [id, input] of this.options.inputs.entries()) {
      if (input instanceof InputError || !mayBlock(input)) continue;
      try {
        this.read.set(id, readInput(input));
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        this.unreadable.set(id, problem(error.message, { file: error.path }));
      }
    }
  }

  /** The next input as a job; one that cannot be read is a job without bytes. */
  private nextJob(others: number): Job | undefined {
    const id = this.asked;
    const input = this.options.inputs[id];
    // Nobody reads the results any more.
    if (!input || !stdoutOpen()) return undefined;
    this.asked++;
    const failed = (path: string, message: string) => {
      this.unreadable.set(id, problem(message, { file: path }));
      return { id, input: new Uint8Array(0), options: {}, others };
    };
    if (this.unreadable.has(id)) return { id, input: new Uint8Array(0), options: {}, others };
    if (input instanceof InputError) return failed(input.path, input.message);
    try {
      const bytes = this.read.get(id) ?? readInput(input);
      this.read.delete(id);
      return { id, input: bytes, options: { ...this.options.job, file: input.name }, others };
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
        return this.result(m.result);
      case "crash":
        return this.crash(m);
      case "done":
        this.line.fileDone();
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
    if (message === OUT_OF_MEMORY && this.ended(id, NO_MEMORY)) return this.rests(id);
    this.rests(id);
    if (process.env["SHOOTDOWN_DEBUG"]) say(stack);
    this.problems(file, [problem(`internal error: ${message}`, { file })]);
  }

  /** What is known of the run that a job was at when it was ended; false if it was at none. */
  private ended(id: number, why: string): boolean {
    const running = this.inProgress.get(id);
    if (!running) return false;
    const { name, far } = running;
    const file = this.nameOf(id);
    const { job } = this.options;
    if (typeof name === "string") {
      const reason = `stopped by: ${why}, after ${far.states} states`;
      const mode = job.mode ?? "protocol";
      const result = { type: "litmus", file, test: name, supported: false, mode, reason } as const;
      this.tally.litmus(result);
      this.print(this.options.reporter.litmus(result));
      return true;
    }
    const run = this.known.get(id);
    this.result(run ? { run } : partial(running, name, file, why, job));
    return true;
  }

  private running(id: number, running: Running): void {
    this.inProgress.set(id, running);
    this.line.show(id, running);
  }

  private rests(id: number): void {
    this.inProgress.delete(id);
    this.known.delete(id);
    this.line.hide(id);
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
  { far, seconds }: Running,
  { test, property, machine, kernel, set, expected, line }: RunName,
  file: string,
  limit: string,
  job: JobOptions,
): CheckResult {
  const { engine = "fast" } = job;
  const { semantics, reductions } = searchingOf(job);
  const run = {
    ...({ type: "check", file, test, machine, kernel, set, drop: job.drop ?? null } as const),
    ...{ without_rules: job.without_rules ?? [] },
    ...({ expected, observed: "inconclusive", ok: false, property, exhaustive: false } as const),
    ...{ limit, domain: {}, ...far, seconds: Math.round(seconds * 1000) / 1000 },
    ...{ engine: engine === "auto" ? ("fast" as const) : engine, semantics, reductions },
    ...({ depends_on: null, undecided: [], line } as const),
  };
  return { run };
}
