// SPDX-License-Identifier: Apache-2.0
// Follows tasks and their address spaces through the system calls and page faults of a recording,
// whatever it was written in, and makes operations of them.
//
//   strace, perf trace, ftrace ─► Asked: the kernel's numbers ─► tracker ─► store
import type { Advice, Span } from "../workload.ts";
import { CLONE, type Followed, has, MADV, MAP, MREMAP, PROT, VFORK } from "./abi.ts";
import {
  ADDRESS_LIMIT,
  AddressSpace,
  PAGE,
  type Populated,
  pageUp,
  type Step,
} from "./address-space.ts";
import { CODES, type Code } from "./problem.ts";
import { OperationStore } from "./store.ts";

/** A system call that succeeded. */
export interface Asked extends Step {
  readonly name: Followed;
  readonly args: readonly number[];
  readonly result: number;
}

/** What makes a call one that cannot have been. */
export interface Flaw {
  readonly code: Code;
  readonly why: string;
  readonly argument: number | "result";
}

export interface TrackerOptions {
  /** Undefined where the recording has the page faults. */
  readonly populated: Populated | undefined;
  /** Calls may be missing: a mapping where another one was says so, and is no flaw. */
  readonly lossy: boolean;
}

interface Task {
  space: AddressSpace;
  /** The thread group. */
  process: number;
}

const ADVICE_BY_NUMBER: ReadonlyMap<number, Advice> = new Map([
  [MADV["DONTNEED"]!, "MADV_DONTNEED"],
  [MADV["DONTNEED_LOCKED"]!, "MADV_DONTNEED"],
  [MADV["FREE"]!, "MADV_FREE"],
  [MADV["REMOVE"]!, "MADV_REMOVE"],
  [MADV["COLD"]!, "MADV_COLD"],
  [MADV["PAGEOUT"]!, "MADV_PAGEOUT"],
]);

export class Tracker {
  readonly operations = new OperationStore();
  readonly #options: TrackerOptions;
  readonly #tasks = new Map<number, Task>();
  /** Calls after which nothing is flushed, such as MADV_HUGEPAGE. */
  #without = 0;
  #guessed = 0;
  #signals = 0;
  #missed = 0;
  #inferred = 0;
  #first: AddressSpace | undefined;

  constructor(options: TrackerOptions) {
    this.#options = options;
  }

  call(asked: Asked): Flaw | undefined {
    switch (asked.name) {
      case "mmap":
      case "mmap2":
        return this.#mmap(asked);
      case "munmap":
        return this.#munmap(asked);
      case "mprotect":
      case "pkey_mprotect":
        return this.#mprotect(asked);
      case "madvise":
        return this.#madvise(asked);
      case "mremap":
        return this.#mremap(asked);
      case "brk":
        return this.#brk(asked);
      case "clone":
      case "clone3":
      case "fork":
        this.fork(asked, asked.result, asked.args[0] ?? 0);
        return undefined;
      case "vfork":
        this.fork(asked, asked.result, VFORK);
        return undefined;
      case "execve":
      case "execveat":
        this.exec(asked);
        return undefined;
      default:
        this.exit(asked, asked.name === "exit_group");
        return undefined;
    }
  }

