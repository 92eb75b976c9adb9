// SPDX-License-Identifier: Apache-2.0
// A piece of code on its way into a program: what is put in or taken out is remembered with what
// became of it, because other programs ask for the same.
//
//   inlined ──with(edits)──► edited ──tidied(edits)──► as the program has it

import type { FieldDecl, KeyPattern, Node } from "../ir/expr.ts";
import type { AnySort } from "../ir/sort.ts";
import { operands, Registers, visitNode } from "./flow.ts";
import type { Scope } from "./fold.ts";
import type { Code, Instr } from "./program.ts";
import { propagate } from "./propagate.ts";
import { nodeText } from "./text.ts";
import { dropDead, idle, shorten } from "./tidy.ts";

/** A question whether entries are outstanding. */
export type Outstanding = Node & { readonly k: "outstanding" };

/** Instructions to put in place of others, by where they stand. */
export type Edits = ReadonlyMap<number, Instr>;

export class Piece implements Code {
  readonly instrs: readonly Instr[];
  readonly registers: ReadonlyMap<number, AnySort>;
  /** Where a cell or a pending set is spoken of, or a field is stored to. */
  readonly points: readonly number[];
  private readonly edited = new Map<string, Piece>();
  private readonly made = new Map<string, Piece>();
  private readFields: readonly FieldDecl[] | undefined;
  private unsetRegisters: readonly number[] | undefined;
  private entriesAsked: readonly Outstanding[] | undefined;

  constructor(instrs: readonly Instr[], registers: ReadonlyMap<number, AnySort>) {
    this.instrs = instrs;
    this.registers = registers;
    this.points = [...instrs.keys()].filter((at) => isPoint(instrs[at]!));
  }

  /** The piece with these instructions in place of its own. */
  with(edits: Edits): Piece {
    if (edits.size === 0) return this;
    const key = [...edits].map(([at, i]) => `${at}${editText(i)}`).join();
    let piece = this.edited.get(key);
    if (!piece) {
      const instrs = this.instrs.map((i, at) => edits.get(at) ?? i);
      this.edited.set(key, (piece = new Piece(instrs, this.registers)));
    }
    return piece;
  }

  /** The piece without what nobody notices, constants put in, tidied. */
  tidied(unnoticed: readonly number[], scope: Scope, keepAll: boolean): Piece {
    const key = unnoticed.join();
    let piece = this.made.get(key);
    if (!piece) {
      const instrs = [...this.instrs];
      for (const at of unnoticed) instrs[at] = idle(instrs[at]!, at);
      const registers = new Registers(instrs);
      if (!keepAll) propagate(instrs, registers, scope);
      dropDead(instrs, registers);
      this.made.set(key, (piece = new Piece(shorten(instrs), this.registers)));
    }
    return piece;
  }

  /** The fields whose values it asks for, in the order in which it does. */
  get reads(): readonly FieldDecl[] {
    this.readFields ??= readsOf(this.instrs);
    return this.readFields;
  }

  /** Its questions for outstanding entries, but for waits until there are none. */
  get asks(): readonly Outstanding[] {
    this.entriesAsked ??= this.instrs.flatMap((i) =>
      i.op === "emit" ? [] : operands(i).flatMap((n) => asksOf(n, i.op === "await")),
    );
    return this.entriesAsked;
  }

  /** Registers that it may read before it sets them. */
  get unset(): readonly number[] {
    if (!this.unsetRegisters) {
      const registers = new Registers(this.instrs);
      this.unsetRegisters = [...registers.reads.keys()].filter((reg) => {
        registers.live(reg);
        return registers.reached(0);
      });
    }
    return this.unsetRegisters;
  }
}

function editText(i: Instr): string {
  if (i.op === "let") return `=${nodeText(i.value)}`;
  return i.op === "await" || i.op === "branch" ? `?${nodeText(i.cond)}` : "-";
}

function isPoint(i: Instr): boolean {
  switch (i.op) {
    case "lookup":
    case "yieldHeld":
    case "insert":
    case "clear":
    case "post":
    case "store":
      return true;
    case "branch":
    case "await":
      return speaksOfPending(i.cond);
    default:
      return false;
  }
}

function speaksOfPending(n: Node): boolean {
  if (n.k === "outstanding") return true;
  return n.k === "op" && n.args.some(speaksOfPending);
}

/**
 * The questions for entries in an expression. A condition that is waited for loses nothing where it
 * asks that there are none: `waited`. Below `not` it is the other way round.
 */
export function asksOf(n: Node | KeyPattern, waited: boolean, negated = false): Outstanding[] {
  if (waited && n.k === "outstanding") return negated ? [] : [n];
  if (waited && n.k === "op" && (n.op === "and" || n.op === "or" || n.op === "not")) {
    return n.args.flatMap((a) => asksOf(a, true, negated !== (n.op === "not")));
  }
  const found: Outstanding[] = [];
  visitNode(n, (x) => {
    if (x.k === "outstanding") found.push(x);
  });
  return found;
}

function readsOf(instrs: readonly Instr[]): FieldDecl[] {
  const found = new Map<string, FieldDecl>();
  const note = (n: Node) => {
    if (n.k === "read") found.set(n.field.name, n.field);
  };
  for (const i of instrs) {
    for (const node of operands(i)) visitNode(node, note);
    if (i.op === "xchg" || i.op === "cas") found.set(i.field.name, i.field);
  }
  return [...found.values()];
}
