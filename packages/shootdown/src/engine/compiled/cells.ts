// SPDX-License-Identifier: Apache-2.0
// Cells in compiled code: values numbered as they appear, fills as functions, windows closed.
//
//   tables:  per sort [ count | 32 values ]   per group [ known | admitted ]
//
//   bit_SORT(value) -> mask      fill_N(state) -> mask      admit_G(mask) -> mask
//   close(state, dirty)          nth_bit(mask, n) -> position

import type { Node } from "../../ir/expr.ts";
import type { Instance } from "../cells.ts";
import { CELL_VALUES_MAX } from "../layout.ts";
import type { PackedMachine } from "../packed.ts";
import type { Ex, Fn, St } from "../target/code.ts";
import {
  bin,
  br,
  brIf,
  call,
  FnBuilder,
  iff,
  load,
  local,
  num,
  set,
  store,
  un,
} from "../target/code.ts";
import type { Expressions } from "./expr.ts";
import { Frame, Writer } from "./frame.ts";
import { bounded, cut, merge } from "./values.ts";

const SORT_WORDS = 1 + CELL_VALUES_MAX;

export class CompiledCells {
  readonly machine: PackedMachine;
  readonly data: number[] = [];
  readonly functions: Fn[] = [];
  private readonly exprs: Expressions;
  private readonly base: number;
  private readonly reasons: string[];
  private readonly sorts: readonly PackedMachine["cells"]["interners"][number][];
  private readonly groupTables: readonly number[];

  constructor(machine: PackedMachine, exprs: Expressions, base: number, reasons: string[]) {
    this.machine = machine;
    this.exprs = exprs;
    this.base = base;
    this.reasons = reasons;
    const { interners } = machine.cells;
    this.sorts = [...new Set(interners)];
    for (const s of this.sorts) {
      const values = Array.from({ length: CELL_VALUES_MAX }, (_, n) => s.values[n] ?? 0);
      this.data.push(s.values.length, ...values);
    }
    this.groupTables = interners.map(() => this.base + 4 * (this.data.push(0, 0) - 2));
    this.functions.push(nthBit());
    for (const n of this.sorts.keys()) this.functions.push(this.bitFunction(n));
    for (const [g, group] of machine.program.cells.entries()) {
      if (group.admits) this.functions.push(this.admitFunction(g, group.admits));
    }
  }

  get hasInstances(): boolean {
    return this.machine.cells.instances.length > 0;
  }

  /** Number of the table of values of a group. */
  sort(group: number): number {
    return this.sorts.indexOf(this.machine.cells.interners[group]!);
  }

  /** What `intern` of the host must do: number the value here and there. */
  intern(sort: number, value: number, memory: Int32Array): number {
    const interner = this.sorts[sort]!;
    const bit = interner.bit(value);
    const at = (this.base >> 2) + sort * SORT_WORDS;
    for (const [n, v] of interner.values.entries()) memory[at + 1 + n] = v;
    memory[at] = interner.values.length;
    return bit;
  }

  /** The one-bit mask of a value. */
  bit(group: number, value: Ex): Ex {
    return call(`bit_${this.sort(group)}`, value);
  }

  /** The value at a position. */
  value(group: number, at: Ex): Ex {
    const table = this.base + 4 * (this.sort(group) * SORT_WORDS + 1);
    return load(bin("shl", at, num(2)), table);
  }

  admitted(group: number, mask: Ex): Ex {
    return this.machine.program.cells[group]!.admits ? call(`admit_${group}`, mask) : mask;
  }

  /** The values that a cell of the state at an address could be filled with now. */
  fillMask(c: Instance, state: Ex): Ex {
    return c.fill ? call(`fill_${this.machine.cells.number(c)}`, state) : num(0);
  }

  /** Brings every window of a state in memory up to date. */
  closeFunction(): Fn {
    const fb = new FnBuilder("close", 2);
    const [state, old, now, again, dirty] = [0, fb.fresh(), fb.fresh(), fb.fresh(), 1];
    const { cells } = this.machine;
    const label = fb.label();
    const body: St[] = [set(again, num(0))];
    for (const c of cells.order) {
      if (!c.fill || !this.isWindow(c)) continue;
      const { word, shift, mask } = c.bits;
      const whole = load(local(state), 4 * word);
      const before = cut(whole, word, shift, mask);
      const fresh = this.admitted(c.group, this.fillMask(c, local(state)));
      body.push(
        iff(bin("and", local(dirty), num(c.reads)), [
          set(old, before),
          set(now, bin("or", local(old), fresh)),
          iff(bin("ne", local(now), local(old)), [
            store(
              local(state),
              4 * word,
              merge(whole, word, [{ shift, mask, value: local(now) }], 0),
            ),
            set(dirty, bin("or", local(dirty), num(cells.groupBit(c.group)))),
            set(again, num(1)),
          ]),
        ]),
      );
    }
    if (!cells.cyclic) return fb.done(false, body);
    return fb.done(false, [{ k: "loop", label, body: [...body, brIf(local(again), label)] }]);
  }

