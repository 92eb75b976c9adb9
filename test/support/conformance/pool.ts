// SPDX-License-Identifier: Apache-2.0
// Asks processes to decide tests of herd; one that takes too long is ended and replaced.

import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { root } from "../files.ts";
import type { Answer, Question } from "./worker.ts";

/** Said in place of a reason that would depend on the machine. */
export const TIME_LIMIT = "time limit";

/** Until a process has been bundled and started. */
const START_MS = 60_000;

export interface PoolOptions {
  readonly processes: number;
  /** For one question. */
  readonly seconds: number;
  readonly asked?: (question: Question, answer: Answer, seconds: number) => void;
}

/** The answers in the order of the questions. */
export async function askAll(
  questions: readonly Question[],
  { processes, seconds, asked }: PoolOptions,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let next = 0;
  const lane = async () => {
    let child: ChildProcess | undefined;
    for (let i = next++; i < questions.length; i = next++) {
      child ??= await start();
      const began = performance.now();
      const reply = await one(child, questions[i]!, seconds * 1000);
      if (reply === undefined || reply === "died") {
        child.kill("SIGKILL");
        child = undefined;
      }
      const answer = answerOf(reply);
      answers[i] = answer;
      asked?.(questions[i]!, answer, (performance.now() - began) / 1000);
    }
    child?.kill();
  };
  await Promise.all(Array.from({ length: processes }, lane));
  return answers;
}

function answerOf(reply: Answer | "died" | undefined): Answer {
  if (reply === undefined) return { k: "unsupported", reason: TIME_LIMIT };
  return reply === "died" ? { k: "crash", reason: "the process died" } : reply;
}

async function start(): Promise<ChildProcess> {
  const worker = join(root, "test/support/conformance/worker.ts");
  const child = fork(join(root, "scripts/run-ts.mjs"), [worker], {
    cwd: root,
    execArgv: ["--max-old-space-size=3000"],
  });
  const ready = await reply(child, START_MS);
  if (ready !== "ready") throw new Error("a process that decides tests did not start");
  return child;
}

async function one(
  child: ChildProcess,
  question: Question,
  limit_ms: number,
): Promise<Answer | "died" | undefined> {
  const answered = reply(child, limit_ms);
  child.send(question);
  return (await answered) as Answer | "died" | undefined;
}

/** The next message; undefined after the limit, `died` if none can come. */
function reply(child: ChildProcess, limit_ms: number): Promise<unknown> {
  return new Promise((resolve) => {
    const end = (value: unknown) => {
      clearTimeout(timer);
      child.off("message", end).off("exit", died);
      resolve(value);
    };
    const died = () => end("died");
    const timer = setTimeout(() => end(undefined), limit_ms);
    child.on("message", end).on("exit", died);
  });
}
