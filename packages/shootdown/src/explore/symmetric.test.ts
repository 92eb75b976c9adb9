// SPDX-License-Identifier: Apache-2.0
// Searches with symmetries visit one state an orbit, and say the same as searches without.

import { expect, test } from "vitest";
import { cellModel } from "../../../../bench/models/shootdown-cells.ts";
import type { ModelOptions } from "../../../../bench/models/shootdown-s.ts";
import { model } from "../../../../bench/models/shootdown-s.ts";
import { symmetricSystem } from "../../../../test/support/symmetric-system.ts";
import { seededRandom } from "../base/random.ts";
import { lower } from "../engine/lower.ts";
import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import { entryOffsets, loader } from "../engine/packed-expr.ts";
import type { System } from "../engine/program.ts";
import { keptRegisters } from "../engine/symmetry/units.ts";
import type { Permutation, Symmetry } from "../engine/symmetry.ts";
import { orbitsText, symmetryOf } from "../engine/symmetry.ts";
import { wordLayout } from "../engine/word.ts";
import type { AnySort } from "../ir/sort.ts";
import { reach } from "./compare.ts";
import type { Outcome } from "./search.ts";
import { search } from "./search.ts";
import { normalizer } from "./symmetric.ts";

const LIMITS = { states_max: 1e6, bytes_max: 1e9 };

function run(system: System, semantics: Semantics, symmetric = true) {
  const machine = new PackedMachine(lower(system), { semantics });
  const symmetry = symmetryOf(machine.program, machine.layout);
  const normal = symmetric ? normalizer(machine, symmetry) : undefined;
  const question = { latched: (m: PackedMachine) => m.violated(0) };
  return {
    machine,
    symmetry,
    normal,
    ...search(machine, question, LIMITS, undefined, undefined, normal),
  };
}

const sets = (options: ModelOptions): ModelOptions => ({ ...options, operands: "sets" });

test.each([
  ["S concrete", model(sets({ cpus: 2, upgrade: true })), "concrete", 4, 85_604, 36],
  ["S", cellModel({ cpus: 2, upgrade: true }), "window", 4, 382, 36],
  ["M", cellModel({ cpus: 3, upgrade: false }), "window", 12, 723, 33],
  ["L", cellModel({ cpus: 3, upgrade: true }), "window", 12, 3_160, 45],
] as const)("CPUs and pages of model %s", (_, system, semantics, order, states, depth) => {
  const outcome = run(system, semantics);
  expect(outcome.symmetry.elements).toHaveLength(order);
  expect(outcome).toMatchObject({ observed: "never", exhaustive: true, states, depth });
});

test.each([1, 2] as const)("the witness of seeded bug %i is a run", (bug) => {
  const options = { cpus: 3, upgrade: true, bug } as const;
  const plain = run(cellModel(options), "window", false);
  const outcome = run(cellModel(options), "window");
  expect(outcome.observed).toBe("sometimes");
  expect(outcome.depth).toBe(plain.depth);
  expect(outcome.states).toBeLessThan(plain.states / 4);
  ends(outcome.machine, outcome);
});

/** Replays a witness: it must end with the violation. */
function ends(machine: PackedMachine, { path }: Outcome): void {
  let state = machine.initial();
  for (const step of path!) {
    expect(machine.replay(machine.transitions[step.transition]!, step.choices, state)).toBe(true);
    state = machine.state.slice();
  }
  machine.load(state, 0);
  expect(machine.violated(0)).toBe(true);
}

/** A state as a list of facts, with values and threads replaced by their images. */
class Facts {
  private readonly machine: PackedMachine;
  private readonly symmetry: Symmetry;

  constructor(machine: PackedMachine, symmetry: Symmetry) {
    this.machine = machine;
    this.symmetry = symmetry;
  }

