// SPDX-License-Identifier: Apache-2.0
// What a step may touch, over all paths through it, with what closing the windows after it touches.
//
//   field    reads, conditions (awaits), writes (of which constant), adds
//   pending  reads, conditions, posts, takes
//   cell     picks (any one entry), closes (a fill takes it over), grows, shrinks

import type { KeyPattern, Node } from "../ir/expr.ts";
import { conjuncts, type Variables } from "./commute-variables.ts";
import { beginsStep, operands, visitNode } from "./flow.ts";
import type { Semantics } from "./packed.ts";
import type { Code, Instr, Program } from "./program.ts";

/** A conjunct that must hold for a step to be enabled. */
export interface Condition {
  readonly holds: Node;
  readonly on: ReadonlySet<number>;
}

/** The constant fields of an entry posted or asked for. */
export type Pattern = ReadonlyMap<string, number>;

export class Accesses {
  readonly reads = new Set<number>();
  readonly conditions: Condition[] = [];
  /** With the constant written, if it is always the same one. */
  readonly writes = new Map<number, number | undefined>();
  /** Fields to which a constant is added. */
  readonly adds = new Set<number>();
  readonly posts = new Map<number, Pattern[]>();
  readonly takes = new Set<number>();
  readonly picks = new Set<number>();
  readonly closes = new Set<number>();
  readonly grows = new Set<number>();
  readonly shrinks = new Set<number>();
  /** Conditions asked before anything else is done: if one is false, nothing happens. */
  readonly first: Node[] = [];
  /** Whether there is a choice in the step. */
  chooses = false;

  /** Everything that the step touches. */
  touched(): Set<number> {
    const all = new Set<number>();
    for (const set of [this.reads, this.adds, this.takes, this.picks, this.closes]) {
      for (const v of set) all.add(v);
    }
    for (const set of [this.grows, this.shrinks]) for (const v of set) all.add(v);
    for (const map of [this.writes, this.posts]) for (const v of map.keys()) all.add(v);
    for (const c of this.conditions) for (const v of c.on) all.add(v);
    return all;
  }
}

/** What the fill of a cell reads by itself and through others. */
interface Inputs {
  readonly reads: ReadonlySet<number>;
  readonly picks: ReadonlySet<number>;
}

export class AccessFinder {
  /** Cells walk through each other in a circle: what they need is not known. */
  circular = false;
  private readonly program: Program;
  private readonly variables: Variables;
  private readonly semantics: Semantics;
  /** For each cell variable what its fill needs. */
  private readonly inputs = new Map<number, Inputs>();
  /** For each variable the cells whose fill needs it. */
  private readonly feeds = new Map<number, number[]>();

  constructor(program: Program, variables: Variables, semantics: Semantics) {
    this.program = program;
    this.variables = variables;
    this.semantics = semantics;
    for (const [g, group] of program.cells.entries()) {
      for (const i of group.instances.keys()) this.fillInputs(variables.cellAt(g, i), g, i, []);
    }
    for (const [cell, { reads, picks }] of this.inputs) {
      for (const v of [...reads, ...picks]) {
        const fed = this.feeds.get(v);
        if (fed) fed.push(cell);
        else this.feeds.set(v, [cell]);
      }
    }
  }

  /** A thread's step from an instruction, of which `runs` may be run. */
  step(code: Code, from: number, runs: readonly number[]): Accesses {
    return this.closed(this.gather(code, runs, from));
  }

  /** Code that runs as one step: a rule. */
  whole(code: Code): Accesses {
    return this.closed(this.all(code));
  }

  /** What code touches in any of its steps, windows apart. */
  all(code: Code): Accesses {
    return this.gather(code, [...code.instrs.keys()], 0);
  }

  /** The effect of an entry of a pending set. */
  effect(instance: number): Accesses {
    const p = this.program.pending[instance]!;
    const found = this.gather(p, [...p.instrs.keys()], 0);
    found.takes.add(this.variables.pendingAt(instance));
    if (p.ready) {
      this.condition(p.ready, found);
      // What the effect itself waits for is asked after it has been taken out.
      found.first.unshift(...conjuncts(p.ready));
    }
    return this.closed(found);
  }

  /** A cell takes a value, or loses one, as a transition of its own. */
  free(group: number, instance: number): Accesses {
    const found = new Accesses();
    const { decl, instances } = this.program.cells[group]!;
    const cell = this.variables.cellAt(group, instance);
    const { reads, picks } = this.inputs.get(cell)!;
    for (const v of reads) found.reads.add(v);
    for (const v of picks) found.picks.add(v);
    if (instances[instance]!.fill) found.grows.add(cell);
    if (decl.evicts) found.shrinks.add(cell);
    // How many there are decides whether one more fits.
    if (decl.ways !== undefined) found.reads.add(cell);
    found.chooses = true;
    return found;
  }

  private gather(code: Code, at: readonly number[], from: number): Accesses {
    const found = new Accesses();
    for (const n of at) this.instruction(code.instrs[n]!, found);
    for (let n = from; n < code.instrs.length; n++) {
      const i = code.instrs[n]!;
      if (n !== from && beginsStep(i) && !i.joined) break;
      if (i.op === "await") found.first.push(...conjuncts(i.cond));
      else if (i.op !== "emit") break;
    }
    // A field that is added to is read too, if anything else happens to it here.
    for (const v of [...found.adds]) {
      const more = found.reads.has(v) || found.writes.has(v);
      if (!more && !found.conditions.some((c) => c.on.has(v))) continue;
      found.adds.delete(v);
      found.reads.add(v);
      found.writes.set(v, undefined);
    }
    return found;
  }

