// SPDX-License-Identifier: Apache-2.0
// Shapes of code: instructions in their order, except where a step would do the same in another.
//
//   x[0] := 1; x[1] := 1; if (b) { violate o }     one step, nothing depends on anything: a bag
//
// An `if` whose branches lie within one step is one item; so are the instructions around it. Items
// in a row that neither write what another reads or writes, nor wait or choose, commute.

import type { Node } from "../../ir/expr.ts";
import { beginsStep, defines, operands, successors, uses, visitNode } from "../flow.ts";
import type { Code, Instr } from "../program.ts";
import type { Forest, RegisterName, Shape, Shaper } from "./shape.ts";

/** The shape of code; `kept` registers are known by their position there. */
export function blockShape(
  shaper: Shaper,
  code: Code,
  kept: readonly number[],
  threaded: boolean,
): Shape {
  return new Block(shaper, code, kept, threaded).shape();
}

/** Something that a step does: an instruction, or an `if` with what it guards. */
interface Item {
  readonly shape: Shape;
  /** Index of the first instruction, and of the one after the last. */
  readonly at: number;
  readonly end: number;
  /** Stands alone: it chooses, waits for an entry, jumps. */
  readonly alone: boolean;
  readonly reads: readonly Access[];
  readonly writes: readonly Access[];
}

/** A register, a field element or a cell; an unknown element is every element. */
interface Access {
  readonly name: string;
  readonly element: string | undefined;
  /** Accesses of one such kind change nothing for each other: clears of a cell. */
  readonly kind?: "clear";
}

interface Scope {
  readonly at: number;
  readonly end: number;
  readonly names: Map<number, string>;
}

class Block {
  private readonly shaper: Shaper;
  private readonly forest: Forest;
  private readonly code: readonly Instr[];
  private readonly kept: readonly number[];
  private readonly threaded: boolean;
  /** For each register the first and the last instruction that names it. */
  private readonly spans = new Map<number, [number, number]>();
  private readonly scopes: Scope[] = [];
  /** For each instruction those that jump to it. */
  private readonly sources: readonly number[][];

  constructor(shaper: Shaper, code: Code, kept: readonly number[], threaded: boolean) {
    this.shaper = shaper;
    this.forest = shaper.forest;
    this.code = code.instrs;
    this.kept = kept;
    this.threaded = threaded;
    this.sources = this.code.map(() => []);
    for (const [at, i] of this.code.entries()) {
      for (const to of jumps(i)) this.sources[to]?.push(at);
      for (const reg of mentioned(i)) {
        const span = this.spans.get(reg);
        if (span) span[1] = at;
        else this.spans.set(reg, [at, at]);
      }
    }
  }

  shape(): Shape {
    const outer = this.shaper.registers;
    this.shaper.registers = this.name;
    this.scopes.push({ at: 0, end: this.code.length, names: new Map() });
    try {
      return this.items();
    } finally {
      this.shaper.registers = outer;
    }
  }

  /** Kept registers by position, others by appearance in the smallest `if` that has them all. */
  private readonly name: RegisterName = (reg) => {
    const kept = this.kept.indexOf(reg);
    if (kept >= 0) return `k${kept}`;
    const [from, to] = this.spans.get(reg)!;
    const depth = this.scopes.findLastIndex((s) => s.at <= from && to < s.end);
    const { names } = this.scopes[depth]!;
    let name = names.get(reg);
    if (name === undefined) names.set(reg, (name = `${depth}.${names.size}`));
    return name;
  };

  /** The whole code: what jumps goes to numbers of items. */
  private items(): Shape {
    const starts: { readonly item: Item; readonly first: boolean }[] = [];
    for (let at = 0; at < this.code.length; ) {
      const item = this.item(at, this.code.length, [], this.sources);
      starts.push({ item, first: this.isStart(at, starts.at(-1)?.item) });
      at = item.end;
    }
    const number = new Map(starts.map(({ item }, n) => [item.at, n]));
    const labelled = (i: Item): Shape => {
      // Only what stands alone jumps to other items.
      const to = i.end - i.at > 1 ? [] : jumps(this.code[i.at]!);
      return to.length === 0
        ? i.shape
        : this.forest.list(`to ${to.map((t) => number.get(t)).join()}`, i.shape);
    };
    const runs: Shape[] = [];
    for (let at = 0; at < starts.length; ) {
      const run = [starts[at]!.item];
      const alone = run[0]!.alone;
      for (at++; at < starts.length && !alone; at++) {
        const { item, first } = starts[at]!;
        if (first || item.alone) break;
        run.push(item);
      }
      const tag = `${this.begins(run[0]!.at) ? "step" : "run"} ${number.get(run[0]!.at)}`;
      runs.push(
        this.forest.list(tag, ...layers(run).map((l) => this.forest.bag("", ...l.map(labelled)))),
      );
    }
    return this.forest.list("code", ...runs);
  }

