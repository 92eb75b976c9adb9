// SPDX-License-Identifier: Apache-2.0
// Instructions of the open executor: each becomes a closure over the registers of a frame.

import { beginsStep, successors } from "./flow.ts";
import type { OpenMachine } from "./open.ts";
import { BulkLoop } from "./open-bulk.ts";
import type { Regs } from "./open-expr.ts";
import { largest, OpenExprs, Slots } from "./open-expr.ts";
import type { SafeLoop } from "./open-loop.ts";
import { findLoops } from "./open-loop.ts";
import type { Pair, Value } from "./open-value.ts";
import { grown, sameValue } from "./open-value.ts";
import { DomainOverflow } from "./packed-expr.ts";
import type { Code, Instr, Operation } from "./program.ts";
import { sizeOf } from "./program.ts";

/** Runs one instruction; the index of the next, or -1 if it cannot run now. */
export type OpenStep = (regs: Regs) => number;

/** More values than this are not tried one by one by a `choose` with a condition. */
const CHOOSE_MAX = 1 << 20;
/** A step runs at most this many instructions; more is a loop without a shared access. */
const STEP_INSTRUCTIONS_MAX = 1 << 28;

/** Code ready to run on frames of its own. */
export interface Compiled {
  readonly instrs: readonly Instr[];
  readonly steps: readonly OpenStep[];
  /** Whether a step begins at an instruction. */
  readonly begins: readonly boolean[];
  readonly exprs: OpenExprs;
  readonly slots: Slots;
  /** Of the step that begins at an instruction: something after that one may not be enabled. */
  readonly fallible: readonly boolean[];
}

const mayFail = (i: Operation): boolean =>
  i.op === "await" || i.op === "post" || i.op === "lookup" || (i.op === "choose" && !!i.where);

/** Whether an operation can run in every state. */
export const neverFails = (i: Operation): boolean => !mayFail(i);

/** Compiles code; `whole`: it runs to its end as one step. */
export function compileCode(machine: OpenMachine, code: Code, whole: boolean): Compiled {
  const slots = new Slots(code.registers);
  const exprs = new OpenExprs(
    machine.program.domain,
    slots,
    (decl) => machine.store(decl),
    machine.pendings,
  );
  const compiler = new CodeCompiler(machine, exprs, code);
  const begins = code.instrs.map((i, at) => at === 0 || beginsStep(i));
  return {
    instrs: code.instrs,
    steps: compiler.compile(),
    begins,
    exprs,
    slots,
    fallible: fallibleSteps(code.instrs, begins, whole),
  };
}

function fallibleSteps(
  instrs: readonly Instr[],
  begins: readonly boolean[],
  whole: boolean,
): boolean[] {
  const rest = (start: number): boolean => {
    const seen = new Set<number>();
    const open = [start];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const to of successors(instrs[at]!, at)) {
        if (seen.has(to) || (!whole && begins[to])) continue;
        if (mayFail(instrs[to]!)) return true;
        seen.add(to);
        open.push(to);
      }
    }
    return false;
  };
  return instrs.map((_, at) => (whole ? at === 0 : begins[at]!) && rest(at));
}

/** Runs one step from `start`; the index where the next begins, or -1 if it is not enabled. */
export function runStep(code: Compiled, regs: Regs, start: number): number {
  const { steps, begins } = code;
  let at = steps[start]!(regs);
  for (let n = 0; at >= 0; n++) {
    if (begins[at]) return at;
    at = steps[at]!(regs);
    if (n > STEP_INSTRUCTIONS_MAX) throw new Error("a step that does not end");
  }
  return -1;
}

/** Runs code as one step to its end; false if something in it is not enabled. */
export function runToEnd(code: Compiled, regs: Regs): boolean {
  const { steps } = code;
  let at = 0;
  for (let n = 0; at >= 0 && at < steps.length - 1; n++) {
    at = steps[at]!(regs);
    if (n > STEP_INSTRUCTIONS_MAX) throw new Error("a step that does not end");
  }
  return at >= 0;
}

