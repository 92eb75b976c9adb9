// SPDX-License-Identifier: Apache-2.0
// Operations of all CPUs in the order of time, as columns: a million of them are 32 MB.

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

  /** CPUs that run anything. */
  get cpus(): number {
    return this.numbers.size;
  }

  /** Operations of one CPU are added in the order in which it runs them. */
  add(cpu: number, at_ns: number, course: number, base: number, repeat = 1): void {
    if (this.length === this.cpu.length) this.grow();
    const number = this.numbers.get(cpu) ?? this.numbers.size;
    this.numbers.set(cpu, number);
    const i = this.length++;
    this.cpu[i] = number;
    this.at[i] = at_ns;
    this.course[i] = course;
    this.base[i] = base;
    this.repeat[i] = repeat;
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
