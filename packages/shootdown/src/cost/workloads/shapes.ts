// SPDX-License-Identifier: Apache-2.0
// The shapes of synthetic workloads, each an endless row of operations.
//
// Tasks take turns. With a gap of 0 each asks again as soon as it can: a closed loop.
import { type Random, seededRandom } from "../../base/random.ts";
import { ADVICE, type Call, type Operation, type Span } from "../workload.ts";

export interface Parameters {
  readonly ops: number;
  readonly seed: number;
  readonly threads: number;
  readonly processes: number;
  readonly pages: number;
  /** Nanoseconds. */
  readonly gap: number;
}

type Operations = Generator<Operation, void, undefined>;

export interface Shape {
  readonly name: string;
  /** What it is like, and whose measurement it follows. */
  readonly about: string;
  readonly assumes: string;
  readonly defaults?: Partial<Parameters>;
  readonly make: (parameters: Parameters) => Operations;
}

const PAGE = 4096;
const ARENA = 0x7f0000000000;
const FIRST_PID = 1000;

/** Pages [first, first + count) of the arena. */
const at = (first: number, count: number): Span => {
  return { start: ARENA + first * PAGE, end: ARENA + (first + count) * PAGE };
};

const anonymous = (span: Span, accessible = true): Call => ({
  call: "mmap",
  span,
  writable: accessible,
  accessible,
  shared: false,
  file: false,
  populate: false,
});
const touch = (span: Span, write: boolean): Call => ({ call: "touch", span, write });
const unmap = (span: Span): Call => ({ call: "munmap", span });
const protect = (span: Span, writable: boolean, accessible = true): Call => ({
  call: "mprotect",
  span,
  writable,
  accessible,
});
const advise = (span: Span, advice: (typeof ADVICE)[number]): Call => {
  return { call: "madvise", span, advice };
};

const by = (pid: number, tid: number, at_ns: number, call: Call): Operation => {
  return { at_ns, tid, pid, call, line: 0 };
};

/** Tasks in turn, round after round; `play` says what a task does in a round. */
function* rounds(
  { processes, threads, gap }: Parameters,
  begin: (process: number) => readonly Call[],
  play: (round: number, process: number, thread: number) => readonly Call[],
): Operations {
  const pid = (process: number) => FIRST_PID + process * threads;
  for (let p = 0; p < processes; p++) {
    for (const call of begin(p)) yield by(pid(p), pid(p), 0, call);
  }
  for (let round = 0; ; round++) {
    for (let p = 0; p < processes; p++) {
      for (let t = 0; t < threads; t++) {
        for (const call of play(round, p, t)) yield by(pid(p), pid(p) + t, round * gap, call);
      }
    }
  }
}

/** Sizes as recorded ones are: most of them the median, some smaller, few very large. */
function size(random: Random, median: number): number {
  const dice = random.below(1000);
  if (dice < 12) return Math.max(512, 8 * median);
  if (dice < 600) return median;
  return 1 + random.below(2 * median);
}

/** Arrays made and dropped: chunks are mapped, written, given back in the order of their making. */
function* node(parameters: Parameters): Operations {
  const random = seededRandom(parameters.seed);
  const ring = 64;
  const slot = 16 * Math.max(512, 8 * parameters.pages);
  const live: (Span | undefined)[] = Array.from({ length: ring * parameters.processes });
  yield* rounds(
    parameters,
    () => [],
    (round, process, thread) => {
      const index = (round * parameters.threads + thread) % ring;
      const old = live[process * ring + index];
      const span = at(index * slot, size(random, parameters.pages));
      live[process * ring + index] = span;
      const made = [anonymous(span), touch(span, true)];
      // Pages of a chunk that was collected are given back before its addresses are.
      const free = old === undefined ? [] : [advise(old, "MADV_DONTNEED"), unmap(old)];
      return [...free, ...made];
    },
  );
}

/** A heap that is reserved at once: single pages are opened and closed, few of them ever used. */
function* java(parameters: Parameters): Operations {
  const random = seededRandom(parameters.seed);
  const heap = Math.max(2 ** 20, 16 * parameters.pages);
  yield* rounds(
    parameters,
    () => [anonymous(at(0, heap), false)],
    () => {
      const pages = random.below(100) < 81 ? 1 : size(random, parameters.pages);
      const span = at(random.below(heap - 8 * Math.max(512, parameters.pages)), pages);
      const used = random.below(100) >= 78;
      const calls = [protect(span, true), protect(span, false, false)];
      if (used) calls.splice(1, 0, touch(span, true));
      return random.below(10) === 0 ? [...calls, advise(span, "MADV_DONTNEED")] : calls;
    },
  );
}

