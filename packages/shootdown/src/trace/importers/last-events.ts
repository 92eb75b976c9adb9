// SPDX-License-Identifier: Apache-2.0
// The last event of each CPU, if somebody wanted it: a stack that comes next belongs to it.
//
// The scanner in WebAssembly says in its memory which event was the last one of a CPU: the number
// of a record, 0 for one that nobody wanted, less for one whose line is on the shelf.
import type { RawEvent } from "./raw-event.ts";
import { CPUS, MAX_CPUS, STATE } from "./scan/layout.ts";
import type { ScanMemory } from "./scan/memory.ts";

export class LastEvents {
  readonly #memory: ScanMemory | undefined;
  readonly #events: (RawEvent | undefined)[] = [];
  /** What the memory has for each of these. */
  readonly #numbers: number[] = [];

  constructor(memory: ScanMemory | undefined) {
    this.#memory = memory;
  }

  /** The last event of a CPU is none that somebody has. */
  none(cpu: number): void {
    this.#events[cpu] = undefined;
    this.#mark(cpu, 0);
  }

  /** Its line is in a slot of the shelf. */
  waits(cpu: number, slot: number): void {
    this.#mark(cpu, -1 - slot);
  }

  /** Whether that of a slot is the last one of its CPU. */
  isWaiting(cpu: number, slot: number): boolean {
    return cpu < MAX_CPUS && this.#memory?.word(CPUS + 4 * cpu) === -1 - slot;
  }

  is(event: RawEvent): void {
    const { cpu } = event;
    this.#events[cpu] = event;
    if (this.#memory === undefined) return;
    const number = this.#memory.word(STATE.sequence) + 1;
    this.#memory.setWord(STATE.sequence, number);
    this.#numbers[cpu] = number;
    this.#mark(cpu, number);
  }

  /** An event of the scanner's, with the number of its record. */
  recorded(event: RawEvent, number: number): void {
    this.#events[event.cpu] = event;
    this.#numbers[event.cpu] = number;
  }

  of(cpu: number): RawEvent | undefined {
    const event = this.#events[cpu];
    if (this.#memory === undefined || cpu >= MAX_CPUS) return event;
    return this.#memory.word(CPUS + 4 * cpu) === this.#numbers[cpu] ? event : undefined;
  }

  #mark(cpu: number, number: number): void {
    if (cpu < MAX_CPUS) this.#memory?.setWord(CPUS + 4 * cpu, number);
  }
}
