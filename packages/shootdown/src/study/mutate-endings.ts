// SPDX-License-Identifier: Apache-2.0
// Mutants against the endings of runs: one that leaves a lock held, changes an entry without one,
// miscounts references, or ends as the kernel never does.

import { waitsForEntries } from "../engine/waits.ts";
import { rootsOf } from "../engine/written.ts";
import type { Overlay } from "../ir/kernel.ts";
import { elaborate } from "../litmus/elaborate.ts";
import type { CheckOptions, Choice } from "./check.ts";
import { Checker } from "./check.ts";
import type { Endings } from "./endings.ts";
import { ending, endingsOf } from "./endings.ts";
import type { Mutant } from "./mutants.ts";
import type { KillerRun } from "./mutate.ts";
import type { Reached } from "./mutate-reach.ts";
import { mayReach, statementsOf } from "./mutate-reach.ts";
import type { Noticing } from "./mutate-users.ts";
import { bootOf, closureOf, finder, mayNotice, routinesOf, writtenText } from "./mutate-users.ts";

/** What has more states is not asked how it ends; a mutant may have more. */
const STATES = 20_000;

/** So many runs that end otherwise are enough to kill a mutant. */
const OTHERWISE_MAX = 4;

const OPTIONS: CheckOptions = {
  ...{ semantics: "window", dependsOn: false, reductions: [] },
  limits: { states_max: STATES, bytes_max: 2 ** 30 },
};

interface Known {
  readonly run: KillerRun;
  readonly routines: ReadonlySet<string>;
  before: Before | null | undefined;
}

interface Before extends Noticing {
  readonly checker: Checker;
  readonly hashes: string;
  readonly ended: Endings;
  readonly statements: Reached;
}

/** A run that ends otherwise, and in which way. */
export interface OtherEnding {
  readonly by: string;
  /** A property that the kernel keeps, or that it ends as the kernel never does. */
  readonly how: "property" | "ending";
}

/** All runs of which the endings can be found out, each as it is; then mutants against them. */
export class EndingJudge {
  private readonly known: readonly Known[];
  private routine: string | undefined;
  private users: { readonly known: Known; readonly before: Before }[] = [];
  private readonly programs = new Set<string>();

  constructor(runs: readonly KillerRun[]) {
    const scenarios = new Map<KillerRun["scenario"], KillerRun["scenario"]>();
    this.known = runs.map((run): Known => {
      let scenario = scenarios.get(run.scenario);
      if (!scenario) scenarios.set(run.scenario, (scenario = ending(run.scenario)));
      const own = { ...run, scenario };
      return { run: own, routines: routinesOf(own), before: undefined };
    });
  }

  /** Whether the programs of some run are made of the routine. */
  uses(routine: string): boolean {
    return this.usersOf(routine).some(({ before }) => before.asked.has(routine));
  }

  /** Whether some run gets to one of these statements, `routine:step`. */
  reaches(routine: string, names: ReadonlySet<string>): boolean {
    return this.usersOf(routine).some(({ before }) =>
      [...names].some((n) => before.ended.reached.has(n)),
    );
  }

  /** A run that ends otherwise with this kernel; the one that is named is tried first. */
  judge(mutant: Mutant, overlay: Overlay, first: string | undefined): OtherEnding | undefined {
    const { routine } = mutant;
    const users = this.usersOf(routine);
    const named = users.findIndex(({ known }) => first?.startsWith(`${known.run.name} (`));
    if (named > 0) users.unshift(...users.splice(named, 1));
    let ends: OtherEnding | undefined;
    let otherwise = 0;
    for (const [at, { known, before }] of users.entries()) {
      if (!mayNotice(known.run.configuration, before, routine, overlay)) continue;
      const { ended, statements, asked } = before;
      if (asked.has(routine) && !mayReach(mutant, ended.reached, statements)) continue;
      const after = this.endings(before.checker, known, overlay, before.hashes);
      before.checker.forget();
      if (after === undefined || after === "large") continue;
      const how = difference(ended, after);
      if (how === undefined) continue;
      const by = `${known.run.name} (${how})`;
      if (how === ENDS_OTHERWISE) {
        ends ??= { by, how: "ending" };
        // A property says more, if one of a few runs has one.
        if (++otherwise < OTHERWISE_MAX) continue;
        return ends;
      }
      // What has killed one mutant of a routine is likely to kill the next.
      users.unshift(...users.splice(at, 1));
      return { by, how: "property" };
    }
    return ends;
  }

