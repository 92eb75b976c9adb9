// SPDX-License-Identifier: Apache-2.0
// Decoding: the instructions of a thread become accesses, maintenance and barriers.
//
// Branches go forward, or back to wait for a value. A fault leads to a handler, and an ERET back.

import type { HerdTest, Instruction, Operand, Thread } from "./ast.ts";
import {
  ARITHMETIC,
  BRANCH,
  barrierOf,
  faultsAreRetried,
  hasForm,
  LOADS,
  PRIVILEGED,
  SPINS,
  suspectsOf,
  widthOf,
} from "./forms.ts";
import type { Access, Addresses, Common, Decoded, Fence, Item } from "./program.ts";
import {
  FALSE_SYM,
  isTrue,
  known,
  lift,
  resultOf,
  type Sym,
  select,
  TRUE_SYM,
  truth,
  union,
} from "./symbolic.ts";
import {
  arithmetic,
  int,
  narrowed,
  same,
  signExtended,
  Unsupported,
  type Word,
  ZERO,
} from "./words.ts";

/** Accesses and TLBIs, each way through a thread with its own; litmus tests have a few dozen. */
const STEPS_MAX = 256;

const REGISTERS = 31;
const FLAGS = 32;
const ELR = 33;

function nothing(): never {
  throw new Error("a known word depends on no result");
}

/** Faults inside the handling of faults are followed so far. */
const NESTED_FAULTS_MAX = 2;

/** The programs of all threads; slots are numbered through. Throws Unsupported. */
export function decode(
  test: HerdTest,
  addresses: Addresses = new Map(),
): { threads: Decoded[]; slots: number } {
  let slots = 0;
  let ordinals = 0;
  const again = faultsAreRetried(test.variants);
  const suspects = suspectsOf(test);
  const threads = test.threads.map((thread, n) => {
    const initial: Sym[] = Array.from({ length: ELR + 1 }, () => known(ZERO));
    for (const r of test.registers)
      if (r.thread === n) initial[r.number] = known(narrowed(r.value, 64));
    const context = {
      n,
      main: thread,
      newSlot: () => {
        if (slots === STEPS_MAX) throw new Unsupported(`more than ${STEPS_MAX} steps`);
        return slots++;
      },
      newOrdinal: () => ordinals++,
      addresses,
      suspects,
      again,
      depth: 0,
    };
    return new Decoder(context, thread, { regs: initial, live: TRUE_SYM, ctrl: new Set() }).run(0);
  });
  return { threads, slots };
}

interface Context {
  readonly n: number;
  readonly main: Thread;
  readonly newSlot: () => number;
  readonly newOrdinal: () => number;
  readonly addresses: Addresses;
  readonly suspects: ReadonlySet<string>;
  /** An access that faults is made again, with success. */
  readonly again: boolean;
  readonly depth: number;
}

/** Where a program begins. */
interface Start {
  readonly regs: readonly Sym[];
  readonly live: Sym;
  readonly ctrl: ReadonlySet<number>;
}

/** The slot of the load exclusive that a store exclusive would go with. */
type Monitor = number | "several" | undefined;

class Decoder {
  private readonly context: Context;
  private readonly thread: Thread;
  private readonly regs: Sym[];
  private readonly items: Item[] = [];
  private live: Sym;
  /** Where this program begins; nothing else begins there. */
  private readonly origin: Sym;
  private ctrl: ReadonlySet<number>;
  /** Conditions under which control comes to an index by a branch. */
  private readonly joins = new Map<number, { goes: Sym; monitor: Monitor }[]>();
  private readonly indexOf = new Map<number, number>();
  private label: string | undefined;
  private instruction!: Instruction;
  private at = 0;
  /** What must turn out false: that a loop goes on. */
  private readonly left: Sym[] = [];
  private monitor: Monitor;
  /** Behind an ERET. */
  private rest: Decoded | undefined;

  constructor(context: Context, thread: Thread, start: Start) {
    this.context = context;
    this.thread = thread;
    this.regs = [...start.regs];
    this.live = start.live;
    this.origin = start.live;
    this.ctrl = start.ctrl;
  }

