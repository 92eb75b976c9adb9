// SPDX-License-Identifier: Apache-2.0
// A routine of the model run alone in the open executor, and its event log as the words that an
// operation of a recording is.

import type { Value } from "../../../packages/shootdown/src/engine/open-value.ts";
import { wordLayout } from "../../../packages/shootdown/src/engine/word.ts";
import type { FieldDecl, Sorts } from "../../../packages/shootdown/src/ir/expr.ts";
import type { Declaration } from "../../../packages/shootdown/src/ir/machine.ts";
import type { AnySort } from "../../../packages/shootdown/src/ir/sort.ts";
import { tlbiPieces } from "../../../packages/shootdown/src/kernel/arch/arm64/asm/tlbi-ranges.ts";
import {
  mm_subscribed,
  next_free_page,
  pmd_huge_pte,
  tlb_flush_batched,
  VM_WRITE,
  vma,
} from "../../../packages/shootdown/src/kernel/state.ts";
import type { MapOptions } from "../../../packages/shootdown/src/live/live.ts";
import { LiveMachine } from "../../../packages/shootdown/src/live/live.ts";
import type { Task } from "../../../packages/shootdown/src/live/task.ts";
import { descriptor } from "../../../packages/shootdown/src/live/view.ts";
import { desc } from "../../../packages/shootdown/src/vocabulary/descriptor.ts";
import { pmd, pte_table } from "../../../packages/shootdown/src/vocabulary/state.ts";
import type { Folder } from "./folder.ts";
import type { Pages } from "./operations.ts";
import { PAGE, pagesText, pageText } from "./operations.ts";

const PAGES_OF_TABLE = 512;
/** No routine makes as many by itself. */
const STEPS_MAX = 50_000;

/** Processes that a machine runs one after the other, where nothing else is left behind. */
const PROCESSES = 8;

interface Shared {
  readonly live: LiveMachine;
  processes: number;
}

const shared = new Map<string, Shared>();

/** A machine with the features of a folder: CPU 0 runs one process, which has a notifier. */
export class Model {
  readonly live: LiveMachine;
  readonly process;
  private readonly folder: Folder;

  /** `begins`: flags of what is there from the start, as huge pages are. */
  constructor(folder: Folder, begins: readonly FieldDecl[] = [], live = machine(folder, begins)) {
    this.folder = folder;
    this.live = live;
    this.process = live.process("A");
    live.runOn(0, this.process);
    this.set(mm_subscribed.decl, [this.process.mm], 1);
  }

  /** One on a machine that others have used: a machine is not made in no time. */
  static shared(folder: Folder, begins: readonly FieldDecl[] = []): Model {
    const key = [folder.name, ...begins.map((f) => f.name)].join(" ");
    let known = shared.get(key);
    if (known === undefined || known.processes === PROCESSES) {
      shared.set(key, (known = { live: machine(folder, begins), processes: 0 }));
    }
    known.processes++;
    return new Model(folder, begins, known.live);
  }

