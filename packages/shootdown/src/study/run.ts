// SPDX-License-Identifier: Apache-2.0
// One execution of a scenario under one schedule: every event in order, and what is left in caches.

import { seededRandom } from "../base/random.ts";
import { describeState, showValue } from "../engine/describe.ts";
import type { Transition } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import { wordLayout } from "../engine/word.ts";
import { desc } from "../vocabulary/descriptor.ts";
import { eventNamed } from "../vocabulary/events.ts";
import { pmd, pte_table } from "../vocabulary/state.ts";
import { formatValue } from "./format.ts";

/** An event of a run, with what its step changed. */
export interface RunEvent {
  readonly step: number;
  /** Thread, or what acted by itself. */
  readonly agent: string;
  readonly event: string;
  /** Its values, in the order of its declaration. */
  readonly detail: string;
  /** Variables that the step changed, with their new values; given with its last event. */
  readonly changed: Readonly<Record<string, string>>;
}

/** What a cache holds at the end. */
export interface HeldEntry {
  readonly cache: string;
  readonly holds: string;
  readonly stale: boolean;
}

export interface RunResult {
  readonly events: readonly RunEvent[];
  readonly caches: readonly HeldEntry[];
  readonly violated: readonly string[];
  readonly steps: number;
  /** Programs that had not ended, and where they stood. */
  readonly unfinished: readonly { readonly thread: string; readonly at: string }[];
  readonly seed: number;
}

/** A run that has made so many steps goes in circles. */
export const RUN_STEPS_MAX = 2_000;
/** Of four moments, one in which a cache takes or loses an entry. */
const FREE_ONE_IN = 4;

/** Caches of translations: which of their keys says whose. Others are not compared with memory. */
const TAGS: Readonly<Record<string, number>> = {
  ...{ tlb: 1, walk_cache: 1, smmu_tlb: 0, smmu_walk_cache: 0 },
  ...{ atc: 1, atc_wide: 1, translation_completion: 1 },
};

/** Runs a program once. The same seed gives the same run. */
export function runOnce(program: Program, seed: number): RunResult {
  const runner = new Runner(program, seed);
  return runner.run();
}

class Runner {
  private readonly machine: PackedMachine;
  private readonly random: ReturnType<typeof seededRandom>;
  private readonly seed: number;
  private readonly events: RunEvent[] = [];
  private state: Int32Array;
  private seen: ReadonlyMap<string, string>;
  private steps = 0;

  constructor(program: Program, seed: number) {
    this.machine = new PackedMachine(program, { semantics: "concrete" });
    this.random = seededRandom(seed);
    this.seed = seed;
    this.state = this.machine.initial();
    this.seen = describeState(this.machine, formatValue);
  }

  run(): RunResult {
    const { machine } = this;
    while (this.steps < RUN_STEPS_MAX) {
      if (this.random.below(FREE_ONE_IN) === 0) this.move(true);
      if (!this.move(false)) break;
    }
    machine.load(this.state, 0);
    const { program } = machine;
    return {
      events: this.events,
      caches: this.caches(),
      violated: program.observers.filter((_, n) => machine.violated(n)),
      steps: this.steps,
      unfinished: program.threads.flatMap((t, n) => {
        if (machine.halted(n)) return [];
        const { routine, step } = t.instrs[machine.at(n)]!.origin;
        return [{ thread: t.name, at: `${routine}:${step}` }];
      }),
      seed: this.seed,
    };
  }

  /** Makes one of the steps that are possible; false if there is none. */
  private move(free: boolean): boolean {
    const { machine } = this;
    const found: { t: Transition; choices: number[] }[] = [];
    for (const t of machine.transitions) {
      if (t.free !== free) continue;
      machine.successors(t, this.state, 0, () => {
        found.push({ t, choices: [...machine.choices] });
      });
    }
    if (found.length === 0) return false;
    const { t, choices } = found[this.random.below(found.length)]!;
    this.make(t, choices);
    return true;
  }

  private make(t: Transition, choices: readonly number[]): void {
    const { machine } = this;
    const named: { event: string; detail: string }[] = [];
    machine.log = ({ event, args }) => named.push({ event, detail: this.detail(event, args) });
    const where: string[] = [];
    machine.trace = ({ routine, step }) => where.push(`${routine}:${step}`);
    const ran = machine.replay(t, choices, this.state);
    machine.log = undefined;
    machine.trace = undefined;
    if (!ran) throw new Error(`${t.name} cannot be repeated`);
    this.state = machine.state.slice();
    if (!t.free) this.steps++;
    const now = describeState(machine, formatValue);
    const changed = Object.fromEntries([...now].filter(([name, v]) => this.seen.get(name) !== v));
    this.seen = now;
    if (t.free) named.push({ event: t.kind, detail: t.name });
    // A step that nobody declared an event for is told by its first statement.
    else if (named.length === 0) named.push({ event: "step", detail: where[0] ?? "" });
    for (const [i, e] of named.entries()) {
      const last = i === named.length - 1;
      this.events.push({ step: this.steps, agent: t.name, ...e, changed: last ? changed : {} });
    }
  }

  private detail(event: string, args: Readonly<Record<string, number>>): string {
    const { domain } = this.machine.program;
    const params = eventNamed(event)?.params ?? {};
    return Object.entries(args)
      .map(([name, v]) => (params[name] ? showValue(params[name], v, domain, formatValue) : `${v}`))
      .join(" ");
  }

  private caches(): HeldEntry[] {
    const { machine } = this;
    const { domain, cells } = machine.program;
    return cells.flatMap((group, g) =>
      group.instances.flatMap((instance, n) => {
        const sorts = Object.values(group.decl.keys);
        const key = instance.key.map((v, i) => showValue(sorts[i]!, v, domain, formatValue));
        return machine.contents(g, n).map((value): HeldEntry => {
          const holds = showValue(group.decl.value, value, domain, formatValue);
          const cache = `${group.decl.name}[${key.join()}]`;
          return { cache, holds, stale: this.stale(group.decl.name, instance.key, value) };
        });
      }),
    );
  }

  /** Whether memory says something else than an entry of a cache, now. */
  private stale(cache: string, key: readonly number[], value: number): boolean {
    const { machine } = this;
    const { domain } = machine.program;
    const last = key.at(-1)!;
    const tag = TAGS[cache];
    if (tag === undefined) return false;
    const walk = cache.endsWith("walk_cache");
    // PASIDs and ASIDs are numbered like mms; the SMMU's private ASIDs come behind those.
    const mm = key[tag]! % domain.sizes["mm"]!;
    const region = walk ? last : Math.floor(last / domain.limits["PTRS_PER_PTE"]!);
    const initial = (name: string, index: readonly number[]) =>
      machine.program.initial.find(
        (i) => i.field.name === name && i.index.every((v, d) => v === index[d]),
      )?.value ?? 0;
    const read = (name: string, index: readonly number[]) =>
      machine.field(name, index) ?? initial(name, index);
    const upper = read(pmd.decl.name, [mm, region]);
    if (walk) return upper !== value;
    const layout = wordLayout(desc, domain);
    if (layout.get(upper, "valid") === 0) return true;
    return read(pte_table.decl.name, [layout.get(upper, "next"), last]) !== value;
  }
}
