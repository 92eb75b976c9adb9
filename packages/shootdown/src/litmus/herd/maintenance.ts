// SPDX-License-Identifier: Apache-2.0
// TLB maintenance among the steps of a test: what it removes and what it waits for (A21, A25).

import { maintained, translated } from "../../hardware/arm64/instructions.ts";
import { removed } from "../../hardware/arm64/tlbi.ts";
import { ANY, constant, FALSE, member, not, TRUE } from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { await_, set, when } from "../../ir/stmt.ts";
import { tlbi_op } from "../../vocabulary/events.ts";
import { Range, t } from "../../vocabulary/sorts.ts";
import { asid_of } from "../../vocabulary/state.ts";
import { all, type Bool, type Conditions, done, MM, negation, slotOf, some } from "./conditions.ts";
import type { Access, Tlbi } from "./program.ts";
import { constantOf, valuesOf } from "./symbolic.ts";
import { Unsupported, type Word } from "./words.ts";

export class Maintenance {
  private readonly c: Conditions;

  constructor(conditions: Conditions) {
    this.c = conditions;
  }

  /**
   * What the operation does to each page, a step a page: an operation on everything is done for one
   * page and not yet for another. A step waits until nothing that it concerns is in flight (A25).
   */
  effects(y: Tlbi): { readonly page: string; readonly body: Stmt[] }[] {
    const { all: whole, broadcast } = scopeOf(y.op);
    const cpu = broadcast ? ANY : constant(t.cpu, y.thread);
    const pages = this.pages(y, whole);
    if (pages.length === 0) return [{ page: "", body: [set(done(y.slot), TRUE)] }];
    // Everything, page by page: each is removed whatever its ASID.
    const byPage = member(tlbi_op, "VAAE1IS");
    return pages.map((page) => {
      const va = constant(t.va, this.c.s.page(page));
      const flights = this.c.accesses.filter((x) => this.concerns(y, x, page, broadcast));
      const meant = whole ? TRUE : this.means(y, page);
      const removal = [
        await_(all(...flights.map((x) => negation(this.inFlight(x))))),
        await_(all(...flights.map((x) => this.afterEarlierWalks(x)))),
        ...removed(cpu, { op: byPage, asid: asid_of(MM), range: Range.one(va) }, TRUE),
      ];
      const own = maintained(slotOf(y.slot), va);
      const others = pages
        .filter((p) => p !== page)
        .map((p) => maintained(slotOf(y.slot), constant(t.va, this.c.s.page(p))));
      const body = [
        await_(not(own)),
        when(meant, ...removal),
        set(own, TRUE),
        when(all(...others), set(done(y.slot), TRUE)),
      ];
      return { page, body };
    });
  }

  /** The pages that the operation may be about and that have more than one entry. */
  private pages(y: Tlbi, whole: boolean): string[] {
    const { facts } = this.c.s;
    const dynamic = facts.names.filter((n) => facts.entries(n).length > 1);
    if (whole) return dynamic;
    if (!y.address) throw new Unsupported(`TLBI ${y.op} without a register`);
    const meant = valuesOf(y.address, facts.possible).map((w) => (w.k === "page" ? w.name : ""));
    return dynamic.filter((n) => meant.includes(n));
  }

  /** Whether the register holds this page. */
  private means(y: Tlbi, page: string): Bool {
    const is = (w: Word) => (w.k === "page" && w.name === page ? TRUE : FALSE);
    const only = constantOf(y.address!, this.c.s.facts.possible);
    return only ? is(only) : this.c.emit(y.address!, is);
  }

  private concerns(y: Tlbi, x: Access, page: string, broadcast: boolean): boolean {
    if (!this.c.reaches(x, "va", page)) return false;
    if (x.thread !== y.thread) return broadcast;
    return this.c.earlier(y).includes(x) || this.synchronizes(y, x);
  }

  /** With FEAT_ETS2 a DSB alone completes maintenance for the PE's own later accesses (A27). */
  private synchronizes(y: Tlbi, x: Access): boolean {
    return this.c.s.ets2 && this.c.order(x).access.performed.has(y.slot);
  }

  /**
   * A use of an old entry before the maintenance has the thread's earlier translations of that page
   * before it too: none of them is newer.
   */
  private afterEarlierWalks(y: Access): Bool {
    const { name } = this.c.target(y);
    const before = this.c.earlier(y).filter((x) => this.c.reaches(x, "va", name));
    if (before.length === 0) return TRUE;
    const used = all(done(y.slot), this.c.passes(y), this.c.stale(y));
    const made = before.map((x) => some(translated(slotOf(x.slot)), this.c.skipped(x)));
    return some(negation(used), all(...made));
  }

  private inFlight(x: Access): Bool {
    return all(
      translated(slotOf(x.slot)),
      not(done(x.slot)),
      this.c.stale(x),
      negation(this.c.skipped(x)),
      negation(this.c.killed(x)),
    );
  }
}

/**
 * Rule A21, as far as one address space and one level tell operations apart. ASIDE1 spares global
 * entries, and whether an entry is one is not said.
 */
function scopeOf(op: string): { all: boolean; broadcast: boolean } {
  const m = /^(VAE1|VALE1|VAAE1|VAALE1|VMALLE1)(IS|OS)?$/.exec(op);
  if (!m) throw new Unsupported(`TLBI ${op}`);
  return { all: m[1] === "VMALLE1", broadcast: m[2] !== undefined };
}
