// SPDX-License-Identifier: Apache-2.0
// The steps of a herd test as agents of a system: waiting, translation, update, access.

import type { ThreadSpec } from "../../engine/program.ts";
import {
  captured,
  loaded,
  owes,
  SPECULATE,
  TRANSLATE,
  translated,
  UPDATE,
  WALK,
} from "../../hardware/arm64/instructions.ts";
import { constant, FALSE, not, TRUE } from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, await_, call, loop, set, when, whenElse } from "../../ir/stmt.ts";
import { permits } from "../../vocabulary/descriptor.ts";
import { t } from "../../vocabulary/sorts.ts";
import {
  all,
  bool,
  Conditions,
  done,
  MM,
  negation,
  type Step,
  slotOf,
  some,
} from "./conditions.ts";
import type { Setting } from "./elaborate.ts";
import { Maintenance } from "./maintenance.ts";
import { managing } from "./managing.ts";
import type { Access } from "./program.ts";
import { Transfers } from "./transfer.ts";

export class Steps {
  private readonly c: Conditions;
  private readonly transfers: Transfers;
  private readonly maintenance: Maintenance;

  constructor(setting: Setting) {
    this.c = new Conditions(setting);
    this.transfers = new Transfers(this.c);
    this.maintenance = new Maintenance(this.c);
  }

  agents(): ThreadSpec[] {
    return [...this.c.steps.flatMap((y) => this.agentsOf(y)), ...this.speculation()];
  }

  private agentsOf(y: Step): ThreadSpec[] {
    const name = `P${y.thread}:${y.slot} ${y.text}`;
    const agent = (suffix: string, locals: ThreadSpec["locals"], body: Stmt[]): ThreadSpec => ({
      name: name + suffix,
      locals,
      body: [atomic(...body)],
    });
    const own = this.own(y);
    if (y.k === "tlbi") {
      return this.maintenance
        .effects(y)
        .map(({ page, body }) => agent(page === "" ? "" : ` of ${page}`, {}, [...own, ...body]));
    }
    const locals = {};
    if (this.c.s.control === "strong") {
      const address = await_(this.c.waits(this.c.order(y).translate));
      return [agent("", locals, [address, ...own, ...this.walk(y), ...this.access(y)])];
    }
    if (!this.c.dynamic(y)) {
      const address = await_(this.c.waits(this.c.order(y).translate));
      return [
        ...this.readPart(y).map((body) => agent(" read", locals, [address, ...body])),
        agent("", locals, [address, ...own, ...this.access(y)]),
      ];
    }
    const inOrder = this.c.s.control === "protocol";
    const settled = inOrder ? negation(this.c.owing(y)) : TRUE;
    const ready = await_(all(translated(slotOf(y.slot)), settled));
    return [
      agent(" walk", locals, this.walk(y)),
      ...(this.c.manages(y) ? [agent(" update", locals, this.update(y))] : []),
      ...this.readPart(y).map((body) => agent(" read", locals, [ready, ...body])),
      agent("", locals, [ready, ...own, ...this.access(y)]),
    ];
  }

  /** The step in which a read-modify-write reads, if that is a step of its own. */
  private readPart(y: Access): Stmt[][] {
    if (!this.c.split(y)) return [];
    const slot = slotOf(y.slot);
    const free = all(not(loaded(slot)), negation(this.c.skipped(y)), negation(this.c.killed(y)));
    return [
      [
        await_(all(free, this.c.passes(y), this.c.waits(this.c.order(y).read))),
        ...this.transfers.coherent(y, "read"),
        ...this.transfers.reading(y),
        set(loaded(slot), TRUE),
      ],
    ];
  }

  /** What every access or TLBI waits for. */
  private own(y: Step): Stmt[] {
    const made = y.k === "tlbi" ? all(this.c.waits(this.c.order(y).access), this.c.live(y)) : TRUE;
    return [
      await_(all(not(done(y.slot)), made, negation(this.c.skipped(y)), negation(this.c.killed(y)))),
    ];
  }

  private walk(y: Access): Stmt[] {
    if (!this.c.dynamic(y)) return [];
    const { ets2, test } = this.c.s;
    const { translate, faultingWalk } = this.c.order(y);
    const slot = slotOf(y.slot);
    const { HA, HD } = managing(test.threads[y.thread]!);
    const va = this.c.pageAddress(y);
    const args = { mm: MM, va, slot, write: bool(y.writes), HA: bool(HA), HD: bool(HD) };
    if (this.c.s.control === "strong") return [call(WALK, args), ...this.update(y)];
    const early = [...faultingWalk].map((n) => this.c.performedOrSkipped(n));
    return [
      await_(
        all(
          not(translated(slot)),
          this.c.waits(translate),
          negation(this.c.killed(y)),
          negation(this.c.skipped(y)),
        ),
      ),
      call(TRANSLATE, { cpu: constant(t.cpu, y.thread), ...args }),
      ...(ets2 ? [await_(some(permits(captured(slot), FALSE), all(...early)))] : []),
    ];
  }

  private update(y: Access): Stmt[] {
    if (!this.c.manages(y)) return [];
    const { name } = this.c.target(y);
    const readers = this.c.readersOf(name);
    const change = [
      call(UPDATE, { mm: MM, va: this.c.pageAddress(y), slot: slotOf(y.slot) }),
      ...this.transfers.marks(readers, undefined),
    ];
    if (this.c.s.control === "strong") return [when(owes(slotOf(y.slot)), ...change)];
    const certain = all(this.c.waits(this.c.order(y).certain), this.c.live(y));
    const synced = [...this.c.order(y).update].map((n) => this.c.performedOrSkipped(n));
    return [
      ...(this.c.s.ets2 ? [await_(all(...synced))] : []),
      await_(owes(slotOf(y.slot))),
      await_(some(negation(this.c.dirties(y)), certain)),
      ...change,
    ];
  }

  /** Access flags that hardware sets by speculation, of any page, whenever it likes (rule A12). */
  private speculation(): ThreadSpec[] {
    const { test, facts, control } = this.c.s;
    if (control === "strong" || !test.threads.some((x) => managing(x).HA)) return [];
    return facts.names
      .filter((name) => facts.entries(name).some((d) => d.valid === 1 && d.af === 0))
      .map((name) => {
        const va = constant(t.va, this.c.s.page(name));
        const readers = this.c.readersOf(name);
        const body = atomic(
          call(SPECULATE, { mm: MM, va }),
          ...this.transfers.marks(readers, undefined),
        );
        return { name: `speculation ${name}`, locals: {}, body: [loop(body)] };
      });
  }

  /** The access with what was captured, or its fault. */
  private access(y: Access): Stmt[] {
    const passes = this.c.passes(y);
    const { access, fault } = this.c.order(y);
    const made = [
      await_(all(this.c.waits(access, y), y.writes ? this.c.live(y) : TRUE)),
      ...(this.c.split(y) ? [await_(loaded(slotOf(y.slot)))] : []),
      ...this.transfers.coherent(y, y.writes ? "write" : "read"),
      ...this.transfers.transfer(y),
    ];
    const late = this.c.target(y).k === "va" ? this.c.walkedLate(y) : TRUE;
    const refused = [await_(all(this.c.waits(fault), late))];
    const body =
      passes === TRUE ? made : passes === FALSE ? refused : [whenElse(passes, made, refused)];
    return [...body, set(done(y.slot), TRUE)];
  }
}
