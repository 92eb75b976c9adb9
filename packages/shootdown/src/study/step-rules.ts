// SPDX-License-Identifier: Apache-2.0
// What is asked of single steps: a lock is given up by who has it, and a page is not locked when it
// is given back, nor counted after that.

import type { PackedMachine } from "../engine/packed.ts";
import type { Origin } from "../engine/program.ts";
import type { FieldDecl } from "../ir/expr.ts";
import { mmu_lock } from "../kernel/shadow-state.ts";
import {
  i_mmap_rwsem,
  mmap_lock_writer,
  PG_locked,
  page_refs,
  ptl,
  vmap_purge_lock,
} from "../kernel/state.ts";
import { indicesOf } from "../litmus/at-rest.ts";
import type { World } from "../litmus/world.ts";
import { life, page_life } from "../vocabulary/state.ts";

export const STEP_RULES = {
  unheld: "a lock is given up that nobody holds",
  bad_page: "a page is given back while it is locked, or is counted after that",
} as const;
export type StepRule = keyof typeof STEP_RULES;

const LOCKS: readonly FieldDecl[] = [
  ...[ptl, mmap_lock_writer, PG_locked, i_mmap_rwsem, mmu_lock, vmap_purge_lock].map((f) => f.decl),
];
const FREED = life.values.indexOf("freed");

/** Watches the steps of a machine, from one state at a time. */
export class StepWatch {
  private readonly machine: PackedMachine;
  private readonly locks: readonly (readonly [FieldDecl, readonly (readonly number[])[]])[];
  private readonly frames: readonly number[];
  private held = new Set<FieldDecl>();
  private refs: readonly (number | undefined)[] = [];
  private released: FieldDecl | undefined;

  constructor(machine: PackedMachine, world: World) {
    this.machine = machine;
    const has = (f: FieldDecl) => machine.program.fields.some((x) => x.name === f.name);
    this.locks = LOCKS.filter(has).map((f) => [f, indicesOf(f, world)]);
    this.frames = Array.from({ length: world.domain.sizes["pfn"]! - 1 }, (_, n) => n);
  }

  /** The scratch state is the one from which steps are made. */
  from(): void {
    const { machine } = this;
    const held = this.locks.filter(([f, all]) => all.some((i) => machine.field(f.name, i)));
    this.held = new Set(held.map(([f]) => f));
    this.refs = this.frames.map((n) => this.refsOfFreed(n));
  }

  /** A statement is run. */
  traced({ stmt }: Origin): void {
    if (stmt?.k !== "set" || stmt.to.k !== "read" || stmt.value.k !== "const") return;
    if (stmt.value.value === 0 && LOCKS.includes(stmt.to.field)) this.released = stmt.to.field;
  }

  /** What the step that led to the scratch state breaks. */
  broken(): StepRule | undefined {
    const { released } = this;
    this.released = undefined;
    if (released && !this.held.has(released)) return "unheld";
    return this.frames.some((n) => this.isBad(n)) ? "bad_page" : undefined;
  }

  private isBad(n: number): boolean {
    const [before, after] = [this.refs[n], this.refsOfFreed(n)];
    if (after === undefined) return false;
    if (before !== undefined) return before !== after;
    return this.machine.field(PG_locked.decl.name, [n]) === 1;
  }

  /** References of a page that was given back; of others nothing. */
  private refsOfFreed(n: number): number | undefined {
    const { machine } = this;
    if (machine.field(page_life.decl.name, [n]) !== FREED) return undefined;
    return machine.field(page_refs.decl.name, [n]) ?? 0;
  }
}
