// SPDX-License-Identifier: Apache-2.0
// Checking a scenario: every choice of the knobs that matter, and what the verdict hangs on.
//
//   configuration ──unset knobs──► variants ──lower──► program ──(by hash, once)──► search
//                 └─one knob flipped──► the same, for `depends_on`

import { bundled } from "../engine/bundle.ts";
import { lower } from "../engine/lower.ts";
import { ModelLimit } from "../engine/model-limit.ts";
import type { Semantics } from "../engine/packed.ts";
import type { Initial, Program } from "../engine/program.ts";
import { Shared } from "../engine/shared.ts";
import { waitsForEntries } from "../engine/waits.ts";
import { TooManyAtOnce } from "../explore/fair-graph.ts";
import type { Helpers } from "../explore/fast/team.ts";
import { waitsWithoutEnd } from "../explore/liveness.ts";
import type { Limits, Outcome, Progress, Question } from "../explore/search.ts";
import { RepetitionTooLong, windowsRepeat } from "../explore/stuck.ts";
import type { Engine, Reduction } from "../explore/tiers.ts";
import { explore } from "../explore/tiers.ts";
import { KNOBS, machineWith, PARTS } from "../hardware/machines.ts";
import { ruleKnob } from "../ir/expr.ts";
import type { Kernel, Overlay } from "../ir/kernel.ts";
import type { Scenario } from "../litmus/ast.ts";
import { boot } from "../litmus/boot.ts";
import type { Condition } from "../litmus/elaborate.ts";
import { conditionOf, elaborate } from "../litmus/elaborate.ts";
import type { World } from "../litmus/world.ts";
import { worldOf } from "../litmus/world.ts";
import type { Configuration } from "./configuration.ts";

export type Observation = "never" | "sometimes" | "always" | "inconclusive";

export interface CheckOptions {
  readonly semantics: Semantics;
  readonly limits: Limits;
  readonly engine?: Engine;
  readonly reductions?: readonly Reduction[];
  readonly helpers?: Helpers;
  readonly progress?: (p: Progress) => void;
  /** An edit of the kernel, for `--drop`. */
  readonly overlay?: Overlay;
  /** Also run with each knob flipped. */
  readonly dependsOn: boolean;
  /** Whether it can be is all that is asked: what always is, is `sometimes` too. */
  readonly whether?: boolean;
}

/** A choice of the knobs, and the program that it gives. */
export interface Choice {
  readonly knobs: Readonly<Record<string, string>>;
  readonly program: Program;
}

export interface Variant extends Choice {
  readonly outcome: Outcome;
  /** The semantics that the outcome was found with. */
  readonly semantics: Semantics;
}

export interface Verdict {
  readonly observed: Observation;
  readonly property: string;
  readonly exhaustive: boolean;
  readonly limit?: string;
  readonly states: number;
  readonly transitions: number;
  /** Of memory for states, where most was needed. */
  readonly bytes: number;
  readonly depth: number;
  readonly domain: Readonly<Record<string, number>>;
  readonly dependsOn: readonly string[];
  /** Knobs of which that was not found out, because a search with them flipped did not end. */
  readonly undecided: readonly string[];
  /** The variant whose run shows the condition, or the first. */
  readonly variant: Variant;
  readonly variants: readonly Variant[];
}

interface Part {
  readonly scenario: Scenario;
  readonly world: World;
}

type Boots = WeakMap<World, WeakMap<Kernel, Map<string, readonly Initial[]>>>;

/** What is found out of scenarios whatever their condition. */
interface Known {
  readonly parts: readonly Part[];
  readonly boots: Boots;
  readonly shared: Shared;
}

/** Scenarios that have too little in common to be searched together. */
export class Apart extends Error {}

/** A scenario ready to be checked, with everything found out so far about its programs. */
export class Checker {
  readonly scenario: Scenario;
  readonly world: World;
  readonly condition: Condition;
  /** Scenarios that are searched together, the first of which it is. */
  private readonly parts: readonly Part[];
  private readonly boots: Boots;
  private readonly shared: Shared;
  private readonly programs = new Map<string, Program>();
  private readonly outcomes: Outcomes;

  /**
   * With `outcomes` of other scenarios, programs that are equal are not searched again. `others`
   * are searched together with the scenario, if they have enough in common (`Apart` is thrown).
   */
  constructor(
    scenario: Scenario,
    outcomes: Outcomes = new Map(),
    others: readonly Scenario[] = [],
    known: Known = {
      parts: [scenario, ...others].map((s) => ({ scenario: s, world: worldOf(s) })),
      boots: new WeakMap(),
      shared: new Shared(),
    },
  ) {
    this.scenario = scenario;
    this.outcomes = outcomes;
    this.parts = known.parts;
    this.boots = known.boots;
    this.shared = known.shared;
    this.world = known.parts[0]!.world;
    const condition = conditionOf(scenario, this.world);
    if ("why" in condition) throw new Error(condition.why);
    this.condition = condition;
  }

