// SPDX-License-Identifier: Apache-2.0
// The worker of `check`: makes the runs of one file after the other, away from the thread of the
// command, which can so answer Ctrl-C and show progress.

import { parentPort } from "node:worker_threads";
import { openCheck, type PlannedRun } from "../api/index.ts";
import type { Job, Message, Running } from "./jobs.ts";

/** Between two reports of progress. */
const REPORT_SECONDS = 0.1;

const port = parentPort;
if (!port) throw new Error("worker.js runs as a worker");

const clock = (): number => performance.now() / 1000;
const send = (message: Message): void => port.postMessage(message);

port.on("message", (job: Job) => {
  const { id } = job;
  try {
    work(job);
    send({ id, says: "done" });
  } catch (error) {
    const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
    send({ id, says: "crash", message, stack });
  }
});

function work({ id, input, options }: Job): void {
  let started = 0;
  let told = 0;
  const tell = (planned: PlannedRun, far: Pick<Running, "states" | "depth" | "queue">) => {
    told = clock();
    const { configuration, set, expected, line } = planned;
    const { machine, kernelName: kernel } = configuration;
    const name = { test, property, machine, kernel, set, expected, line };
    send({ id, says: "running", running: { name, ...far, seconds: told - started } });
  };
  let test = "";
  let property = "";
  const opened = openCheck(input, {
    ...options,
    clock,
    progress: (p, planned) => {
      if (clock() - told >= REPORT_SECONDS) tell(planned, p);
    },
  });
  if (opened.kind === "problems") return send({ id, says: "problems", problems: opened.problems });
  if (opened.kind === "litmus") {
    return send({ id, says: "litmus", result: opened.result });
  }
  const { check } = opened;
  ({ test, property } = check);
  send({ id, says: "opened", test, property, runs: check.runs.length, common: check.common });
  for (const planned of check.runs) {
    started = clock();
    tell(planned, { states: 0, depth: 0, queue: 0 });
    send({ id, says: "result", result: check.run(planned) });
  }
}