  /** Maps private pages that are in use; returns their frames. */
  map({ lo, hi }: Pages, options: MapOptions = {}): number[] {
    const first = this.live.get(next_free_page.decl, []);
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

  /** Maps all pages of a table by one huge page; returns its first frame. */
  mapHuge(page: number, writable: boolean): number {
    const { live } = this;
    const { mm } = this.process;
    const region = page / PAGES_OF_TABLE;
    const pages = { lo: page, hi: page + PAGES_OF_TABLE };
    // What comes with small pages comes with one huge one, but for the table.
    const [frame] = this.map(pages, { vmaWritable: true });
    const table = this.get(pmd.decl, [mm, region]);
    const domain = live["system"].domain;
    const bits = { RDONLY: writable ? 0 : 1, DBM: writable ? 1 : 0, DIRTY: 1, AF: 1 };
    this.set(pmd.decl, [mm, region], descriptor(domain, { valid: 1, ...bits, pfn: frame! }));
    this.set(pmd_huge_pte.decl, [mm, region], wordLayout(desc, domain).get(table, "next"));
    for (let at = page; at < pages.hi; at++) {
      this.set(pte_table.decl, [wordLayout(desc, domain).get(table, "next"), at], 0);
    }
    return frame!;
  }

  /** What the address space holds without a page in it. */
  reserve({ lo, hi }: Pages, writable = false): void {
    const { mm } = this.process;
    this.live.fill(vma.decl, [mm, lo], hi - lo, 1);
    this.live.fill(VM_WRITE.decl, [mm, lo], hi - lo, writable ? 1 : 0);
  }

  /** A flush is owed to the process. */
  owe(): void {
    this.set(tlb_flush_batched.decl, [this.process.mm], 1);
  }

  get(field: FieldDecl, index: readonly number[]): number {
    return this.live.get(field, index);
  }

  set(field: FieldDecl, index: readonly number[], value: number): void {
    this.live.set(field, index, value);
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
  call<P extends Sorts, R extends AnySort | undefined>(
    routine: Declaration<P, R>,
    args: { readonly [K in keyof P]: Value },
  ): Task {
    // Nobody asks for the result.
    return this.live.start(routine.name, routine as Declaration<P, undefined>, args);
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

function machine({ features, kernel }: Folder, begins: readonly FieldDecl[]): LiveMachine {
  const options = {
    machine: features.rangeTlbi ? "arm64+smmuv3+tlbirange" : "arm64+smmuv3",
    kernel,
    knobs: { hafdbs: features.dbm ? "yes" : "no" },
    cpus: 1,
  };
  const zeros = (field: FieldDecl) => field.index.map(() => 0);
  return new LiveMachine(options, {
    initial: begins.map((field) => ({ field, index: zeros(field), value: 1 })),
  });
}

/** Recorded are the last DSB before a TLBI, and those behind one, up to one for loads too. */
export function logged(words: readonly string[]): string[] {
  let open = false;
  return words.filter((word, at) => {
    if (!word.startsWith("dsb")) {
      open ||= isTlbi(word);
      return true;
    }
    const next = words.slice(at + 1).find((w) => w.startsWith("dsb") || isTlbi(w));
    const kept = open || (next !== undefined && isTlbi(next));
    if (word === "dsb ish" || word === "dsb nsh") open = false;
    return kept;
  });
}

const isTlbi = (word: string): boolean => /^(r?va|aside|vmalle)/.test(word);

/** Events as words. Events of a bulk group stand for as many repetitions, a page further each. */
function wordsOf(lines: readonly string[], folder: Folder): string[] {
  const words: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const more = repetitions(lines[at]!);
    let end = at + 1;
    while (more > 0 && end < lines.length && repetitions(lines[end]!) === more) end++;
    const group = lines.slice(at, end);
    for (let n = 0; n <= more; n++) words.push(...group.flatMap((l) => word(l, n, folder)));
    at = end;
  }
  return words;
}

const repetitions = (line: string): number => Number(/ and (\d+) more$/.exec(line)?.[1] ?? 0);

function word(line: string, later: number, folder: Folder): string[] {
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
        folder,
      );
    case "block_store": {
      // A table that is linked, or a huge page.
      const page = Number(/region=\D*(\d+)/.exec(line)![1]!) * PAGES_OF_TABLE;
      const none = (of: string) => line.includes(`${of}=(none)`);
      const change = none("old") ? "set pmd" : none("value") ? "clear pmd" : "change";
      return [`${change} ${pageText(page)}`];
    }
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
 * The instructions that a TLBI of the model stands for. KPTI does each again for the ASID of user
 * space.
 */
export function instructions(
  op: string,
  lo: number,
  hi: number,
  { kernel, features }: Pick<Folder, "kernel" | "features">,
): string[] {
  const found: string[] = [];
  const say = (word: string) => {
    found.push(word, ...(features.kpti ? [`${word} user`] : []));
  };
  if (!op.startsWith("va")) {
    say(op);
    return found;
  }
  // As many pages are not flushed one by one: what is, is flushed by table.
  const tables = lo % PAGES_OF_TABLE === 0 && hi % PAGES_OF_TABLE === 0;
  const single = (page: number) => say(`${op} ${pageText(page)}`);
  const stride = tables ? PAGES_OF_TABLE : 1;
  const { rangeTlbi } = features;
  const version = kernel.replace("linux-", "");
  for (const piece of tlbiPieces(hi - lo, { rangeTlbi, stride, version })) {
    if (piece.ranged) say(`r${op} ${pageText(lo + piece.lo)}..${pageText(lo + piece.hi)}`);
    else single(lo + piece.lo);
  }
  return found;
}
