// SPDX-License-Identifier: Apache-2.0
// A program as functions that write the successors of a state: a function for each thread, pending
// set and group of rules, one for each fill, and the two that call them all.
//
//   expand(src, out): thread_0 .. thread_n, effect_0 .., rules; each takes `out` and yields its end

import { liveness } from "../flow.ts";
import { CELL_VALUES_MAX } from "../layout.ts";
import type { PackedMachine } from "../packed.ts";
import { DomainOverflow, entryOffsets } from "../packed-expr.ts";
import type { Code } from "../program.ts";
import type { Ex, Fn, St } from "../target/code.ts";
import {
  bin,
  br,
  call,
  FnBuilder,
  iff,
  load,
  local,
  num,
  select,
  set,
  store,
  un,
} from "../target/code.ts";
import { CompiledCells } from "./cells.ts";
import { Expressions, or } from "./expr.ts";
import { Frame, type Source, Uncompilable, Writer } from "./frame.ts";
import { writeFree } from "./free.ts";
import { Instructions, type Place } from "./instructions.ts";
import { waits } from "./order.ts";
import { type Body, writeStep } from "./region.ts";
import type { StepUnit } from "./unit.ts";
import { bitsOf, type Piece } from "./values.ts";

/** States of up to so many words travel in parameters and locals, wider ones by address. */
const LOCAL_WORDS_MAX = 8;

/** A thread with more steps than this has a function for each. */
const INLINE_POINTS_MAX = 40;

/** Host functions of a unit: put them into the imports of an instance. */
export interface Host {
  readonly intern: (sort: number, value: number) => number;
  readonly fail: (reason: number) => number;
}

export interface CompiledUnit extends StepUnit {
  /** For an instance that has this memory. Numbers of values are shared with the machine. */
  readonly host: (memory: () => Int32Array) => Host;
}

/**
 * Compiles the steps of a machine's program; `base` is the address of the unit's tables. With
 * `alone`, by thread and point, a state in which a thread may step alone has no other successors
 * than those of the first such thread that can.
 */
export function compileSteps(
  machine: PackedMachine,
  base: number,
  alone: readonly (readonly boolean[])[] = [],
): CompiledUnit {
  return new StepCompiler(machine, base, alone).unit();
}

class StepCompiler {
  private readonly machine: PackedMachine;
  private readonly base: number;
  private readonly alone: readonly (readonly boolean[])[];
  private readonly words: number;
  private readonly inLocals: boolean;
  private readonly exprs: Expressions;
  private readonly cells: CompiledCells;
  private readonly instructions: Instructions;
  private readonly reasons: string[] = [];
  private readonly functions: Fn[] = [];
  /** Successors of steps whose choices are few, added up. */
  private few = 0;
  private many = false;
  /** Where the code of a step may test for room, if its choices prove many. */
  private room: { readonly hole: St[]; readonly test: () => St[] }[] = [];

  constructor(machine: PackedMachine, base: number, alone: readonly (readonly boolean[])[]) {
    this.machine = machine;
    this.alone = alone;
    this.base = base;
    this.words = machine.words;
    this.inLocals = this.words <= LOCAL_WORDS_MAX;
    this.exprs = new Expressions(machine.program, machine.layout);
    this.cells = new CompiledCells(machine, this.exprs, base, this.reasons);
    this.instructions = new Instructions(machine, this.exprs, this.cells);
  }

  unit(): CompiledUnit {
    const { machine, words, base, cells, reasons } = this;
    for (const c of machine.cells.instances) if (c.fill) this.fill(machine.cells.number(c));
    if (machine.semantics === "window") this.functions.push(cells.closeFunction());
    const expand = this.expand();
    const free = machine.cells.someConcrete ? this.free() : undefined;
    return {
      ...{ words, base, expand, free, mark: machine.layout.mark },
      functions: [...cells.functions, ...this.functions],
      imports: [
        { name: "intern", params: 2, result: true },
        { name: "fail", params: 1, result: true },
      ],
      successors_max: this.successorsMax,
      data: Int32Array.from(cells.data),
      host: (memory) => ({
        intern: (sort, value) => cells.intern(sort, value, memory()),
        fail: (reason) => {
          throw new DomainOverflow(reasons[reason]!);
        },
      }),
    };
  }

