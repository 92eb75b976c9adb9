// SPDX-License-Identifier: Apache-2.0
// A step as structured code: from where it begins, through its branches, to each place where
// it ends.
//
//   loop all choices {
//     block end {
//       loop again {                      only where the step itself repeats something
//         block m2 { block m1 { tree } tree of m1 } tree of m2     m1, m2: where branches meet
//   } }  next choice }
//
// Where branches meet, what they left different lies in locals that each branch sets on its way.

import { successors } from "../flow.ts";
import type { Bits } from "../layout.ts";
import type { Code, Instr } from "../program.ts";
import { STEP_INSTRUCTIONS_MAX } from "../run.ts";
import type { Ex, St } from "../target/code.ts";
import { bin, br, brIf, iff, local, num, set } from "../target/code.ts";
import { Chosen } from "./choices.ts";
import type { Frame, Writer } from "./frame.ts";
import { placeOf, Uncompilable } from "./frame.ts";
import { bounded, maxOf } from "./values.ts";

/** Where control goes after an instruction. */
export type Next = { readonly to: number } | Fork | Alternatives;

interface Fork {
  readonly cond: Ex;
  readonly yes: number;
  readonly no: number;
}

interface Alternatives {
  readonly choice: Ex;
  readonly among: readonly number[];
}

export interface Body {
  readonly code: Code;
  readonly start: number;
  /** Whether the step is over when control comes here. */
  readonly ends: (at: number) => boolean;
  /** Writes what there is to do at the end. */
  readonly finish: (at: number, f: Frame) => void;
  /** Writes one instruction; `dead` jumps to the next choice, the step not being enabled. */
  readonly instruction: (i: Instr, at: number, f: Frame, step: Step) => Next;
  /** What an instruction may change. */
  readonly effects: (i: Instr) => Effects;
  /** Registers that matter before an instruction; those below 0, which no code has, do always. */
  readonly live: (at: number, reg: number) => boolean;
}

export interface Effects {
  readonly variables: readonly Bits[];
  readonly registers: readonly number[];
}

/** What instructions may ask of the step that they are in. */
export interface Step {
  /** Gives the step up, with these choices, if `c`. */
  deadIf(c: Ex, f: Frame): void;
  /** One of `count` alternatives (at least 1) as a number from 0. */
  choose(count: Ex, f: Frame): Ex;
  /** At most so many times the step runs an instruction that is one of these. */
  most(among: (i: Instr) => boolean): number;
}

interface Meeting {
  readonly at: number;
  readonly label: number;
  readonly variables: ReadonlyMap<number, Bits>;
  readonly registers: ReadonlySet<number>;
  readonly edges: { readonly frame: Frame; readonly hole: St[] }[];
  /** Locals, where they had to be chosen before all edges were known. */
  phis?: Phis;
  readonly back: boolean;
}

interface Phis {
  readonly variables: Map<number, { bits: Bits; n: number }>;
  readonly registers: Map<number, number>;
}

/** Writes all the ways to run a step into the writer's code; at most so many there are. */
export function writeStep(body: Body, frame: Frame): number {
  return new Region(body, frame.writer).write(frame);
}

class Region implements Step {
  private readonly body: Body;
  private readonly writer: Writer;
  private readonly choices: Chosen;
  private readonly end: number;
  private readonly again: number;
  private readonly order: ReadonlyMap<number, number>;
  private readonly meetings: readonly Meeting[];
  private readonly meetingAt: ReadonlyMap<number, Meeting>;
  private readonly cyclic: ReadonlySet<number>;
  private readonly next: number;
  private at = 0;

  constructor(body: Body, writer: Writer) {
    this.body = body;
    this.writer = writer;
    const { fb } = writer;
    this.end = fb.label();
    this.again = fb.label();
    this.choices = new Chosen(writer);
    const { order, into, back } = explore(body);
    this.order = new Map(order.map((at, n) => [at, n]));
    this.cyclic = back.size === 0 ? new Set() : cycleOf(body, order);
    const changed = changesBefore(body, order);
    const met = order.filter((at) => (into.get(at) ?? 0) > 1 || back.has(at));
    this.meetings = met.map((at) => ({
      at,
      label: fb.label(),
      variables: changed.get(at)!.variables,
      registers: new Set([...changed.get(at)!.registers].filter((r) => r < 0 || body.live(at, r))),
      edges: [],
      back: back.has(at),
    }));
    this.meetingAt = new Map(this.meetings.map((m) => [m.at, m]));
    this.next = back.size > 0 ? fb.fresh() : -1;
  }

  write(frame: Frame): number {
    const { writer, end } = this;
    for (const m of this.meetings) if (m.back) m.phis = this.phisOf(m);
    const inner = writer.apart(() => {
      this.goTo(this.body.start, frame);
    });
    let code = this.next >= 0 ? [this.dispatch(), ...inner] : inner;
    for (const m of this.meetings) {
      const f = this.meet(m);
      const tree = f ? writer.apart(() => this.tree(m.at, f)) : [];
      code = [{ k: "block", label: m.label, body: code }, ...tree];
    }
    if (this.next >= 0) code = this.repeated(code);
    this.choices.wrap([{ k: "block", label: end, body: code }]);
    return this.choices.combinations;
  }

