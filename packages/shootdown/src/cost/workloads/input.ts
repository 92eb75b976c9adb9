// SPDX-License-Identifier: Apache-2.0
// What every reader of workloads gives back, and what it finds wrong on the way.
import type { ImportError } from "../../trace/importers/bytes.ts";
import type { Workload } from "../workload.ts";
import type { Populated } from "./address-space.ts";
import { CODES, type Code, MAX_PROBLEMS, type Place, type Problem, problemAt } from "./problem.ts";
import type { OperationStore } from "./store.ts";

export interface ReadOptions {
  /** Where the input does not show page faults; default "all". */
  readonly populated?: Populated;
  readonly title?: string;
  readonly provenance?: string;
}

export type ReadResult =
  | { readonly workload: Workload }
  | { readonly diagnostics: readonly Problem[] };

export interface About {
  /** What was looked for, as "system calls of strace". */
  readonly what: string;
  /** How to get some. */
  readonly hint: string;
  readonly title: string;
  readonly provenance: string;
}

/** Problems and lines that say nothing, of one input. */
export class Findings {
  readonly file: string;
  readonly #problems: Problem[] = [];
  #ignored = 0;
  #first: { readonly line: number; readonly why: string } | undefined;

  constructor(file: string) {
    this.file = file;
  }

  /** So many problems that nobody reads on. */
  get enough(): boolean {
    return this.#problems.length >= MAX_PROBLEMS;
  }

  add(place: Place, code: Code, message: string, ...notes: string[]): void {
    if (!this.enough) this.#problems.push(problemAt(place, code, message, ...notes));
  }

  /** A line that says nothing here: counted, and said. */
  ignored(line: number, why: string): void {
    if (/gzip/.test(why)) {
      this.add({ file: this.file, line, column: 1, length: 0, source: "" }, CODES.format, why);
    }
    this.#ignored++;
    this.#first ??= { line, why };
  }

  damaged(error: ImportError): void {
    const { line, column, message } = error;
    const text = message.replace(/^line \d+, column \d+: /, "");
    this.add({ file: this.file, line, column, length: 0, source: "" }, CODES.format, text);
  }

  result(operations: OperationStore, assumptions: readonly string[], about: About): ReadResult {
    const place: Place = { file: this.file, line: 1, column: 1, length: 0, source: "" };
    if (this.#problems.length === 0 && operations.length === 0) {
      const first = this.#first;
      const but = first === undefined ? "" : `; line ${first.line} is ${first.why}`;
      this.add(place, CODES.empty, `an empty workload: no ${about.what}${but}`, about.hint);
    }
    if (this.#problems.length > 0) return { diagnostics: this.#problems };
    return {
      workload: {
        name: this.file,
        title: about.title,
        provenance: about.provenance,
        assumptions: [...assumptions, ...this.#remarks()],
        operations,
      },
    };
  }

  #remarks(): string[] {
    const first = this.#first;
    if (first === undefined) return [];
    const count = this.#ignored === 1 ? "1 line is" : `${this.#ignored} lines are`;
    return [`${count} left out, the first is line ${first.line}: ${first.why}`];
  }
}
