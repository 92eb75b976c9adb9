// SPDX-License-Identifier: Apache-2.0
// Instructions as compiled code: each changes the frame, or asks the step for a choice.

import type { Node } from "../../ir/expr.ts";
import type { CellDecl } from "../../ir/machine.ts";
import type { Instance } from "../cells.ts";
import type { Bits, Layout } from "../layout.ts";
import { rangeBits } from "../layout.ts";
import type { PackedMachine } from "../packed.ts";
import { atOnce } from "../packed-code.ts";
import { entryOffsets } from "../packed-expr.ts";
import type { Instr, Program } from "../program.ts";
import { sizeOf } from "../program.ts";
import type { Ex, St } from "../target/code.ts";
import { bin, br, brIf, local, num, set, un } from "../target/code.ts";
import { type CompiledCells, countOf, nth } from "./cells.ts";
import { and, choose, type Expressions, or } from "./expr.ts";
import type { Frame } from "./frame.ts";
import { Uncompilable } from "./frame.ts";
import type { Effects, Next, Step } from "./region.ts";

/** What instructions of one function may use besides the frame. */
export interface Place {
  /** Where a state may be written for functions that want one in memory. */
  readonly scratch: Ex | undefined;
  /** The local that gathers what a fill yields. */
  readonly yields?: number;
}

/** What names one instance of a cell. */
interface Named {
  readonly cell: CellDecl;
  readonly index: readonly Node[];
}

type Of<K extends Instr["op"]> = Instr & { op: K };

export class Instructions {
  private readonly program: Program;
  private readonly layout: Layout;
  private readonly machine: PackedMachine;
  private readonly exprs: Expressions;
  private readonly cells: CompiledCells;

  constructor(machine: PackedMachine, exprs: Expressions, cells: CompiledCells) {
    this.machine = machine;
    this.program = machine.program;
    this.layout = machine.layout;
    this.exprs = exprs;
    this.cells = cells;
  }

  /** Writes one instruction. */
  write(i: Instr, at: number, f: Frame, step: Step, place: Place): Next {
    const { exprs } = this;
    const next = { to: at + 1 };
    switch (i.op) {
      case "let":
        f.setReg(i.reg, exprs.value(i.value, f));
        return next;
      case "store":
      case "xchg":
      case "cas":
        this.access(i, f);
        return next;
      case "branch":
        return { cond: exprs.truth(i.cond, f), yes: at + 1, no: i.to };
      case "jump":
        return { to: i.to };
      case "each": {
        const hi: Node = { k: "op", op: "hi", args: [i.over], sort: i.over.sort };
        const cond = bin("lt_s", f.reg(i.reg), exprs.value(hi, f));
        return { cond, yes: at + 1, no: i.to };
      }
      case "next":
        f.setReg(i.reg, bin("add", f.reg(i.reg), exprs.value(i.stride, f)));
        return { to: i.to };
      case "grow":
        this.grow(i, f);
        return next;
      case "await":
        step.deadIf(un("eqz", exprs.truth(i.cond, f)), f);
        return next;
      case "choose":
        this.choose(i, f, step);
        return next;
      case "either":
        return { choice: step.choose(num(i.to.length), f), among: i.to };
      case "lookup":
        this.lookup(i, f, step, place);
        return next;
      case "insert":
      case "clear":
        this.change(i, f);
        return next;
      case "post":
        this.post(i, f, step);
        return next;
      case "yield":
        this.yielded(this.cells.bit(this.collecting(place), exprs.value(i.value, f)), f, place);
        return next;
      case "yieldHeld": {
        const own = this.machine.cells.instancesOf(i.cell);
        this.yielded(this.held(own, this.instance(i, f), f), f, place);
        return next;
      }
      case "violate": {
        const latch = this.layout.latches[this.program.observers.indexOf(i.observer)];
        if (latch) f.write(latch, num(1));
        return next;
      }
      case "retry":
      case "emit":
        return next;
      case "halt":
        throw new Uncompilable("an end inside a step");
    }
  }

  /** The group whose fill is being compiled; set by whoever compiles it. */
  group = -1;

  private collecting(place: Place): number {
    if (place.yields === undefined) throw new Uncompilable("a yield outside a fill");
    return this.group;
  }

  private yielded(mask: Ex, f: Frame, place: Place): void {
    const n = place.yields;
    if (n === undefined) throw new Uncompilable("a yield outside a fill");
    f.writer.push(set(n, bin("or", local(n), mask)));
  }