  run(from: number): Decoded {
    const labels = new Map([...this.thread.labels].map(([name, at]) => [at, name]));
    const { instructions } = this.thread;
    for (this.at = from; this.at < instructions.length && !this.rest; this.at++) {
      this.arrive(this.at);
      this.label = labels.get(this.at);
      this.instruction = instructions[this.at]!;
      this.step(this.at);
    }
    if (!this.rest) this.arrive(instructions.length);
    const handlers = new Map(
      this.items.filter((i) => i.k === "access").flatMap((i) => this.handled(i)),
    );
    const { rest } = this;
    return {
      items: [...this.items, ...(rest?.items ?? [])],
      end: rest?.end ?? [...this.regs],
      handlers: new Map([...handlers, ...(rest?.handlers ?? [])]),
      never: [...this.left, ...(rest?.never ?? [])],
      mustPass: this.context.again && this.context.depth > 0,
    };
  }

  /** What is executed if an access faults. */
  private handled(i: Access): [number, Decoded][] {
    const { context } = this;
    const handler = context.main.handler;
    const page = i.address.slots.length === 0 ? i.address.at(nothing) : undefined;
    if (page?.k === "pte" || (page?.k === "va" && !context.suspects.has(page.name))) return [];
    if (!handler && !context.again) return [];
    // What is made again and faults again is a longer way to the same end.
    if (context.again && context.depth > 0) return [];
    if (context.depth >= NESTED_FAULTS_MAX) throw new Unsupported("faults of faults of faults");
    const start = { regs: i.before, live: i.when, ctrl: i.ctrl };
    const inner = { ...context, depth: context.depth + 1 };
    const next = context.again
      ? new Decoder(inner, this.thread, start).run(this.indexOf.get(i.slot)!)
      : new Decoder(inner, handler!, start).run(0);
    return [[i.slot, { ...next, items: [this.synchronization(i), ...next.items] }]];
  }

  /** Taking an exception and returning from one are context synchronization events. */
  private synchronization(at: Common): Fence {
    return { ...at, k: "fence", barrier: "ISB", text: "exception" };
  }

  private arrive(at: number): void {
    const joins = this.joins.get(at);
    if (!joins) return;
    this.live = lift((...ws) => truth(ws.some(isTrue)), this.live, ...joins.map((j) => j.goes));
    if (joins.some((j) => j.monitor !== this.monitor)) this.monitor = "several";
  }

  private common(): Common {
    return {
      thread: this.context.n,
      label: this.label,
      text: this.instruction.text,
      when: this.live,
      ctrl: this.ctrl,
      before: [...this.regs],
    };
  }

  private step(at: number): void {
    const { mnemonic, operands } = this.instruction;
    if (!hasForm(this.instruction)) this.fail();
    const barrier = barrierOf(mnemonic, operands);
    if (barrier === "unknown") this.fail();
    else if (barrier) this.items.push({ k: "fence", barrier, ...this.common() });
    else if (mnemonic === "NOP") return;
    else if (PRIVILEGED.test(mnemonic) && this.thread.el0 && this.thread === this.context.main) {
      throw new Unsupported(`${mnemonic} at EL0`);
    } else if (mnemonic === "TLBI") this.tlbi(operands);
    else if (mnemonic === "ERET") this.eret();
    else if (BRANCH.test(mnemonic)) this.branch(at, mnemonic, operands);
    else if (mnemonic in LOADS) this.load(LOADS[mnemonic], operands);
    else if (mnemonic === "STR" || mnemonic === "STLR") this.store(mnemonic === "STLR", operands);
    else if (mnemonic === "STXR" || mnemonic === "STLXR") this.exclusive(mnemonic, operands);
    else if (!this.rmw(mnemonic, operands)) this.compute(mnemonic, operands);
  }

  private read(o: Operand | undefined): Sym {
    if (o?.k === "imm") return known(narrowed(int(o.value), 64));
    if (o?.k !== "reg") return this.fail();
    if (o.number === REGISTERS) return known(ZERO);
    const held = this.regs[o.number]!;
    return o.bits === 32 ? lift((w) => narrowed(w, 32), held) : held;
  }

  private write(o: Operand | undefined, value: Sym): void {
    if (o?.k !== "reg") this.fail();
    else if (o.number !== REGISTERS)
      this.assign(
        o.number,
        lift((w) => narrowed(w, o.bits), value),
      );
  }

  /** Under the condition of this place. */
  private assign(register: number, value: Sym): void {
    const old = this.regs[register]!;
    this.regs[register] =
      this.live === this.origin
        ? value
        : lift((c, a, b) => (isTrue(c) ? a : b), this.live, value, old);
  }

  private address(o: Operand | undefined): Sym {
    if (o?.k !== "mem") return this.fail();
    const base = this.regs[o.base]!;
    if (!o.offset) return base;
    return lift((a, b) => arithmetic("ADD", a, b, 64), base, this.read(o.offset));
  }

