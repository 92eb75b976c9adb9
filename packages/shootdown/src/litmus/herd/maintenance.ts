// SPDX-License-Identifier: Apache-2.0
// TLB maintenance among the steps of a test: what it removes and what it waits for (A21, A25).

import { translated } from "../../hardware/arm64/instructions.ts";
import { tlb } from "../../hardware/arm64/tlb.ts";
import { ANY, constant, not, TRUE } from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { await_, clear, set } from "../../ir/stmt.ts";
import { t } from "../../vocabulary/sorts.ts";
import { asid_of } from "../../vocabulary/state.ts";
import { all, type Bool, type Conditions, done, MM, negation, slotOf, some } from "./conditions.ts";
import type { Access, Tlbi } from "./program.ts";
import { constantOf } from "./symbolic.ts";
import { keyOf, Unsupported } from "./words.ts";

export class Maintenance {
  private readonly c: Conditions;

  constructor(conditions: Conditions) {
    this.c = conditions;
  }

  /** TLB maintenance takes effect when nothing that it concerns is in flight (rule A25). */
  effect(y: Tlbi): Stmt[] {
    const { all: whole, broadcast } = scopeOf(y.op);
    const only = y.address && constantOf(y.address, this.c.s.facts.possible);
    if (!whole && only?.k !== "page") throw new Unsupported(`TLBI of ${only ? keyOf(only) : "?"}`);
    const name = only?.k === "page" ? only.name : "";
    const inScope = (x: Access): boolean =>
      this.c.dynamic(x) &&
      (whole || this.c.target(x).name === name) &&
      (x.thread === y.thread ? x.slot < y.slot : broadcast);
    const flights = this.c.accesses.filter(inScope);
    const va = whole ? ANY : constant(t.va, this.c.s.page(name));
    const cpu = broadcast ? ANY : constant(t.cpu, y.thread);
    return [
      await_(all(...flights.map((x) => negation(this.inFlight(x))))),
      await_(all(...flights.map((x) => this.afterEarlierWalks(x)))),
      clear(tlb({ cpu, asid: asid_of(MM), va })),
      set(done(y.slot), TRUE),
    ];
  }

  /**
   * A use of an old entry before the maintenance has the thread's earlier translations of that page
   * before it too: none of them is newer.
   */
  private afterEarlierWalks(y: Access): Bool {
    const { name } = this.c.target(y);
    const before = this.c
      .of(y.thread)
      .filter((x) => x.slot < y.slot && this.c.reaches(x, "va", name));
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

/** Rule A21, as far as one address space and one level tell operations apart. */
function scopeOf(op: string): { all: boolean; broadcast: boolean } {
  const m = /^(VAE1|VALE1|VAAE1|VAALE1|VMALLE1|ASIDE1)(IS|OS)?$/.exec(op);
  if (!m) throw new Unsupported(`TLBI ${op}`);
  return { all: m[1] === "VMALLE1" || m[1] === "ASIDE1", broadcast: m[2] !== undefined };
}
