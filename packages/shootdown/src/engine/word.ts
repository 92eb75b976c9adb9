// SPDX-License-Identifier: Apache-2.0
// Layout of word sorts: where each bit field lies, for the sizes of a domain.
//
//   least significant first; a field with an `overlay` shares the bits of the field it names

import { bitsFor } from "../base/bits.ts";
import type { AnySort } from "../ir/sort.ts";
import type { Domain } from "./program.ts";
import { sizeOf } from "./program.ts";

export interface FieldBits {
  readonly name: string;
  readonly sort: AnySort;
  readonly offset: number;
  readonly width: number;
}

export interface WordLayout {
  readonly fields: readonly FieldBits[];
  readonly width: number;
  field(name: string): FieldBits;
  /** Plain arithmetic, so words may be wider than 32 bits (up to 53). */
  get(value: number, name: string): number;
  put(value: number, name: string, to: number): number;
}

const cache = new WeakMap<Domain, Map<AnySort, WordLayout>>();

export function wordLayout(sort: AnySort, domain: Domain): WordLayout {
  let layouts = cache.get(domain);
  if (!layouts) cache.set(domain, (layouts = new Map()));
  let layout = layouts.get(sort);
  if (!layout) layouts.set(sort, (layout = makeLayout(sort, domain)));
  return layout;
}

function makeLayout(sort: AnySort, domain: Domain): WordLayout {
  if (!sort.fields) throw new Error(`${sort.name} is not a word`);
  // An overlaid field makes its host as wide as the wider of the two.
  const width = new Map<string, number>();
  for (const f of sort.fields) {
    const host = f.overlay ?? f.name;
    width.set(host, Math.max(width.get(host) ?? 0, bitsFor(sizeOf(f.sort, domain))));
  }
  const fields = new Map<string, FieldBits>();
  let offset = 0;
  for (const f of sort.fields) {
    const host = f.overlay ?? f.name;
    const at = f.overlay ? fields.get(f.overlay)!.offset : offset;
    fields.set(f.name, { name: f.name, sort: f.sort, offset: at, width: width.get(host)! });
    if (!f.overlay) offset += width.get(host)!;
  }
  if (offset > 53) throw new Error(`${sort.name} is ${offset} bits wide; 53 are the most`);
  const bits = (name: string): FieldBits => {
    const f = fields.get(name);
    if (!f) throw new Error(`${sort.name} has no field ${name}`);
    return f;
  };
  const get = (value: number, name: string): number => {
    const f = bits(name);
    return Math.floor(value / 2 ** f.offset) % 2 ** f.width;
  };
  return {
    fields: [...fields.values()],
    width: offset,
    field: bits,
    get,
    put: (value, name, to) => value + (to - get(value, name)) * 2 ** bits(name).offset,
  };
}
