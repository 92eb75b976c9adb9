// SPDX-License-Identifier: Apache-2.0
// The line on a terminal that shows what is being searched; gone before anything else is printed.
//
//   fork arm64+smmuv3 linux-6.12: 1.2M states, 83k queued, depth 17, 410k/s, 64M

import { cutTo, printable } from "../api/index.ts";
import type { Running } from "./jobs.ts";

const CLEAR = "\r\u001b[K";

/** Shorter searches end before anybody could read about them. */
const QUIET_MS = 500;
/** Between two drawings. */
const EVERY_MS = 200;

/** Columns of the line at most, and where nobody says how wide the terminal is. */
const MAX_WIDTH = 100;
const DEFAULT_WIDTH = 80;

/** Room at the end of the line for the cursor, and for the `^C` of the terminal. */
const ECHO = 3;

/** So much of the name is shown, whatever else there is. */
const NAME_MIN = 16;

interface Shown {
  readonly running: Running;
  /** When the run began, by our clock. */
  readonly since: number;
}

export class ProgressLine {
  private readonly files: number;
  private readonly runs = new Map<number, Shown>();
  private readonly timer: NodeJS.Timeout | undefined;
  private done = 0;
  private shown = false;

  constructor(enabled: boolean, files: number) {
    this.files = files;
    if (!enabled) return;
    this.timer = setInterval(() => this.draw(), EVERY_MS);
    // The line alone is no reason to stay.
    this.timer.unref();
  }

  /** What a job is at. */
  show(id: number, running: Running): void {
    this.runs.set(id, { running, since: performance.now() - running.seconds * 1000 });
  }

  /** A job is at nothing more. */
  hide(id: number): void {
    this.runs.delete(id);
  }

  fileDone(): void {
    this.done++;
  }

  /** Takes the line away, until it is drawn again. */
  clear(): void {
    if (!this.shown) return;
    process.stderr.write(CLEAR);
    this.shown = false;
  }

  end(): void {
    clearInterval(this.timer);
    this.clear();
  }

  private draw(): void {
    const now = performance.now();
    // Of several the one that has been going on longest.
    const [first] = [...this.runs.values()].sort((a, b) => a.since - b.since);
    if (!first || now - first.since < QUIET_MS) return;
    const width = Math.min(MAX_WIDTH, process.stderr.columns || DEFAULT_WIDTH) - ECHO;
    const place = this.files > 1 ? `[${this.done + 1}/${this.files}] ` : "";
    const text = progressText(first.running, (now - first.since) / 1000, place, width);
    process.stderr.write(CLEAR + text);
    this.shown = true;
  }
}

/** The line, its name cut before its numbers are. */
export function progressText(
  { name, far, rate }: Running,
  seconds: number,
  place: string,
  width: number,
): string {
  const words = typeof name === "string" ? [name] : [name.test, name.machine, name.kernel];
  const found = [
    `${short(far.states)} states`,
    `${short(far.queue)} queued`,
    ...(far.depth > 0 ? [`depth ${far.depth}`] : []),
    `${short(rate)}/s`,
    short(far.bytes, 1024),
  ];
  const numbers = far.states > 0 ? found.join(", ") : `${Math.floor(seconds)} s`;
  const head = place + printable(words.join(" "));
  const room = Math.max(place.length + NAME_MIN, width - numbers.length - 2);
  return cutTo(`${cutTo(head, room)}: ${numbers}`, width);
}

const UNITS = ["", "k", "M", "G", "T"] as const;

/** Two digits or three, and a unit. */
function short(n: number, base: 1000 | 1024 = 1000): string {
  let unit = 0;
  let value = n;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= base;
    unit++;
  }
  if (unit === 0) return String(Math.round(value));
  return (
    value.toFixed(value < 9.95 ? 1 : 0) +
    (base === 1024 ? UNITS[unit]!.toUpperCase() : UNITS[unit]!)
  );
}