  private get successorsMax(): number {
    const cells = this.machine.cells.instances.length;
    return Math.max(this.few + (this.many ? SUCCESSORS_MANY : 0), 2 * cells * CELL_VALUES_MAX);
  }

  /** All ways to run a step; `out` is tested if they may be many. */
  private step(body: Body, f: Frame): number {
    const outer = this.room;
    this.room = [];
    const combinations = writeStep(body, f);
    const many = combinations > COMBINATIONS_FEW;
    if (many) for (const { hole, test } of this.room) hole.push(...test());
    this.many ||= many;
    this.room = outer;
    return many ? 0 : combinations;
  }

  /** A function of the source state, `out` and the limit of `out`; it yields the new `out`. */
  private stepFunction(name: string, write: (w: Writer, place: Place, out: number) => void): Fn {
    const params = this.inLocals ? this.words + 2 : 3;
    const fb = new FnBuilder(name, params);
    const source: Source = this.inLocals
      ? { words: Array.from({ length: this.words }, (_, n) => local(n)) }
      : { at: local(0) };
    const out = params - 2;
    const writer = new Writer(fb, this.words, source, this.reasons);
    write(writer, { scratch: local(out) }, out);
    writer.push({ k: "return", value: local(out) });
    return fb.done(true, writer.code);
  }

  /** `out = f(source, out, limit)` */
  private calls(name: string, w: Writer, out: number): St {
    const source = this.inLocals
      ? Array.from({ length: this.words }, (_, n) => w.word(n))
      : [w.address!];
    return set(out, call(name, ...source, local(out), local(out + 1)));
  }

  private expand(): string {
    const { program } = this.machine;
    const made = [
      ...program.threads.map((_, n) => this.thread(n)),
      ...program.pending.map((_, n) => this.effects(n)),
    ];
    const rules = this.rules();
    if (this.many && this.few > SUCCESSORS_KEPT) throw new Uncompilable("too many successors");
    const [src, out] = [0, 1];
    const fb = new FnBuilder("expand", 2);
    const [limit, start] = [fb.fresh(), fb.fresh()];
    const source: Source = this.inLocals
      ? { words: Array.from({ length: this.words }, () => local(fb.fresh())) }
      : { at: local(src) };
    const w = new Writer(fb, this.words, source, this.reasons);
    const bytes = 4 * this.words * this.successorsMax;
    w.push(set(start, local(out)), set(limit, bin("add", local(out), num(bytes))));
    if ("words" in source) {
      for (const [n, word] of source.words.entries()) {
        w.push(set((word as Ex & { k: "local" }).n, load(local(src), 4 * n)));
      }
    }
    const header = bin("sub", local(start), num(4));
    this.aloneFirst(w, out, [store(header, 0, local(out)), { k: "return", value: local(out) }]);
    for (const name of made) w.push(this.calls(name, w, out));
    w.push(store(header, 0, local(out)));
    for (const name of rules) w.push(this.calls(name, w, out));
    w.push({ k: "return", value: local(out) });
    this.functions.push(fb.done(true, w.code, true));
    return "expand";
  }

  /** Runs each thread that may step alone where it stands; `then` if one did. */
  private aloneFirst(w: Writer, out: number, then: readonly St[]): void {
    const before = w.fb.fresh();
    for (const [n, points] of this.alone.entries()) {
      const { pc } = this.machine.layout.threads[n]!;
      const at = new Frame(w).original(pc);
      const there = points.flatMap((yes, p) => (yes ? [p] : []));
      if (there.length === 0) continue;
      // One word of flags for each 32 points.
      let flags: Ex = num(0);
      for (let word = 0; word * 32 < points.length; word++) {
        const mask = there.reduce((m, p) => (p >>> 5 === word ? m | (1 << (p & 31)) : m), 0);
        const here = bin("eq", bin("shr_u", at, num(5)), num(word));
        flags = points.length <= 32 ? num(mask) : select(here, num(mask), flags);
      }
      w.push(
        iff(bin("and", bin("shr_u", flags, at), num(1)), [
          set(before, local(out)),
          this.calls(`thread_${n}`, w, out),
          iff(bin("ne", local(out), local(before)), then),
        ]),
      );
    }
  }