  /** The endings of a run; undefined: its programs are those of `hashes`. */
  private endings(
    checker: Checker,
    { run }: Known,
    overlay: Overlay | undefined,
    hashes: string,
  ): Endings | "large" | "broken" | undefined {
    let choices: readonly Choice[];
    try {
      choices = [
        ...checker.choices(run.configuration, overlay ? { ...OPTIONS, overlay } : OPTIONS),
      ];
    } catch {
      return "broken";
    }
    if (hashesOf(choices) === hashes) return undefined;
    const all: Endings[] = [];
    for (const { program } of choices) {
      if (waitsForEntries(program)) return "large";
      const ended = endingsOf(program, checker.world, overlay ? 2 * STATES : STATES);
      if (typeof ended === "string") return ended;
      all.push(ended);
    }
    const joined = (sets: readonly ReadonlySet<string>[]) => new Set(sets.flatMap((s) => [...s]));
    return {
      outcomes: joined(all.map((e) => e.outcomes)),
      violated: joined(all.map((e) => e.violated)),
      reached: joined(all.map((e) => e.reached)),
      states: all.reduce((n, e) => n + e.states, 0),
    };
  }

  /** The runs that may call a routine, small ones first. */
  private usersOf(routine: string) {
    if (this.routine === routine) return this.users;
    this.routine = routine;
    const users = this.known
      .filter((k) => k.routines.has(routine))
      .flatMap((known) => {
        if (known.before === undefined) known.before = this.learn(known);
        return known.before ? [{ known, before: known.before }] : [];
      });
    const name = ({ known }: (typeof users)[number]) => known.run.name;
    const weight = ({ before }: (typeof users)[number]) => before.ended.states;
    this.users = users.sort((a, b) => weight(a) - weight(b) || (name(a) < name(b) ? -1 : 1));
    return this.users;
  }

  private learn(known: Known): Before | null {
    const { scenario, configuration } = known.run;
    const checker = new Checker(scenario);
    const choices = [...checker.choices(configuration, OPTIONS)];
    const hashes = hashesOf(choices);
    // Two runs that are one but for what the condition asks for, or for caches.
    const key = `${hashes} ${JSON.stringify(scenario.bodies.map((b) => b.agent.text))}`;
    if (this.programs.has(key)) return null;
    this.programs.add(key);
    const ended = this.endings(checker, known, undefined, "");
    checker.forget();
    if (ended === undefined || typeof ended === "string" || ended.outcomes.size === 0) return null;
    const { world } = checker;
    const find = finder(configuration);
    const asked = new Set(choices.flatMap((c) => c.program.routines));
    for (const name of closureOf([bootOf(world)], find)) asked.add(name);
    const { kernel, knobs } = configuration;
    const roots = rootsOf(elaborate(scenario, world, kernel, knobs, []));
    const written = writtenText(roots, find, kernel.version);
    const statements = new Set(choices.flatMap((c) => [...statementsOf(c.program)]));
    return { checker, hashes, ended, statements, asked, roots, written };
  }
}

const hashesOf = (choices: readonly Choice[]): string => choices.map((c) => c.program.hash).join();

const BREAKS = "breaks";
const ENDS_OTHERWISE = "ends otherwise";

/** What a mutant violates and the kernel does not, or that it ends otherwise. */
function difference(before: Endings, after: Endings | "broken"): string | undefined {
  if (after === "broken") return BREAKS;
  const property = [...after.violated].find((p) => !before.violated.has(p));
  if (property !== undefined) return property;
  const { size } = before.outcomes;
  const same =
    size === after.outcomes.size && [...after.outcomes].every((o) => before.outcomes.has(o));
  return same ? undefined : ENDS_OTHERWISE;
}