/** A parent forks and goes on writing: every first write of a page is a copy or an upgrade. */
function* forkCow(parameters: Parameters): Operations {
  const random = seededRandom(parameters.seed);
  const { pages, threads, processes, gap } = parameters;
  let child = FIRST_PID + processes * threads;
  const all = at(0, pages);
  for (let p = 0; p < processes; p++) {
    const pid = FIRST_PID + p * threads;
    yield by(pid, pid, 0, anonymous(all));
    yield by(pid, pid, 0, touch(all, true));
  }
  for (let round = 0; ; round++) {
    for (let p = 0; p < processes; p++) {
      const pid = FIRST_PID + p * threads;
      const at_ns = round * gap;
      yield by(pid, pid, at_ns, { call: "fork", child });
      for (let n = 0; n < pages; n++) {
        const page = at(random.below(pages), 1);
        const write = random.below(4) > 0;
        if (random.below(8) === 0) yield by(child, child, at_ns, touch(page, write));
        else yield by(pid, pid + (n % threads), at_ns, touch(page, write));
      }
      yield by(child, child, at_ns, { call: "exit" });
      child++;
    }
  }
}

/** Each process takes the right to write from a range and gives it back, and writes. */
function mprotectLoop(parameters: Parameters): Operations {
  const span = at(0, parameters.pages);
  return rounds(
    parameters,
    () => [anonymous(span), touch(span, true)],
    () => [protect(span, false), protect(span, true), touch(span, true)],
  );
}

/** Threads on all CPUs change and use one buffer, each a page of its own. */
function tlbShootdown(parameters: Parameters): Operations {
  const { pages, threads } = parameters;
  const all = at(0, pages);
  return rounds(
    parameters,
    () => [anonymous(all), touch(all, true)],
    (round, _, thread) => {
      const page = at((round + thread * Math.max(1, Math.floor(pages / threads))) % pages, 1);
      return [protect(page, false), touch(page, false), protect(page, true), touch(page, true)];
    },
  );
}

/** Large ranges of which few pages are used are mapped and given back. */
function* sparse(parameters: Parameters): Operations {
  const random = seededRandom(parameters.seed);
  const { pages, threads } = parameters;
  yield* rounds(
    parameters,
    () => [],
    (_, __, thread) => {
      const first = (thread % threads) * pages;
      const span = at(first, pages);
      // One range of five has something in it.
      const used = random.below(5) === 0;
      const page = at(first + random.below(pages), 1);
      return [anonymous(span), ...(used ? [touch(page, true)] : []), unmap(span)];
    },
  );
}

/** Ranges are written and put out to swap, over and over. */
function swapOut(parameters: Parameters): Operations {
  const { pages } = parameters;
  const span = (thread: number) => at(thread * pages, pages);
  return rounds(
    parameters,
    () => Array.from({ length: parameters.threads }, (_, t) => anonymous(span(t))),
    (_, __, thread) => [touch(span(thread), true), advise(span(thread), "MADV_PAGEOUT")],
  );
}

/**
 * An accelerator that shares the address space: a CPU fills buffers that lie side by side, the
 * device reads one again and again and writes results into a quarter of it; some are dropped.
 */
function* sva(parameters: Parameters): Operations {
  const random = seededRandom(parameters.seed);
  const { pages } = parameters;
  const places: Span[] = [];
  for (let first = 0; places.length < 16; ) {
    const length = 1 + random.below(2 * pages);
    places.push(at(first, length));
    first += length;
  }
  const held = new Set<number>();
  yield* rounds(
    parameters,
    () => [],
    (_, process, device) => {
      const place = random.below(places.length);
      const { start, end } = places[place]!;
      const span = { start, end };
      const key = process * places.length + place;
      if (!held.has(key)) {
        held.add(key);
        return [anonymous(span), touch(span, true)];
      }
      if (random.below(16) === 0) {
        held.delete(key);
        return [unmap(span)];
      }
      const quarter = PAGE * Math.ceil((end - start) / PAGE / 4);
      const results = { start, end: start + quarter };
      return [
        { call: "device", span, write: false, device },
        { call: "device", span: results, write: true, device },
        touch(results, false),
      ];
    },
  );
}

