// SPDX-License-Identifier: Apache-2.0
// Threads of Node that help a search.

import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { rolldown } from "rolldown";
import type { HelperStart } from "../../packages/shootdown/src/explore/fast/team.ts";

const TEAM = "../../packages/shootdown/src/explore/fast/team.ts";

/** Index of the signal of a helper that it is there. */
const readyOf = (thread: number): number => thread * 3 + 2;

/** A function that starts a helper and waits until it is there, and one that awaits their ends. */
export async function nodeHelpers(): Promise<{
  readonly spawn: (start: HelperStart) => void;
  readonly ended: () => Promise<void>;
}> {
  const build = await rolldown({ input: fileURLToPath(new URL(TEAM, import.meta.url)) });
  const { output } = await build.generate({ format: "cjs" });
  await build.close();
  const begin = `
    const { workerData } = require("node:worker_threads");
    exports.help(workerData);`;
  const running: Promise<void>[] = [];
  const spawn = (start: HelperStart): void => {
    const worker = new Worker(output[0].code + begin, { eval: true, workerData: start });
    running.push(
      new Promise((resolve, reject) => {
        worker.once("exit", () => resolve());
        worker.once("error", reject);
      }),
    );
    const signals = new Int32Array(start.signals);
    while (Atomics.load(signals, readyOf(start.thread)) === 0) {
      Atomics.wait(signals, readyOf(start.thread), 0, 1);
    }
  };
  return { spawn, ended: async () => void (await Promise.all(running)) };
}