  private fail(): never {
    throw new Unsupported(`instruction ${this.instruction.text}`);
  }

  /** An access; what it reads. */
  private access(over: Pick<Access, "address"> & Partial<Access>): Sym {
    const ordinal = this.context.newOrdinal();
    const several = this.context.addresses.get(ordinal);
    if (!several) return this.accessAt(ordinal, over, over.address, this.live);
    const { address } = over;
    const results = several.map((word) => {
      const live = lift((l, a) => truth(isTrue(l) && same(a, word)), this.live, address);
      const at = { ...known(word, address.deps), picks: address.picks };
      return this.accessAt(ordinal, { ...over, address: at }, address, live);
    });
    const which = (a: Word, ...rs: Word[]) => rs[several.findIndex((w) => same(a, w))] ?? ZERO;
    return lift(which, address, ...results);
  }

  private accessAt(
    ordinal: number,
    over: Pick<Access, "address"> & Partial<Access>,
    pointer: Sym,
    live: Sym,
  ): Sym {
    const slot = this.context.newSlot();
    this.indexOf.set(slot, this.at);
    this.items.push({
      ...this.common(),
      when: live,
      k: "access",
      slot,
      ordinal,
      pointer,
      reads: false,
      writes: false,
      bits: widthOf(this.instruction),
      acquire: undefined,
      release: false,
      update: undefined,
      modify: undefined,
      operands: [],
      exclusive: undefined,
      ...over,
    });
    if (/^LD\w*XR/.test(this.instruction.mnemonic)) this.monitor = slot;
    return resultOf(slot);
  }

  private load(acquire: "A" | "Q" | undefined, [rt, at]: readonly Operand[]): void {
    this.write(rt, this.access({ address: this.address(at), reads: true, acquire }));
  }

  private store(release: boolean, [rt, at]: readonly Operand[]): void {
    this.access({ address: this.address(at), writes: true, release, update: this.read(rt) });
  }

  /** A store that fails, for any reason or because somebody else has written since the load. */
  private exclusive(mnemonic: string, [status, rt, at]: readonly Operand[]): void {
    if (this.monitor === undefined) this.fail();
    if (this.monitor === "several") throw new Unsupported("an exclusive store of several loads");
    const release = mnemonic === "STLXR";
    const update = this.read(rt);
    const result = this.access({
      ...{ address: this.address(at), writes: true, release, update, exclusive: this.monitor },
    });
    this.monitor = undefined;
    this.write(status, { ...result, deps: new Set() });
  }

  /** `SWP`, `CAS`, `LDADD`, `LDCLR`, `LDSET`, `LDEOR`, `STADD` ... with A and L. */
  private rmw(mnemonic: string, operands: readonly Operand[]): boolean {
    const m = /^(SWP|CAS|(?:LD|ST)(?:ADD|CLR|SET|EOR))(A?)(L?)$/.exec(mnemonic);
    if (!m) return false;
    const [, op, a, l] = m;
    const order = { acquire: a ? ("A" as const) : undefined, release: l === "L" };
    const both = { reads: true, writes: true, ...order };
    const address = this.address(operands.at(-1));
    const [first, second] = operands;
    if (op === "SWP") {
      const operand = [this.read(first)];
      const old = this.access({ ...both, address, operands: operand, modify: (_, w) => w });
      this.write(second, old);
    } else if (op === "CAS") {
      const operand = [this.read(first), this.read(second)];
      const modify = (old: Word, expect?: Word, w?: Word) => (same(old, expect!) ? w : undefined);
      this.write(first, this.access({ ...both, address, operands: operand, modify }));
    } else {
      const how = { ADD: "ADD", CLR: "BIC", SET: "ORR", EOR: "EOR" }[op!.slice(2)]!;
      const bits = widthOf(this.instruction);
      const modify = (old: Word, w?: Word) => arithmetic(how, old, w!, bits);
      const old = this.access({ ...both, address, operands: [this.read(first)], modify });
      if (op!.startsWith("LD")) this.write(second, old);
    }
    return true;
  }

  private tlbi([op, register]: readonly Operand[]): void {
    if (op?.k !== "word") this.fail();
    const address = register ? this.read(register) : undefined;
    this.items.push({
      ...this.common(),
      k: "tlbi",
      slot: this.context.newSlot(),
      op: op.text,
      address,
    });
  }

