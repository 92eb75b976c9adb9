// SPDX-License-Identifier: Apache-2.0
// What a lowering knows of the names of a system, and what each piece of code has asked of it.
//
//   piece ──knob? routine? field?──► Names ──► answer, and a note of it
//
// A piece that was made before is made anew only if one of the answers would be another.

import type { FieldDecl } from "../ir/expr.ts";
import { unsetKnob } from "../ir/expr.ts";
import type { Definition } from "../ir/machine.ts";
import type { Scope } from "./fold.ts";
import type { System } from "./program.ts";
import { sizeOf } from "./program.ts";

/** All that code can depend on in a field: how it begins, if nothing writes it. */
export interface FieldFacts {
  readonly written: boolean;
  /** Some element begins otherwise than declared. */
  readonly begins: boolean;
  /** The value that every element has for ever. */
  readonly uniform: number | undefined;
  /** What elements begin with, if not as declared. */
  readonly values: ReadonlyMap<string, number>;
}

/** The answers that a piece of code rests on. */
export interface Asked {
  readonly version: string;
  readonly knobs: Map<string, string>;
  readonly routines: Map<string, Definition | undefined>;
  readonly fields: Map<FieldDecl, FieldFacts>;
}

/** Facts by content, so that equal ones are one value. */
export type FactTable = Map<FieldDecl, Map<string, FieldFacts>>;

export class Names {
  readonly scope: Scope;
  /** Knobs that were asked for. */
  readonly knobs = new Set<string>();
  private readonly system: System;
  private readonly keepAll: boolean;
  private readonly written: ReadonlySet<string>;
  private readonly table: FactTable;
  private readonly definitions: ReadonlyMap<string, Definition>;
  private readonly initial = new Map<string, Map<string, number>>();
  private readonly facts = new Map<FieldDecl, FieldFacts>();
  private asked: Asked | undefined;

  constructor(
    system: System,
    keepAll: boolean,
    table: FactTable,
    written: (find: (name: string) => Definition | undefined) => ReadonlySet<string>,
  ) {
    this.system = system;
    this.keepAll = keepAll;
    this.table = table;
    this.definitions = new Map(system.machine.definitions.map((d) => [d.name, d]));
    this.written = written((name) => this.routine(name));
    for (const i of system.initial) {
      let values = this.initial.get(i.field.name);
      if (!values) this.initial.set(i.field.name, (values = new Map()));
      values.set(i.index.join(), i.value);
    }
    this.scope = this.makeScope();
  }

  /** The definition that a call gets: the kernel's, or the machine's. */
  readonly find = (name: string): Definition | undefined => {
    const found = this.routine(name);
    this.asked?.routines.set(name, found);
    return found;
  };

  /** Runs `make`, and what it has asked for. */
  asking<T>(make: () => T): { made: T; asked: Asked } {
    const { version } = this.system.kernel;
    const asked: Asked = { version, knobs: new Map(), routines: new Map(), fields: new Map() };
    this.asked = asked;
    try {
      return { made: make(), asked };
    } finally {
      this.asked = undefined;
    }
  }

  /** Whether everything that was asked then has the same answer now. */
  agrees(asked: Asked): boolean {
    if (asked.version !== this.system.kernel.version) return false;
    for (const [name, value] of asked.knobs) if (this.knob(name) !== value) return false;
    for (const [name, found] of asked.routines) if (this.routine(name) !== found) return false;
    for (const [field, facts] of asked.fields) if (this.factsOf(field) !== facts) return false;
    return true;
  }

  /** Counts the knobs as asked for. */
  askedAgain({ knobs }: Asked): void {
    for (const name of knobs.keys()) if (name in this.system.knobs) this.knobs.add(name);
  }

  private routine(name: string): Definition | undefined {
    return this.system.kernel.routines.get(name) ?? this.definitions.get(name);
  }

  private knob(name: string): string | undefined {
    return this.system.knobs[name] ?? unsetKnob(name);
  }

  private makeScope(): Scope {
    const { keepAll } = this;
    return {
      domain: this.system.domain,
      knob: (name) => {
        const value = this.knob(name);
        if (name in this.system.knobs) this.knobs.add(name);
        if (value === undefined) throw new Error(`knob ${name} has no value`);
        this.asked?.knobs.set(name, value);
        return value;
      },
      uniformField: (field) => (keepAll ? undefined : this.ask(field).uniform),
      varies: (field, written) => {
        const facts = this.ask(field);
        return facts.written || (!written && facts.begins);
      },
      isFixed: (field) => !keepAll && !this.ask(field).written,
      constantField: (field, index) => {
        if (keepAll) return undefined;
        const facts = this.ask(field);
        return facts.written ? undefined : (facts.values.get(index.join()) ?? field.initial);
      },
    };
  }

  private ask(field: FieldDecl): FieldFacts {
    const facts = this.factsOf(field);
    this.asked?.fields.set(field, facts);
    return facts;
  }

  private factsOf(field: FieldDecl): FieldFacts {
    let facts = this.facts.get(field);
    if (!facts) this.facts.set(field, (facts = this.look(field)));
    return facts;
  }

  private look(field: FieldDecl): FieldFacts {
    const written = this.written.has(field.name);
    const given = this.initial.get(field.name) ?? new Map<string, number>();
    const text = written ? "written" : [...given].join(";");
    let known = this.table.get(field);
    if (!known) this.table.set(field, (known = new Map()));
    let facts = known.get(text);
    if (!facts) known.set(text, (facts = this.factsFrom(field, written, given)));
    return facts;
  }

  private factsFrom(
    field: FieldDecl,
    written: boolean,
    values: ReadonlyMap<string, number>,
  ): FieldFacts {
    if (written) return { written, begins: true, uniform: undefined, values: new Map() };
    const size = field.index.reduce((n, s) => n * sizeOf(s, this.system.domain), 1);
    const distinct = new Set(values.values());
    const begins = [...distinct].some((v) => v !== field.initial);
    if (values.size < size) distinct.add(field.initial);
    return { written, begins, uniform: distinct.size === 1 ? [...distinct][0] : undefined, values };
  }
}
