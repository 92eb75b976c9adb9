// SPDX-License-Identifier: Apache-2.0
// A program as the open executor takes it: hardware by declaration, each for any keys.
//
// The same code serves every key of a cell or set, with the keys in registers, because a domain of
// 2^36 pages has no list of instances. A program with instances is taken as well.

import type { FieldDecl, Node } from "../ir/expr.ts";
import type { CellDecl, PendingDecl, RuleDecl } from "../ir/machine.ts";
import type { Code, Domain, Initial, InitialEntry, Program, Thread } from "./program.ts";

/** Code that runs with some of its registers given: keys or parameters, in declared order. */
export interface KeyedCode extends Code {
  readonly given: readonly number[];
}

export interface EffectCode extends KeyedCode {
  /** Register of each entry field, in declared order. */
  readonly entry: readonly number[];
  readonly ready: Node | undefined;
}

export interface OpenRule {
  readonly decl: RuleDecl;
  /** The arguments to try; undefined if there are too many to list. */
  readonly listed: readonly (readonly number[])[] | undefined;
  at(args: readonly number[]): KeyedCode | undefined;
}

export interface OpenCell {
  readonly decl: CellDecl;
  readonly admits: { readonly reg: number; readonly cond: Node } | undefined;
  /** The keys that exist; undefined if all do. */
  readonly listed: readonly (readonly number[])[] | undefined;
  exists(key: readonly number[]): boolean;
  fill(key: readonly number[]): KeyedCode | undefined;
}

export interface OpenPending {
  readonly decl: PendingDecl;
  readonly capacity: number;
  /** Absent: an entry of these keys would change nothing, and is not kept. */
  at(key: readonly number[]): EffectCode | undefined;
}

export interface OpenProgram {
  readonly domain: Domain;
  /** Fields that it names; a thread that comes later may bring more. */
  readonly fields: readonly FieldDecl[];
  readonly initial: readonly Initial[];
  readonly entries: readonly InitialEntry[];
  readonly threads: readonly Thread[];
  readonly rules: readonly OpenRule[];
  readonly cells: readonly OpenCell[];
  readonly pending: readonly OpenPending[];
  readonly observers: readonly string[];
}

/** Items by their declaration, in order of first appearance. */
function byDecl<T extends { readonly decl: object }>(items: readonly T[]): Map<T["decl"], T[]> {
  const groups = new Map<T["decl"], T[]>();
  for (const item of items) {
    const group = groups.get(item.decl);
    if (group) group.push(item);
    else groups.set(item.decl, [item]);
  }
  return groups;
}

const withoutKeys = <C extends Code>(code: C): C & KeyedCode => ({ ...code, given: [] });

/** A lowered program whose hardware is listed instance by instance. */
export function fromInstances(program: Program): OpenProgram {
  const rules = [...byDecl(program.rules)].map(([decl, list]): OpenRule => {
    const codes = new Map(list.map((r) => [r.args.join(), withoutKeys(r)]));
    return { decl, listed: list.map((r) => r.args), at: (args) => codes.get(args.join()) };
  });
  const cells = program.cells.map(({ decl, instances, admits }): OpenCell => {
    const fills = new Map(instances.map((c) => [c.key.join(), c.fill && withoutKeys(c.fill)]));
    return {
      decl,
      admits,
      listed: instances.map((c) => c.key),
      exists: (key) => fills.has(key.join()),
      fill: (key) => fills.get(key.join()),
    };
  });
  const pending = [...byDecl(program.pending)].map(([decl, list]): OpenPending => {
    const codes = new Map(list.map((p) => [p.key.join(), withoutKeys(p)]));
    return { decl, capacity: list[0]!.capacity, at: (key) => codes.get(key.join()) };
  });
  const { domain, fields, initial, entries, threads, observers } = program;
  return { domain, fields, initial, entries, threads, rules, cells, pending, observers };
}
