// SPDX-License-Identifier: Apache-2.0
// The line on a terminal that shows what is being searched; gone before anything else is printed.

import { cutTo } from "../api/index.ts";
import type { Running } from "./jobs.ts";
import { columnsOf } from "./output.ts";

const CLEAR = "\r\u001b[K";

/** Shorter searches end before anybody could read about them. */
const QUIET_SECONDS = 0.5;

export class ProgressLine {
  private readonly enabled: boolean;
  private readonly files: number;
  private done = 0;
  private shown = false;

  constructor(enabled: boolean, files: number) {
    this.enabled = enabled;
    this.files = files;
  }

  fileDone(): void {
    this.done++;
  }

  show({ name, states, depth, queue, seconds }: Running): void {
    if (!this.enabled || seconds < QUIET_SECONDS) return;
    const rate = Math.round(states / seconds / 1000);
    const what = `[${this.done + 1}/${this.files}] ${name.test} ${name.machine} ${name.kernel}`;
    const size = `${states} states (${rate}k/s), depth ${depth}, queue ${queue}`;
    const far = `${size}, ${seconds.toFixed(0)} s`;
    const text = cutTo(`${far}  ${what}`, columnsOf(process.stderr) - 1);
    process.stderr.write(CLEAR + text);
    this.shown = true;
  }

  clear(): void {
    if (!this.shown) return;
    process.stderr.write(CLEAR);
    this.shown = false;
  }
}