  private access(i: Of<"store" | "xchg" | "cas">, f: Frame): void {
    const { exprs } = this;
    const { writer } = f;
    const elements = exprs.elements(i.field.name);
    const at = writer.bind(exprs.element(i.field.name, i.index, f));
    const old = i.op === "store" ? undefined : writer.bind(exprs.readElement(elements, at, f));
    const expected = i.op === "cas" ? bin("eq", old!, exprs.value(i.expect, f)) : num(1);
    const ok = writer.bind(expected);
    const value = writer.bind(exprs.value(i.value, f));
    if (i.op === "xchg") f.setReg(i.reg, old!);
    if (i.op === "cas") f.setReg(i.reg, ok);
    // What is not stored need not fit; all elements have as many bits.
    const stored = choose(ok, value, num(0));
    const fits = writer.fit(stored, elements[0]!.mask, i.field.name);
    const put = (bits: Bits, here: Ex): void => f.write(bits, choose(here, fits, f.read(bits)));
    // Where there is none, the step has failed.
    if (at.k === "const") for (const bits of elements.slice(at.value, at.value + 1)) put(bits, ok);
    else for (const [n, bits] of elements.entries()) put(bits, and(bin("eq", at, num(n)), ok));
    f.dirty |= this.machine.cells.fieldBit(i.field.name);
  }

  private grow(i: Of<"grow">, f: Frame): void {
    const { writer } = f;
    const range = { ...i.by.sort, kind: "range", element: i.by.sort } as typeof i.by.sort;
    const bits = rangeBits(range, this.program.domain);
    const r = writer.bind(f.reg(i.reg));
    const v = writer.bind(this.exprs.value(i.by, f));
    const next = this.exprs.fit(
      bin("add", v, num(1)),
      2 ** bits - 1,
      `a bound of ${range.name}`,
      f,
    );
    const after = writer.bind(next);
    const low = writer.bind(bin("and", r, num(2 ** bits - 1)));
    const high = writer.bind(bin("shr_u", r, num(bits)));
    const empty = bin("ge_u", low, high);
    const lo = choose(or(empty, bin("lt_u", v, low)), v, low);
    const hi = choose(or(empty, bin("lt_u", high, after)), after, high);
    f.setReg(i.reg, bin("or", lo, bin("shl", hi, num(bits))));
  }

  private choose(i: Of<"choose">, f: Frame, step: Step): void {
    const size = sizeOf(i.sort, this.program.domain);
    if (!i.where) return f.setReg(i.reg, step.choose(num(size), f));
    if (size > 32) throw new Uncompilable("a choice among more than 32 values");
    let mask: Ex = num(0);
    for (let v = 0; v < size; v++) {
      f.regs.set(i.reg, num(v));
      mask = bin("or", mask, bin("shl", this.exprs.truth(i.where, f), num(v)));
    }
    f.setReg(i.reg, this.oneOf(f.writer.bind(mask), f, step));
  }

  /** The position of one of the bits of a mask; none, and the step is not enabled. */
  private oneOf(mask: Ex, f: Frame, step: Step): Ex {
    if (mask.k === "const" && mask.value !== 0 && (mask.value & (mask.value - 1)) === 0) {
      return num(31 - Math.clz32(mask.value));
    }
    step.deadIf(un("eqz", mask), f);
    return f.writer.bind(nth(mask, step.choose(countOf(mask), f)));
  }

  /** Which of a declaration's instances a key names, or one that does not exist. */
  private instance({ cell: decl, index }: Named, f: Frame): Ex {
    const own = this.machine.cells.instancesOf(decl);
    const keys = index.map((k, d) => f.writer.bind(this.exprs.key(k, decl, d, f)));
    let at: Ex = num(own.length);
    for (const [n, c] of [...own.entries()].reverse()) {
      let same: Ex = num(1);
      for (const [d, v] of c.key.entries()) same = and(same, bin("eq", keys[d]!, num(v)));
      at = choose(same, num(n), at);
    }
    return f.writer.bind(at);
  }

  private held(own: readonly Instance[], at: Ex, f: Frame): Ex {
    if (at.k === "const") return own[at.value] ? f.read(own[at.value]!.bits) : num(0);
    let mask: Ex = num(0);
    for (const [n, c] of own.entries()) {
      mask = choose(bin("eq", at, num(n)), f.read(c.bits), mask);
    }
    return mask;
  }

