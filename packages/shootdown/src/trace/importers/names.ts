// SPDX-License-Identifier: Apache-2.0
// Names of events as a reader finds them in a line, and the names that the monitor asks for:
// trace-cmd and perf spell system calls and marks in their own way.
import { ascii, nameHash } from "./ftrace-line.ts";
import type { EventForm } from "./raw-event.ts";
import type { ScannedLine } from "./scanned-line.ts";

/** Distinct event names that are kept when all events are wanted. */
const MAX_KNOWN_NAMES = 4096;

export interface KnownName {
  readonly spelling: string;
  /** The name that events carry. */
  readonly event: string;
  /** What the name says about the form, in trace-cmd's spelling of system calls and marks. */
  readonly form: "enter" | "exit" | "print" | undefined;
}

/** Event names as bytes to the wanted ones, by hash. */
export class NameTable {
  readonly #byHash = new Map<number, KnownName[]>();
  readonly #all: boolean;
  #size = 0;

  constructor(wanted: ReadonlySet<string> | undefined) {
    this.#all = wanted === undefined;
    for (const event of wanted ?? []) {
      this.#add({ spelling: event, event, form: undefined });
      const call = event.startsWith("sys_") ? event.slice(4) : undefined;
      if (call !== undefined) {
        this.#add({ spelling: `sys_enter_${call}`, event, form: "enter" });
        this.#add({ spelling: `sys_exit_${call}`, event, form: "exit" });
      }
      if (event === "tracing_mark_write") this.#add({ spelling: "print", event, form: "print" });
    }
  }

  /** The spellings of all wanted names; undefined where all names are wanted. */
  get spellings(): readonly string[] | undefined {
    if (this.#all) return undefined;
    return [...new Set([...this.#byHash.values()].flat().map(({ spelling }) => spelling))];
  }

  /** The meaning of a spelling in a line of this form. */
  named(spelling: string, form: EventForm): KnownName | undefined {
    return this.#byHash
      .get(nameHash(spelling))
      ?.find((known) => known.spelling === spelling && fits(known, form));
  }

  find(bytes: Uint8Array, line: ScannedLine): KnownName | undefined {
    const length = line.name_end - line.name_start;
    for (const known of this.#byHash.get(line.name_hash) ?? []) {
      if (known.spelling.length !== length) continue;
      let at = 0;
      while (at < length && known.spelling.charCodeAt(at) === bytes[line.name_start + at]) at++;
      if (at === length && fits(known, line.form)) return known;
    }
    return this.#all
      ? this.#learn(ascii(bytes, line.name_start, line.name_end), line.form)
      : undefined;
  }

  #learn(spelling: string, form: EventForm): KnownName {
    const [, step, call] = form === "event" ? (/^sys_(enter|exit)_(.+)$/.exec(spelling) ?? []) : [];
    const name: KnownName =
      call !== undefined
        ? { spelling, event: `sys_${call}`, form: step === "enter" ? "enter" : "exit" }
        : { spelling, event: spelling, form: spelling === "print" ? "print" : undefined };
    // Bounded, for every line of a strange input may have a name of its own.
    if (this.#size < MAX_KNOWN_NAMES) this.#add(name);
    return name;
  }

  #add(name: KnownName): void {
    const hash = nameHash(name.spelling);
    const list = this.#byHash.get(hash);
    if (list === undefined) this.#byHash.set(hash, [name]);
    else list.push(name);
    this.#size++;
  }
}

/**
 * `sys_exit_group: 0x0` is trace-cmd's return of a call `group`, `sys_exit_group(...)` the kernel's
 * entry of `exit_group`: the form of the line tells them apart.
 */
function fits(name: KnownName, form: EventForm): boolean {
  if (name.form === "enter" || name.form === "exit") return form === "event";
  return form !== "event" || !/^sys_(enter|exit)_/.test(name.spelling);
}