  deadIf(c: Ex): void {
    if (c.k !== "const") this.writer.push(brIf(c, this.end));
    else if (c.value) this.writer.push(br(this.end));
  }

  choose(count: Ex): Ex {
    if (this.cyclic.has(this.at)) throw new Uncompilable("a choice inside a loop of one step");
    return this.choices.site(count);
  }

  most(among: (i: Instr) => boolean): number {
    const found = [...this.order.keys()].filter((at) => among(this.body.code.instrs[at]!));
    return found.some((at) => this.cyclic.has(at)) ? Infinity : found.length;
  }

  /** What is repeated begins with a jump to where it goes on. */
  private dispatch(): St {
    const begin = this.writer.fb.label();
    const back = this.meetings.filter((m) => m.back);
    const labels = [begin, ...back.map((m) => m.label)];
    const jump: St = { k: "switch", on: local(this.next), labels, otherwise: begin };
    return { k: "block", label: begin, body: [jump] };
  }

  private repeated(code: readonly St[]): St[] {
    const fuel = this.writer.fb.fresh();
    const spent = bin("gt_u", local(fuel), num(STEP_INSTRUCTIONS_MAX));
    const guard = this.writer.apart(() => this.writer.failIf(spent, "a step that does not end"));
    const count = set(fuel, bin("add", local(fuel), num(1)));
    const body: St[] = [count, ...guard, ...code];
    return [set(this.next, num(0)), set(fuel, num(0)), { k: "loop", label: this.again, body }];
  }

  private tree(start: number, f: Frame): void {
    let at = start;
    for (;;) {
      const i = this.body.code.instrs[at]!;
      this.at = at;
      const next = this.body.instruction(i, at, f, this);
      if ("to" in next) {
        if (!this.inline(next.to, at)) return this.goTo(next.to, f, at);
        at = next.to;
        continue;
      }
      if ("cond" in next) return this.branch(next, f, at);
      return this.alternatives(next, f, at);
    }
  }

  private branch(next: Fork, f: Frame, from: number): void {
    const { cond, yes, no } = next;
    if (cond.k === "const") return this.goTo(cond.value ? yes : no, f, from);
    const { writer } = this;
    const then = writer.apart(() => this.goTo(yes, f.copy(), from));
    writer.push(iff(cond, then));
    this.goTo(no, f, from);
  }

  private alternatives({ choice, among }: Alternatives, f: Frame, from: number): void {
    const { writer } = this;
    for (const [n, target] of among.entries()) {
      if (n === among.length - 1) return this.goTo(target, f, from);
      const then = writer.apart(() => this.goTo(target, f.copy(), from));
      writer.push(iff(bin("eq", choice, num(n)), then));
    }
  }

  private inline(to: number, from: number): boolean {
    return !this.body.ends(to) && !this.meetingAt.has(to) && this.forward(to, from);
  }

  private forward(to: number, from: number): boolean {
    return this.order.get(to)! > this.order.get(from)!;
  }

  /** Goes on at an instruction: ends the step, meets another branch, or continues here. */
  private goTo(to: number, f: Frame, from?: number): void {
    const { writer } = this;
    const over = from !== undefined || this.body.code.instrs[to]!.op === "halt";
    if (over && this.body.ends(to)) {
      this.body.finish(to, f);
      writer.push(br(this.end));
      return;
    }
    const m = this.meetingAt.get(to);
    if (!m) return this.tree(to, f);
    const hole: St[] = [];
    m.edges.push({ frame: f, hole });
    writer.push({ k: "block", label: writer.fb.label(), body: hole });
    if (from !== undefined && !this.forward(to, from)) {
      const n = this.meetings.filter((x) => x.back).indexOf(m) + 1;
      this.fill(m, f, hole);
      writer.push(set(this.next, num(n)), br(this.again));
    } else {
      if (m.back) this.fill(m, f, hole);
      writer.push(br(m.label));
    }
  }

  private phisOf(m: Meeting): Phis {
    const { fb } = this.writer;
    return {
      variables: new Map([...m.variables].map(([p, bits]) => [p, { bits, n: fb.fresh() }])),
      registers: new Map([...m.registers].map((r) => [r, fb.fresh()])),
    };
  }

  /** Sets a meeting's locals from the values of one way to it. */
  private fill(m: Meeting, f: Frame, hole: St[]): void {
    const { fb } = this.writer;
    const sets: { n: number; value: Ex }[] = [];
    for (const { bits, n } of m.phis!.variables.values()) sets.push({ n, value: f.read(bits) });
    for (const [r, n] of m.phis!.registers) sets.push({ n, value: f.reg(r) });
    const real = sets.filter((s) => !(s.value.k === "local" && s.value.n === s.n));
    if (!m.back) {
      hole.push(...real.map((s) => set(s.n, s.value)));
      return;
    }
    // All at once: a local may be the value of another.
    const held = real.map((s) => ({ ...s, temp: fb.fresh() }));
    hole.push(...held.map((s) => set(s.temp, s.value)));
    hole.push(...held.map((s) => set(s.n, local(s.temp))));
  }

