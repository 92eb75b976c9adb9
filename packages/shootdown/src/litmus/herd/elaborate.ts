// SPDX-License-Identifier: Apache-2.0
// From a herd test to a system: one agent a step, which waits for what the control says.
//
//   access ─► "P0:0 LDR W1,[X0] walk"   TRANSLATE: a TLB entry or a walk, captured
//          └► "P0:0 LDR W1,[X0]"        the access with that entry, or its fault
//
// Window control is this: a done bit a step instead of a program counter (docs/HERD.md).

import type { Domain, Initial, System } from "../../engine/program.ts";
import { wordLayout } from "../../engine/word.ts";
import {
  captured,
  instructions,
  memory_at,
  owes,
  performed,
  translated,
  X,
} from "../../hardware/arm64/instructions.ts";
import {
  prefetched,
  tlb,
  unordered_store,
  unordered_upper,
  walk_cache,
  walk_under_way,
} from "../../hardware/arm64/tlb.ts";
import { KNOBS, PARTS } from "../../hardware/machines.ts";
import { kernelAt } from "../../ir/kernel.ts";
import type { Machine } from "../../ir/machine.ts";
import { desc } from "../../vocabulary/descriptor.ts";
import { pmd, pte_table } from "../../vocabulary/state.ts";
import type { Descriptor, HerdTest } from "./ast.ts";
import { decode } from "./decode.ts";
import { type Control, orderOf, type SlotOrder } from "./order.ts";
import { type Facts, factsOf, initialWord } from "./possible.ts";
import { type Decoded, type Path, pathsOf } from "./program.ts";
import { Steps } from "./steps.ts";
import { keyOf, Unsupported, type Word, ZERO } from "./words.ts";

export interface HerdSystem {
  readonly system: System;
  readonly threads: readonly Decoded[];
  readonly facts: Facts;
  readonly words: Interned;
  /** Whether an access of this slot faults with this entry, and so on: over packed values. */
  readonly descriptorOf: (packed: number) => Descriptor;
}

/** Words by number. */
export class Interned {
  private readonly numbers = new Map<string, number>();
  readonly all: Word[] = [];

  constructor() {
    this.number(ZERO);
  }

  number(w: Word): number {
    const key = keyOf(w);
    let n = this.numbers.get(key);
    if (n === undefined) {
      this.numbers.set(key, (n = this.all.length));
      this.all.push(w);
    }
    return n;
  }
}

/** What the steps of a test are made from. */
export interface Setting {
  readonly test: HerdTest;
  /** By thread. */
  readonly paths: readonly (readonly Path[])[];
  readonly facts: Facts;
  readonly orders: ReadonlyMap<number, SlotOrder>;
  readonly control: Control;
  readonly ets2: boolean;
  readonly words: Interned;
  readonly packed: (d: Descriptor) => number;
  readonly page: (name: string) => number;
}

/** Pointers to pointers to pointers are not followed. */
const DECODINGS_MAX = 3;

/** Decodes until every access has one address. */
function analyse(test: HerdTest) {
  let addresses: ReadonlyMap<number, readonly Word[]> = new Map();
  for (let n = 0; n < DECODINGS_MAX; n++) {
    const { threads, slots } = decode(test, addresses);
    const paths = threads.map((d) => pathsOf(d));
    const facts = factsOf(test, paths.flat());
    if (facts.several.size === 0) return { threads, slots, paths, facts };
    addresses = new Map([...addresses, ...facts.several]);
  }
  throw new Unsupported("a computed address");
}

/** Throws Unsupported. */
export function elaborateHerd(test: HerdTest, control: Control, ets2: boolean): HerdSystem {
  const { threads, slots, paths, facts } = analyse(test);
  const orders = new Map(paths.flat().flatMap((p) => [...orderOf(p, control)]));
  const words = new Interned();
  const { names } = facts;
  const sizes = {
    ...{ cpu: test.threads.length, agent: test.threads.length, mm: 1, asid: 1, pasid: 1, dev: 1 },
    ...{ va: names.length, region: 1, table: 1, pfn: names.length, signal: 1, int: 4 },
    ...{ slot: Math.max(1, slots), source: slots + 1, value: 1 },
  };
  const domain: Domain = {
    sizes,
    names: { va: names, pfn: names },
    limits: limitsFor(names.length),
  };
  const layout = wordLayout(desc, domain);
  const page = (name: string) => names.indexOf(name);
  const packed = (d: Descriptor): number => {
    const put = { valid: d.valid, AF: d.af, RDONLY: 1 - d.db, DBM: d.dbm, pfn: page(d.oa!) };
    return Object.entries(put).reduce((w, [f, v]) => layout.put(w, f, v), 0);
  };
  const descriptorOf = (w: number): Descriptor => ({
    oa: names[layout.get(w, "pfn")]!,
    valid: layout.get(w, "valid"),
    af: layout.get(w, "AF"),
    db: 1 - layout.get(w, "RDONLY"),
    dbm: layout.get(w, "DBM"),
    el0: 1,
    attrs: [],
  });
  const steps = new Steps({ test, paths, facts, orders, control, ets2, words, packed, page });
  const agents = steps.agents();
  const initial = initialState(
    test,
    facts,
    words,
    packed,
    layout.put(layout.put(0, "valid", 1), "table", 1),
  );
  sizes.value = words.all.length;
  const system: System = {
    machine: PE,
    kernel: kernelAt("none", "0.0", []),
    domain,
    knobs: KNOB_VALUES,
    threads: agents,
    observers: [],
    initial,
    entries: [],
    watched: [X, captured, translated, performed, owes, memory_at]
      .map((f) => f.decl)
      .concat(pte_table.decl),
  };
  return { system, threads, facts, words, descriptorOf };
}

function limitsFor(pages: number): Record<string, number> {
  return {
    ...{ VA_START: 0, TASK_SIZE: pages, PTRS_PER_PTE: pages, PTRS_PER_PTE_MINUS_1: pages - 1 },
    ...{ CMDQ_MAX_TLBI_OPS: pages, MAX_TLBI_OPS: pages, MAX_TLBI_OPS_TABLES: pages },
    MAX_TLBI_RANGE_PAGES: pages,
    ...{ CPU_ASIDS: 1, TLBI_OUTSTANDING: 1, CMDQ_ENTRIES: 1 },
  };
}

/** A PE on its own: no SMMU, no device. Hardware management is said by the test, not by a knob. */
const KNOB_VALUES = Object.fromEntries([
  ...PARTS.map((p) => [p.name, "no"]),
  ...KNOBS.map((k) => [k.name, k.values[0]]),
]) as Readonly<Record<string, string>>;

const PE: Machine = {
  cells: [unordered_store, unordered_upper, walk_cache, walk_under_way, tlb, prefetched].map(
    (c) => c.decl,
  ),
  pending: [],
  rules: [],
  definitions: instructions,
};

function initialState(
  test: HerdTest,
  facts: Facts,
  words: Interned,
  packed: (d: Descriptor) => number,
  table: number,
): Initial[] {
  const initial: Initial[] = [{ field: pmd.decl, index: [0, 0], value: table }];
  for (const [n, name] of facts.names.entries()) {
    const value = packed(facts.initialEntry(name));
    initial.push({ field: pte_table.decl, index: [0, n], value });
    const word = words.number(initialWord(test, name));
    initial.push({ field: memory_at.decl, index: [n], value: word });
  }
  return initial;
}
