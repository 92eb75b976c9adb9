// SPDX-License-Identifier: Apache-2.0
// A few workers that take jobs in order; their messages are handed on in the order of the jobs.

import { Worker } from "node:worker_threads";
import type { CheckRun } from "../api/index.ts";
import type { Job, Message, Running } from "./jobs.ts";

/** What a job's messages are handed to, job by job. */
export interface Listener {
  message(message: Message): void;
  /** No more messages of this job will come, because of `stop`. */
  cut(id: number): void;
  /** Not in order: what is being done just now. */
  running(id: number, running: Running): void;
  /** Not in order: the verdict of what is being done. */
  known(id: number, run: CheckRun): void;
  /** Not in order: what was being done is done. */
  rests(id: number): void;
}

/** Makes the next job; undefined when there are no more. */
export type NextJob = () => Job | undefined;

export class Pool {
  private readonly listener: Listener;
  private readonly next: NextJob;
  private readonly workers = new Set<Worker>();
  /** Messages of jobs whose turn has not come. */
  private readonly waiting = new Map<number, Message[]>();
  private readonly over = new Set<number>();
  private turn = 0;
  private stopped = false;

  constructor(next: NextJob, listener: Listener) {
    this.next = next;
    this.listener = listener;
  }

  /** Resolves when all jobs are done, or after `stop`. */
  async run(threads: number): Promise<void> {
    await Promise.all(Array.from({ length: threads }, () => this.lane()));
  }

  /** Ends all workers, whatever they are doing, and hands on what they had finished. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all([...this.workers].map((w) => w.terminate()));
    const unfinished = new Set([this.turn, ...this.waiting.keys()]);
    for (const id of [...unfinished].sort((a, b) => a - b)) {
      this.release(id);
      this.listener.cut(id);
    }
  }

  /** One job after the other; a worker that dies is replaced. */
  private async lane(): Promise<void> {
    let worker: Worker | undefined;
    for (let job = this.take(); job; job = this.take()) {
      worker ??= this.start();
      const alive = await this.one(worker, job);
      if (!alive) {
        this.workers.delete(worker);
        worker = undefined;
      }
    }
    if (worker && !this.stopped) {
      this.workers.delete(worker);
      await worker.terminate();
    }
  }

  private take(): Job | undefined {
    return this.stopped ? undefined : this.next();
  }

  private start(): Worker {
    const worker = new Worker(new URL("./worker.js", import.meta.url));
    this.workers.add(worker);
    return worker;
  }

  /** Resolves with whether the worker can go on. */
  private one(worker: Worker, job: Job): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (alive: boolean) => {
        worker.off("message", onMessage).off("error", onError).off("exit", onExit);
        if (!this.stopped) {
          this.over.add(job.id);
          this.advance();
        }
        resolve(alive);
      };
      const onMessage = (message: Message) => {
        this.tell(message);
        if (message.says === "done" || message.says === "crash") end(true);
      };
      const onError = (error: NodeJS.ErrnoException) => {
        const memory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
        const { stack = "" } = error;
        const message = memory ? OUT_OF_MEMORY : error.message;
        this.hold({ id: job.id, says: "crash", message, stack });
        end(false);
      };
      const onExit = () => end(false);
      worker.on("message", onMessage).on("error", onError).on("exit", onExit);
      worker.postMessage(job);
    });
  }

  /** Hands on at once what has no order, and the rest in its turn. */
  private tell(message: Message): void {
    const { id, says } = message;
    if (says === "running") return this.listener.running(id, message.running);
    if (says === "known") return this.listener.known(id, message.run);
    if (says !== "opened" && says !== "crash") this.listener.rests(id);
    this.hold(message);
  }

  private hold(message: Message): void {
    if (this.stopped) return;
    if (message.id === this.turn) this.listener.message(message);
    else this.waiting.set(message.id, [...(this.waiting.get(message.id) ?? []), message]);
  }

  private advance(): void {
    while (this.over.has(this.turn)) {
      this.turn++;
      this.release(this.turn);
    }
  }

  private release(id: number): void {
    for (const message of this.waiting.get(id) ?? []) this.listener.message(message);
    this.waiting.delete(id);
  }
}

/** Said in place of the message of Node for a worker without memory. */
export const OUT_OF_MEMORY = "out of memory";