  /** Any entry that the cell holds or, for a walk, that its fill yields now. */
  private lookup(i: Of<"lookup">, f: Frame, step: Step, place: Place): void {
    const { writer } = f;
    const own = this.machine.cells.instancesOf(i.cell);
    const at = this.instance(i, f);
    const held = writer.bind(this.held(own, at, f));
    const found = i.walks ? bin("or", held, this.walked(own, at, f, place)) : held;
    const mask = writer.bind(found);
    const bit = this.oneOf(mask, f, step);
    f.setReg(i.reg, this.cells.value(this.groupOf(i.cell), bit));
  }

  /** What the fill of the named instance yields now. */
  private walked(own: readonly Instance[], at: Ex, f: Frame, place: Place): Ex {
    const { writer } = f;
    const state = this.inMemory(f, place);
    if (at.k === "const") {
      const c = own[at.value];
      return c ? writer.bind(this.cells.fillMask(c, state)) : num(0);
    }
    const mask = writer.fb.fresh();
    writer.push(set(mask, num(0)));
    for (const [n, c] of own.entries()) {
      const then: St[] = [set(mask, this.cells.fillMask(c, state))];
      writer.push({ k: "if", c: bin("eq", at, num(n)), then, else: [] });
    }
    return local(mask);
  }

  /** The address of the state under construction. */
  private inMemory(f: Frame, place: Place): Ex {
    const { address } = f.writer;
    if (f.changes.size === 0 && address) return address;
    if (!place.scratch) throw new Uncompilable("a walk in the middle of a change");
    f.commit(place.scratch);
    return place.scratch;
  }

  private change(i: Of<"insert" | "clear">, f: Frame): void {
    const { writer } = f;
    const group = this.groupOf(i.cell);
    const own = this.machine.cells.instancesOf(i.cell);
    if (own.length > 0) f.dirty |= this.machine.cells.groupBit(group);
    if (i.op === "insert") {
      const at = this.instance(i, f);
      // A value that reaches no cell is not numbered.
      if (at.k === "const" && !own[at.value]) return;
      const some = bin("lt_u", at, num(own.length));
      const value = writer.bind(this.exprs.under(some, () => this.exprs.value(i.value, f)));
      const bit = writer.fb.fresh();
      writer.push(set(bit, num(0)));
      const then: St[] = [set(bit, this.cells.bit(group, value))];
      writer.push({ k: "if", c: some, then, else: [] });
      for (const [n, c] of own.entries()) {
        const here = choose(bin("eq", at, num(n)), local(bit), num(0));
        if (here.k === "const" && here.value === 0) continue;
        f.write(c.bits, bin("or", f.read(c.bits), here));
      }
      return;
    }
    for (const c of own) {
      const held = writer.bind(f.read(c.bits));
      const any = bin("ne", held, num(0));
      const match = this.exprs.under(any, () => this.exprs.matches(i.index, c.key, f));
      if (match.k === "const" && !match.value) continue;
      const asked = writer.bind(choose(match, held, num(0)));
      const gone = i.where ? this.selected(asked, i.where, group, f) : asked;
      f.write(c.bits, bin("and", held, bin("xor", gone, num(-1))));
    }
  }

  /** The bits of a mask whose values fulfil a condition. */
  private selected(mask: Ex, where: { reg: number; cond: Node }, group: number, f: Frame): Ex {
    const { writer } = f;
    const { fb } = writer;
    const [rest, gone, one, value] = [fb.fresh(), fb.fresh(), fb.fresh(), fb.fresh()];
    const [loop, done] = [fb.label(), fb.label()];
    const saved = f.regs.get(where.reg);
    f.regs.set(where.reg, local(value));
    const test = f.apart(() => {
      const c = this.exprs.truth(where.cond, f);
      const then: St[] = [set(gone, bin("or", local(gone), local(one)))];
      writer.push({ k: "if", c, then, else: [] });
    });
    if (saved) f.regs.set(where.reg, saved);
    else f.regs.delete(where.reg);
    const body: St[] = [
      brIf(un("eqz", local(rest)), done),
      set(one, bin("and", local(rest), bin("sub", num(0), local(rest)))),
      set(rest, bin("xor", local(rest), local(one))),
      set(value, this.cells.value(group, un("ctz", local(one)))),
      ...test,
      br(loop),
    ];
    const all: St = { k: "block", label: done, body: [{ k: "loop", label: loop, body }] };
    writer.push(set(rest, mask), set(gone, num(0)), all);
    return local(gone);
  }