  private branch(at: number, mnemonic: string, operands: readonly Operand[]): void {
    const to = operands.at(-1);
    const target = to?.k === "word" ? this.thread.labels.get(to.text) : undefined;
    if (target === undefined) this.fail();
    const taken = this.taken(mnemonic, operands[0]);
    if (target <= at) {
      this.spin(target, at, taken);
      return;
    }
    const goes = lift((l, c) => truth(isTrue(l) && isTrue(c)), this.live, taken);
    const { monitor } = this;
    this.joins.set(target, [...(this.joins.get(target) ?? []), { goes, monitor }]);
    this.live =
      mnemonic === "B"
        ? FALSE_SYM
        : lift((l, c) => truth(isTrue(l) && !isTrue(c)), this.live, taken);
    this.ctrl = union(this.ctrl, taken.deps, taken.picks);
  }

  /**
   * A loop that only waits for a value: its last round is as good as any number of them, and a run
   * that does not leave it is none.
   */
  private spin(target: number, at: number, taken: Sym): void {
    const body = this.thread.instructions.slice(target, at);
    if (taken === TRUE_SYM || body.some((i) => !SPINS.test(i.mnemonic))) {
      throw new Unsupported("a loop");
    }
    this.left.push(lift((l, c) => truth(isTrue(l) && isTrue(c)), this.live, taken));
    this.live = lift((l, c) => truth(isTrue(l) && !isTrue(c)), this.live, taken);
    this.ctrl = union(this.ctrl, taken.deps, taken.picks);
  }

  /** Control goes on in the main program, where ELR_EL1 says. */
  private eret(): void {
    const elr = this.regs[ELR]!;
    const to = elr.slots.length === 0 ? elr.at(nothing) : ZERO;
    const { context } = this;
    const target = to.k === "label" ? context.main.labels.get(to.label) : undefined;
    if (target === undefined || context.depth === 0) throw new Unsupported("ERET to nowhere known");
    if (this.joins.size > 0) throw new Unsupported("ERET behind a branch");
    const start = { regs: this.regs, live: this.live, ctrl: this.ctrl };
    const rest = new Decoder(context, context.main, start).run(target);
    this.rest = { ...rest, items: [this.synchronization(this.common()), ...rest.items] };
  }

  private taken(mnemonic: string, operand: Operand | undefined): Sym {
    if (mnemonic === "B") return TRUE_SYM;
    if (mnemonic === "CBZ") return lift((w) => truth(same(w, ZERO)), this.read(operand));
    if (mnemonic === "CBNZ") return lift((w) => truth(!same(w, ZERO)), this.read(operand));
    return this.condition(mnemonic.slice(2));
  }

  /** `EQ`, `NE` of the last comparison. */
  private condition(text: string): Sym {
    const flags = this.regs[FLAGS]!;
    if (text === "EQ") return flags;
    if (text === "NE") return lift((w) => truth(!isTrue(w)), flags);
    return this.fail();
  }

  private compute(mnemonic: string, operands: readonly Operand[]): void {
    const [rd, rn, rm, cond] = operands;
    const bits = rd?.k === "reg" ? rd.bits : 64;
    const text = (o: Operand | undefined) => (o?.k === "word" ? o.text : "");
    if (mnemonic === "MOV") this.write(rd, this.read(rn));
    else if (mnemonic === "ADR" && this.thread.labels.size + this.context.main.labels.size > 0) {
      this.write(rd, known({ k: "label", thread: this.context.n, label: text(rn) }));
    } else if (mnemonic === "MSR" && text(rd) === "ELR_EL1") this.assign(ELR, this.read(rn));
    else if (mnemonic === "CMP") {
      const equal = (a: Word, b: Word) => truth(same(narrowed(a, bits), narrowed(b, bits)));
      this.assign(FLAGS, lift(equal, this.read(rd), this.read(rn)));
    } else if (mnemonic === "CSET") {
      this.write(rd, select(this.condition(text(rn)), known(int(1)), known(ZERO)));
    } else if (mnemonic === "CSEL") {
      const [a, b] = [this.read(rn), this.read(rm)];
      this.write(rd, select(this.condition(text(cond)), a, b));
    } else if (ARITHMETIC.has(mnemonic)) {
      const signed = text(cond).toUpperCase() === "SXTW";
      const extended = (w: Word) => (signed ? signExtended(w) : w);
      const compute = (x: Word, y: Word) => arithmetic(mnemonic, x, extended(y), bits);
      this.write(rd, lift(compute, this.read(rn), this.read(rm)));
    } else throw new Unsupported(`instruction ${mnemonic}`);
  }
}
