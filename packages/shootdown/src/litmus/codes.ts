// SPDX-License-Identifier: Apache-2.0
// The codes of the diagnostics of scenarios; docs/LITMUS.md explains each. Numbers are not reused.

import type { Diagnostic, Note } from "../base/diagnostic.ts";
import type { Span } from "../base/span.ts";

export const CODES = {
  L001: "empty file",
  L002: "not a text file",
  L003: "file too large",
  L004: "comment without an end",
  L005: "character that begins nothing",
  L006: "not a scenario",
  L007: "malformed scenario name",
  L008: "something else expected",
  L009: "nested too deeply",
  L010: "no sentence of intent",
  L011: "malformed Result line",
  L012: "unknown routine",
  L013: "unknown name",
  L014: "name declared twice",
  L015: "name of the wrong kind",
  L016: "attributes that exclude each other",
  L017: "unknown declaration",
  L018: "unknown attribute",
  L019: "impossible initial state",
  L020: "unknown statement",
  L021: "wrong arguments",
  L022: "unknown property",
  L023: "impossible range",
  L024: "agent with two programs",
  L025: "reserved word as a name",
  L026: "number out of range",
  L027: "Result or Rules line outside the head comment",
  L028: "statement that this agent cannot run",
  L029: "contradicting or repeated Result lines",
  L030: "no program or no condition",
  L031: "unknown or repeated id in a line of the head",
  L032: "edit of a statement that is not there",
  L033: "routine that cannot be",
} as const;

export type Code = keyof typeof CODES;

/** Mistakes of form; a second one at the same point only repeats the first. */
const FORM: ReadonlySet<string | undefined> = new Set<string>(["L008", "L030", "H002"]);

/** Diagnostics reported for one file; after these the reader gives up. */
export const MAX_DIAGNOSTICS = 20;

/** Collects the diagnostics of one file; another reader's have codes of its own. */
export class Diagnostics<C extends string = Code> {
  readonly #list: Diagnostic[] = [];
  #closed = false;

  get count(): number {
    return this.#list.length;
  }

  /** No more are taken; whoever reads input should stop. */
  get full(): boolean {
    return this.#closed || this.#list.length >= MAX_DIAGNOSTICS;
  }

  /** Takes no more: what follows from the last mistake would be noise. */
  close(): void {
    this.#closed = true;
  }

  report(code: C, span: Span, message: string, ...notes: (Note | string | undefined)[]): void {
    const last = this.#list.at(-1);
    const echo = FORM.has(code) && FORM.has(last?.code) && last?.span.offset === span.offset;
    if (this.full || echo) return;
    const kept: Note[] = [];
    for (const note of notes) {
      if (typeof note === "string") kept.push({ message: note });
      else if (note !== undefined) kept.push(note);
    }
    this.#list.push({ code, span, message, notes: kept });
  }

  /** In the order of the text. */
  sorted(): Diagnostic[] {
    return [...this.#list].sort((a, b) => a.span.offset - b.span.offset);
  }
}