/** Whether a repetition of a loop never waits and has no loop in it. */
function runsAlone(instrs: readonly Instr[], { top, end }: SafeLoop): boolean {
  return instrs.slice(top + 1, end).every((i) => !mayFail(i) && i.op !== "each");
}

class CodeCompiler {
  private readonly machine: OpenMachine;
  private readonly exprs: OpenExprs;
  private readonly code: Code;
  private readonly loops: ReturnType<typeof findLoops>;
  private readonly steps: OpenStep[] = [];

  constructor(machine: OpenMachine, exprs: OpenExprs, code: Code) {
    this.machine = machine;
    this.exprs = exprs;
    this.code = code;
    this.loops = machine.options.bulk === false ? new Map() : findLoops(code.instrs);
  }

  compile(): readonly OpenStep[] {
    for (const [at, i] of this.code.instrs.entries()) this.steps.push(this.step(i, at));
    return this.steps;
  }

  private step(i: Instr, at: number): OpenStep {
    const step = this.instruction(i, at);
    const { trace } = this.machine.options;
    if (!trace || i.op === "jump" || i.op === "halt") return step;
    return (r) => {
      const next = step(r);
      if (next >= 0 && !this.machine.probing) trace(i.origin, 1);
      return next;
    };
  }

  private instruction(i: Instr, at: number): OpenStep {
    const { exprs, machine } = this;
    const next = at + 1;
    switch (i.op) {
      case "let": {
        const value = exprs.compile(i.value);
        const slot = exprs.slots.of(i.reg);
        return (r) => {
          r[slot] = value(r);
          return next;
        };
      }
      case "store":
      case "xchg":
      case "cas":
        return this.fieldAccess(i, next);
      case "branch": {
        const cond = exprs.compile(i.cond);
        const { to } = i;
        return (r) => (cond(r) ? next : to);
      }
      case "jump": {
        const { to } = i;
        return () => to;
      }
      case "each":
      case "next":
      case "grow":
        return this.loop(i, at);
      case "await": {
        const cond = exprs.compile(i.cond);
        return (r) => (cond(r) ? next : -1);
      }
      case "retry":
        return () => next;
      case "choose":
        return this.choose(i, next);
      case "either": {
        const { to } = i;
        return () => to[machine.choices.decide(to.length)]!;
      }
      case "halt":
        return () => at;
      default:
        return this.hardware(i, next);
    }
  }

  private hardware(i: Instr, next: number): OpenStep {
    const { machine, exprs } = this;
    switch (i.op) {
      case "lookup":
      case "insert":
      case "clear":
        return machine.cells.access(i, next, exprs);
      case "post":
        return this.post(i, next);
      case "emit": {
        const args = i.args.map(([name, e]) => [name, exprs.compile(e)] as const);
        const event = i.event.name;
        return (r) => {
          if (!machine.logging) return next;
          const given: Record<string, Value> = {};
          for (let n = 0; n < args.length; n++) given[args[n]![0]] = args[n]![1](r);
          machine.emit({ event, args: given });
          return next;
        };
      }
      case "yield": {
        const value = exprs.num(i.value);
        return (r) => {
          machine.cells.yielded(value(r));
          return next;
        };
      }
      case "yieldHeld": {
        const { name } = i.cell;
        const key = exprs.index(i.index);
        return (r) => {
          for (const value of machine.cells.values(name, key(r))) machine.cells.yielded(value);
          return next;
        };
      }
      case "violate": {
        const { observer } = i;
        return () => {
          machine.violate(observer);
          return next;
        };
      }
      default:
        throw new Error(`no open form of ${i.op}`);
    }
  }