  /** The same scenarios with another condition. */
  asking(condition: Scenario["condition"]): Checker {
    const { boots, shared } = this;
    const parts = this.parts.map((p) => ({ ...p, scenario: { ...p.scenario, condition } }));
    return new Checker(parts[0]!.scenario, this.outcomes, [], { parts, boots, shared });
  }

  /** Forgets what it has found out about programs since the last call. */
  forget(): void {
    this.shared.forget();
  }

  /** The verdict for one configuration. */
  check(configuration: Configuration, options: CheckOptions): Verdict {
    const variants = this.variants(configuration, options);
    const observed = join(variants.map((v) => v.outcome.observed));
    const shown = variants.find((v) => v.outcome.path) ?? variants[0]!;
    const limit = variants.find((v) => v.outcome.limit)?.outcome.limit;
    const base = {
      observed,
      property: this.condition.property,
      exhaustive: variants.every((v) => v.outcome.exhaustive),
      states: variants.reduce((n, v) => n + v.outcome.states, 0),
      transitions: variants.reduce((n, v) => n + v.outcome.transitions, 0),
      bytes: Math.max(...variants.map((v) => v.outcome.bytes ?? 0)),
      depth: shown.outcome.depth,
      domain: this.domain(),
      ...(options.dependsOn
        ? this.flipped(configuration, observed, variants, options)
        : { dependsOn: [], undecided: [] }),
      variant: shown,
      variants,
    };
    return limit === undefined ? base : { ...base, limit };
  }

  private domain(): Record<string, number> {
    const { sizes } = this.world.domain;
    return {
      cpus: this.world.cpus.filter((c) => c.mm !== undefined).length,
      pages: this.world.vaOf.size,
      frames: sizes["pfn"]! - 1,
      devices: this.world.devices.length,
      tables: sizes["table"]!,
    };
  }

  /** One run for every choice of the knobs that are not set and that the program asks for. */
  private variants(configuration: Configuration, options: CheckOptions): Variant[] {
    const done: Variant[] = [];
    for (const choice of this.choices(configuration, options)) {
      const further = { ...options, ...furtherThan(done, options) };
      done.push({ ...choice, ...this.found(choice.program, further) });
    }
    return done;
  }

  /** The programs of these choices; two choices that give one program are one. */
  *choices(configuration: Configuration, options: CheckOptions): Generator<Choice> {
    const seen = new Set<string>();
    const waiting: { chosen: Choice["knobs"]; known?: Program }[] = [{ chosen: {} }];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const { chosen } = at;
      const knobs = { ...DEFAULTS, ...configuration.knobs, ...chosen };
      const program = at.known ?? this.program(configuration, knobs, options);
      const next = program.knobs.find((k) => !(k in configuration.knobs) && !(k in chosen));
      if (next !== undefined) {
        const [first, second] = KNOBS.find((k) => k.name === next)!.values;
        waiting.push({ chosen: { ...chosen, [next]: second } });
        // The first value is the default, with which this program was made.
        waiting.push({ chosen: { ...chosen, [next]: first }, known: program });
      } else if (!seen.has(program.hash)) {
        seen.add(program.hash);
        yield { knobs: { ...configuration.knobs, ...chosen }, program };
      }
    }
  }

  /** The program of one choice of all knobs; for replaying a witness. */
  programFor(
    configuration: Configuration,
    knobs: Readonly<Record<string, string>>,
    overlay?: Overlay,
  ): Program {
    const all = { ...DEFAULTS, ...configuration.knobs, ...knobs };
    const options = { semantics: "concrete", limits: NO_LIMITS, dependsOn: false } as const;
    return this.program(configuration, all, overlay ? { ...options, overlay } : options);
  }

  /** The program with nothing left out, for showing a single run. */
  fullProgram(configuration: Configuration, overlay?: Overlay): Program {
    const knobs = { ...DEFAULTS, ...configuration.knobs };
    const kernel = overlay ? overlay(configuration.kernel) : configuration.kernel;
    const { scenario, world } = this;
    const initial = this.booted(world, kernel, knobs);
    const system = elaborate(scenario, world, kernel, knobs, initial);
    return lower({ ...system, machine: machineWith(knobs) }, { keepAll: true });
  }

  private program(
    configuration: Configuration,
    knobs: Readonly<Record<string, string>>,
    options: CheckOptions,
  ): Program {
    const edited = options.overlay ? "edited " : "";
    const key = `${edited}${configuration.kernelName} ${JSON.stringify(knobs)}`;
    let program = options.overlay ? undefined : this.programs.get(key);
    if (!program) this.programs.set(key, (program = this.lowered(configuration, knobs, options)));
    return program;
  }

  private lowered(
    configuration: Configuration,
    knobs: Readonly<Record<string, string>>,
    options: CheckOptions,
  ): Program {
    const kernel = options.overlay ? options.overlay(configuration.kernel) : configuration.kernel;
    const systems = this.parts.map(({ scenario, world }) =>
      elaborate(scenario, world, kernel, knobs, this.booted(world, kernel, knobs)),
    );
    const system = bundled(systems);
    if (!system) throw new Apart();
    return lower(system, { shared: this.shared });
  }

  /** What the kernel's set-up leaves; it depends on the kernel, on ATS, and on rules taken out. */
  private booted(
    world: World,
    kernel: Kernel,
    knobs: Readonly<Record<string, string>>,
  ): readonly Initial[] {
    const rules = Object.keys(knobs).filter((name) => name.startsWith(ruleKnob("")));
    const key = [`ats=${knobs["ats"]}`, ...rules.sort()].join(" ");
    let kernels = this.boots.get(world);
    if (!kernels) this.boots.set(world, (kernels = new WeakMap()));
    let known = kernels.get(kernel);
    if (!known) kernels.set(kernel, (known = new Map()));
    let initial = known.get(key);
    if (!initial) known.set(key, (initial = boot(world, kernel, knobs)));
    return initial;
  }

  private found(program: Program, options: CheckOptions): Found {
    const { property } = this.condition;
    const { semantics, engine, reductions, whether = false } = options;
    const how = `${semantics} ${engine} ${reductions} ${whether}`;
    const key = `${property} ${how} ${program.hash}`;
    let known = this.outcomes.get(key);
    const question = whether ? { ...this.condition, whether } : this.condition;
    if (!known) this.outcomes.set(key, (known = guarded(program, question, options)));
    return known;
  }

  /** What each knob changes by itself. */
  private flipped(
    configuration: Configuration,
    observed: Observation,
    variants: readonly Variant[],
    options: CheckOptions,
  ): Pick<Verdict, "dependsOn" | "undecided"> {
    const names = new Set(variants.flatMap((v) => v.program.knobs));
    const dependsOn: string[] = [];
    const undecided: string[] = [];
    for (const knob of [...PARTS, ...KNOBS]) {
      if (!names.has(knob.name) || knob.name === "smmuv3" || knob.unasked) continue;
      const now = configuration.knobs[knob.name];
      const others = now === undefined ? knob.values : knob.values.filter((v) => v !== now);
      let ended = true;
      const differs = others.some((value) => {
        const knobs = { ...configuration.knobs, [knob.name]: value };
        const other = this.variants({ ...configuration, knobs }, options);
        const joined = join(other.map((v) => v.outcome.observed));
        if (joined === "inconclusive") ended = false;
        return joined !== "inconclusive" && joined !== observed;
      });
      if (differs) dependsOn.push(knob.name);
      else if (!ended) undecided.push(knob.name);
    }
    return { dependsOn, undecided };
  }
}