  /** A task is made; with CLONE_VM in the same address space. */
  fork(step: Step, child: number, flags: number): void {
    const parent = this.#task(step);
    if (this.#tasks.has(child)) this.exit({ ...step, tid: child }, false);
    if (has(flags, CLONE["VM"]!)) {
      const process = has(flags, CLONE["THREAD"]!) ? parent.process : child;
      this.#join(child, parent.space, process);
      return;
    }
    const { at_ns, tid, line } = step;
    this.operations.push(at_ns, tid, parent.space.pid, line, { call: "fork", child });
    this.#join(child, parent.space.fork(child), child);
  }

  exec(step: Step): void {
    const task = this.#tasks.get(step.tid);
    const process = task?.process ?? step.tid;
    for (const [tid, other] of this.#tasks) if (other.process === process) this.#leave(tid);
    const space = this.#space(process, true);
    // Whichever of its threads asked for it goes on as the first one.
    this.#join(process, space, process);
    this.operations.push(step.at_ns, process, process, step.line, { call: "exec" });
  }

  /** Of the task, or of its whole process. */
  exit(step: Step, group: boolean): void {
    const task = this.#tasks.get(step.tid);
    if (task === undefined) return;
    const { space, process } = task;
    if (group) for (const [tid, one] of this.#tasks) if (one.process === process) this.#leave(tid);
    this.#leave(step.tid);
    if (space.tasks.size > 0) return;
    this.operations.push(step.at_ns, step.tid, space.pid, step.line, { call: "exit" });
  }

  /** A page fault. */
  fault(step: Step, address: number, write: boolean): void {
    if (address >= ADDRESS_LIMIT || address < PAGE) return;
    const { space } = this.#task(step);
    const before = space.inferred;
    if (!space.touch(step, address, write)) this.#signals++;
    this.#inferred += space.inferred - before;
  }

  knows(tid: number): boolean {
    return this.#tasks.has(tid);
  }

  /** Calls are missing from here on, or may be. */
  get missed(): number {
    return this.#missed;
  }

  /** What was taken to be so on the way. */
  remarks(): string[] {
    const remarks: string[] = [];
    const say = (count: number, one: string, more: string) => {
      if (count > 0) remarks.push(count === 1 ? one : `${count} ${more}`);
    };
    say(
      this.#inferred,
      "1 mapping that nobody was seen to make is inferred from its use",
      "mappings that nobody was seen to make are inferred from their use",
    );
    say(
      this.#guessed,
      "1 task whose start was not recorded is taken for a thread of the first process",
      "tasks whose start was not recorded are taken for threads of the first process",
    );
    say(
      this.#missed,
      "1 mapping was made where another one was: calls are missing in the recording",
      "mappings were made where others were: calls are missing in the recording",
    );
    say(
      this.#signals,
      "1 page fault that the mapping does not allow, a signal to the program, is left out",
      "page faults that the mapping does not allow, signals to the program, are left out",
    );
    say(
      this.#without,
      "1 call of madvise that changes no entry at once is left out",
      "calls of madvise that change no entry at once are left out",
    );
    return remarks;
  }

  #mmap(asked: Asked): Flaw | undefined {
    const [address = 0, length = 0, prot = 0, flags = 0] = asked.args;
    const flaw = lengthFlaw(length, 1) ?? addressFlaw(asked.result, length, "result");
    if (flaw !== undefined) return flaw;
    const { space } = this.#task(asked);
    const span = spanOf(asked.result, length);
    const fixed = has(flags, MAP["FIXED"]!);
    if (fixed && address !== asked.result) {
      return flawOf(CODES.number, "MAP_FIXED gives the address that was asked for", "result");
    }
    const conflict = fixed ? undefined : space.conflict(span);
    if (conflict !== undefined) {
      if (!this.#options.lossy && this.#guessed === 0) {
        const why = `the mapping overlaps the one at ${hex(conflict)}, which was not given back`;
        return flawOf(CODES.overlap, why, "result");
      }
      this.#missed++;
    }
    const type = flags & 3;
    space.map(asked, span, {
      writable: has(prot, PROT["WRITE"]!),
      accessible: (prot & 7) !== 0,
      shared: type === MAP["SHARED"] || type === MAP["SHARED_VALIDATE"],
      file: !has(flags, MAP["ANONYMOUS"]!),
      reserved: has(flags, MAP["NORESERVE"]!),
      populate: has(flags, MAP["POPULATE"]!) || has(flags, MAP["LOCKED"]!),
    });
    return undefined;
  }

  #munmap(asked: Asked): Flaw | undefined {
    return this.#ranged(asked, 1, (space, span) => space.unmap(asked, span));
  }

  #mprotect(asked: Asked): Flaw | undefined {
    const prot = asked.args[2] ?? 0;
    return this.#ranged(asked, 0, (space, span) =>
      space.protect(asked, span, has(prot, PROT["WRITE"]!), (prot & 7) !== 0),
    );
  }

  #madvise(asked: Asked): Flaw | undefined {
    const number = asked.args[2] ?? 0;
    const advice = ADVICE_BY_NUMBER.get(number);
    const write = number === MADV["POPULATE_WRITE"];
    return this.#ranged(asked, 0, (space, span) => {
      if (advice !== undefined) space.advise(asked, span, advice);
      else if (write || number === MADV["POPULATE_READ"]) space.populate(asked, span, write);
      else this.#without++;
    });
  }

  #mremap(asked: Asked): Flaw | undefined {
    const [old = 0, oldLength = 0, newLength = 0, flags = 0] = asked.args;
    const flaw =
      addressFlaw(old, oldLength, 0, 1) ??
      lengthFlaw(newLength, 2) ??
      addressFlaw(asked.result, newLength, "result");
    if (flaw !== undefined) return flaw;
    const from = spanOf(old, oldLength);
    const to = spanOf(asked.result, newLength);
    if (from.start !== to.start && from.start < to.end && to.start < from.end) {
      return flawOf(CODES.overlap, `it is moved onto itself, ${hex(from)} to ${hex(to)}`, "result");
    }
    const { space } = this.#task(asked);
    const before = space.inferred;
    space.remap(asked, from, to, has(flags, MREMAP["DONTUNMAP"]!));
    this.#inferred += space.inferred - before;
    return undefined;
  }

  #brk(asked: Asked): Flaw | undefined {
    const [address = 0] = asked.args;
    if (asked.result >= ADDRESS_LIMIT) return addressFlaw(asked.result, 0, "result");
    // The loader of a program asks first of all, and no thread does.
    if (!this.#tasks.has(asked.tid) && address === 0) this.exec(asked);
    this.#task(asked).space.brk(asked, asked.result);
    return undefined;
  }

  #ranged(
    asked: Asked,
    least: number,
    then: (space: AddressSpace, span: Span) => void,
  ): Flaw | undefined {
    const [start = 0, length = 0] = asked.args;
    const flaw =
      (length < least ? lengthFlaw(length, 1) : undefined) ?? addressFlaw(start, length, 0, 1);
    if (flaw !== undefined) return flaw;
    const { space } = this.#task(asked);
    const before = space.inferred;
    if (length > 0) then(space, spanOf(start, length));
    this.#inferred += space.inferred - before;
    return undefined;
  }

  #task(step: Step): Task {
    const known = this.#tasks.get(step.tid);
    if (known !== undefined) return known;
    const first = this.#first;
    if (first === undefined || first.tasks.size === 0) {
      return this.#join(step.tid, this.#space(step.tid, false), step.tid);
    }
    this.#guessed++;
    return this.#join(step.tid, first, first.pid);
  }

  #space(pid: number, whole: boolean): AddressSpace {
    const space = new AddressSpace(pid, whole, this.operations, this.#options.populated);
    if (this.#first === undefined || this.#first.tasks.size === 0) this.#first = space;
    return space;
  }

  #join(tid: number, space: AddressSpace, process: number): Task {
    this.#leave(tid);
    const task = { space, process };
    this.#tasks.set(tid, task);
    space.tasks.add(tid);
    return task;
  }

  #leave(tid: number): void {
    this.#tasks.get(tid)?.space.tasks.delete(tid);
    this.#tasks.delete(tid);
  }
}

