// SPDX-License-Identifier: Apache-2.0
// The worker of `check`: makes the runs of one file after the other, or helps another worker with a
// long search; away from the thread of the command, which can so answer Ctrl-C and show progress.

import { parentPort } from "node:worker_threads";
import { help, openCheck, type PlannedRun } from "../api/index.ts";
import {
  type Far,
  HELPER,
  type Job,
  type Message,
  type RunName,
  type StudyMessage,
  type Task,
} from "./jobs.ts";

/** Between two reports of progress. */
const REPORT_SECONDS = 0.1;

const port = parentPort;
if (!port) throw new Error("worker.js runs as a worker");

const clock = (): number => performance.now() / 1000;
const send = (message: Message): void => port.postMessage(message);

port.on("message", (task: Task | StudyMessage) => {
  if ("study" in task) return void study(task);
  const id = "job" in task ? task.job.id : HELPER;
  try {
    if ("job" in task) work(task.job);
    else help(task.help);
    send({ id, says: "job" in task ? "done" : "helped" });
  } catch (error) {
    const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
    send({ id, says: "crash", message, stack });
  }
});

/** Loads what studies need with the first of them. */
async function study({ study: task, n }: StudyMessage): Promise<void> {
  try {
    const { studied } = await import("./study-worker.ts");
    port!.postMessage({ n, result: studied(task) });
  } catch (error) {
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    port!.postMessage({ n, error: told });
  }
}

function work({ id, input, options, others }: Job): void {
  const reports = new Reports(id);
  let test = "";
  let property = "";
  const nameOf = (planned: PlannedRun): RunName => {
    const { configuration, set, expected, line } = planned;
    const { machine, kernelName: kernel } = configuration;
    return { test, property, machine, kernel, set, expected, line };
  };
  const opened = openCheck(input, {
    ...options,
    clock,
    progress: (far) => reports.far(far),
    herd_progress: (far, name) => {
      if (!reports.begun) reports.begin(name);
      reports.far(far);
    },
    ...(others > 0
      ? { helpers: { count: others, spawn: (start) => send({ id, says: "help", start }) } }
      : {}),
    known: (run) => send({ id, says: "known", run }),
  });
  if (opened.kind === "problems") return send({ id, says: "problems", problems: opened.problems });
  if (opened.kind === "litmus") return send({ id, says: "litmus", result: opened.result });
  const { check } = opened;
  ({ test, property } = check);
  send({ id, says: "opened", test, property, runs: check.runs.length, common: check.common });
  for (const planned of check.runs) {
    reports.begin(nameOf(planned));
    send({ id, says: "result", result: check.run(planned) });
  }
}

/** What is told of a job now and then. */
class Reports {
  begun = false;
  private readonly id: number;
  private name: RunName | string = "";
  private started = 0;
  private told = 0;
  private last: Far = NOTHING;

  constructor(id: number) {
    this.id = id;
  }

  begin(name: RunName | string): void {
    this.begun = true;
    this.name = name;
    this.started = clock();
    this.told = this.started;
    this.last = NOTHING;
    this.tell(NOTHING, 0);
  }

  far(far: Far): void {
    const now = clock();
    if (now - this.told < REPORT_SECONDS) return;
    // Fewer than before: another search of the same run.
    const before = far.states < this.last.states ? 0 : this.last.states;
    const rate = (far.states - before) / (now - this.told);
    this.told = now;
    this.last = far;
    this.tell(far, rate);
  }

  private tell({ states, transitions, depth, queue, bytes }: Far, rate: number): void {
    const { id, name } = this;
    const far = { states, transitions, depth, queue, bytes };
    const seconds = clock() - this.started;
    send({ id, says: "running", running: { name, far, rate, seconds } });
  }
}

const NOTHING: Far = { states: 0, transitions: 0, depth: 0, queue: 0, bytes: 0 };