  /** Adds an entry to the first set that matches; a full set and the step is not enabled. */
  private post(i: Of<"post">, f: Frame, step: Step): void {
    const { writer } = f;
    const fields = Object.entries(i.set.entry);
    const offsets = entryOffsets(fields, this.program.domain);
    const given = new Map(i.entry);
    const { exprs } = this;
    for (const [d, k] of i.index.entries()) exprs.key(k, i.set, d, f);
    const most = step.most((x) => x.op === "post" && x.set === i.set);
    let free: Ex = num(1);
    for (const [n, p] of this.program.pending.entries()) {
      if (p.decl !== i.set) continue;
      const same = exprs.under(free, () => exprs.matches(i.index, p.key, f));
      const match = writer.bind(and(free, same));
      if (match.k === "const" && !match.value) continue;
      free = writer.bind(and(free, un("eqz", match)));
      const slots = this.layout.pending[n]!;
      if (most > slots.length) {
        const count = f.reg(postedTo(n));
        writer.failIf(and(match, bin("ge_u", count, num(slots.length))), atOnce(i.set));
        f.setReg(postedTo(n), bin("add", count, match));
      }
      const full = f.read(slots.at(-1)!);
      step.deadIf(and(match, bin("ne", full, num(0))), f);
      let entry: Ex = num(1);
      for (const [k, [name]] of fields.entries()) {
        const { offset, mask } = offsets[k]!;
        const v = exprs.under(match, () => exprs.value(given.get(name)!, f));
        // What no set takes need not fit.
        const taken = match.k === "const" ? v : choose(match, v, num(0));
        const fits = writer.fit(taken, mask, `${i.set.name}.${name}`);
        entry = bin("or", entry, bin("shl", fits, num(offset)));
      }
      const ordered = i.set.order.length > 0;
      this.insertEntry(slots, writer.bind(entry), match, ordered, f);
      if (match.k === "const") return;
    }
  }

  /** Behind the others if there is an order; else sorted, so that equal sets are equal states. */
  private insertEntry(slots: readonly Bits[], entry: Ex, match: Ex, ordered: boolean, f: Frame) {
    const old = slots.map((b) => f.writer.bind(f.read(b)));
    const before = old.map((e) =>
      f.writer.bind(
        ordered ? bin("ne", e, num(0)) : and(bin("ne", e, num(0)), bin("le_u", e, entry)),
      ),
    );
    for (const [n, bits] of slots.entries()) {
      const here = n === 0 ? entry : choose(before[n - 1]!, entry, old[n - 1]!);
      const now = choose(
        before[n]!,
        old[n]!,
        ordered && n > 0 ? orNothing(before, entry, n) : here,
      );
      f.write(bits, choose(match, now, old[n]!));
    }
  }

  private groupOf(decl: CellDecl): number {
    return this.machine.group(decl);
  }

  /** What an instruction may change. */
  effects(i: Instr): Effects {
    switch (i.op) {
      case "let":
      case "choose":
      case "lookup":
      case "next":
      case "grow":
        return { variables: [], registers: [i.reg] };
      case "store":
      case "xchg":
      case "cas": {
        const elements = this.exprs.elements(i.field.name);
        const { sizes } = this.layout.fields.get(i.field.name)!;
        const known = i.index.every((x) => x.k === "const");
        const at = i.index.reduce((n, x, d) => n * sizes[d]! + (x.k === "const" ? x.value : 0), 0);
        const variables = known ? elements.slice(at, at + 1) : elements;
        return { variables, registers: i.op === "store" ? [] : [i.reg] };
      }
      case "insert":
      case "clear": {
        const own = this.machine.cells.instancesOf(i.cell);
        return { variables: own.map((c) => c.bits), registers: [] };
      }
      case "post": {
        const sets = this.program.pending.flatMap((p, n) =>
          p.decl === i.set ? this.layout.pending[n]! : [],
        );
        const counts = this.program.pending.flatMap((p, n) =>
          p.decl === i.set ? [postedTo(n)] : [],
        );
        return { variables: sets, registers: counts };
      }
      case "violate": {
        const latch = this.layout.latches[this.program.observers.indexOf(i.observer)];
        return { variables: latch ? [latch] : [], registers: [] };
      }
      default:
        return { variables: [], registers: [] };
    }
  }
}

/** The register that counts what a step has posted to a pending set. */
const postedTo = (n: number): number => -1 - n;

/** In a queue the entry goes to the first free slot only. */
const orNothing = (taken: readonly Ex[], entry: Ex, n: number): Ex =>
  choose(taken[n - 1]!, entry, num(0));
