// SPDX-License-Identifier: Apache-2.0
// What an access does to memory and results: read, forward from a store that waits, write, modify.
//
// Coherence is kept by looking back: an earlier access is not made once a later one of its thread
// has seen what is older (Arm ARM B2.3, internal visibility).

import {
  forwarded,
  memory_at,
  overwritten,
  source,
  translated,
  X,
} from "../../hardware/arm64/instructions.ts";
import type { Expr } from "../../ir/expr.ts";
import { constant, eq, ite, lt, not, TRUE } from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { await_, either, set, when, whenElse } from "../../ir/stmt.ts";
import { desc } from "../../vocabulary/descriptor.ts";
import { t } from "../../vocabulary/sorts.ts";
import { pte } from "../../vocabulary/state.ts";
import type { Descriptor } from "./ast.ts";
import {
  all,
  type Bool,
  bool,
  type Conditions,
  done,
  MM,
  negation,
  slotOf,
  some,
} from "./conditions.ts";
import type { Access } from "./program.ts";
import { type Sym, type Tree, treeOf } from "./symbolic.ts";
import { int, keyOf, same, Unsupported, type Word } from "./words.ts";

export class Transfers {
  private readonly c: Conditions;

  constructor(conditions: Conditions) {
    this.c = conditions;
  }

  /** Later accesses that were made before this one must not have seen what is older. */
  coherent(x: Access, part: "read" | "write"): Stmt[] {
    const later = this.c
      .later(x)
      .filter((y) => y.reads && this.c.mayAlias(x, y) && !this.ordered(x, y));
    return later.map((y) => {
      const from = forwarded(slotOf(y.slot));
      const seen = all(this.c.resulted(y.slot), this.c.passes(y), this.c.sameLocation(x, y));
      const number = (n: number) => constant(source, n + 1);
      if (part === "write") {
        return await_(some(negation(seen), negation(lt(from, number(x.slot)))));
      }
      const newer = negation(lt(from, number(x.slot + 1)));
      return await_(some(negation(seen), not(overwritten(slotOf(y.slot))), newer));
    });
  }

  /** Whether the whole of one access is always made before any of a later one. */
  private ordered(x: Access, y: Access): boolean {
    const { access, read } = this.c.order(y);
    const before = this.c.split(y) ? read : access;
    return before.performed.has(x.slot) || (before.read.has(x.slot) && !this.c.split(x));
  }

  transfer(y: Access): Stmt[] {
    const body = this.c.target(y).k === "pte" ? this.descriptorTransfer(y) : this.dataTransfer(y);
    if (y.exclusive === undefined) return body;
    const status = X(slotOf(y.slot));
    const alone = all(done(y.exclusive), not(overwritten(slotOf(y.exclusive))));
    return [
      either(
        [await_(alone), ...body, set(status, this.c.value(int(0)))],
        [set(status, this.c.value(int(1)))],
      ),
    ];
  }

  /** The reading part, from memory or from a store that is not visible yet. */
  reading(y: Access): Stmt[] {
    const result = X(slotOf(y.slot));
    const { k, name } = this.c.target(y);
    const held = k === "pte" ? this.asValue(this.entryOf(name), name) : memory_at(this.c.pageOf(y));
    const memory = [set(result, held)];
    if (y.modify && !this.c.split(y)) return memory;
    return this.forwarding(y, memory, (x) =>
      x.modify
        ? this.modification(x, (w) => [set(result, this.c.value(w))])
        : [
            set(
              result,
              this.c.emit(x.update!, (w) => this.c.value(w)),
            ),
          ],
    );
  }

  private entryOf(name: string) {
    return pte(MM, constant(t.va, this.c.s.page(name)));
  }

  private dataTransfer(y: Access): Stmt[] {
    const place = memory_at(this.c.pageOf(y));
    const store = (w: Expr<"value">) => [set(place, w), ...this.marksOf(y)];
    if (y.modify) return this.modified(y, (w) => store(this.c.value(w)));
    if (y.writes) return store(this.c.emit(y.update!, (w) => this.c.value(w)));
    return this.reading(y);
  }

  private descriptorTransfer(y: Access): Stmt[] {
    const { name } = this.c.target(y);
    const place = this.entryOf(name);
    const entry = (w: Word): Expr<"desc"> => {
      if (w.k !== "desc") throw new Unsupported(`${keyOf(w)} stored to a page-table entry`);
      return constant(desc, this.c.s.packed(w.desc));
    };
    // Between a walk and the update that it owes nobody else writes: they are one (rule A14).
    const walkers = this.c.accesses.filter((x) => this.c.reaches(x, "va", name));
    const free = await_(negation(some(...walkers.map((x) => this.c.owing(x)))));
    const store = (value: Expr<"desc">) => [free, set(place, value), ...this.marksOf(y)];
    if (y.modify) return this.modified(y, (w) => store(entry(w)));
    if (y.writes) return store(this.c.emit(y.update!, entry));
    return this.reading(y);
  }

