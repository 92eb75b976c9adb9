// SPDX-License-Identifier: Apache-2.0
// The fields of an open machine, by name, and how each is stored.

import type { FieldDecl } from "../ir/expr.ts";
import type { Stairs, Store, StoredRun } from "./open-store.ts";
import { MapStore, RunStore } from "./open-store.ts";
import type { Journal, Value } from "./open-value.ts";
import { fromPacked } from "./open-value.ts";
import type { Domain } from "./program.ts";
import { sizeOf } from "./program.ts";
import { wordLayout } from "./word.ts";

/** A field over an unordered sort of more values than this is stored by runs too. */
const MAP_SIZE_MAX = 4096;

export interface FieldOptions {
  /** For a word sort the bit field that grows by one from element to element: frame numbers. */
  readonly affine?: Readonly<Record<string, string>>;
  /** For fields of tables, by name: the index that steps up with the last one. */
  readonly stairs?: Readonly<Record<string, Stairs>>;
}

export class OpenFields {
  private readonly domain: Domain;
  private readonly options: FieldOptions;
  private readonly journal: Journal;
  private readonly stores = new Map<string, Store>();

  constructor(domain: Domain, options: FieldOptions, journal: Journal) {
    this.domain = domain;
    this.options = options;
    this.journal = journal;
  }

  /** The storage of a field; made on first use. */
  of(decl: FieldDecl): Store {
    let store = this.stores.get(decl.name);
    if (!store) {
      store = this.make(decl);
      this.stores.set(decl.name, store);
    }
    return store;
  }

  named(name: string): Store | undefined {
    return this.stores.get(name);
  }

  /** Sets an element. Throws if no code and no one else has named the field yet. */
  set(name: string, index: readonly number[], value: Value): void {
    this.known(name).write(index, value);
  }

  /**
   * Sets `count` >= 1 elements along the last index, from `index` on, to `value`, `value + slope`,
   * ... In a field with stairs the stepping index goes along.
   */
  setRun(name: string, index: readonly number[], count: number, value: number, slope = 0): void {
    const store = this.byRuns(name);
    const start = index.at(-1)!;
    store.writeRun(store.rowKey(index), start, start + count, value, slope);
  }

  /**
   * The runs of values that were stored in a row, from `index` on for `count` elements of the last
   * index. Elements in no run have the field's initial value.
   */
  runs(name: string, index: readonly number[], count: number): StoredRun[] {
    const store = this.byRuns(name);
    const start = index.at(-1)!;
    return [...store.runs(store.rowKey(index), start, start + count)];
  }

  /** In all fields whose last index is of sort `sort`, elements [start, end) are as at first. */
  forget(sort: string, start: number, end: number): void {
    for (const store of this.stores.values()) {
      if (store.decl.index.at(-1)?.name !== sort) continue;
      if (store instanceof RunStore) store.forget(start, end);
    }
  }

  private make(decl: FieldDecl): Store {
    const last = decl.index.at(-1);
    const long =
      last?.kind === "ordered" ||
      (last?.kind === "symbol" && sizeOf(last, this.domain) > MAP_SIZE_MAX);
    if (!long || decl.value.kind === "range") {
      return new MapStore(decl, fromPacked(decl.initial, decl.value, this.domain), this.journal);
    }
    return new RunStore(decl, this.unitOf(decl), this.options.stairs?.[decl.name], this.journal);
  }

  /** How a value is taken to go on from one element to the next. */
  private unitOf({ value }: FieldDecl): number {
    if (value.kind === "ordered" || value.kind === "symbol") return 1;
    const name = value.kind === "word" ? this.options.affine?.[value.name] : undefined;
    return name ? 2 ** wordLayout(value, this.domain).field(name).offset : 0;
  }

  private known(name: string): Store {
    const store = this.stores.get(name);
    if (!store) throw new Error(`the machine has no field ${name}`);
    return store;
  }

  private byRuns(name: string): RunStore {
    const store = this.known(name);
    if (!(store instanceof RunStore)) throw new Error(`${name} is not stored by runs`);
    return store;
  }
}
