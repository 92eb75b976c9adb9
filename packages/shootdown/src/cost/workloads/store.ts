// SPDX-License-Identifier: Apache-2.0
// Operations in columns: a million of them in some seventy megabytes, gone through at will.
import { ADVICE, type Advice, type Call, type Operation, type Span } from "../workload.ts";

const KINDS = [
  ...(["mmap", "munmap", "mprotect", "madvise", "mremap", "fork"] as const),
  ...(["exec", "exit", "touch", "device", "dma_map", "dma_unmap"] as const),
] as const satisfies readonly Call["call"][];

/** Bits beside the kind, in its column. */
const WRITABLE = 16;
const ACCESSIBLE = 32;
const SHARED = 64;
const FILE = 128;
const POPULATE = 256;
/** The number of an advice stands from this bit on. */
const ADVICE_SHIFT = 16;

/** Numbers of an operation: time, tid, pid, line, kind with bits, and four of the call. */
const WIDTH = 9;
const BLOCK = 4096;

export class OperationStore implements Iterable<Operation> {
  readonly #blocks: Float64Array[] = [];
  #length = 0;
  #last_ns = 0;

  get length(): number {
    return this.#length;
  }

  /** Appends, and says where. A time before the last one becomes that: all is in order. */
  push(at_ns: number, tid: number, pid: number, line: number, call: Call): number {
    const index = this.#length++;
    const at = index % BLOCK;
    if (at === 0) this.#blocks.push(new Float64Array(BLOCK * WIDTH));
    const block = this.#blocks[this.#blocks.length - 1]!;
    const from = at * WIDTH;
    this.#last_ns = Math.max(this.#last_ns, at_ns);
    block[from] = this.#last_ns;
    block[from + 1] = tid;
    block[from + 2] = pid;
    block[from + 3] = line;
    block[from + 4] = KINDS.indexOf(call.call) + bitsOf(call);
    const [a, b = 0, c = 0, d = 0] = numbersOf(call);
    block[from + 5] = a;
    block[from + 6] = b;
    block[from + 7] = c;
    block[from + 8] = d;
    return index;
  }

  /** The span of an operation that has one, as it turns out to be. */
  setSpan(index: number, { start, end }: Span): void {
    const block = this.#blocks[Math.floor(index / BLOCK)]!;
    const from = (index % BLOCK) * WIDTH;
    block[from + 5] = start;
    block[from + 6] = end;
  }

  /**
   * Makes the last operation, a touch of the same task and kind that ends at `page`, a page longer.
   * False if it is no such touch.
   */
  extendTouch(tid: number, pid: number, page: number, write: boolean): boolean {
    if (this.#length === 0) return false;
    const block = this.#blocks[this.#blocks.length - 1]!;
    const from = ((this.#length - 1) % BLOCK) * WIDTH;
    const kind = KINDS.indexOf("touch") + (write ? WRITABLE : 0);
    const same = block[from + 1] === tid && block[from + 2] === pid && block[from + 4] === kind;
    if (!same || block[from + 6] !== page) return false;
    block[from + 6] = page + 4096;
    return true;
  }

  *[Symbol.iterator](): Generator<Operation, void, undefined> {
    for (let i = 0; i < this.#length; i++) {
      const block = this.#blocks[Math.floor(i / BLOCK)]!;
      const from = (i % BLOCK) * WIDTH;
      yield {
        at_ns: block[from]!,
        tid: block[from + 1]!,
        pid: block[from + 2]!,
        line: block[from + 3]!,
        call: callOf(block, from + 4),
      };
    }
  }
}

function bitsOf(call: Call): number {
  switch (call.call) {
    case "mmap":
      return (
        (call.writable ? WRITABLE : 0) +
        (call.accessible ? ACCESSIBLE : 0) +
        (call.shared ? SHARED : 0) +
        (call.file ? FILE : 0) +
        (call.populate ? POPULATE : 0)
      );
    case "mprotect":
      return (call.writable ? WRITABLE : 0) + (call.accessible ? ACCESSIBLE : 0);
    case "touch":
    case "device":
      return call.write ? WRITABLE : 0;
    case "madvise":
      return ADVICE.indexOf(call.advice) << ADVICE_SHIFT;
    default:
      return 0;
  }
}

function numbersOf(call: Call): readonly [number, number?, number?, number?] {
  switch (call.call) {
    case "mremap":
      return [call.from.start, call.from.end, call.to.start, call.to.end];
    case "fork":
      return [call.child];
    case "exec":
    case "exit":
      return [0];
    case "device":
      return [call.span.start, call.span.end, call.device];
    case "dma_map":
    case "dma_unmap":
      return [call.pages, call.iova ?? -1];
    default:
      return [call.span.start, call.span.end];
  }
}

function callOf(block: Float64Array, at: number): Call {
  const bits = block[at]!;
  const kind = KINDS[bits & 15]!;
  const a = block[at + 1]!;
  const b = block[at + 2]!;
  const span: Span = { start: a, end: b };
  const writable = (bits & WRITABLE) !== 0;
  const accessible = (bits & ACCESSIBLE) !== 0;
  switch (kind) {
    case "mmap":
      return {
        call: kind,
        span,
        writable,
        accessible,
        shared: (bits & SHARED) !== 0,
        file: (bits & FILE) !== 0,
        populate: (bits & POPULATE) !== 0,
      };
    case "munmap":
      return { call: kind, span };
    case "mprotect":
      return { call: kind, span, writable, accessible };
    case "madvise":
      return { call: kind, span, advice: ADVICE[bits >> ADVICE_SHIFT] as Advice };
    case "mremap":
      return { call: kind, from: span, to: { start: block[at + 3]!, end: block[at + 4]! } };
    case "fork":
      return { call: kind, child: a };
    case "touch":
      return { call: kind, span, write: writable };
    case "device":
      return { call: kind, span, write: writable, device: block[at + 3]! };
    case "dma_map":
    case "dma_unmap":
      return b < 0 ? { call: kind, pages: a } : { call: kind, pages: a, iova: b };
    default:
      return { call: kind };
  }
}
