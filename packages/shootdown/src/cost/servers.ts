// SPDX-License-Identifier: Apache-2.0
// A server that many CPUs share and that serves one after the other, in the order in which they
// came; and how many of them use it at a time.
//
//   arrive ──► [ waits until free ] ──► [ service ] ──► done
//
// Who arrives is served in the order of arrival: the clock calls `visit` in the order of time.

/**
 * Two visits further apart than this are not taken to compete. Longer than a round of 64 CPUs at
 * the queue that was measured (64 x 1.4 us), far shorter than the pauses of a program.
 */
export const CONTENTION_WINDOW_NS = 100_000;

/** Ends the list of CPUs. */
const NONE = -1;

export class Server {
  /** From when on it is free. */
  free = 0;
  busy_ns = 0;
  visits = 0;
  private readonly last: Float64Array;
  private readonly visitOf: Float64Array;
  /** CPUs that came in the window, the latest first: a list through `newer` and `older`. */
  private readonly newer: Int32Array;
  private readonly older: Int32Array;
  private head = NONE;
  private tail = NONE;
  private recent = 0;
  private readonly listed: Uint8Array;
  private calls = 0;

  constructor(cpus: number) {
    this.last = new Float64Array(cpus);
    this.visitOf = new Float64Array(cpus);
    this.newer = new Int32Array(cpus).fill(NONE);
    this.older = new Int32Array(cpus).fill(NONE);
    this.listed = new Uint8Array(cpus);
  }

  /** When the service that is asked for at `at` ends. */
  visit(at: number, service: number): number {
    const start = at > this.free ? at : this.free;
    this.free = start + service;
    this.busy_ns += service;
    this.visits++;
    return this.free;
  }

  /**
   * CPUs that share the server with `cpu`, itself included: those that came not long ago, but no
   * more than came since it came last, as each of them takes the lock's cache line away once.
   */
  sharers(cpu: number, at: number): number {
    const { last, listed } = this;
    const since = at - CONTENTION_WINDOW_NS;
    while (this.tail !== NONE && last[this.tail]! < since) this.unlist(this.tail);
    const between = listed[cpu] === 1 ? this.calls - this.visitOf[cpu]! : this.recent + 1;
    if (listed[cpu] === 1) this.unlist(cpu);
    this.list(cpu);
    last[cpu] = at;
    this.visitOf[cpu] = this.calls++;
    return between < this.recent ? between : this.recent;
  }

  private list(cpu: number): void {
    this.older[cpu] = this.head;
    this.newer[cpu] = NONE;
    if (this.head === NONE) this.tail = cpu;
    else this.newer[this.head] = cpu;
    this.head = cpu;
    this.listed[cpu] = 1;
    this.recent++;
  }

  private unlist(cpu: number): void {
    const newer = this.newer[cpu]!;
    const older = this.older[cpu]!;
    if (newer === NONE) this.head = older;
    else this.older[newer] = older;
    if (older === NONE) this.tail = newer;
    else this.newer[older] = newer;
    this.listed[cpu] = 0;
    this.recent--;
  }
}

/** CPUs in the order of their time; equal times by number. A binary heap without allocation. */
export class Agenda {
  private readonly heap: Int32Array;
  private readonly times: Float64Array;
  private size = 0;

  /** `times` is read whenever two are compared: it must not change for those inside. */
  constructor(times: Float64Array) {
    this.times = times;
    this.heap = new Int32Array(times.length);
  }

  get empty(): boolean {
    return this.size === 0;
  }

  /** The time of the next, or infinity. */
  get next(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.times[this.heap[0]!]!;
  }

  push(cpu: number): void {
    const { heap } = this;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(cpu, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = cpu;
  }

  pop(): number {
    const { heap } = this;
    const first = heap[0]!;
    const moved = heap[--this.size]!;
    let at = 0;
    for (let child = 1; child < this.size; child = 2 * at + 1) {
      const right = child + 1;
      if (right < this.size && this.before(heap[right]!, heap[child]!)) child = right;
      if (!this.before(heap[child]!, moved)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
    return first;
  }

  private before(a: number, b: number): boolean {
    const difference = this.times[a]! - this.times[b]!;
    return difference < 0 || (difference === 0 && a < b);
  }
}
