// SPDX-License-Identifier: Apache-2.0
// Pending sets of the open executor: an array of entries for each combination of keys in use.

import type { PendingDecl } from "../ir/machine.ts";
import type { KeyTest, PendingView } from "./open-expr.ts";
import { matches } from "./open-expr.ts";
import type { EffectCode, OpenPending } from "./open-program.ts";
import type { Journal, Value } from "./open-value.ts";
import { sameValue } from "./open-value.ts";
import { orderMatrix } from "./packed.ts";

/** An entry: its fields in declared order. */
export type PendingEntry = readonly Value[];

interface Instance {
  readonly key: readonly number[];
  /** The key as text. */
  readonly text: string;
  readonly entries: PendingEntry[];
  readonly effect: EffectCode;
}

/** One declared set, for all its keys. */
export class PendingGroup {
  readonly decl: PendingDecl;
  readonly fields: readonly string[];
  private readonly source: OpenPending;
  private readonly journal: Journal;
  private readonly instances = new Map<string, Instance>();
  /** Those instances, least key first. */
  private readonly sorted: Instance[] = [];
  /** Entries of all keys. */
  private held = 0;
  /** The instance that was asked for last. */
  private last: Instance | undefined;
  private readonly before: (earlier: number, later: number) => boolean;
  private readonly orderField: number;

  constructor(source: OpenPending, journal: Journal) {
    this.source = source;
    this.decl = source.decl;
    this.journal = journal;
    this.fields = Object.keys(source.decl.entry);
    this.before = orderMatrix(source.decl);
    this.orderField = this.fields.indexOf(source.decl.orderBy ?? "");
  }

  /** The keys with entries, least first. */
  keys(): (readonly number[])[] {
    const found: (readonly number[])[] = [];
    if (this.held === 0) return found;
    for (const i of this.sorted) if (i.entries.length > 0) found.push(i.key);
    return found;
  }

  /** Whether any key has entries. */
  get busy(): boolean {
    return this.held > 0;
  }

  entries(key: readonly number[]): readonly PendingEntry[] {
    return this.find(key)?.entries ?? NO_ENTRIES;
  }

  /** The key as text. */
  textOf(key: readonly number[]): string {
    return this.find(key)?.text ?? key.join();
  }

  /** What an entry of a key does, if the key ever had one. */
  effect(key: readonly number[]): EffectCode | undefined {
    return this.find(key)?.effect;
  }

  /** Adds an entry; false if the set is full. */
  post(key: readonly number[], entry: PendingEntry): boolean {
    const instance = this.instance(key);
    if (!instance) return true;
    const { entries } = instance;
    if (entries.length >= this.source.capacity) return false;
    let at = entries.length;
    // Entries without an order are kept sorted, as in the packed executor.
    if (this.decl.order.length === 0) {
      while (at > 0 && compareEntries(entries[at - 1]!, entry) > 0) at--;
    }
    if (at === entries.length) entries.push(entry);
    else entries.splice(at, 0, entry);
    this.held++;
    if (this.journal.open) {
      this.journal.note(() => {
        entries.splice(at, 1);
        this.held--;
      });
    }
    return true;
  }

  /** Whether the order lets the entry of a slot take effect before those in front of it. */
  mayGo(key: readonly number[], slot: number): boolean {
    const entries = this.entries(key);
    if (slot >= entries.length) return false;
    const kind = (e: PendingEntry): number =>
      this.orderField < 0 ? 0 : (e[this.orderField] as number);
    for (let i = 0; i < slot; i++) {
      if (this.before(kind(entries[i]!), kind(entries[slot]!))) return false;
    }
    return true;
  }

  remove(key: readonly number[], slot: number): void {
    const { entries } = this.find(key)!;
    const entry = entries[slot]!;
    if (slot === entries.length - 1) entries.pop();
    else if (slot === 0) entries.shift();
    else entries.splice(slot, 1);
    this.held--;
    if (this.journal.open) {
      this.journal.note(() => {
        entries.splice(slot, 0, entry);
        this.held++;
      });
    }
  }

  holds(keys: readonly KeyTest[], where: readonly [number, Value][]): boolean {
    if (this.held === 0) return false;
    for (const { key, entries } of this.sorted) {
      if (entries.length === 0 || !matches(keys, key)) continue;
      if (entries.some((e) => where.every(([at, v]) => sameValue(e[at]!, v)))) return true;
    }
    return false;
  }

  private find(key: readonly number[]): Instance | undefined {
    // Whoever goes through the sets asks for the same key again and again.
    if (this.last?.key === key) return this.last;
    const found = this.instances.get(key.join());
    if (found) this.last = found;
    return found;
  }

  private instance(key: readonly number[]): Instance | undefined {
    const text = key.join();
    let instance = this.instances.get(text);
    if (!instance) {
      const effect = this.source.at(key);
      if (!effect) return undefined;
      instance = { key, text, entries: [], effect };
      this.instances.set(text, instance);
      const at = this.sorted.findIndex((i) => compareKeys(i.key, key) > 0);
      this.sorted.splice(at < 0 ? this.sorted.length : at, 0, instance);
    }
    return instance;
  }
}

const NO_ENTRIES: readonly PendingEntry[] = [];

/** All declared sets. */
export class OpenPendings implements PendingView {
  readonly groups: readonly PendingGroup[];
  private readonly byName: ReadonlyMap<string, PendingGroup>;

  constructor(sources: readonly OpenPending[], journal: Journal) {
    this.groups = sources.map((s) => new PendingGroup(s, journal));
    this.byName = new Map(this.groups.map((g) => [g.decl.name, g]));
  }

  /** The set of a name; undefined if the program keeps no entries of it. */
  group(name: string): PendingGroup | undefined {
    return this.byName.get(name);
  }

  holds(set: string, keys: readonly KeyTest[], where: readonly [number, Value][]): boolean {
    return this.byName.get(set)?.holds(keys, where) ?? false;
  }
}

export function compareKeys(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((v, i) => v !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}

/** By the last field first, which is the order of packed entries as numbers. */
function compareEntries(a: PendingEntry, b: PendingEntry): number {
  for (let f = a.length - 1; f >= 0; f--) {
    const x = a[f]!;
    const y = b[f]!;
    if (typeof x === "number" || typeof y === "number") {
      if (x !== y) return (x as number) - (y as number);
    } else if (x.hi !== y.hi || x.lo !== y.lo) {
      return x.hi - y.hi || x.lo - y.lo;
    }
  }
  return 0;
}
