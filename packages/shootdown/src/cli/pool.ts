// SPDX-License-Identifier: Apache-2.0
// A few workers that take jobs in order; their messages are handed on in the order of the jobs.
// Workers for whom no job is left help those that are at a long search.

import { Worker } from "node:worker_threads";
import { type CheckRun, type HelperStart, helperEnded } from "../api/index.ts";
import type { Job, Message, Running, Task } from "./jobs.ts";

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

/** A search that would take help, of a job. */
interface Wanted {
  readonly id: number;
  readonly start: HelperStart;
}

/** What a worker says last of a task. */
const ENDS: ReadonlySet<Message["says"]> = new Set(["done", "crash", "helped"]);

export class Pool {
  private readonly listener: Listener;
  private readonly next: NextJob;
  private readonly workers = new Set<Worker>();
  /** Messages of jobs whose turn has not come. */
  private readonly waiting = new Map<number, Message[]>();
  private readonly over = new Set<number>();
  private turn = 0;
  /** Jobs being made. */
  private searching = 0;
  /** Searches that would take help, in the order in which they said so. */
  private wanted: Wanted[] = [];
  /** Whom each worker helps. */
  private readonly helping = new Map<Worker, number>();
  /** Wakes the lanes that have nothing to do. */
  private readonly idle: (() => void)[] = [];
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
    this.wakeIdle();
    await Promise.all([...this.workers].map((w) => w.terminate()));
    const unfinished = new Set([this.turn, ...this.waiting.keys()]);
    for (const id of [...unfinished].sort((a, b) => a - b)) {
      this.release(id);
      this.listener.cut(id);
    }
  }

  /** One task after the other; a worker that dies is replaced. */
  private async lane(): Promise<void> {
    let worker: Worker | undefined;
    for (let task = await this.task(); task; task = await this.task()) {
      worker ??= this.start();
      const alive =
        "job" in task ? await this.one(worker, task.job) : await this.help(worker, task);
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

  /** A file first, then a search that is long; waits as long as one may become so. */
  private async task(): Promise<{ readonly job: Job } | Wanted | undefined> {
    for (;;) {
      const job = this.stopped ? undefined : this.next();
      if (job) {
        this.searching++;
        return { job };
      }
      const wanted = this.wanted.shift();
      if (wanted || this.searching === 0 || this.stopped) return wanted;
      await new Promise<void>((wake) => this.idle.push(wake));
    }
  }

  private wakeIdle(): void {
    for (const wake of this.idle.splice(0)) wake();
  }

  private start(): Worker {
    const worker = new Worker(new URL("./worker.js", import.meta.url));
    this.workers.add(worker);
    return worker;
  }

  /** Resolves with whether the worker can go on. */
  private async one(worker: Worker, job: Job): Promise<boolean> {
    const alive = await this.listen(worker, { job }, (message) => this.tell(message));
    this.searching--;
    this.wanted = this.wanted.filter(({ id }) => id !== job.id);
    // Who helps a search that died would wait for ever.
    if (!alive) for (const [w, id] of this.helping) if (id === job.id) void w.terminate();
    if (!this.stopped) {
      this.over.add(job.id);
      this.advance();
    }
    this.wakeIdle();
    return alive;
  }

  private async help(worker: Worker, { id, start }: Wanted): Promise<boolean> {
    this.helping.set(worker, id);
    // A helper that fails is one less.
    const alive = await this.listen(worker, { help: start }, () => undefined);
    this.helping.delete(worker);
    helperEnded(start);
    return alive;
  }

  /** Gives a worker a task; resolves when it is through, with whether it can go on. */
  private listen(worker: Worker, task: Task, heard: (m: Message) => void): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (alive: boolean) => {
        worker.off("message", onMessage).off("error", onError).off("exit", onExit);
        resolve(alive);
      };
      const onMessage = (message: Message) => {
        heard(message);
        if (ENDS.has(message.says)) end(true);
      };
      const onError = (error: NodeJS.ErrnoException) => {
        const memory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
        const { stack = "" } = error;
        const message = memory ? OUT_OF_MEMORY : error.message;
        if ("job" in task) heard({ id: task.job.id, says: "crash", message, stack });
        end(false);
      };
      const onExit = () => end(false);
      worker.on("message", onMessage).on("error", onError).on("exit", onExit);
      worker.postMessage(task);
    });
  }

  /** Hands on at once what has no order, and the rest in its turn. */
  private tell(message: Message): void {
    const { id, says } = message;
    if (says === "help") {
      this.wanted.push({ id, start: message.start });
      return this.wakeIdle();
    }
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