  of(state: Int32Array, p: Permutation): string {
    const { program, layout, cells } = this.machine;
    this.machine.load(state, 0);
    const read = (b: Parameters<typeof loader>[1]) => loader(this.machine.state, b)();
    const key = (sorts: readonly AnySort[], at: readonly number[]) =>
      at.map((v, i) => this.image(sorts[i]!, v, p)).join();
    const facts: string[] = [];
    for (const { decl, sizes, elements } of layout.fields.values()) {
      for (const [n, bits] of elements.entries()) {
        const at: number[] = [];
        for (let d = sizes.length - 1, rest = n; d >= 0; d--) {
          at.unshift(rest % sizes[d]!);
          rest = Math.floor(rest / sizes[d]!);
        }
        const value = this.image(decl.value, read(bits), p);
        facts.push(`${decl.name}[${key(decl.index, at)}]=${value}`);
      }
    }
    for (const c of cells.instances) {
      const { decl } = program.cells[c.group]!;
      const held = this.machine.contents(c.group, c.index).sort((a, b) => a - b);
      facts.push(`${decl.name}[${key(Object.values(decl.keys), c.key)}]={${held.join()}}`);
    }
    for (const [n, set] of program.pending.entries()) {
      const fields = Object.entries(set.decl.entry);
      const offsets = entryOffsets(fields, program.domain);
      const entries = layout.pending[n]!.map(read).filter((e) => e !== 0);
      const texts = entries.map((e) =>
        fields
          .map(([, s], f) => this.image(s, (e >>> offsets[f]!.offset) & offsets[f]!.mask, p))
          .join(),
      );
      if (set.decl.order.length === 0) texts.sort();
      const at = key(Object.values(set.decl.keys), set.key);
      facts.push(`${set.decl.name}[${at}]=${texts.join(" ")}`);
    }
    for (const [n, thread] of layout.threads.entries()) {
      const pc = read(thread.pc);
      const kept = keptRegisters(layout, n);
      const registers = thread.live[pc]!.map(({ reg, bits }) => {
        const sort = program.threads[n]!.registers.get(reg)!;
        return `${kept.indexOf(reg)}=${this.image(sort, read(bits), p)}`;
      });
      const first = this.symmetry.points.firstThread;
      facts.push(`thread ${p[first + n]! - first} at ${pc}: ${registers.sort().join()}`);
    }
    return [...facts.sort(), layout.latches.map(read).join()].join("\n");
  }

  private image(sort: AnySort, value: number, p: Permutation): number {
    const { points } = this.symmetry;
    if (sort.kind === "word") {
      const layout = wordLayout(sort, this.machine.program.domain);
      return layout.fields.reduce(
        (word, f) => layout.put(word, f.name, this.image(f.sort, layout.get(value, f.name), p)),
        value,
      );
    }
    const point = points.of(sort, value);
    return point === undefined ? value : p[point]! - points.of(sort, 0)!;
  }
}

test("random programs: one state an orbit, the same answers", () => {
  const reached = { symmetric: 0, values: 0, threads: 0, six: 0, violated: 0, sorted: 0, moved: 0 };
  for (let seed = 0; seed < 80; seed++) {
    const system = symmetricSystem(seededRandom(seed));
    for (const semantics of ["window", "concrete"] as const) {
      const machine = new PackedMachine(lower(system), { semantics });
      const symmetry = symmetryOf(machine.program, machine.layout);
      if (symmetry.elements.length === 1) continue;
      const visited = reach(machine, 500);
      if (!visited) continue;
      const normal = normalizer(machine, symmetry);
      expect(normal, `layouts of seed ${seed}`).toBeDefined();
      const facts = new Facts(machine, symmetry);
      const [identity] = symmetry.elements;
      const all = new Set<string>();
      const orbits = new Map<string, string>();
      for (let id = 0; id < visited.count; id++) {
        const state = visited.arena.slice(id * machine.words, (id + 1) * machine.words);
        all.add(facts.of(state, identity!));
        const least = symmetry.elements.map((p) => facts.of(state, p)).sort()[0]!;
        normal!(state);
        const form = facts.of(state, identity!);
        // A normal form is one of the images, and the same for all of them.
        const known = orbits.get(least) ?? form;
        expect(form, `seed ${seed}`).toBe(known);
        orbits.set(least, form);
      }
      for (const form of orbits.values()) expect(all.has(form), `seed ${seed}`).toBe(true);
      const plain = run(system, semantics, false);
      const outcome = run(system, semantics);
      const { observed, depth } = outcome;
      expect({ observed, depth }, `seed ${seed}`).toEqual({
        observed: plain.observed,
        depth: plain.depth,
      });
      if (plain.observed === "never") expect(outcome.states, `seed ${seed}`).toBe(orbits.size);
      else ends(outcome.machine, outcome);
      reached.symmetric++;
      const text = orbitsText(symmetry);
      if (/item/.test(text)) reached.values++;
      if (/thread/.test(text)) reached.threads++;
      if (symmetry.elements.length >= 6) reached.six++;
      if (plain.observed !== "never") reached.violated++;
      if (machine.program.pending.length > 0) reached.sorted++;
      if (orbits.size < visited.count) reached.moved++;
    }
  }
  // The generator reaches what it is for.
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(5);
});
