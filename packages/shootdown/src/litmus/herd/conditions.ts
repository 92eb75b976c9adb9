// SPDX-License-Identifier: Apache-2.0
// What can be said of the accesses of a test in a state: done, faulting, at one place, in flight.

import {
  captured,
  loaded,
  owes,
  performed,
  seen,
  slot as slotSort,
  translated,
  value as valueSort,
  X,
} from "../../hardware/arm64/instructions.ts";
import type { Expr, Place } from "../../ir/expr.ts";
import { and, constant, eq, FALSE, ite, ne, not, or, TRUE } from "../../ir/expr.ts";
import { permits, pfnOf, RDONLY } from "../../vocabulary/descriptor.ts";
import { t } from "../../vocabulary/sorts.ts";
import { pte } from "../../vocabulary/state.ts";
import type { Descriptor } from "./ast.ts";
import type { Setting } from "./elaborate.ts";
import { managing } from "./managing.ts";
import type { Before, SlotOrder } from "./order.ts";
import { isAccess, type Target } from "./possible.ts";
import type { Access, Path, Tlbi } from "./program.ts";
import { constantOf, isTrue, type Sym, type Tree, treeOf } from "./symbolic.ts";
import { same, type Word } from "./words.ts";

export type Step = Access | Tlbi;
export type Bool = Expr<"bool">;

export const MM = constant(t.mm, 0);
export const slotOf = (n: number) => constant(slotSort, n);
export const done = (n: number): Place<"bool"> => performed(slotOf(n));
export const bool = (b: boolean): Bool => (b ? TRUE : FALSE);
export const all = (...xs: readonly Bool[]): Bool => {
  const kept = xs.filter((x) => x !== TRUE);
  if (kept.includes(FALSE)) return FALSE;
  return kept.length === 0 ? TRUE : and(...kept);
};
export const some = (...xs: readonly Bool[]): Bool => {
  const kept = xs.filter((x) => x !== FALSE);
  if (kept.includes(TRUE)) return TRUE;
  return kept.length === 0 ? FALSE : or(...kept);
};
export const negation = (x: Bool): Bool => (x === TRUE ? FALSE : x === FALSE ? TRUE : not(x));

/** Whether an entry lets an access through, access flag and dirty state as they are. */
export const lets = (d: Descriptor, write: boolean): boolean =>
  d.valid === 1 && d.af === 1 && (!write || d.db === 1);

/** Rule A1. */
const cacheable = (d: Descriptor): boolean => d.valid === 1 && d.af === 1;

export class Conditions {
  readonly s: Setting;
  readonly steps: readonly Step[];
  readonly accesses: readonly Access[];
  private readonly bySlot = new Map<number, Step>();
  private readonly pathOf = new Map<number, Path>();

  constructor(setting: Setting) {
    this.s = setting;
    for (const path of setting.paths.flat()) {
      for (const item of path.items) {
        if (item.k === "fence" || !path.own.has(item.slot)) continue;
        this.bySlot.set(item.slot, item);
        this.pathOf.set(item.slot, path);
      }
    }
    this.steps = [...this.bySlot.values()].sort((a, b) => a.slot - b.slot);
    this.accesses = this.steps.filter(isAccess);
  }

  step(slot: number): Step {
    return this.bySlot.get(slot)!;
  }

  /** The accesses before a step on its way through the thread, faults included. */
  earlier(y: Step): Access[] {
    const { items } = this.pathOf.get(y.slot)!;
    return items.slice(0, items.indexOf(y)).filter(isAccess);
  }

  /** The accesses behind one, on every way through the thread. */
  later(x: Access): Access[] {
    return this.accesses.filter((y) => y.thread === x.thread && this.earlier(y).includes(x));
  }

  order(y: Step): SlotOrder {
    return this.s.orders.get(y.slot)!;
  }

  target(y: Access): Target {
    return this.s.facts.targets.get(y.slot)!;
  }

  /** Whether its translation may be more than one entry. */
  dynamic(y: Access): boolean {
    const at = this.target(y);
    return at.k === "va" && this.s.facts.entries(at.name).length > 1;
  }

  /** The only entry of a location whose entry never changes. */
  fixed(y: Access): Descriptor {
    return this.s.facts.entries(this.target(y).name)[0]!;
  }

  /** A word of registers as an expression, once what it hangs on is performed. */
  emit<S extends string>(sym: Sym, leaf: (w: Word) => Expr<S>): Expr<S> {
    const tree = treeOf(sym, this.s.facts.possible, (w) => w, same);
    const go = (node: Tree<Word>): Expr<S> => {
      if ("leaf" in node) return leaf(node.leaf);
      const [last, ...others] = [...node.cases].reverse();
      return others.reduce(
        (rest, [w, sub]) => ite(eq(X(slotOf(node.slot)), this.value(w)), go(sub), rest),
        go(last![1]),
      );
    };
    return go(tree);
  }

  value(w: Word): Expr<"value"> {
    return constant(valueSort, this.s.words.number(w));
  }

  truth(sym: Sym): Bool {
    const only = constantOf(sym, this.s.facts.possible);
    if (only) return bool(isTrue(only));
    return this.emit(sym, (w) => bool(isTrue(w)));
  }

  known(sym: Sym): Bool {
    return all(...sym.slots.map((n) => this.resulted(n)));
  }

  /** Whether it reads in one step and writes in another. */
  split(x: Step): boolean {
    return this.s.control === "arm" && x.k === "access" && x.modify !== undefined;
  }

  /** What it reads is known, or it has faulted. */
  resulted(n: number): Bool {
    return this.split(this.step(n)) ? or(loaded(slotOf(n)), done(n)) : done(n);
  }