  private instruction(i: Instr, found: Accesses): void {
    const { variables } = this;
    if (i.op === "await") {
      this.condition(i.cond, found);
      return;
    }
    // Arguments of events are for logs; a retry point is looked at by one question alone.
    if (i.op === "emit" || i.op === "retry") return;
    const sum = i.op === "store" ? this.addedTo(i) : undefined;
    if (sum !== undefined) {
      found.adds.add(sum);
      return;
    }
    for (const n of operands(i)) this.reads(n, found.reads);
    if (i.op === "choose" || i.op === "either" || i.op === "lookup") found.chooses = true;
    switch (i.op) {
      case "store":
      case "xchg":
      case "cas":
        for (const v of variables.elements(i.field, i.index)) {
          if (i.op !== "store") found.reads.add(v);
          write(found, v, i.value.k === "const" ? i.value.value : undefined);
        }
        return;
      case "violate":
        for (const v of variables.latch(i.observer)) write(found, v, 1);
        return;
      case "post":
        for (const v of variables.pending(i.set, i.index)) {
          const known = found.posts.get(v) ?? [];
          found.posts.set(v, [...known, constants(i.entry)]);
        }
        return;
      case "lookup":
        for (const v of variables.cells(i.cell, i.index)) this.lookup(v, i.walks, found);
        return;
      case "insert":
        for (const v of variables.cells(i.cell, i.index)) found.grows.add(v);
        return;
      case "clear":
        for (const v of variables.cells(i.cell, i.index)) found.shrinks.add(v);
        return;
      default:
    }
  }

  /** The element to which a store adds a constant, if it does no more. */
  private addedTo(i: Instr & { op: "store" }): number | undefined {
    const { value } = i;
    if (value.k !== "op" || (value.op !== "add" && value.op !== "sub")) return undefined;
    const [a, b] = value.args;
    if (a?.k !== "read" || b?.k !== "const" || a.field !== i.field) return undefined;
    const to = this.variables.elements(i.field, i.index);
    const from = this.variables.elements(a.field, a.index);
    return to.length === 1 && from.length === 1 && to[0] === from[0] ? to[0] : undefined;
  }

  private condition(cond: Node, found: Accesses): void {
    for (const holds of conjuncts(cond)) {
      const on = new Set<number>();
      this.reads(holds, on);
      found.conditions.push({ holds, on });
    }
  }

  private lookup(cell: number, walks: boolean, found: Accesses): void {
    found.picks.add(cell);
    if (!walks) return;
    const { reads, picks } = this.inputs.get(cell)!;
    for (const v of reads) found.reads.add(v);
    for (const v of picks) found.picks.add(v);
  }

  private reads(node: Node | KeyPattern, into: Set<number>): void {
    visitNode(node, (n) => {
      const at =
        n.k === "read"
          ? n.fixed
            ? []
            : this.variables.elements(n.field, n.index)
          : n.k === "outstanding"
            ? this.variables.pending(n.set, n.index)
            : [];
      for (const v of at) into.add(v);
    });
  }

  private fillInputs(cell: number, group: number, instance: number, open: readonly number[]): void {
    if (this.inputs.has(cell) || open.includes(cell)) return;
    const reads = new Set<number>();
    const picks = new Set<number>();
    for (const i of this.program.cells[group]!.instances[instance]!.fill?.instrs ?? []) {
      if (i.op === "emit") continue;
      for (const n of operands(i)) this.reads(n, reads);
      if (i.op !== "lookup" && i.op !== "yieldHeld") continue;
      for (const v of this.variables.cells(i.cell, i.index)) {
        picks.add(v);
        if (i.op !== "lookup" || !i.walks) continue;
        // A walk through another cell needs what that one's fill needs.
        this.through(v, i.cell, [...open, cell], reads, picks);
      }
    }
    this.inputs.set(cell, { reads, picks });
  }

  private through(
    inner: number,
    decl: unknown,
    open: readonly number[],
    reads: Set<number>,
    picks: Set<number>,
  ): void {
    const g = this.program.cells.findIndex((x) => x.decl === decl);
    this.fillInputs(inner, g, inner - this.variables.cellAt(g, 0), open);
    const known = this.inputs.get(inner);
    if (!known) this.circular = true;
    for (const v of known?.reads ?? []) reads.add(v);
    for (const v of known?.picks ?? []) picks.add(v);
  }

  /** Adds what closing the windows after the step does. */
  private closed(found: Accesses): Accesses {
    if (this.semantics !== "window") return found;
    for (const cell of found.shrinks) this.refill(cell, found);
    const work = [...found.writes.keys(), ...found.adds, ...found.posts.keys()];
    work.push(...found.takes, ...found.grows);
    for (let v = work.pop(); v !== undefined; v = work.pop()) {
      for (const cell of this.feeds.get(v) ?? []) {
        this.refill(cell, found);
        if (found.grows.has(cell)) continue;
        found.grows.add(cell);
        work.push(cell);
      }
    }
    return found;
  }

  private refill(cell: number, found: Accesses): void {
    const { reads, picks } = this.inputs.get(cell)!;
    for (const v of reads) found.reads.add(v);
    for (const v of picks) found.closes.add(v);
  }
}

export function constants(pairs: readonly (readonly [string, Node])[]): Pattern {
  return new Map(pairs.flatMap(([n, e]) => (e.k === "const" ? [[n, e.value] as const] : [])));
}

function write(found: Accesses, variable: number, value: number | undefined): void {
  const same = !found.writes.has(variable) || found.writes.get(variable) === value;
  found.writes.set(variable, same ? value : undefined);
}
