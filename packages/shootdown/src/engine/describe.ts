// SPDX-License-Identifier: Apache-2.0
// A packed state for people: the name and value of every variable that is not a program counter.

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

/** Every variable of the scratch state: fields, cells and pending entries, by name. */
export function describeState(
  machine: PackedMachine,
  format?: Formatter,
): ReadonlyMap<string, string> {
  const { program, layout, state } = machine;
  const { domain } = program;
  const out = new Map<string, string>();
  const key = (sorts: readonly AnySort[], index: readonly number[]) =>
    index.map((v, i) => showValue(sorts[i]!, v, domain, format)).join();
  for (const f of layout.fields.values()) {
    for (const [n, bits] of f.elements.entries()) {
      const index = f.sizes.map((size, d) => {
        const below = f.sizes.slice(d + 1).reduce((a, b) => a * b, 1);
        return Math.floor(n / below) % size;
      });
      const value = showValue(f.decl.value, loader(state, bits)(), domain, format);
      const at = key(f.decl.index, index);
      out.set(at === "" ? f.decl.name : `${f.decl.name}[${at}]`, value);
    }
  }
  for (const [g, group] of program.cells.entries()) {
    const sorts = Object.values(group.decl.keys);
    for (const [n, instance] of group.instances.entries()) {
      const held = machine
        .contents(g, n)
        .map((v) => showValue(group.decl.value, v, domain, format));
      out.set(`${group.decl.name}[${key(sorts, instance.key)}]`, held.join(" | ") || "-");
    }
  }
  for (const [n, p] of program.pending.entries()) {
    const fields = Object.entries(p.decl.entry);
    const offsets = entryOffsets(fields, domain);
    const entries = layout.pending[n]!.map((bits) => loader(state, bits)()).filter((e) => e !== 0);
    const texts = entries.map((e) =>
      fields
        .map(([, sort], f) =>
          showValue(sort, (e >>> offsets[f]!.offset) & offsets[f]!.mask, domain, format),
        )
        .join(" "),
    );
    const at = key(Object.values(p.decl.keys), p.key);
    out.set(at === "" ? p.decl.name : `${p.decl.name}[${at}]`, texts.join("; ") || "-");
  }
  return out;
}
