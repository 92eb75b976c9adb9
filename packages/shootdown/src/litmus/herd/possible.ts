// SPDX-License-Identifier: Apache-2.0
// What each location may hold and each access may read: the least sets closed under the program.

import type { Descriptor, HerdTest } from "./ast.ts";
import { DESCRIPTOR_DEFAULTS } from "./ast.ts";
import { managing } from "./managing.ts";
import type { Access, Item, Path } from "./program.ts";
import type { Possible } from "./symbolic.ts";
import { lift, valuesOf } from "./symbolic.ts";
import { descKey, int, keyOf, narrowed, same, Unsupported, type Word, ZERO } from "./words.ts";

/** A location that an access names: a page of data, or its page-table entry. */
export interface Target {
  readonly k: "va" | "pte";
  readonly name: string;
}

export interface Facts {
  /** Every data location, in the test's order. */
  readonly names: readonly string[];
  readonly targets: ReadonlyMap<number, Target>;
  /** Accesses that may be at several addresses, by ordinal: the test is to be decoded again. */
  readonly several: ReadonlyMap<number, readonly Word[]>;
  /** What a slot may read. */
  readonly possible: Possible;
  /** The entries that may stand for a location. */
  readonly entries: (name: string) => readonly Descriptor[];
  /** The words that a physical page may hold. */
  readonly words: (page: string) => readonly Word[];
  readonly initialEntry: (name: string) => Descriptor;
}

/** More values in one place are a computation, not a litmus test. */
const VALUES_MAX = 64;

/** A growing set of values by key. */
class Values<T> {
  private readonly sets = new Map<string, Map<string, T>>();
  changed = false;

  add(at: string, key: string, value: T): void {
    let set = this.sets.get(at);
    if (!set) this.sets.set(at, (set = new Map()));
    if (set.has(key)) return;
    set.set(key, value);
    this.changed = true;
    if (set.size > VALUES_MAX) throw new Unsupported("too many values");
  }

  of(at: string): readonly T[] {
    return [...(this.sets.get(at)?.values() ?? [])];
  }
}

/** Throws Unsupported. */
export function factsOf(test: HerdTest, paths: readonly Path[]): Facts {
  const names = locationNames(test);
  const entries = new Values<Descriptor>();
  const words = new Values<Word>();
  const reads = new Values<Word>();
  const targets = new Map<number, Target>();
  const initialEntry = (name: string): Descriptor => {
    const given = test.ptes.get(name);
    return { ...DESCRIPTOR_DEFAULTS, ...given, oa: given?.oa ?? name };
  };
  for (const name of names) {
    const word = initialWord(test, name);
    words.add(name, keyOf(word), word);
    addEntry(entries, name, initialEntry(name));
  }
  const possible: Possible = (slot) => reads.of(`${slot}`);
  const accesses = [...new Set(paths.flatMap((p) => p.items.filter(isAccess)))];
  // Each access is made once, so that no value is the work of more of them than there are.
  for (let round = 0; round <= accesses.length; round++) {
    entries.changed = words.changed = reads.changed = false;
    if (test.threads.some((x) => managing(x).HA)) {
      for (const name of names) {
        for (const d of entries.of(name)) addEntry(entries, name, { ...d, af: d.valid ? 1 : d.af });
      }
    }
    for (const a of accesses) {
      // Until the results it hangs on are known, nothing can be said.
      const known = a.address.slots.every((s) => possible(s).length > 0);
      const [address, ...others] = known ? valuesOf(a.address, possible) : [];
      if (address === undefined || others.length > 0) continue;
      if (address.k !== "va" && address.k !== "pte") {
        throw new Unsupported(`an access at ${keyOf(address)}`);
      }
      targets.set(a.slot, address);
      visit(a, address, { test, entries, words, reads, possible });
    }
    if (!entries.changed && !words.changed && !reads.changed) break;
  }
  const several = severalAddresses(accesses, possible);
  if (several.size === 0) checkExclusives(accesses, targets);
  return {
    names,
    targets,
    several,
    possible,
    entries: (n) => entries.of(n),
    words: (n) => words.of(n),
    initialEntry,
  };
}

export const initialWord = (test: HerdTest, name: string): Word =>
  narrowed(test.data.get(name) ?? ZERO, 64);

/** What an exclusive store does elsewhere than its load is CONSTRAINED UNPREDICTABLE. */
function checkExclusives(accesses: readonly Access[], targets: ReadonlyMap<number, Target>): void {
  for (const y of accesses) {
    const x = accesses.find((a) => a.slot === y.exclusive);
    const [at, from] = [y.slot, x?.slot ?? y.slot].map((slot) => targets.get(slot));
    if (x && (x.bits !== y.bits || at?.k !== from?.k || at?.name !== from?.name)) {
      throw new Unsupported("an exclusive store elsewhere than its load");
    }
  }
}