  resultedOrSkipped(n: number): Bool {
    return some(this.resulted(n), this.skipped(this.step(n)));
  }

  /** The address is known. */
  addressed(x: Access): Bool {
    return all(...[...x.address.deps].map((d) => this.resultedOrSkipped(d)));
  }

  /** It is known that control passes it by. */
  skipped(x: Step): Bool {
    const taken = this.truth(x.when);
    if (taken === TRUE) return FALSE;
    return all(this.known(x.when), negation(taken));
  }

  performedOrSkipped(n: number): Bool {
    const x = this.step(n);
    return some(done(n), this.skipped(x));
  }

  /** It lets the access through: entry captured, or the only one there is. */
  passes(x: Access): Bool {
    if (this.target(x).k === "pte") return TRUE;
    if (!this.dynamic(x)) return bool(lets(this.fixed(x), x.writes));
    return permits(captured(slotOf(x.slot)), bool(x.writes));
  }

  translatedWell(n: number): Bool {
    const x = this.step(n);
    if (x.k === "tlbi") return TRUE;
    const addressed = this.addressed(x);
    const made = this.dynamic(x) ? translated(slotOf(n)) : addressed;
    return some(all(made, this.passes(x)), this.skipped(x));
  }

  /** It is known that it faults. */
  private faults(n: number): Bool {
    const x = this.step(n) as Access;
    const passes = this.passes(x);
    if (passes === TRUE) return FALSE;
    const addressed = this.addressed(x);
    const made = this.dynamic(x) ? translated(slotOf(n)) : all(addressed, this.walkedLate(x));
    return all(made, negation(passes), negation(this.skipped(x)));
  }

  /** With FEAT_ETS2, the walk of what is not cached is made behind what is before it. */
  walkedLate(x: Access): Bool {
    if (!this.s.ets2 || this.dynamic(x) || cacheable(this.fixed(x))) return TRUE;
    return all(...[...this.order(x).faultingWalk].map((n) => this.performedOrSkipped(n)));
  }

  waits(b: Before, y?: Access): Bool {
    return all(
      ...[...b.faulting].map((n) => this.faults(n)),
      ...[...b.read].map((n) => this.resultedOrSkipped(n)),
      ...[...b.performed].map((n) => this.performedOrSkipped(n)),
      ...[...b.translated].map((n) => this.translatedWell(n)),
      ...[...b.settled].map((n) => negation(this.owing(this.step(n)))),
      ...[...b.sameLocation].map((n) => {
        const x = this.step(n) as Access;
        const same = this.sameLocation(x, y!);
        return same === FALSE ? TRUE : some(this.performedOrSkipped(n), negation(same));
      }),
    );
  }

  /** An earlier access of the thread has taken its fault. */
  killed(y: Step): Bool {
    const { faults } = this.pathOf.get(y.slot)!;
    return some(
      ...this.earlier(y).map((x) => {
        if (faults.includes(x.slot)) return FALSE;
        const passes = this.passes(x);
        return passes === TRUE ? FALSE : all(done(x.slot), negation(passes));
      }),
    );
  }

  /** It is known that control comes to it. */
  live(y: Step): Bool {
    const taken = this.truth(y.when);
    return taken === TRUE ? TRUE : all(this.known(y.when), taken);
  }

  mayAlias(x: Access, y: Access): boolean {
    const [a, b] = [this.target(x), this.target(y)];
    if (a.k !== b.k) return false;
    if (a.k === "pte" || a.name === b.name) return a.name === b.name;
    const pages = new Set(this.s.facts.entries(a.name).map((d) => d.oa));
    return this.s.facts.entries(b.name).some((d) => pages.has(d.oa));
  }

  pageOf(x: Access): Expr<"pfn"> {
    if (this.dynamic(x)) return pfnOf(captured(slotOf(x.slot)));
    return constant(t.pfn, this.s.page(this.fixed(x).oa!));
  }

  sameLocation(x: Access, y: Access): Bool {
    if (!this.mayAlias(x, y)) return FALSE;
    if (this.target(x).k === "pte") return TRUE;
    const [a, b] = [this.pageOf(x), this.pageOf(y)];
    return !this.dynamic(x) && !this.dynamic(y) ? TRUE : eq(a, b);
  }

  pageAddress(y: Access): Expr<"va"> {
    return constant(t.va, this.s.page(this.target(y).name));
  }

  /** Whether hardware may have to change the entry for an access (rules A12, A13). */
  manages(y: Access): boolean {
    const { HA, HD } = managing(this.s.test.threads[y.thread]!);
    if (!this.dynamic(y)) return false;
    return this.s.facts
      .entries(this.target(y).name)
      .some(
        (d) =>
          d.valid === 1 && ((HA && d.af === 0) || (HD && y.writes && d.dbm === 1 && d.db === 0)),
      );
  }

  /** The update is of the dirty state, which is not done by speculation (rule A13). */
  dirties(y: Access): Bool {
    if (!y.writes || !managing(this.s.test.threads[y.thread]!).HD) return FALSE;
    const slot = slotOf(y.slot);
    return ne(RDONLY(seen(slot)), RDONLY(captured(slot)));
  }

  owing(x: Step): Bool {
    return x.k === "access" && this.manages(x) ? owes(slotOf(x.slot)) : FALSE;
  }

  reaches(r: Access, k: Target["k"], name: string): boolean {
    const at = this.target(r);
    return at.k === k && at.name === name;
  }

  /** The reads of the entry of a page. */
  readersOf(name: string): Access[] {
    return this.accesses.filter((r) => r.reads && this.reaches(r, "pte", name));
  }

  /** What was captured is not what memory holds. */
  stale(x: Access): Bool {
    return ne(captured(slotOf(x.slot)), pte(MM, this.pageAddress(x)));
  }
}