/** dma_map_benchmark: every thread maps a buffer and unmaps it. */
function dma(parameters: Parameters): Operations {
  const { pages } = parameters;
  return rounds(
    parameters,
    () => [],
    () => [
      { call: "dma_map", pages },
      { call: "dma_unmap", pages },
    ],
  );
}

/** Anything, but nothing that cannot be: 64 places a process, each free or mapped. */
function* random(parameters: Parameters): Operations {
  const dice = seededRandom(parameters.seed);
  const places = 64;
  const room = 2 * parameters.pages;
  const mapped = new Map<number, number>();
  yield* rounds(
    parameters,
    () => [],
    (_, process) => {
      const place = dice.below(places);
      const key = process * places + place;
      const pages = mapped.get(key);
      const first = place * room;
      if (pages === undefined) {
        const fresh = 1 + dice.below(parameters.pages);
        mapped.set(key, fresh);
        return [anonymous(at(first, fresh))];
      }
      const from = dice.below(pages);
      const span = at(first + from, 1 + dice.below(pages - from));
      switch (dice.below(8)) {
        case 0:
          mapped.delete(key);
          return [unmap(at(first, pages))];
        case 1:
          return [protect(span, dice.below(2) === 0)];
        case 2:
          return [protect(at(first, pages), true)];
        case 3:
          return [advise(span, ADVICE[dice.below(ADVICE.length)]!)];
        case 4:
          return grow(dice, mapped, key, at(first, pages), room);
        default:
          return [touch(span, dice.below(2) === 0)];
      }
    },
  );
}

/** Longer or shorter where it is: its place has room. */
function grow(
  dice: Random,
  mapped: Map<number, number>,
  key: number,
  from: Span,
  room: number,
): readonly Call[] {
  const pages = 1 + dice.below(room);
  mapped.set(key, pages);
  return [{ call: "mremap", from, to: { start: from.start, end: from.start + pages * PAGE } }];
}

const CLOSED = "each task asks again as soon as it can, where no gap is given";

export const SHAPES: readonly Shape[] = [
  {
    name: "node",
    about: "chunks of 64 pages mapped, written, given back, as a collector of arrays does",
    assumes: "every chunk is written as a whole",
    make: node,
  },
  {
    name: "java",
    about: "a reserved heap of which mostly single pages are opened and closed, 4 of 5 never used",
    assumes: "sizes and shares as in a recorded run of ParallelGC",
    make: java,
  },
  {
    name: "fork-cow",
    about: "fork, then writes of parent and child: copies and permission upgrades",
    assumes: "three of four uses are writes, one of eight is the child's",
    defaults: { pages: 256 },
    make: forkCow,
  },
  {
    name: "mprotect",
    about: "processes of one thread that change the protection of a page and write it",
    assumes: CLOSED,
    defaults: { processes: 32, pages: 1 },
    make: mprotectLoop,
  },
  {
    name: "tlb-shootdown",
    about: "threads that change and use pages of one buffer, as stress-ng's tlb-shootdown",
    assumes: CLOSED,
    defaults: { threads: 8, pages: 512 },
    make: tlbShootdown,
  },
  {
    name: "sparse-munmap",
    about: "large ranges mapped and given back, one of five with a page in use",
    assumes: CLOSED,
    defaults: { pages: 262_144 },
    make: sparse,
  },
  {
    name: "swap-out",
    about: "256 pages written and put out to swap, over and over",
    assumes: "MADV_PAGEOUT stands for reclaim",
    defaults: { pages: 256 },
    make: swapOut,
  },
  {
    name: "sva",
    about: "buffers that a CPU fills and a device reads and writes by shared virtual addressing",
    assumes: "each buffer is used 15 times on average before it is dropped; a device for each task",
    make: sva,
  },
  {
    name: "dma",
    about: "a buffer mapped for DMA and unmapped, as dma_map_benchmark",
    assumes: CLOSED,
    defaults: { threads: 8, pages: 1 },
    make: dma,
  },
  {
    name: "random",
    about: "any operation anywhere that can be",
    assumes: "nothing",
    make: random,
  },
];
