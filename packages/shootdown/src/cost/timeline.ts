// SPDX-License-Identifier: Apache-2.0
// Operations of all CPUs in the order of time, as columns: a million of them are 32 MB.

/** Operations of each CPU, one after the other; -1 ends them. */
export interface Chains {
  readonly first: Int32Array;
  readonly next: Int32Array;
}

/** Grows by doubling; `length` are in use. */
export class Timeline {
  length = 0;
  /** CPU of each operation, numbered from 0 in the order of first use. */
  cpu = new Int32Array(1024);
  course = new Int32Array(1024);
  /** When it is asked for, in nanoseconds. */
  at = new Float64Array(1024);
  /** Its first page, absolute. */
  base = new Float64Array(1024);
  /** How often in a row, one page further each time. */
  repeat = new Float64Array(1024);
  private readonly numbers = new Map<number, number>();
  private chained: Chains | undefined;

  /** CPUs that run anything. */
  get cpus(): number {
    return this.numbers.size;
  }

  /** Once all are added. */
  get chains(): Chains {
    return (this.chained ??= chainsOf(this));
  }

  /** Operations of one CPU are added in the order in which it runs them. */
  add(cpu: number, at_ns: number, course: number, base: number, repeat = 1): void {
    if (this.length === this.cpu.length) this.grow();
    const number = this.numberOf(cpu);
    this.chained = undefined;
    const i = this.length++;
    this.cpu[i] = number;
    this.at[i] = at_ns;
    this.course[i] = course;
    this.base[i] = base;
    this.repeat[i] = repeat;
  }

  /**
   * The same operations with other CPUs and courses. Nothing is added to it or to this one then:
   * they share columns.
   */
  as(cpuOf: (cpu: number) => number, courses: readonly number[]): Timeline {
    const { length, at, base, repeat } = this;
    const other = new Timeline();
    const cpus = Array.from(this.numbers.keys(), (cpu) => other.numberOf(cpuOf(cpu)));
    const cpu = renumbered(this.cpu, cpus, length);
    return Object.assign(other, {
      ...{ length, at, base, repeat, cpu },
      course: renumbered(this.course, courses, length),
    });
  }

  private numberOf(cpu: number): number {
    let number = this.numbers.get(cpu);
    if (number === undefined) this.numbers.set(cpu, (number = this.numbers.size));
    return number;
  }

  private grow(): void {
    const { cpu, course, at, base, repeat, length } = this;
    this.cpu = new Int32Array(2 * length);
    this.course = new Int32Array(2 * length);
    this.at = new Float64Array(2 * length);
    this.base = new Float64Array(2 * length);
    this.repeat = new Float64Array(2 * length);
    this.cpu.set(cpu);
    this.course.set(course);
    this.at.set(at);
    this.base.set(base);
    this.repeat.set(repeat);
  }
}

function renumbered(column: Int32Array, to: readonly number[], length: number): Int32Array {
  if (to.every((number, n) => number === n)) return column;
  const found = new Int32Array(length);
  for (let i = 0; i < length; i++) found[i] = to[column[i]!]!;
  return found;
}

function chainsOf({ cpu, cpus, length }: Timeline): Chains {
  const next = new Int32Array(length).fill(-1);
  const first = new Int32Array(cpus).fill(-1);
  const last = new Int32Array(cpus);
  for (let i = 0; i < length; i++) {
    const c = cpu[i]!;
    if (first[c]! < 0) first[c] = i;
    else next[last[c]!] = i;
    last[c] = i;
  }
  return { first, next };
}