  /** A store to, an exchange of, or a compare-and-swap of a field element. */
  private fieldAccess(i: Instr & { op: "store" | "xchg" | "cas" }, next: number): OpenStep {
    const { exprs } = this;
    const store = this.machine.store(i.field);
    const index = exprs.index(i.index);
    const value = exprs.compile(i.value);
    const max = largest(i.field.value, exprs.domain);
    const write = (at: readonly number[], v: Value): void => {
      if (typeof v === "number" && !(v >= 0 && v <= max)) throw new DomainOverflow(i.field.name);
      store.write(at, v);
    };
    if (i.op === "store") {
      return (r) => {
        write(index(r), value(r));
        return next;
      };
    }
    const slot = exprs.slots.of(i.reg);
    if (i.op === "xchg") {
      return (r) => {
        const at = index(r);
        const v = value(r);
        r[slot] = store.read(at);
        write(at, v);
        return next;
      };
    }
    const expect = exprs.compile(i.expect);
    return (r) => {
      const at = index(r);
      const ok = sameValue(store.read(at), expect(r));
      const v = value(r);
      r[slot] = ok ? 1 : 0;
      if (ok) write(at, v);
      return next;
    };
  }

  private loop(i: Instr & { op: "each" | "next" | "grow" }, at: number): OpenStep {
    const { exprs, machine } = this;
    const slot = exprs.slots.of(i.reg);
    const next = at + 1;
    if (i.op === "next") {
      const stride = exprs.num(i.stride);
      const { to } = i;
      return (r) => {
        r[slot] = (r[slot] as number) + stride(r);
        return to;
      };
    }
    if (i.op === "grow") {
      const by = exprs.num(i.by);
      return (r) => {
        r[slot] = grown(r[slot] as Pair, by(r), by(r));
        return next;
      };
    }
    const over = exprs.range(i.over);
    const { to } = i;
    const loop = this.loops.get(at);
    if (!loop) return (r) => ((r[slot] as number) >= over(r).hi ? to : next);
    const bulk = new BulkLoop(machine, exprs, this.code, loop);
    const { end } = loop;
    const stride = exprs.num((this.code.instrs[end] as Instr & { op: "next" }).stride);
    const single = runsAlone(this.code.instrs, loop);
    return (r) => {
      const { hi } = over(r);
      const from = r[slot] as number;
      if (from >= hi) return to;
      if (machine.probing) return next;
      if (single && from + stride(r) >= hi) {
        // One element needs no sweeps.
        for (let n = next; n !== end; ) n = this.steps[n]!(r);
        r[slot] = from + stride(r);
        return to;
      }
      return bulk.run(r, hi) ? to : next;
    };
  }

  private choose(i: Instr & { op: "choose" }, next: number): OpenStep {
    const { exprs } = this;
    const { choices } = this.machine;
    const size = sizeOf(i.sort, exprs.domain);
    const slot = exprs.slots.of(i.reg);
    if (!i.where) {
      return (r) => {
        r[slot] = choices.decide(size);
        return next;
      };
    }
    if (size > CHOOSE_MAX) throw new Error(`too many values of ${i.sort.name} to choose from`);
    const where = exprs.compile(i.where);
    return (r) => {
      const fits: number[] = [];
      for (let v = 0; v < size; v++) {
        r[slot] = v;
        if (where(r)) fits.push(v);
      }
      if (fits.length === 0) return -1;
      r[slot] = fits[fits.length === 1 ? 0 : choices.decide(fits.length)]!;
      return next;
    };
  }

  private post(i: Instr & { op: "post" }, next: number): OpenStep {
    const { exprs, machine } = this;
    const given = new Map(i.entry);
    const values = Object.keys(i.set.entry).map((name) => exprs.compile(given.get(name)!));
    const key = exprs.index(i.index);
    return (r) => {
      const set = machine.pendings.group(i.set.name);
      if (!set) return next;
      return set.post(
        key(r),
        values.map((v) => v(r)),
      )
        ? next
        : -1;
    };
  }
}
