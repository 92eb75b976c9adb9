// SPDX-License-Identifier: Apache-2.0
// A routine of the model run alone in the open executor, and its event log as the words that an
// operation of a recording is.

import type { Value } from "../../../packages/shootdown/src/engine/open-value.ts";
import type { Sorts } from "../../../packages/shootdown/src/ir/expr.ts";
import type { Declaration } from "../../../packages/shootdown/src/ir/machine.ts";
import { next_free_page } from "../../../packages/shootdown/src/kernel/state.ts";
import type { LiveMachine, MapOptions } from "../../../packages/shootdown/src/study/live.ts";
import { openMachine } from "../../../packages/shootdown/src/study/live.ts";
import type { Task } from "../../../packages/shootdown/src/study/live-task.ts";
import type { Features, Folder } from "./folder.ts";
import type { Pages } from "./operations.ts";
import { PAGE, pagesText, pageText } from "./operations.ts";

const PAGES_OF_TABLE = 512;
/** No routine makes as many by itself. */
const STEPS_MAX = 50_000;

/** A machine with the features of a folder: CPU 0 runs one process, and a device is bound to it. */
export class Model {
  readonly live: LiveMachine;
  readonly process;
  private readonly folder: Folder;

  constructor(folder: Folder) {
    const { features, kernel } = folder;
    this.folder = folder;
    this.live = openMachine({
      machine: features.rangeTlbi ? "arm64+smmuv3+tlbirange" : "arm64+smmuv3",
      kernel,
      knobs: { hafdbs: features.dbm ? "yes" : "no" },
      cpus: 1,
    });
    this.process = this.live.process("A");
    this.live.runOn(0, this.process);
    this.live.device("D", this.process);
  }

  /** Maps private pages that are in use; returns their frames. */
  map({ lo, hi }: Pages, options: MapOptions = {}): number[] {
    const first = this.live["get"](next_free_page.decl, []);
    this.live.map(this.process, { ...options, at: lo * PAGE, pages: hi - lo });
    return Array.from({ length: hi - lo }, (_, n) => first + n);
  }

  /** Maps a page beside a range wherever one lies in the same table, so that tables stay. */
  neighbours({ lo, hi }: Pages): void {
    const one = (page: number) => this.map({ lo: page, hi: page + 1 });
    const end = Math.ceil(hi / PAGES_OF_TABLE) * PAGES_OF_TABLE;
    if (lo % PAGES_OF_TABLE !== 0) one(lo - 1);
    if (hi % PAGES_OF_TABLE !== 0) one(end - 1);
  }

  load(page: number): Task {
    return this.live.load(0, this.process, page * PAGE);
  }

  store(page: number): Task {
    return this.live.store(0, this.process, page * PAGE);
  }

  munmap({ lo, hi }: Pages): Task {
    return this.live.munmap(0, this.process, lo * PAGE, (hi - lo) * PAGE);
  }

  mprotect({ lo, hi }: Pages, protection: "read-only" | "read-write"): Task {
    return this.live.mprotect(0, this.process, lo * PAGE, (hi - lo) * PAGE, protection);
  }

  fork(): Task {
    return this.live.fork(0, this.process);
  }

  exit(): Task {
    return this.live.exit(0, this.process);
  }

  /** Any routine of the kernel. */
  call<P extends Sorts>(
    routine: Declaration<P, undefined>,
    args: { readonly [K in keyof P]: Value },
  ): Task {
    return this.live["start"](routine.name, routine, args);
  }

  /** Runs to the end; what was done before this is not told. */
  words(task: Task): string[] {
    this.live.takeEvents();
    this.before(task);
    return wordsOf(this.live.takeEvents(), this.folder);
  }

  /** Runs to the end. */
  before(task: Task): void {
    for (let steps = 0; !task.done; steps++) {
      if (steps > STEPS_MAX) throw new Error(`${task.name} does not end`);
      if (!task.step() && !this.live.outstanding().some((one) => one.step())) {
        throw new Error(`${task.name} waits for ever`);
      }
    }
  }
}

/** Events as words. Events of a bulk group stand for as many repetitions, a page further each. */
function wordsOf(lines: readonly string[], { features, kernel }: Folder): string[] {
  const words: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const more = repetitions(lines[at]!);
    let end = at + 1;
    while (more > 0 && end < lines.length && repetitions(lines[end]!) === more) end++;
    const group = lines.slice(at, end);
    for (let n = 0; n <= more; n++)
      words.push(...group.flatMap((l) => word(l, n, kernel, features)));
    at = end;
  }
  return words;
}

const repetitions = (line: string): number => Number(/ and (\d+) more$/.exec(line)?.[1] ?? 0);

function word(line: string, later: number, kernel: string, features: Features): string[] {
  const name = line.split(" ", 1)[0];
  const [, from = "0", to = "0"] = /range=(0x[\da-f]+)\.\.(0x[\da-f]+)/.exec(line) ?? [];
  const range = pagesText(BigInt(from), BigInt(to));
  const op = /op=(\w+)/.exec(line)?.[1] ?? "";
  switch (name) {
    case "notifier_start":
      return [`start ${range}`];
    case "notifier_end":
      return [`end ${range}`];
    case "notifier":
      return [`notify ${range}`];
    case "notifier_release":
      return ["release"];
    case "dsb":
      return [`dsb ${op.toLowerCase()}`];
    case "tlbi":
      return instructions(
        op.toLowerCase(),
        Number(BigInt(from) / 4096n),
        Number(BigInt(to) / 4096n),
        kernel,
        features,
      );
    case "pte_store": {
      const page = Number(BigInt(/va=(0x[\da-f]+)/.exec(line)![1]!) / 4096n) + later;
      // An entry of something that is not there, as one of swap, is none to whoever looks.
      const none = (of: string) => line.includes(`${of}=(none)`);
      const change = none("old") ? "set" : none("value") ? "clear" : "change";
      return [`${change} ${pageText(page)}`];
    }
  }
  return [];
}

/**
 * The instructions that a TLBI of the model stands for. Without FEAT_TLBIRANGE one a page, or one a
 * table; with it (count+1)*2^(5*scale+1) pages at a time, the smallest first in 6.1, the greatest
 * first since 6.12. KPTI does each again for the ASID of user space.
 */
function instructions(
  op: string,
  lo: number,
  hi: number,
  kernel: string,
  features: Features,
): string[] {
  const found: string[] = [];
  const say = (word: string) => {
    found.push(word, ...(features.kpti ? [`${word} user`] : []));
  };
  if (!op.startsWith("va")) {
    say(op);
    return found;
  }
  const tables = op === "vae1is" && lo % PAGES_OF_TABLE === 0 && hi % PAGES_OF_TABLE === 0;
  const single = (page: number) => say(`${op} ${pageText(page)}`);
  if (!features.rangeTlbi) {
    for (let page = lo; page < hi; page += tables ? PAGES_OF_TABLE : 1) single(page);
    return found;
  }
  const ranges = (scales: readonly number[], countOf: (units: number) => number) => {
    for (const scale of scales) {
      const unit = 2 ** (5 * scale + 1);
      const count = countOf(Math.floor((hi - lo) / unit));
      if (count === 0) continue;
      say(`r${op} ${pageText(lo)}..${pageText(lo + count * unit)}`);
      lo += count * unit;
    }
  };
  if (kernel === "linux-6.1") {
    if ((hi - lo) % 2 === 1) single(lo++);
    ranges([0, 1, 2, 3], (units) => units % 32);
  } else {
    ranges([3, 2, 1, 0], (units) => Math.min(units, 32));
    if (lo < hi) single(lo);
  }
  return found;
}
