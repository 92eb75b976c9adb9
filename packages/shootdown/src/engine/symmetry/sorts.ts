// SPDX-License-Identifier: Apache-2.0
// Which sorts of a program are only compared for equality, so that their values may be exchanged.
//
//   every place where a value of one sort is ordered, computed with, or meets another sort
//     ──► the sort is `ordered`, with the reason
//
// Values are what this looks at, not declarations: an `ordered` sort of which nothing ever asks
// the order may be exchanged as well.

import type { KeyPattern, Node } from "../../ir/expr.ts";
import type { AnySort } from "../../ir/sort.ts";
import { defines, operands } from "../flow.ts";
import type { Code, Domain, Instr, Program } from "../program.ts";
import { sizeOf } from "../program.ts";
import { wordLayout } from "../word.ts";

export interface SortUse {
  /** Sorts whose values may be exchanged, as far as their use tells; by name. */
  readonly free: ReadonlyMap<string, AnySort>;
  /** Why the others of more than one value may not. */
  readonly ordered: ReadonlyMap<string, string>;
}

/** Looks at every value that the program handles. */
export function sortUse(program: Program): SortUse {
  return new SortUses(program.domain).run(program);
}

/** The sorts that a value of a sort is made of. */
export function componentsOf(sort: AnySort): readonly AnySort[] {
  if (sort.kind === "word") return sort.fields!.map((f) => f.sort);
  return sort.kind === "range" ? [sort.element!] : [sort];
}

/** A value taken apart into those of its sort's components, in the same order. */
export function partsOf(
  value: number,
  sort: AnySort,
  domain: Domain,
): readonly { readonly value: number; readonly sort: AnySort }[] {
  if (sort.kind !== "word") return [{ value, sort }];
  const layout = wordLayout(sort, domain);
  return sort.fields!.map((f) => ({ value: layout.get(value >>> 0, f.name), sort: f.sort }));
}

class SortUses {
  private readonly domain: Domain;
  private readonly seen = new Map<string, AnySort>();
  private readonly parts = new Map<string, AnySort>();
  private readonly ordered = new Map<string, string>();
  /** What the fill being looked at yields. */
  private yielded: AnySort | undefined;

  constructor(domain: Domain) {
    this.domain = domain;
  }

  run(program: Program): SortUse {
    for (const f of program.fields) {
      for (const sort of [...f.index, f.value]) this.meet(sort);
      this.value(f.initial, f.value);
    }
    for (const i of program.initial) this.value(i.value, i.field.value);
    for (const t of program.threads) this.code(t);
    for (const r of program.rules) this.code(r);
    for (const p of program.pending) {
      for (const sort of [...Object.values(p.decl.keys), ...Object.values(p.decl.entry)]) {
        this.meet(sort);
      }
      if (p.ready) this.truth(p.ready);
      this.code(p);
    }
    for (const g of program.cells) {
      for (const sort of Object.values(g.decl.keys)) this.meet(sort);
      this.meet(g.decl.value);
      // Entries are numbered as they appear: a cell does not know the images of its values.
      this.refuse(g.decl.value, "cells hold values of it");
      if (g.admits) this.truth(g.admits.cond);
      for (const c of g.instances) {
        this.yielded = g.decl.value;
        if (c.fill) this.code(c.fill);
      }
    }
    const free = new Map<string, AnySort>();
    for (const [name, sort] of this.parts) if (!this.ordered.has(name)) free.set(name, sort);
    return { free, ordered: this.ordered };
  }

  /** A constant, or what something begins with. */
  private value(value: number, sort: AnySort): void {
    for (const part of partsOf(value, sort, this.domain)) {
      if (!this.mayBeFree(part.sort)) continue;
      const beyond = part.value < 0 || part.value >= sizeOf(part.sort, this.domain);
      if (beyond) this.refuse(part.sort, "there is a value beyond its size");
    }
  }

  private refuse(sort: AnySort, why: string): void {
    for (const part of componentsOf(sort)) {
      if (!this.mayBeFree(part)) continue;
      if (!this.ordered.has(part.name)) this.ordered.set(part.name, why);
    }
  }

  private mayBeFree(sort: AnySort): boolean {
    if (sort.kind !== "symbol" && sort.kind !== "ordered") return false;
    // Numbers are there to be counted with.
    return sort.name !== "int" && sizeOf(sort, this.domain) > 1;
  }

  /** Notes a sort that values of the program have. */
  private meet(sort: AnySort): void {
    const known = this.seen.get(sort.name);
    if (known === sort) return;
    if (known) {
      if (JSON.stringify(known) === JSON.stringify(sort)) return;
      this.mixed(known, sort);
    }
    this.seen.set(sort.name, sort);
    for (const part of componentsOf(sort))
      if (this.mayBeFree(part)) this.parts.set(part.name, part);
    if (sort.kind === "range") this.refuse(sort, `there are ranges of it (${sort.name})`);
    for (const f of sort.kind === "word" ? sort.fields! : []) {
      const host = sort.fields!.find((h) => h.name === f.overlay);
      if (!host) continue;
      this.refuse(f.sort, `${sort.name}.${f.name} shares its bits`);
      this.refuse(host.sort, `${sort.name}.${host.name} shares its bits`);
    }
  }