  /** The writing part, if nobody has written since the reading one. */
  private modified(y: Access, store: (w: Word) => Stmt[]): Stmt[] {
    const read = this.c.split(y) ? [await_(not(overwritten(slotOf(y.slot))))] : this.reading(y);
    return [...read, ...this.modification(y, store)];
  }

  /** A descriptor of memory as the value of a register. */
  private asValue(place: Expr<"desc">, name: string): Expr<"value"> {
    const [last, ...others] = [...this.c.s.facts.entries(name)].reverse();
    const number = (d: Descriptor) => this.c.value({ k: "desc", desc: d });
    return others.reduce(
      (rest, d) => ite(eq(place, constant(desc, this.c.s.packed(d))), number(d), rest),
      number(last!),
    );
  }

  /** Read-modify-write, by what was read and what the operands are. */
  private modification(y: Access, store: (w: Word) => Stmt[]): Stmt[] {
    const { possible } = this.c.s.facts;
    const branch = (operands: Word[], rest: readonly Sym[]): Stmt[] => {
      const [first, ...others] = rest;
      if (first) {
        const tree = treeOf(first, possible, (w) => w, same);
        return this.cases(tree, (w) => branch([...operands, w], others));
      }
      return possible(y.slot).flatMap((old) => {
        const w = y.modify!(old, ...operands);
        if (w === undefined) return [];
        return [when(eq(X(slotOf(y.slot)), this.c.value(old)), ...store(w))];
      });
    };
    return branch([], y.operands);
  }

  private cases(tree: Tree<Word>, leaf: (w: Word) => Stmt[]): Stmt[] {
    if ("leaf" in tree) return leaf(tree.leaf);
    return tree.cases.map(([w, sub]) =>
      when(eq(X(slotOf(tree.slot)), this.c.value(w)), ...this.cases(sub, leaf)),
    );
  }

  /** A read takes from the last earlier store of its thread that is not visible yet. */
  private forwarding(y: Access, memory: Stmt[], take: (x: Access) => Stmt[]): Stmt[] {
    const stores = this.c
      .earlier(y)
      .filter((x) => x.writes && this.c.mayAlias(x, y) && !this.ordered(x, y));
    return stores.reduce<Stmt[]>((otherwise, x) => {
      const known = this.c.dynamic(x) ? translated(slotOf(x.slot)) : this.c.addressed(x);
      const waiting = all(
        known,
        not(done(x.slot)),
        this.c.passes(x),
        this.c.sameLocation(x, y),
        negation(this.c.skipped(x)),
      );
      const data = [x.update, ...x.operands].flatMap((o) => (o ? [...o.deps, ...o.picks] : []));
      const ready = all(
        this.c.known(x.when),
        bool(this.forwards(x, y)),
        x.modify ? this.c.resulted(x.slot) : TRUE,
        ...data.map((d) => this.c.resultedOrSkipped(d)),
      );
      const from = set(forwarded(slotOf(y.slot)), constant(source, x.slot + 1));
      return [whenElse(waiting, [await_(ready), ...take(x), from], otherwise)];
    }, memory);
  }

  /** What an atomic operation writes is forwarded to no acquire; a CAS may not write at all. */
  private forwards(x: Access, y: Access): boolean {
    if (!x.modify) return true;
    return this.c.split(x) && y.acquire === undefined && !x.text.startsWith("CAS");
  }

  private marksOf(w: Access): Stmt[] {
    const others = this.c.accesses.filter(
      (r) => r.reads && r.thread !== w.thread && this.c.mayAlias(r, w),
    );
    return this.marks(others, w);
  }

  /** Notes that what these reads have read is no longer what memory holds, if it matters. */
  marks(reads: readonly Access[], w: Access | undefined): Stmt[] {
    return reads
      .filter((r) => this.overtakes(r) || this.monitored(r))
      .map((r) => {
        const same = w ? this.c.sameLocation(r, w) : TRUE;
        const read = all(this.c.resulted(r.slot), same, negation(this.ahead(r)));
        return when(read, set(overwritten(slotOf(r.slot)), TRUE));
      });
  }

  /** It has read from a store that is not visible yet: what others write now is older. */
  private ahead(r: Access): Bool {
    const stores = this.c.earlier(r).filter((x) => x.writes && this.c.mayAlias(x, r));
    const from = forwarded(slotOf(r.slot));
    return some(
      ...stores
        .filter((x) => !this.ordered(x, r))
        .map((x) => all(eq(from, constant(source, x.slot + 1)), not(done(x.slot)))),
    );
  }

  private monitored(r: Access): boolean {
    return this.c.split(r) || this.c.accesses.some((y) => y.exclusive === r.slot);
  }

  /** Whether a read may be made before an earlier one of its thread at the same location. */
  private overtakes(y: Access): boolean {
    return this.c.earlier(y).some((x) => x.reads && this.c.mayAlias(x, y) && !this.ordered(x, y));
  }
}