/** Accesses whose address is another than those for which they were decoded. */
function severalAddresses(accesses: readonly Access[], possible: Possible) {
  const several = new Map<number, readonly Word[]>();
  for (const a of accesses) {
    const found = valuesOf(a.pointer, possible);
    if (found.length === 0) throw new Unsupported("a computed address");
    const decoded = accesses.filter((b) => b.ordinal === a.ordinal);
    const known = decoded.flatMap((b) => valuesOf(b.address, possible));
    const one = valuesOf(a.address, possible).length === 1;
    if (!one || !found.every((w) => known.some((k) => same(k, w)))) several.set(a.ordinal, found);
  }
  return several;
}

export const isAccess = (i: Item): i is Access => i.k === "access";

interface Sets {
  readonly test: HerdTest;
  readonly entries: Values<Descriptor>;
  readonly words: Values<Word>;
  readonly reads: Values<Word>;
  readonly possible: Possible;
}

function visit(a: Access, at: Target, sets: Sets): void {
  const { test, entries, words, reads, possible } = sets;
  if (at.k === "va") manage(a, at.name, sets);
  else if (test.threads[a.thread]!.el0) throw new Unsupported("an entry accessed at EL0");
  const pages = entries.of(at.name).flatMap((d) => (d.oa === undefined ? [] : [d.oa]));
  if (a.exclusive !== undefined)
    for (const w of [ZERO, int(1)]) reads.add(`${a.slot}`, keyOf(w), w);
  if (a.reads) {
    const found: readonly Word[] =
      at.k === "pte"
        ? entries.of(at.name).map((desc) => ({ k: "desc", desc }))
        : pages.flatMap((p) => words.of(p));
    for (const w of found) reads.add(`${a.slot}`, keyOf(w), w);
  }
  const fits = (w: Word) => w.k === "int" && w.value < 1n << 32n;
  if (at.k === "va" && a.writes && a.bits === 32 && !pages.every((p) => words.of(p).every(fits))) {
    throw new Unsupported("a store of 32 bits of more");
  }
  for (const w of written(a, possible)) {
    if (at.k === "pte") {
      if (w.k !== "desc") throw new Unsupported(`${keyOf(w)} stored to a page-table entry`);
      addEntry(entries, at.name, w.desc);
    } else for (const p of pages) words.add(p, keyOf(w), w);
  }
}

/** What hardware may make of an entry (rules A12, A13). */
function manage(a: Access, name: string, { test, entries }: Sets): void {
  const { HA, HD } = managing(test.threads[a.thread]!);
  for (const d of entries.of(name)) {
    const young = HA && d.valid === 1 && d.af === 0 ? { ...d, af: 1 } : d;
    const clean = young.valid === 1 && young.af === 1 && young.dbm === 1 && young.db === 0;
    addEntry(entries, name, HD && a.writes && clean ? { ...young, db: 1 } : young);
  }
}

function addEntry(entries: Values<Descriptor>, name: string, d: Descriptor): void {
  if (d.oa === undefined) throw new Unsupported("a page-table entry without an output address");
  if (d.el0 !== 1) throw new Unsupported("el0:0");
  if (d.attrs.length > 0) throw new Unsupported("memory attributes");
  entries.add(name, descKey(d), d);
}

/** What an access may write. */
export function written(a: Access, possible: Possible): Word[] {
  if (a.update)
    return a.update.slots.every((s) => possible(s).length > 0) ? valuesOf(a.update, possible) : [];
  if (!a.modify) return [];
  const found: Word[] = [];
  const operands = lift(
    (...ws) => {
      for (const old of possible(a.slot)) {
        const w = a.modify!(old, ...ws);
        if (w) found.push(w);
      }
      return ZERO;
    },
    ...a.operands,
  );
  if (operands.slots.every((s) => possible(s).length > 0)) valuesOf(operands, possible);
  return found;
}

/** Every data location that the test names in any way. */
function locationNames(test: HerdTest): string[] {
  const names = new Set(test.data.keys());
  for (const [name, d] of test.ptes) {
    names.add(name);
    if (d.oa !== undefined) names.add(d.oa);
  }
  for (const { value } of test.registers) {
    if (value.k === "desc" && value.desc.oa !== undefined) names.add(value.desc.oa);
    if (value.k === "va" || value.k === "pte" || value.k === "pa") names.add(value.name);
  }
  return [...names];
}