  /** The frame behind a meeting, or undefined if nothing leads there. */
  private meet(m: Meeting): Frame | undefined {
    const first = m.edges[0];
    if (!first) return undefined;
    const f = first.frame.copy();
    // A repetition changes locals.
    f.meet(m.back ? [] : m.edges.map((e) => e.frame));
    f.dirty = m.back ? -1 : m.edges.reduce((bits, e) => bits | e.frame.dirty, 0);
    if (!m.phis) {
      const phis: Phis = { variables: new Map(), registers: new Map() };
      const { fb } = this.writer;
      for (const [p, bits] of m.variables) {
        const same = common(m.edges.map((e) => e.frame.read(bits)));
        if (same && m.edges.every((e) => e.frame.changes.has(p))) f.write(bits, same);
        else if (m.edges.every((e) => !e.frame.changes.has(p))) f.changes.delete(p);
        else phis.variables.set(p, { bits, n: fb.fresh() });
      }
      for (const r of m.registers) {
        const same = common(m.edges.map((e) => e.frame.reg(r)));
        if (same) f.regs.set(r, same);
        else phis.registers.set(r, fb.fresh());
      }
      m.phis = phis;
      for (const e of m.edges) this.fill(m, e.frame, e.hole);
    }
    for (const [p, { bits, n }] of m.phis.variables) {
      f.changes.set(p, { bits, value: bounded(local(n), bits.mask >>> 0) });
    }
    for (const [r, n] of m.phis.registers) {
      const bound = m.back ? undefined : Math.max(...m.edges.map((e) => maxOf(e.frame.reg(r))));
      f.regs.set(r, bound === undefined ? local(n) : bounded(local(n), bound));
    }
    for (const r of [...f.regs.keys()]) if (r >= 0 && !this.body.live(m.at, r)) f.regs.delete(r);
    return f;
  }
}

/** The value that all ways agree on. */
function common(values: readonly Ex[]): Ex | undefined {
  const [first] = values;
  const same = (v: Ex): boolean =>
    v === first ||
    (v.k === "const" && first!.k === "const" && v.value === first!.value) ||
    (v.k === "local" && first!.k === "local" && v.n === first!.n);
  return values.every(same) ? first : undefined;
}

interface Shape {
  /** The step's instructions, each before those that follow it but for repetitions. */
  readonly order: readonly number[];
  /** Ways into an instruction. */
  readonly into: ReadonlyMap<number, number>;
  /** Instructions that a repetition leads back to. */
  readonly back: ReadonlySet<number>;
}

/** Instructions of the step that may follow one. */
function follow(body: Body, at: number): readonly number[] {
  return successors(body.code.instrs[at]!, at).filter((to) => !body.ends(to));
}

function explore(body: Body): Shape {
  const post: number[] = [];
  const seen = new Set([body.start]);
  const path = [{ at: body.start, to: [...follow(body, body.start)] }];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const to = top.to.pop();
    if (to === undefined) {
      post.push(top.at);
      path.pop();
    } else if (!seen.has(to)) {
      seen.add(to);
      path.push({ at: to, to: [...follow(body, to)] });
    }
  }
  const order = post.reverse();
  const number = new Map(order.map((at, n) => [at, n]));
  const into = new Map<number, number>();
  const back = new Set<number>();
  for (const at of order) {
    for (const to of follow(body, at)) {
      into.set(to, (into.get(to) ?? 0) + 1);
      if (number.get(to)! <= number.get(at)!) back.add(to);
    }
  }
  return { order, into, back };
}

/** Instructions that may run more than once in the step, or lie between such. */
function cycleOf(body: Body, order: readonly number[]): Set<number> {
  const number = new Map(order.map((at, n) => [at, n]));
  const inside = new Set<number>();
  for (const [n, at] of order.entries()) {
    for (const to of follow(body, at)) {
      for (let k = number.get(to)!; k <= n; k++) inside.add(order[k]!);
    }
  }
  return inside;
}

interface Changed {
  readonly variables: Map<number, Bits>;
  readonly registers: Set<number>;
}

/** What may have changed since the step began, before each instruction. */
function changesBefore(body: Body, order: readonly number[]): ReadonlyMap<number, Changed> {
  const before = new Map<number, Changed>();
  for (const at of order) before.set(at, { variables: new Map(), registers: new Set() });
  const size = (c: Changed): number => c.variables.size + c.registers.size;
  for (let again = true; again; ) {
    again = false;
    for (const at of order) {
      const own = before.get(at)!;
      const { variables, registers } = body.effects(body.code.instrs[at]!);
      for (const to of follow(body, at)) {
        const into = before.get(to)!;
        const had = size(into);
        for (const [p, b] of own.variables) into.variables.set(p, b);
        for (const b of variables) if (b.mask !== 0) into.variables.set(placeOf(b), b);
        for (const r of own.registers) into.registers.add(r);
        for (const r of registers) into.registers.add(r);
        again ||= size(into) > had;
      }
    }
  }
  return before;
}