const spanOf = (start: number, length: number): Span => ({ start, end: start + pageUp(length) });

const hex = ({ start, end }: Span): string => `0x${start.toString(16)}..0x${end.toString(16)}`;

function flawOf(code: Code, why: string, argument: Flaw["argument"]): Flaw {
  return { code, why, argument };
}

function lengthFlaw(length: number, argument: number): Flaw | undefined {
  if (length > 0 && length <= ADDRESS_LIMIT) return undefined;
  const why = length > 0 ? "a length of more than 2^48 bytes" : "a length of nothing";
  return flawOf(CODES.number, why, argument);
}

/** `second`: the argument that is the length. */
function addressFlaw(
  start: number,
  length: number,
  argument: Flaw["argument"],
  second?: number,
): Flaw | undefined {
  if (second !== undefined && !(length >= 0 && length <= ADDRESS_LIMIT)) {
    return lengthFlaw(length, second);
  }
  if (!(start >= 0 && start < ADDRESS_LIMIT)) {
    return flawOf(CODES.number, "an address that is not below 2^48", argument);
  }
  if (start % PAGE !== 0) {
    return flawOf(CODES.number, "an address that is no multiple of 4096", argument);
  }
  if (start + pageUp(length) <= ADDRESS_LIMIT) return undefined;
  return flawOf(CODES.number, "a range that ends behind 2^48", second ?? argument);
}
