// SPDX-License-Identifier: Apache-2.0
// Reading a final state: what a run of a herd test leaves in registers, memory and entries.

import type { PackedMachine } from "../../engine/packed.ts";
import type { Descriptor, Fault, FinalState, HerdTest, Value } from "./ast.ts";
import { lets } from "./conditions.ts";
import type { HerdSystem } from "./elaborate.ts";
import type { Access, Decoded } from "./program.ts";
import { isTrue, type Sym } from "./symbolic.ts";
import { descKey, keyOf, type Word } from "./words.ts";

interface End {
  readonly key: string;
  readonly shows: FinalState;
}

/** For `ends`: undefined while a thread has something left to do. */
export function finalStates(
  test: HerdTest,
  system: HerdSystem,
): (m: PackedMachine) => End | undefined {
  return (m) => new Reader(test, system, m).end();
}

interface Stop {
  readonly faults: readonly Fault[];
  readonly registers: readonly Sym[];
}

class Reader {
  private readonly test: HerdTest;
  private readonly system: HerdSystem;
  private readonly machine: PackedMachine;

  constructor(test: HerdTest, system: HerdSystem, machine: PackedMachine) {
    this.test = test;
    this.system = system;
    this.machine = machine;
  }

  end(): End | undefined {
    const faults: Fault[] = [];
    const registers: (readonly Sym[])[] = [];
    for (const d of this.system.threads) {
      const stop = this.stopOf(d);
      if (stop === undefined) return undefined;
      registers.push(stop.registers);
      faults.push(...stop.faults);
    }
    return this.state(registers, faults);
  }

  private field(name: string, index: readonly number[]): number {
    const found = this.machine.field(name, index);
    if (found !== undefined) return found;
    const given = this.system.system.initial.find(
      (i) => i.field.name === name && i.index.every((v, n) => v === index[n]),
    );
    return given?.value ?? 0;
  }

  private word = (slot: number): Word => this.system.words.all[this.field("X", [slot])]!;

  private holds(sym: Sym): boolean {
    return isTrue(sym.at(this.word));
  }

  /** Where a program of a thread has ended. Undefined: it goes on, or is not how runs go. */
  private stopOf(d: Decoded): Stop | undefined {
    for (const item of d.items) {
      if (item.k === "fence") continue;
      if (!this.ready(item.when)) return undefined;
      if (!this.holds(item.when)) continue;
      const done = this.field("performed", [item.slot]) === 1;
      if (!done || this.field("owes", [item.slot]) === 1) return undefined;
      const fault = item.k === "access" ? this.faultOf(item) : undefined;
      if (!fault) continue;
      if (d.mustPass) return undefined;
      const handler = d.handlers.get(item.slot);
      if (!handler) return { faults: [fault], registers: item.before };
      const behind = this.stopOf(handler);
      return behind && { ...behind, faults: [fault, ...behind.faults] };
    }
    if (d.never.some((sym) => !this.ready(sym) || this.holds(sym))) return undefined;
    return { faults: [], registers: d.end };
  }

  private ready(sym: Sym): boolean {
    return sym.slots.every((s) => this.field("performed", [s]) === 1);
  }

  private faultOf(a: Access): Fault | undefined {
    const { facts } = this.system;
    const at = facts.targets.get(a.slot)!;
    if (at.k === "pte") return undefined;
    const fixed = facts.entries(at.name);
    const d =
      fixed.length === 1 ? fixed[0]! : this.system.descriptorOf(this.field("captured", [a.slot]));
    if (lets(d, a.writes)) return undefined;
    const type = d.valid === 0 ? "Translation" : d.af === 0 ? "AccessFlag" : "Permission";
    return { thread: a.thread, label: a.label, location: at.name, pte: false, type };
  }

  private state(registers: readonly (readonly Sym[])[], faults: readonly Fault[]): End {
    const { facts, words, descriptorOf } = this.system;
    const held = registers.map((regs) => regs.map((sym) => sym.at(this.word)));
    const data = new Map<string, Word>();
    const entries = new Map<string, Descriptor>();
    for (const [n, name] of facts.names.entries()) {
      data.set(name, words.all[this.field("memory_at", [n])]!);
      entries.set(name, descriptorOf(this.field("pte_table", [0, n])));
    }
    const shows: FinalState = {
      register: (thread, number) => asValue(held[thread]![number]!),
      data: (name) => asValue(data.get(name) ?? { k: "int", value: 0n }),
      pte: (name) => entries.get(name)!,
      faults,
    };
    const key = JSON.stringify([
      this.test.shown.map((l) => {
        if (l.k === "reg") return keyOf(held[l.thread]![l.number]!);
        if (l.k === "data") return keyOf(shows.data(l.name));
        return descKey(shows.pte(l.name));
      }),
      faults,
    ]);
    return { key, shows };
  }
}

/** A page number is not printed as one: it is an address without its lower bits. */
const asValue = (w: Word): Value => (w.k === "page" ? { k: "va", name: w.name } : w);
