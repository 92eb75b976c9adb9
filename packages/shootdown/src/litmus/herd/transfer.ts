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
import { constant, eq, FALSE, ite, lt, not, TRUE } from "../../ir/expr.ts";
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
  coherent(x: Access): Stmt[] {
    const later = this.c
      .later(x)
      .filter((y) => y.reads && this.c.mayAlias(x, y) && !this.before(y).has(x.slot));
    return later.map((y) => {
      const from = forwarded(slotOf(y.slot));
      const seen = all(done(y.slot), this.c.passes(y), this.c.sameLocation(x, y));
      const number = (n: number) => constant(source, n + 1);
      if (x.writes) return await_(some(negation(seen), negation(lt(from, number(x.slot)))));
      const newer = negation(lt(from, number(x.slot + 1)));
      return await_(some(negation(seen), not(overwritten(slotOf(y.slot))), newer));
    });
  }

  private before(y: Access): ReadonlySet<number> {
    return this.c.order(y).access.performed;
  }

  transfer(y: Access): Stmt[] {
    const at = this.c.target(y);
    const body = at.k === "pte" ? this.descriptorTransfer(y, at.name) : this.dataTransfer(y);
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

  private dataTransfer(y: Access): Stmt[] {
    const place = memory_at(this.c.pageOf(y));
    if (y.modify) {
      const old = X(slotOf(y.slot));
      return [
        set(old, place),
        ...this.modification(y, (w) => [set(place, this.c.value(w)), ...this.marksOf(y)]),
      ];
    }
    if (y.writes) {
      return [
        set(
          place,
          this.c.emit(y.update!, (w) => this.c.value(w)),
        ),
        ...this.marksOf(y),
      ];
    }
    return this.forwarding(y, [set(X(slotOf(y.slot)), place)], (x) =>
      set(
        X(slotOf(y.slot)),
        this.c.emit(x.update!, (w) => this.c.value(w)),
      ),
    );
  }

  private descriptorTransfer(y: Access, name: string): Stmt[] {
    const place = pte(MM, constant(t.va, this.c.s.page(name)));
    const entry = (w: Word): Expr<"desc"> => {
      if (w.k !== "desc") throw new Unsupported(`${keyOf(w)} stored to a page-table entry`);
      return constant(desc, this.c.s.packed(w.desc));
    };
    const result = X(slotOf(y.slot));
    const read = set(result, this.asValue(place, name));
    // Between a walk and the update that it owes nobody else writes: they are one (rule A14).
    const walkers = this.c.accesses.filter((x) => this.c.reaches(x, "va", name));
    const free = await_(negation(some(...walkers.map((x) => this.c.owing(x)))));
    const store = (value: Expr<"desc">) => [free, set(place, value), ...this.marksOf(y)];
    if (y.modify) return [read, ...this.modification(y, (w) => store(entry(w)))];
    if (y.writes) return store(this.c.emit(y.update!, entry));
    return this.forwarding(y, [read], (x) =>
      set(
        result,
        this.c.emit(x.update!, (w) => this.c.value(w)),
      ),
    );
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
  private forwarding(y: Access, memory: Stmt[], take: (x: Access) => Stmt): Stmt[] {
    const stores = this.c
      .earlier(y)
      .filter((x) => x.writes && this.c.mayAlias(x, y) && !this.before(y).has(x.slot));
    return stores.reduce<Stmt[]>((otherwise, x) => {
      const known = this.c.dynamic(x) ? translated(slotOf(x.slot)) : this.addressed(x);
      const waiting = all(
        known,
        not(done(x.slot)),
        this.c.passes(x),
        this.c.sameLocation(x, y),
        negation(this.c.skipped(x)),
      );
      const ready = all(
        this.c.known(x.when),
        bool(x.modify === undefined),
        ...[...(x.update?.deps ?? [])].map((d) => this.c.performedOrSkipped(d)),
      );
      const from = set(forwarded(slotOf(y.slot)), constant(source, x.slot + 1));
      const taken = x.modify ? [await_(FALSE)] : [await_(ready), take(x), from];
      return [whenElse(waiting, taken, otherwise)];
    }, memory);
  }

  private addressed(x: Access): Bool {
    return all(...[...x.address.deps].map((d) => this.c.performedOrSkipped(d)));
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
        return when(all(done(r.slot), same), set(overwritten(slotOf(r.slot)), TRUE));
      });
  }

  private monitored(r: Access): boolean {
    return this.c.accesses.some((y) => y.exclusive === r.slot);
  }

  /** Whether a read may be made before an earlier one of its thread at the same location. */
  private overtakes(y: Access): boolean {
    return this.c
      .earlier(y)
      .some((x) => x.reads && this.c.mayAlias(x, y) && !this.before(y).has(x.slot));
  }
}