  private free(): string {
    const fb = new FnBuilder("free", 2);
    const [src, out] = [local(0), 1];
    const w = new Writer(fb, this.words, { at: src }, this.reasons);
    const limit = fb.fresh();
    const bytes = 4 * this.words * this.successorsMax;
    w.push(set(limit, bin("add", local(out), num(bytes))));
    // Where a step is taken alone, fills and evictions come after it.
    const none: St = { k: "return", value: bin("sub", local(limit), num(bytes)) };
    this.aloneFirst(w, out, [none]);
    writeFree(this.cells, w, src, out);
    w.push({ k: "return", value: local(out) });
    this.functions.push(fb.done(true, w.code, true));
    return "free";
  }

  /** A body that runs to the end of its code. */
  private whole(code: Code, finish: Body["finish"], place: Place): Body {
    const { instructions } = this;
    const end = code.instrs.length - 1;
    const live = liveness(code.instrs);
    return {
      code,
      start: 0,
      ends: (at) => at === end,
      finish,
      instruction: (i, at, f, step) => instructions.write(i, at, f, step, place),
      effects: (i) => instructions.effects(i),
      live: (at, reg) => live.has(at, reg),
    };
  }

  /** Ends a step: the successor is written, its windows closed, and `out` moves on. */
  private finished(
    f: Frame,
    out: number,
    more?: Map<number, Piece[]>,
    cleared?: Map<number, number>,
  ) {
    const hole: St[] = [];
    f.writer.push({ k: "block", label: f.writer.fb.label(), body: hole });
    this.room.push({
      hole,
      test: () =>
        f.writer.apart(() => {
          // What is few is not tested: there must be room left for all of it.
          const left = bin("sub", local(out + 1), num(4 * this.words * SUCCESSORS_KEPT));
          f.writer.failIf(bin("gt_u", local(out), left), "the number of successors of a state");
        }),
    });
    f.commit(local(out), more, cleared);
    const dirty = f.dirty | this.machine.cells.always;
    this.cells.close(f.writer, local(out), dirty);
    f.writer.push(set(out, bin("add", local(out), num(4 * this.words))));
  }

  private thread(n: number): string {
    const { threads } = this.machine.layout;
    const { points, pc } = threads[n]!;
    const { instrs } = this.machine.program.threads[n]!;
    const live = liveness(instrs);
    const runs = points.flatMap((at, p) => (instrs[at]!.op === "halt" ? [] : [p]));
    const apart = runs.length > INLINE_POINTS_MAX;
    let most = 0;
    const write = (p: number, w: Writer, place: Place, out: number): void => {
      most = Math.max(most, this.point(n, p, live, w, place, out));
    };
    if (apart) {
      for (const p of runs) {
        const name = `thread_${n}_${p}`;
        this.functions.push(this.stepFunction(name, (w, place, out) => write(p, w, place, out)));
      }
    }
    const name = `thread_${n}`;
    const fn = this.stepFunction(name, (w, place, out) => {
      const at = new Frame(w).original(pc);
      const labels = points.map(() => w.fb.label());
      const end = w.fb.label();
      let code: St[] = [{ k: "switch", on: at, labels, otherwise: end }];
      for (const [p, label] of labels.entries()) {
        const own = w.apart(() => {
          if (!runs.includes(p)) return;
          if (apart) w.push(this.calls(`thread_${n}_${p}`, w, out));
          else write(p, w, place, out);
        });
        code = [{ k: "block", label, body: code }, ...own, br(end)];
      }
      w.push({ k: "block", label: end, body: code });
    });
    this.functions.push(fn);
    this.few += most;
    return name;
  }

