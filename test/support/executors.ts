// SPDX-License-Identifier: Apache-2.0
// Runs one schedule in the packed and in the open executor and compares all that can be seen.

import { expect } from "vitest";
import type { Random } from "../../packages/shootdown/src/base/random.ts";
import { lower } from "../../packages/shootdown/src/engine/lower.ts";
import type { OpenTransition } from "../../packages/shootdown/src/engine/open.ts";
import { OpenMachine } from "../../packages/shootdown/src/engine/open.ts";
import { lowerOpen } from "../../packages/shootdown/src/engine/open-lower.ts";
import type { OpenEvent, Value } from "../../packages/shootdown/src/engine/open-value.ts";
import { expand, toPacked } from "../../packages/shootdown/src/engine/open-value.ts";
import type { LoggedEvent, Transition } from "../../packages/shootdown/src/engine/packed.ts";
import { PackedMachine } from "../../packages/shootdown/src/engine/packed.ts";
import { DomainOverflow } from "../../packages/shootdown/src/engine/packed-expr.ts";
import type { Program, System } from "../../packages/shootdown/src/engine/program.ts";
import { sizeOf } from "../../packages/shootdown/src/engine/program.ts";
import type { AnySort } from "../../packages/shootdown/src/ir/sort.ts";

/** Every combination of values below the given sizes. */
export const combinations = (sizes: readonly number[]): number[][] =>
  sizes.reduce<number[][]>(
    (done, size) => done.flatMap((d) => Array.from({ length: size }, (_, i) => [...d, i])),
    [[]],
  );

/** The sorts of the parameters of the events that a program may make. */
export function eventSorts(program: Program): Map<string, Readonly<Record<string, AnySort>>> {
  const found = new Map<string, Readonly<Record<string, AnySort>>>();
  const fills = program.cells.flatMap((g) => g.instances.flatMap((c) => (c.fill ? [c.fill] : [])));
  for (const code of [...program.threads, ...program.rules, ...program.pending, ...fills]) {
    for (const i of code.instrs) if (i.op === "emit") found.set(i.event.name, i.event.params);
  }
  return found;
}

/** An event of the open executor as the packed one has it. */
export function packedEvent(
  e: OpenEvent,
  sorts: Readonly<Record<string, AnySort>>,
  program: Program,
): LoggedEvent {
  const args = Object.entries(e.args).map(([name, v]) => {
    return [name, toPacked(v, sorts[name]!, program.domain)] as const;
  });
  return { event: e.event, args: Object.fromEntries(args) };
}

/** The two executors of one program, in the same state. */
export class Pair {
  readonly packed: PackedMachine;
  readonly open: OpenMachine;
  readonly program: Program;
  state: Int32Array;
  private readonly log: OpenEvent[] = [];
  private readonly sorts: ReturnType<typeof eventSorts>;

  /** `instances`: the open executor takes the packed program; else it lowers the system itself. */
  constructor(system: System, instances: boolean) {
    this.program = lower(system, { keepAll: !instances });
    this.packed = new PackedMachine(this.program, { semantics: "concrete" });
    this.open = new OpenMachine(instances ? this.program : lowerOpen(system), {
      log: (e) => this.log.push(...expand(e)),
      bulk: false,
      affine: { word: "p" },
    });
    this.sorts = eventSorts(this.program);
    this.state = this.packed.initial();
  }

  /** The open executor's transition of the same name; undefined if it lists none. */
  counterpart(t: Transition): OpenTransition | undefined {
    const [decl, rest] = t.name.split(/[[(]/) as [string, string];
    const key = rest ? rest.slice(0, -1).split(",").filter(Boolean).map(Number) : [];
    switch (t.kind) {
      case "thread":
        return this.open.threads[t.index]!.transition;
      case "effect":
        return this.open.effects().find((o) => o.name === t.name && o.slot === t.slot);
      case "rule":
        return this.open.rule(decl, key);
      default:
        return this.open.freeTransition(t.kind, decl, key);
    }
  }

  /** What the packed executor can do now, with every combination of choices. */
  moves(): { readonly t: Transition; readonly choices: readonly number[] }[] {
    return this.packed.transitions.flatMap((t) => {
      const found: { t: Transition; choices: readonly number[] }[] = [];
      this.packed.successors(t, this.state, 0, () => {
        found.push({ t, choices: [...this.packed.choices] });
      });
      return found;
    });
  }

  /** Compares what is enabled, and makes one step at random; false if there is none. */
  step(random: Random): boolean {
    const moves = this.moves();
    const enabled = new Set(moves.map((m) => m.t));
    for (const t of this.packed.transitions) {
      const other = this.counterpart(t);
      const holds = other !== undefined && this.open.isEnabled(other);
      expect(`${t.kind} ${t.name} ${holds}`).toBe(`${t.kind} ${t.name} ${enabled.has(t)}`);
    }
    const names = [...enabled].filter((t) => !t.free).map((t) => `${t.kind} ${t.name} ${t.slot}`);
    expect(this.open.enabled().map((t) => `${t.kind} ${t.name} ${t.slot}`)).toEqual(names);
    this.compare();
    if (moves.length === 0) return false;
    const { t, choices } = moves[random.below(moves.length)]!;
    const other = this.counterpart(t)!;
    // Left-over and missing choices: refused, and nothing happens.
    expect(this.open.step(other, [...choices, 0])).toBe(false);
    if (choices.length > 0) expect(this.open.step(other, choices.slice(0, -1))).toBe(false);
    this.compare();
    expect(this.log).toEqual([]);
    const events: LoggedEvent[] = [];
    this.packed.log = (e) => events.push(e);
    expect(this.packed.replay(t, choices, this.state)).toBe(true);
    this.packed.log = undefined;
    this.state = this.packed.state.slice();
    expect(this.open.step(other, choices), `${t.kind} ${t.name} ${choices}`).toBe(true);
    const mine = this.log.splice(0);
    expect(mine.map((e) => packedEvent(e, this.sorts.get(e.event)!, this.program))).toEqual(events);
    return true;
  }

  /** Compares fields, cells, places of threads and latches. */
  compare(): void {
    const { packed, open, program } = this;
    const { domain } = program;
    packed.load(this.state, 0);
    for (const f of program.fields) {
      for (const index of combinations(f.index.map((s) => sizeOf(s, domain)))) {
        // A field that no code names any more keeps its initial value.
        const value: Value = open.field(f.name, index) ?? f.initial;
        const same = toPacked(value, f.value, domain) === packed.field(f.name, index);
        if (!same) expect(`${f.name}[${index}] ${value}`).toBe(`${packed.field(f.name, index)}`);
      }
    }
    for (const [n, g] of program.cells.entries()) {
      for (const [i, c] of g.instances.entries()) {
        const mine = open.entries(g.decl.name, c.key).map((e) => e.value);
        expect(mine.sort((a, b) => a - b)).toEqual(packed.contents(n, i).sort((a, b) => a - b));
      }
    }
    expect(open.threads.map((t) => t.pc)).toEqual(program.threads.map((_, n) => packed.at(n)));
    expect(program.observers.map((o) => open.violated(o))).toEqual(
      program.observers.map((_, n) => packed.violated(n)),
    );
  }
}

/** Runs a random schedule of at most `steps` steps in both; ends where the domain is too small. */
export function runBoth(system: System, instances: boolean, random: Random, steps: number): void {
  const pair = new Pair(system, instances);
  try {
    for (let n = 0; n < steps && pair.step(random); n++);
  } catch (e) {
    if (!(e instanceof DomainOverflow)) throw e;
  }
}