  /** Brings the windows of the state at an address up to date, after a step. */
  close(w: Writer, at: Ex, dirty: number): void {
    if (this.machine.semantics !== "window" || dirty === 0 || !this.hasInstances) return;
    w.push({ k: "do", value: call("close", at, num(dirty)) });
  }

  isWindow(c: Instance): boolean {
    return this.machine.cells.isWindow(c.group);
  }

  private bitFunction(sort: number): Fn {
    const fb = new FnBuilder(`bit_${sort}`, 1);
    const [value, n] = [local(0), fb.fresh()];
    const table = this.base + 4 * sort * SORT_WORDS;
    const [loop, missing] = [fb.label(), fb.label()];
    const entry = load(bin("shl", local(n), num(2)), table + 4);
    return fb.done(true, [
      {
        k: "block",
        label: missing,
        body: [
          {
            k: "loop",
            label: loop,
            body: [
              brIf(bin("ge_u", local(n), load(num(table))), missing),
              iff(bin("eq", entry, value), [{ k: "return", value: bin("shl", num(1), local(n)) }]),
              set(n, bin("add", local(n), num(1))),
              br(loop),
            ],
          },
        ],
      },
      { k: "return", value: call("intern", num(sort), value) },
    ]);
  }

  /** A condition on one value, remembered for each. */
  private admitFunction(g: number, admits: { reg: number; cond: Node }): Fn {
    const fb = new FnBuilder(`admit_${g}`, 1);
    const [rest, one, value] = [fb.fresh(), fb.fresh(), fb.fresh()];
    const table = this.groupTables[g]!;
    const [loop, done] = [fb.label(), fb.label()];
    const writer = new Writer(fb, this.machine.words, { words: [] }, this.reasons);
    const f = new Frame(writer);
    f.regs.set(admits.reg, local(value));
    const test = writer.apart(() => {
      const c = this.exprs.truth(admits.cond, f);
      // Admitted before known: another thread must not take it for refused.
      const yes: St = {
        k: "do",
        value: { k: "rmw", op: "or", addr: num(table), offset: 4, a: local(one) },
      };
      writer.push(iff(c, [yes]));
    });
    const known: Ex = { k: "rmw", op: "or", addr: num(table), offset: 0, a: local(one) };
    return fb.done(true, [
      set(rest, bin("and", local(0), bin("xor", load(num(table)), num(-1)))),
      {
        k: "block",
        label: done,
        body: [
          {
            k: "loop",
            label: loop,
            body: [
              brIf(un("eqz", local(rest)), done),
              set(one, bin("and", local(rest), bin("sub", num(0), local(rest)))),
              set(rest, bin("xor", local(rest), local(one))),
              set(value, this.value(g, un("ctz", local(one)))),
              ...test,
              { k: "do", value: known },
              br(loop),
            ],
          },
        ],
      },
      { k: "return", value: bin("and", local(0), load(num(table), 4)) },
    ]);
  }
}

/** The position of the n-th one bit. */
function nthBit(): Fn {
  const fb = new FnBuilder("nth_bit", 2);
  const [loop, done] = [fb.label(), fb.label()];
  const [mask, n] = [local(0), local(1)];
  return fb.done(true, [
    {
      k: "block",
      label: done,
      body: [
        {
          k: "loop",
          label: loop,
          body: [
            brIf(un("eqz", n), done),
            set(0, bin("and", mask, bin("sub", mask, num(1)))),
            set(1, bin("sub", n, num(1))),
            br(loop),
          ],
        },
      ],
    },
    { k: "return", value: un("ctz", mask) },
  ]);
}

/** Calls the function of that name for a position. */
export const nth = (mask: Ex, n: Ex): Ex =>
  n.k === "const" && n.value === 0 ? un("ctz", mask) : call("nth_bit", mask, n);

/** A mask as a value: at most 32 alternatives. */
export const countOf = (mask: Ex): Ex => bounded(un("popcnt", mask), CELL_VALUES_MAX);