  private mixed(a: AnySort, b: AnySort): void {
    this.refuse(a, `a value of it is used as ${b.name}`);
    this.refuse(b, `a value of ${a.name} is used as one`);
  }

  /** A value of sort `from` goes where one of sort `to` belongs. */
  private flow(from: AnySort, to: AnySort | undefined): void {
    this.meet(from);
    if (!to) return;
    this.meet(to);
    if (from.name !== to.name) this.mixed(from, to);
  }

  private code(code: Code): void {
    for (const sort of code.registers.values()) this.meet(sort);
    for (const i of code.instrs) this.instr(i, code);
  }

  private instr(i: Instr, { registers }: Code): void {
    const to = defines(i);
    const into = to < 0 ? undefined : registers.get(to);
    switch (i.op) {
      case "let":
        return this.node(i.value, into);
      case "store":
      case "xchg":
      case "cas":
        this.index(i.index, i.field.index);
        this.node(i.value, i.field.value);
        if (i.op === "cas") this.node(i.expect, i.field.value);
        if (i.op === "xchg") this.flow(i.field.value, into);
        return;
      case "choose":
        this.flow(i.sort, into);
        if (i.where) this.truth(i.where);
        return;
      case "lookup":
        this.index(i.index, Object.values(i.cell.keys));
        return this.flow(i.cell.value, into);
      case "insert":
        this.index(i.index, Object.values(i.cell.keys));
        return this.node(i.value, i.cell.value);
      case "clear":
        this.index(i.index, Object.values(i.cell.keys));
        if (i.where) this.truth(i.where.cond);
        return;
      case "post":
        this.index(i.index, Object.values(i.set.keys));
        for (const [name, e] of i.entry) this.node(e, i.set.entry[name]);
        return;
      case "yield":
        return this.node(i.value, this.yielded);
      case "yieldHeld":
        this.index(i.index, Object.values(i.cell.keys));
        return this.flow(i.cell.value, this.yielded);
      case "branch":
      case "await":
        return this.truth(i.cond);
      case "retry":
        return this.truth(i.permitted);
      case "each":
      case "next":
      case "grow":
        // Loops go through values in their order.
        this.refuse(registers.get(i.reg)!, "a loop goes through a range of it");
        for (const e of operands(i)) this.pattern(e, undefined);
        return;
      default:
        for (const e of operands(i)) this.pattern(e, undefined);
    }
  }

  private index(index: readonly KeyPattern[], sorts: readonly AnySort[]): void {
    for (const [n, e] of index.entries()) this.pattern(e, sorts[n]);
  }

  private pattern(p: KeyPattern, to: AnySort | undefined): void {
    if (p.k === "any") return;
    if (p.k !== "in") return this.node(p, to);
    this.node(p.range, undefined);
    if (to) this.refuse(to, "ranges select keys of it");
  }

  private node(n: Node, to: AnySort | undefined): void {
    this.flow(n.sort, to);
    switch (n.k) {
      case "const":
        return this.value(n.value, n.sort);
      case "reg":
        return;
      case "read":
        this.index(n.index, n.field.index);
        return this.flow(n.field.value, n.sort);
      case "get":
        this.node(n.arg, undefined);
        return this.flow(n.arg.sort.fields!.find((f) => f.name === n.field)!.sort, n.sort);
      case "with":
        this.node(n.arg, n.sort);
        for (const [name, e] of n.set) {
          this.node(e, n.sort.fields!.find((f) => f.name === name)!.sort);
        }
        return;
      case "outstanding":
        this.index(n.index, Object.values(n.set.keys));
        for (const [name, e] of n.where) this.node(e, n.set.entry[name]);
        return;
      case "op":
        return this.op(n);
      default:
        this.refuse(n.sort, `${n.k} was not folded`);
    }
  }

  private op(n: Node & { k: "op" }): void {
    const first = n.args[0]!;
    switch (n.op) {
      case "eq":
      case "ne":
        for (const a of n.args) this.node(a, first.sort);
        return;
      case "and":
      case "or":
      case "not":
        for (const a of n.args) this.truth(a);
        return;
      case "ite":
        this.truth(first);
        for (const a of n.args.slice(1)) this.node(a, n.sort);
        return;
      default:
        for (const a of n.args) {
          this.node(a, undefined);
          this.refuse(a.sort, `${n.op} orders its values`);
        }
        this.refuse(n.sort, `${n.op} computes it`);
    }
  }

  /** A condition: 0 or not. */
  private truth(n: Node): void {
    this.node(n, undefined);
    if (n.sort.kind !== "bool") this.refuse(n.sort, "it is used as truth");
  }
}