  private begins(at: number): boolean {
    return at === 0 || (this.threaded && beginsStep(this.code[at]!));
  }

  /** Whether a step begins here, or a jump arrives that is not the end of the item before. */
  private isStart(at: number, before: Item | undefined): boolean {
    if (!before || this.begins(at)) return true;
    return this.sources[at]!.some((s) => before.alone || s < before.at);
  }

  /**
   * The item that begins at an instruction; `exits` are where the code around it goes on. A jump
   * into the middle of an `if` makes it several items.
   */
  private item(
    at: number,
    end: number,
    exits: readonly number[],
    sources: readonly number[][],
  ): Item {
    const i = this.code[at]!;
    return (i.op === "branch" && this.conditional(i, at, end, exits, sources)) || this.single(at);
  }

  private single(at: number): Item {
    const i = this.code[at]!;
    const alone = !COMMUTING.has(i.op);
    return { shape: this.instr(i), at, end: at + 1, alone, ...accesses(i) };
  }

  /** An `if`, if that is what a branch is. */
  private conditional(
    i: Instr & { op: "branch" },
    at: number,
    end: number,
    exits: readonly number[],
    sources: readonly number[][],
  ): Item | undefined {
    const isExit = (to: number) => to === end || exits.includes(to);
    const until = isExit(i.to) ? end : i.to;
    if (until <= at || until > end) return undefined;
    const last = this.code[until - 1]!;
    let over = until;
    if (last.op === "jump" && until - 1 > at && until < end) {
      over = isExit(last.to) ? end : last.to;
      if (over < until || over > end) return undefined;
    }
    const leave = over === end ? [end, ...exits] : [over];
    if (!this.closed(at, over, leave, sources)) return undefined;
    this.scopes.push({ at, end: over, names: new Map() });
    const cond = this.shaper.expr(i.cond);
    const nothing = { shape: this.forest.text("-"), reads: [], writes: [] };
    const then = this.sequence(at + 1, over === until ? until : until - 1, leave, sources);
    const otherwise = over === until ? nothing : this.sequence(until, over, leave, sources);
    this.scopes.pop();
    if (!then || !otherwise) return undefined;
    const own = accesses(i);
    const parts = [own, then, otherwise];
    return {
      shape: this.forest.list("if", cond, then.shape, otherwise.shape),
      at,
      end: over,
      alone: false,
      reads: parts.flatMap((p) => p.reads),
      writes: parts.flatMap((p) => p.writes),
    };
  }

  /** Whether control enters at `at` and leaves to `leave` alone, and no step begins in between. */
  private closed(
    at: number,
    end: number,
    leave: readonly number[],
    sources: readonly number[][],
  ): boolean {
    for (let n = at + 1; n < end; n++) {
      const i = this.code[n]!;
      if (this.threaded && beginsStep(i)) return false;
      if (!COMMUTING.has(i.op) && i.op !== "branch" && i.op !== "jump") return false;
      if (sources[n]!.some((s) => s < at || s >= end)) return false;
      for (const to of jumps(i)) {
        if (!(to > n && to < end) && !leave.includes(to)) return false;
      }
    }
    return true;
  }

  /** Items in a row within an `if`; undefined if there is more to it. */
  private sequence(
    from: number,
    end: number,
    exits: readonly number[],
    sources: readonly number[][],
  ): Pick<Item, "shape" | "reads" | "writes"> | undefined {
    const items: Item[] = [];
    for (let at = from; at < end; ) {
      const i = this.code[at]!;
      if (i.op === "jump" && at === end - 1 && (i.to === end || exits.includes(i.to))) break;
      const item = this.item(at, end, exits, sources);
      if (item.alone || (i.op === "branch" && item.end === at + 1)) return undefined;
      items.push(item);
      at = item.end;
    }
    return {
      shape: this.forest.list(
        "do",
        ...layers(items).map((l) => this.forest.bag("", ...l.map((item) => item.shape))),
      ),
      reads: items.flatMap((item) => item.reads),
      writes: items.flatMap((item) => item.writes),
    };
  }

