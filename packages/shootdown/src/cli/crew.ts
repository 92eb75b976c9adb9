// SPDX-License-Identifier: Apache-2.0
// Workers for studies: small tasks, any number, whose results are handed on in the order of tasks.

import { Worker } from "node:worker_threads";
import type { StudyTask } from "./jobs.ts";

/** Programs come and go: with room for young objects fewer of them are copied. */
const LIMITS = { maxYoungGenerationSizeMb: 96 };

export interface Crew {
  /** Resolves when all is done; rejects with the first mistake of the program. */
  readonly done: Promise<void>;
  /** Ends all workers; what they had finished has been handed on. */
  stop(): void;
}

interface Answer {
  readonly n: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Gives each task to a worker that is free. */
export function startCrew<R>(
  tasks: readonly StudyTask[],
  threads: number,
  handle: (result: R, n: number) => void,
): Crew {
  const results = new Map<number, R>();
  let [next, turn] = [0, 0];
  let stopped = false;
  const workers: Worker[] = [];
  const deliver = () => {
    for (; results.has(turn); turn++) {
      handle(results.get(turn)!, turn);
      results.delete(turn);
    }
  };
  const lane = () =>
    new Promise<void>((resolve, reject) => {
      if (stopped || next >= tasks.length) return resolve();
      const worker = new Worker(new URL("./worker.js", import.meta.url), {
        resourceLimits: LIMITS,
      });
      workers.push(worker);
      const give = () => {
        if (stopped || next >= tasks.length) {
          resolve();
          return void worker.terminate();
        }
        worker.postMessage({ study: tasks[next], n: next });
        next++;
      };
      worker.on("message", ({ n, result, error }: Answer) => {
        if (error !== undefined) return reject(new Error(error));
        results.set(n, result as R);
        deliver();
        give();
      });
      worker.on("error", reject);
      worker.on("exit", () => resolve());
      give();
    });
  const stop = () => {
    stopped = true;
    for (const w of workers) void w.terminate();
  };
  const count = Math.max(1, Math.min(threads, tasks.length));
  const done = Promise.all(Array.from({ length: count }, lane)).then(
    () => undefined,
    (error) => {
      stop();
      throw error;
    },
  );
  return { done, stop };
}
