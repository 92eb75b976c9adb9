// SPDX-License-Identifier: Apache-2.0
// A packed state for people: the name and value of every variable that is not a program counter.

import type { FieldDecl } from "../ir/expr.ts";
import type { CellDecl, PendingDecl } from "../ir/machine.ts";
import type { AnySort } from "../ir/sort.ts";
import { rangeBits } from "./layout.ts";
import type { PackedMachine } from "./packed.ts";
import { entryOffsets, loader } from "./packed-expr.ts";
import type { Domain } from "./program.ts";
import { nameOf } from "./program.ts";
import { wordLayout } from "./word.ts";

/** How a value of a sort is written; undefined leaves it to `showValue`. */
export type Formatter = (sort: AnySort, value: number, domain: Domain) => string | undefined;

/** A value as text: names of the domain, `{field:value}` for words, `lo..hi` for ranges. */
export function showValue(
  sort: AnySort,
  value: number,
  domain: Domain,
  format: Formatter = () => undefined,
): string {
  const special = format(sort, value, domain);
  if (special !== undefined) return special;
  if (sort.kind === "range") {
    const bits = rangeBits(sort, domain);
    const lo = value & (2 ** bits - 1);
    const hi = value >>> bits;
    const name = (n: number) => showValue(sort.element!, n, domain, format);
    if (lo >= hi) return "nothing";
    return hi - lo === 1 ? name(lo) : `${name(lo)}..${name(hi - 1)}`;
  }
  if (sort.kind === "word") {
    const layout = wordLayout(sort, domain);
    const parts = layout.fields.map((f) => `${f.name}:${layout.get(value, f.name)}`);
    return `{${parts.join()}}`;
  }
  return nameOf(sort, value, domain);
}

/** A variable of a state: an element of a field, a cell, a pending set. */
export interface Variable {
  readonly decl: FieldDecl | CellDecl | PendingDecl;
  /** Its keys, as numbers of the domain and as text. */
  readonly index: readonly number[];
  readonly keys: readonly string[];
  /** The value, those that a cell holds, or the entries that are outstanding, in order. */
  readonly values: readonly number[];
  readonly texts: readonly string[];
  /** Number of the cell or the pending set among those of the program; of a field 0. */
  readonly instance: number;
}

/** `name[key,key]`. */
export const variableName = ({ decl, keys }: Variable): string =>
  keys.length === 0 ? decl.name : `${decl.name}[${keys.join()}]`;

/** Every variable of the scratch state: fields, cells and pending entries, in this order. */
export function variablesOf(machine: PackedMachine, format?: Formatter): Variable[] {
  return [...fieldsOf(machine, format), ...cellsOf(machine, format), ...setsOf(machine, format)];
}

/** Those of the pending sets alone. */
export const outstandingOf = (machine: PackedMachine, format?: Formatter): Variable[] => [
  ...setsOf(machine, format),
];

/** All of them by name, as one text each. */
export function describeState(
  machine: PackedMachine,
  format?: Formatter,
): ReadonlyMap<string, string> {
  const shown = variablesOf(machine, format).map((v) => {
    const between = v.decl.kind === "cell" ? " | " : "; ";
    return [variableName(v), v.texts.join(between) || "-"] as const;
  });
  return new Map(shown);
}

function keyTexts(
  sorts: readonly AnySort[],
  index: readonly number[],
  domain: Domain,
  format: Formatter | undefined,
): string[] {
  return index.map((v, i) => showValue(sorts[i]!, v, domain, format));
}

function* fieldsOf(machine: PackedMachine, format: Formatter | undefined): Iterable<Variable> {
  const { program, layout, state } = machine;
  const { domain } = program;
  for (const { decl, sizes, elements } of layout.fields.values()) {
    for (const [n, bits] of elements.entries()) {
      const index = sizes.map((size, d) => {
        const below = sizes.slice(d + 1).reduce((a, b) => a * b, 1);
        return Math.floor(n / below) % size;
      });
      const value = loader(state, bits)();
      const keys = keyTexts(decl.index, index, domain, format);
      const texts = [showValue(decl.value, value, domain, format)];
      yield { decl, index, keys, values: [value], texts, instance: 0 };
    }
  }
}

function* cellsOf(machine: PackedMachine, format: Formatter | undefined): Iterable<Variable> {
  const { cells, domain } = machine.program;
  let number = 0;
  for (const [g, { decl, instances }] of cells.entries()) {
    const sorts = Object.values(decl.keys);
    for (const [n, { key: index }] of instances.entries()) {
      const values = machine.contents(g, n);
      const texts = values.map((v) => showValue(decl.value, v, domain, format));
      const keys = keyTexts(sorts, index, domain, format);
      yield { decl, index, keys, values, texts, instance: number++ };
    }
  }
}

function* setsOf(machine: PackedMachine, format: Formatter | undefined): Iterable<Variable> {
  const { program, layout, state } = machine;
  const { domain } = program;
  for (const [instance, { decl, key: index }] of program.pending.entries()) {
    const fields = Object.entries(decl.entry);
    const offsets = entryOffsets(fields, domain);
    const values = layout.pending[instance]!.map((bits) => loader(state, bits)()).filter(Boolean);
    const texts = values.map((e) =>
      fields
        .map(([, sort], f) =>
          showValue(sort, (e >>> offsets[f]!.offset) & offsets[f]!.mask, domain, format),
        )
        .join(" "),
    );
    const keys = keyTexts(Object.values(decl.keys), index, domain, format);
    yield { decl, index, keys, values, texts, instance };
  }
}