  /** An instruction without where it jumps to. */
  private instr(i: Instr): Shape {
    const { shaper } = this;
    const reg = "reg" in i ? this.forest.text(this.name(i.reg)) : this.forest.text("-");
    switch (i.op) {
      case "store":
      case "xchg":
      case "cas": {
        const rest = i.op === "cas" ? [shaper.expr(i.expect)] : [];
        const to = shaper.place(i.field.name, i.index);
        return this.forest.list(i.op, reg, to, shaper.expr(i.value), ...rest);
      }
      case "choose":
        return this.forest.list(
          `choose ${i.sort.name}`,
          reg,
          i.where ? shaper.expr(i.where) : this.forest.text(""),
        );
      case "lookup":
        return this.forest.list(
          i.walks ? "lookup" : "pick",
          reg,
          shaper.place(i.cell.name, i.index),
        );
      case "clear": {
        const where = i.where
          ? [this.forest.text(this.name(i.where.reg)), shaper.expr(i.where.cond)]
          : [];
        return this.forest.list("clear", shaper.place(i.cell.name, i.index), ...where);
      }
      case "insert":
        return this.forest.list("insert", shaper.place(i.cell.name, i.index), shaper.expr(i.value));
      case "yieldHeld":
        return this.forest.list("yieldHeld", shaper.place(i.cell.name, i.index));
      case "post": {
        const names = i.entry.map(([f]) => f).join();
        const to = shaper.place(i.set.name, i.index);
        return this.forest.list(`post ${names}`, to, ...shaper.pairs(i.entry));
      }
      case "emit":
        return this.forest.list(`emit ${i.event.name}`, ...shaper.pairs(i.args));
      case "violate":
        return this.forest.text(`violate ${i.observer}`);
      default:
        return this.forest.list(i.op, reg, ...operands(i).map((e) => shaper.pattern(e)));
    }
  }
}

/** Operations that may change places with others. */
const COMMUTING = new Set(["let", "store", "await", "violate", "emit", "clear", "insert"]);

function jumps(i: Instr): readonly number[] {
  return i.op === "halt" ? [] : successors(i, -2).filter((to) => to >= 0);
}

function mentioned(i: Instr): readonly number[] {
  const found = [...uses(i)];
  const to = defines(i);
  if (to >= 0) found.push(to);
  if (i.op === "clear" && i.where) found.push(i.where.reg);
  return found;
}

/** What an instruction reads and writes. */
function accesses(i: Instr): Pick<Item, "reads" | "writes"> {
  const reads: Access[] = uses(i).map((reg) => ({ name: `r${reg}`, element: "" }));
  for (const e of operands(i)) {
    visitNode(e, (n) => {
      if (n.k === "read") reads.push(element(n.field.name, n.index));
    });
  }
  const to = defines(i);
  const writes: Access[] = to < 0 ? [] : [{ name: `r${to}`, element: "" }];
  if (i.op === "store") writes.push(element(i.field.name, i.index));
  if (i.op === "insert") writes.push({ name: `cell ${i.cell.name}`, element: undefined });
  if (i.op === "clear") {
    writes.push({ name: `cell ${i.cell.name}`, element: undefined, kind: "clear" });
  }
  return { reads, writes };
}

function element(name: string, index: readonly Node[]): Access {
  const known = index.every((e) => e.k === "const");
  const at = index.map((e) => (e as { value: number }).value).join();
  return { name: `field ${name}`, element: known ? at : undefined };
}

/** Foata's normal form: each item as early as those before it with which it clashes allow. */
function layers(items: readonly Item[]): Item[][] {
  const found: Item[][] = [];
  for (const item of items) {
    const last = found.findLastIndex((layer) => layer.some((other) => !commute(other, item)));
    const own = found[last + 1];
    if (own) own.push(item);
    else found.push([item]);
  }
  return found;
}

function commute(a: Item, b: Item): boolean {
  const hits = (xs: readonly Access[], ys: readonly Access[]) =>
    xs.some((x) => ys.some((y) => clash(x, y)));
  return !hits(a.writes, b.writes) && !hits(a.writes, b.reads) && !hits(a.reads, b.writes);
}

function clash(x: Access, y: Access): boolean {
  if (x.name !== y.name || (x.kind !== undefined && x.kind === y.kind)) return false;
  return x.element === undefined || y.element === undefined || x.element === y.element;
}
