// SPDX-License-Identifier: Apache-2.0
// Cells and pending sets by their keys: which instances code speaks of.

import type { KeyPattern } from "../ir/expr.ts";
import type { AnySort } from "../ir/sort.ts";
import type { Domain } from "./program.ts";
import { sizeOf } from "./program.ts";

interface Declaration {
  readonly name: string;
  readonly keys: Readonly<Record<string, AnySort>>;
}

/** Every combination of values below the given sizes, first position slowest. */
export function combinations(sizes: readonly number[]): number[][] {
  return product(sizes.map((size) => Array.from({ length: size }, (_, i) => i)));
}

function product(choices: readonly (readonly number[])[]): number[][] {
  return choices.reduce<number[][]>(
    (done, values) => done.flatMap((d) => values.map((v) => [...d, v])),
    [[]],
  );
}

/** All key combinations that a pattern may mean. */
export function keysOf(
  decl: Declaration,
  pattern: readonly KeyPattern[],
  domain: Domain,
): number[][] {
  const sorts = Object.values(decl.keys);
  return product(
    pattern.map((p, i) =>
      p.k === "const" ? [p.value] : Array.from({ length: sizeOf(sorts[i]!, domain) }, (_, n) => n),
    ),
  );
}

/** Whether a pattern may mean an instance with these keys. */
export const mayMean = (pattern: readonly KeyPattern[], key: readonly number[]): boolean =>
  pattern.every((p, i) => p.k !== "const" || p.value === key[i]);

/** Instances of declarations: each a declaration, a choice of its keys, and what is known of it. */
export class Instances<D extends Declaration, T extends { readonly key: readonly number[] }> {
  private readonly byDecl = new Map<D, Map<string, T>>();

  get(decl: D, key: readonly number[]): T | undefined {
    return this.byDecl.get(decl)?.get(key.join());
  }

  set(decl: D, instance: T): void {
    let instances = this.byDecl.get(decl);
    if (!instances) this.byDecl.set(decl, (instances = new Map()));
    instances.set(instance.key.join(), instance);
  }

  delete(decl: D, key: readonly number[]): void {
    this.byDecl.get(decl)?.delete(key.join());
  }

  /** Whether a pattern may mean one of the instances. */
  some(decl: D, pattern: readonly KeyPattern[]): boolean {
    for (const { key } of this.byDecl.get(decl)?.values() ?? []) {
      if (mayMean(pattern, key)) return true;
    }
    return false;
  }

  /** Those of one declaration, by their keys. */
  of(decl: D): T[] {
    return [...(this.byDecl.get(decl)?.values() ?? [])].sort((a, b) => compareKeys(a.key, b.key));
  }

  /** All, as they came. */
  *all(): Iterable<readonly [D, T]> {
    for (const [decl, instances] of this.byDecl) {
      for (const instance of instances.values()) yield [decl, instance];
    }
  }
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((v, i) => v !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}