  /** One step of a thread that stands at a point. */
  private point(
    n: number,
    p: number,
    live: ReturnType<typeof liveness>,
    w: Writer,
    place: Place,
    out: number,
  ): number {
    const { instructions } = this;
    const thread = this.machine.program.threads[n]!;
    const layout = this.machine.layout.threads[n]!;
    const f = new Frame(w);
    for (const { reg, bits } of layout.live[p]!) f.regs.set(reg, f.read(bits));
    const cleared = new Map(layout.clear.map((c) => [c.word, ~c.keep]));
    return this.step(
      {
        code: thread,
        start: layout.points[p]!,
        ends: (at) => layout.pointOf[at]! >= 0,
        finish: (at, end) => {
          const next = layout.pointOf[at]!;
          const more = new Map<number, Piece[]>();
          const put = (word: number, piece: Piece): void => {
            more.set(word, [...(more.get(word) ?? []), piece]);
          };
          const { pc } = layout;
          put(pc.word, { shift: pc.shift, mask: pc.mask, value: num(next) });
          for (const { reg, bits } of layout.live[next]!) {
            const value = w.fit(end.reg(reg), bits.mask, `a local of ${thread.name}`);
            put(bits.word, { shift: bits.shift, mask: bits.mask, value });
          }
          this.finished(end, out, more, cleared);
        },
        instruction: (i, at, frame, step) => instructions.write(i, at, frame, step, place),
        effects: (i) => instructions.effects(i),
        live: (at, reg) => live.has(at, reg),
      },
      f,
    );
  }

  private effects(n: number): string {
    const p = this.machine.program.pending[n]!;
    const slots = this.machine.layout.pending[n]!;
    const offsets = entryOffsets(Object.entries(p.decl.entry), this.machine.program.domain);
    const by = Object.keys(p.decl.entry).indexOf(p.decl.orderBy ?? "");
    const kind = (entry: Ex): Ex =>
      by < 0 ? num(0) : bitsOf(entry, offsets[by]!.offset, offsets[by]!.mask);
    const kinds = by < 0 ? 1 : offsets[by]!.mask + 1;
    const before = waits(p.decl, kinds, kind);
    const name = `effect_${n}`;
    const fn = this.stepFunction(name, (w, place, out) => {
      for (const [s, bits] of slots.entries()) {
        const f = new Frame(w);
        const entry = w.bind(f.read(bits));
        let dead = un("eqz", entry);
        for (let i = 0; i < s; i++) dead = or(dead, before(f.read(slots[i]!), entry));
        const skip = w.fb.label();
        const code = w.apart(() => {
          w.push({ k: "br_if", c: dead, label: skip });
          for (const [k, reg] of p.entry.entries()) {
            f.regs.set(reg, bitsOf(entry, offsets[k]!.offset, offsets[k]!.mask));
          }
          if (p.ready) {
            w.push({ k: "br_if", c: un("eqz", this.exprs.truth(p.ready, f)), label: skip });
          }
          // Removed first, so that an effect may post to the same set.
          for (let i = s; i < slots.length; i++) {
            f.write(slots[i]!, slots[i + 1] ? f.original(slots[i + 1]!) : num(0));
          }
          this.few += this.step(
            this.whole(p, (_, end) => this.finished(end, out), place),
            f,
          );
        });
        w.push({ k: "block", label: skip, body: code });
      }
    });
    this.functions.push(fn);
    return name;
  }

  private rules(): string[] {
    const { rules } = this.machine.program;
    const names: string[] = [];
    for (let from = 0; from < rules.length; from += RULES_A_FUNCTION) {
      const name = `rules_${names.length}`;
      names.push(name);
      const some = rules.slice(from, from + RULES_A_FUNCTION);
      this.functions.push(
        this.stepFunction(name, (w, place, out) => {
          for (const r of some) {
            this.few += this.step(
              this.whole(r, (_, end) => this.finished(end, out), place),
              new Frame(w),
            );
          }
        }),
      );
    }
    return names;
  }

  /** `fill_N(state) -> mask` of the values that the cell could be filled with. */
  private fill(n: number): void {
    const c = this.machine.cells.instances[n]!;
    const code = this.machine.program.cells[c.group]!.instances[c.index]!.fill!;
    const fb = new FnBuilder(`fill_${n}`, 1);
    const yields = fb.fresh();
    const w = new Writer(fb, this.words, { at: local(0) }, this.reasons);
    this.instructions.group = c.group;
    writeStep(
      this.whole(code, () => {}, { scratch: undefined, yields }),
      new Frame(w),
    );
    w.push({ k: "return", value: local(yields) });
    this.functions.push(fb.done(true, w.code));
  }
}

const RULES_A_FUNCTION = 64;

/** A step with more combinations of choices than this tests for room before each successor. */
const COMBINATIONS_FEW = 64;

/** Room for the successors of all steps with many. */
const SUCCESSORS_MANY = 1 << 14;

/** Room that steps with few may count on behind those with many. */
const SUCCESSORS_KEPT = 1 << 12;