/** Progress that counts what variants before have taken. */
function furtherThan(
  done: readonly Variant[],
  { progress }: CheckOptions,
): Pick<CheckOptions, "progress"> {
  if (!progress || done.length === 0) return {};
  const states = done.reduce((n, v) => n + v.outcome.states, 0);
  const transitions = done.reduce((n, v) => n + v.outcome.transitions, 0);
  const more = (p: Progress) =>
    progress({ ...p, states: p.states + states, transitions: p.transitions + transitions });
  return { progress: more };
}

const NO_LIMITS: Limits = {
  states_max: Number.MAX_SAFE_INTEGER,
  bytes_max: Number.MAX_SAFE_INTEGER,
};

const DEFAULTS: Readonly<Record<string, string>> = Object.fromEntries(
  KNOBS.map((k) => [k.name, k.values[0]]),
);

/** One verdict for several choices: it may happen if it may happen with one of them. */
function join(observed: readonly Observation[]): Observation {
  if (observed.every((o) => o === observed[0])) return observed[0]!;
  if (observed.some((o) => o === "sometimes" || o === "always")) return "sometimes";
  return "inconclusive";
}

/** What was found out about programs. */
export type Outcomes = Map<string, Found>;

/** An outcome, and the semantics of cells that it is about. */
export interface Found {
  readonly outcome: Outcome;
  readonly semantics: Semantics;
}

/** A search; limits of the model become an inconclusive outcome. */
function guarded(program: Program, condition: Question, options: CheckOptions): Found {
  const none = { exhaustive: false, states: 0, transitions: 0, depth: 0 } as const;
  const windows =
    (condition.stuck === undefined || windowsRepeat(program)) &&
    !(condition.final && waitsForEntries(program));
  const semantics = windows ? options.semantics : "concrete";
  const { waits } = condition;
  try {
    if (waits) {
      return waitsWithoutEnd(program, semantics, waits, options.limits, options.progress);
    }
    return { semantics, outcome: explore(program, condition, { ...options, semantics }) };
  } catch (error) {
    if (!LIMITS.some((limit) => error instanceof limit)) throw error;
    const limit = (error as Error).message;
    const seen = error instanceof ModelLimit ? error.seen : undefined;
    return { semantics, outcome: { ...none, ...seen, observed: "inconclusive", limit } };
  }
}

/** What ends a search without an answer. */
const LIMITS = [ModelLimit, RepetitionTooLong, TooManyAtOnce];
