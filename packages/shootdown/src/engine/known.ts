// SPDX-License-Identifier: Apache-2.0
// What a lowering knows of the names of a system, and what each piece of code has asked of it.
//
//   piece ──knob? routine? field?──► Names ──► answer, and a note of it
//
// A piece that was made before is made anew only if one of the answers would be another.

import type { FieldDecl } from "../ir/expr.ts";
import { unsetKnob } from "../ir/expr.ts";
import type { Definition, ObserverDecl } from "../ir/machine.ts";
import type { Scope } from "./fold.ts";
import type { Initial, System } from "./program.ts";
import { sizeOf } from "./program.ts";

/** All that code can depend on in a field: how it begins, if nothing writes it. */
export interface FieldFacts {
  readonly written: boolean;
  /** Some element begins otherwise than declared. */
  readonly begins: boolean;
  /** The value that every element has for ever. */
  readonly uniform: number | undefined;
  /** What elements begin with, if not as declared; undefined if there are several ways to begin. */
  readonly values: ReadonlyMap<string, number> | undefined;
}

/** The answers that a piece of code rests on. */
export interface Asked {
  /** The kernel's version, if a statement depends on it. */
  version: string | undefined;
  readonly knobs: Map<string, string>;
  readonly routines: Map<string, Definition | undefined>;
  readonly fields: Map<FieldDecl, FieldFacts>;
  /** By event, the names of those that watch it. */
  readonly events: Map<string, string>;
}

/** Facts by content, so that equal ones are one value. */
export type FactTable = Map<FieldDecl, Map<string, FieldFacts>>;

export class Names {
  readonly scope: Scope;
  private readonly system: System;
  private readonly keepAll: boolean;
  private readonly written: () => ReadonlySet<string>;
  private readonly table: FactTable;
  private readonly definitions: ReadonlyMap<string, Definition>;
  /** By way to begin. */
  private readonly initial: readonly ReadonlyMap<string, Given>[];
  private readonly facts = new Map<FieldDecl, FieldFacts>();
  private readonly watching = new Map<string, string>();
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
    let found: ReadonlySet<string> | undefined;
    this.written = () => {
      found ??= written((name) => this.routine(name));
      return found;
    };
    this.initial = [system.initial, ...(system.others ?? [])].map(givenBy);
    this.scope = this.makeScope();
  }

  /** The definition that a call gets: the kernel's, or the machine's. */
  readonly find = (name: string): Definition | undefined => {
    const found = this.routine(name);
    this.asked?.routines.set(name, found);
    return found;
  };

  /** Those that watch an event. */
  readonly observers = (event: string): readonly ObserverDecl[] => {
    this.asked?.events.set(event, this.watchers(event));
    return this.system.observers;
  };

  /** The kernel's version, for a statement that depends on it. */
  readonly version = (): string => {
    const { version } = this.system.kernel;
    if (this.asked) this.asked.version = version;
    return version;
  };

  /** Knobs of the system that were asked for. */
  knobs({ knobs }: Asked): string[] {
    return [...knobs.keys()].filter((name) => name in this.system.knobs).sort();
  }

  /** Runs `make`, and notes what it asks for. */
  asking<T>(make: (asked: Asked) => T): { made: T; asked: Asked } {
    const outer = this.asked;
    const asked: Asked = {
      version: undefined,
      knobs: new Map(),
      routines: new Map(),
      fields: new Map(),
      events: new Map(),
    };
    this.asked = asked;
    try {
      return { made: make(asked), asked };
    } finally {
      this.asked = outer;
      this.note(asked);
    }
  }

  /** Whether everything that was asked then has the same answer now. */
  agrees(asked: Asked): boolean {
    const { version } = asked;
    if (version !== undefined && version !== this.system.kernel.version) return false;
    for (const [name, value] of asked.knobs) if (this.knob(name) !== value) return false;
    for (const [name, found] of asked.routines) if (this.routine(name) !== found) return false;
    for (const [field, facts] of asked.fields) if (this.factsOf(field) !== facts) return false;
    for (const [event, names] of asked.events) if (this.watchers(event) !== names) return false;
    return true;
  }

  /** Counts all this as asked for. */
  note({ version, knobs, routines, fields, events }: Asked): void {
    const { asked } = this;
    if (!asked) return;
    asked.version ??= version;
    for (const [name, value] of knobs) asked.knobs.set(name, value);
    for (const [name, found] of routines) asked.routines.set(name, found);
    for (const [field, facts] of fields) asked.fields.set(field, facts);
    for (const [event, names] of events) asked.events.set(event, names);
  }

  private watchers(event: string): string {
    let known = this.watching.get(event);
    if (known === undefined) {
      const all = this.system.observers.filter((o) => o.on.some((r) => r.event.name === event));
      this.watching.set(event, (known = all.map((o) => o.name).join()));
    }
    return known;
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
        if (facts.written || !facts.values) return undefined;
        return facts.values.get(index.join()) ?? field.initial;
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
    const written = this.written().has(field.name);
    const [given, ...others] = this.initial.map((i) => i.get(field.name) ?? NOTHING) as Ways;
    const same = others.every((o) => o.text === given.text);
    const text = written ? "written" : same ? given.text : "several";
    let known = this.table.get(field);
    if (!known) this.table.set(field, (known = new Map()));
    let facts = known.get(text);
    if (!facts) {
      facts = same || written ? this.factsFrom(field, written, given.values) : SEVERAL;
      known.set(text, facts);
    }
    return facts;
  }

  private factsFrom(
    field: FieldDecl,
    written: boolean,
    values: ReadonlyMap<string, number>,
  ): FieldFacts {
    if (written) return { written, begins: true, uniform: undefined, values: new Map() };
    const distinct = new Set(values.values());
    const begins = [...distinct].some((v) => v !== field.initial);
    // A field that has no values may be indexed by what this system has none of.
    const all = () => field.index.reduce((n, s) => n * sizeOf(s, this.system.domain), 1);
    if (values.size === 0 || values.size < all()) distinct.add(field.initial);
    return { written, begins, uniform: distinct.size === 1 ? [...distinct][0] : undefined, values };
  }
}

/** What the elements of a field begin with, also as text. */
interface Given {
  readonly values: ReadonlyMap<string, number>;
  readonly text: string;
}

const NOTHING: Given = { values: new Map(), text: "" };

type Ways = [Given, ...Given[]];

/** Of a field that nothing writes, but that does not always begin in the same way. */
const SEVERAL: FieldFacts = { written: false, begins: true, uniform: undefined, values: undefined };

const given = new WeakMap<readonly Initial[], ReadonlyMap<string, Given>>();

/** What is set at the start, by the names of fields. */
function givenBy(initial: readonly Initial[]): ReadonlyMap<string, Given> {
  let known = given.get(initial);
  if (known) return known;
  const fields = new Map<string, Map<string, number>>();
  for (const i of initial) {
    let elements = fields.get(i.field.name);
    if (!elements) fields.set(i.field.name, (elements = new Map()));
    elements.set(i.index.join(), i.value);
  }
  known = new Map(
    [...fields].map(([name, values]) => [name, { values, text: [...values].join(";") }]),
  );
  given.set(initial, known);
  return known;
}
