// SPDX-License-Identifier: Apache-2.0
// Mutation: which mutants of a kernel some scenario kills, by a result that comes out otherwise.
//
// A run kills a mutant if the search of the mutated program ends with another result. A mutant
// whose program is equal in every run that calls its routine is `equivalent`: nothing tells it.

import type { Origin, Program } from "../engine/program.ts";
import { rootsOf } from "../engine/written.ts";
import { REDUCTIONS } from "../explore/tiers.ts";
import type { Kernel, Overlay } from "../ir/kernel.ts";
import type { Scenario } from "../litmus/ast.ts";
import { elaborate } from "../litmus/elaborate.ts";
import type { CheckOptions, Observation, Outcomes, Variant, Verdict } from "./check.ts";
import { Checker } from "./check.ts";
import type { Configuration } from "./configuration.ts";
import type { Histories, NoHistories } from "./histories.ts";
import { historiesOf, sameHistories } from "./histories.ts";
import type { Mutant } from "./mutants.ts";
import { EndingJudge } from "./mutate-endings.ts";
import type { Reached } from "./mutate-reach.ts";
import { mayReach, reachedIn, statementsOf } from "./mutate-reach.ts";
import type { Noticing } from "./mutate-users.ts";
import { bootOf, closureOf, finder, mayNotice, routinesOf, writtenText } from "./mutate-users.ts";

/** One run that can kill. */
export interface KillerRun {
  /** As results name it. */
  readonly name: string;
  readonly scenario: Scenario;
  readonly configuration: Configuration;
}

/** A run with what the search of the program as it is says, found out when it is first needed. */
interface Known {
  readonly run: KillerRun;
  /** The routines that its programs may call. */
  readonly routines: ReadonlySet<string>;
  before: Before | null | undefined;
}

interface Before extends Noticing {
  readonly observed: Observation;
  readonly states: number;
  readonly checker: Checker;
  readonly hashes: string;
  readonly variants: readonly Variant[];
}

/** A run that came out the same by another program. */
interface Other {
  readonly before: Before;
  readonly after: readonly Variant[];
}

/** Larger graphs and more pairs of sets of states are not compared. */
const HISTORIES_STATES = 1500;
const HISTORIES_PAIRS = 4000;
/** Of a run with more states it is not asked what it gets to; a search may have stopped early. */
const REACH_STATES = 20_000;
const REACH_MAX = 2 * REACH_STATES;

/** A run that syntactically calls a routine, for the mutants of which it is. */
interface User {
  readonly known: Known;
  readonly before: Before;
}

export interface MutantResult {
  readonly killed: boolean;
  /** The run that killed it. */
  readonly by: string | null;
  /** By its result, by a property that holds of every kernel, or as it ends as none does. */
  readonly how: "result" | "property" | "ending" | null;
  readonly equivalent: boolean;
  /** Whether some run gets to what was edited. */
  readonly reached: boolean;
  /** Runs that use the routine; those of which the program was another. */
  readonly runs: number;
  readonly differing: number;
}

export interface MutateLimits {
  readonly states_max: number;
  readonly bytes_max: number;
}

/** The runs of a library, each searched once as it is; then mutants against them. */
export class Mutator {
  private readonly known: readonly Known[];
  private readonly options: CheckOptions;
  private routine: string | undefined;
  private users: User[] | undefined;
  private readonly histories = new WeakMap<Program, Histories | NoHistories>();
  private readonly outcomes: Outcomes = new Map();
  private readonly reached = new WeakMap<
    Program,
    { readonly reached: Reached | undefined; readonly statements: Reached }
  >();
  private readonly endings: EndingJudge;

  constructor(runs: readonly KillerRun[], limits: MutateLimits) {
    this.options = {
      ...{ semantics: "window", engine: "auto", reductions: REDUCTIONS, dependsOn: false },
      limits,
    };
    this.known = runs.map((run) => ({ run, routines: routinesOf(run), before: undefined }));
    this.endings = new EndingJudge(runs);
  }

  /** Whether the programs of some run are made of the routine. */
  uses(routine: string): boolean {
    if (this.endings.uses(routine)) return true;
    return this.usersOf(routine).some(({ before }) => before.asked.has(routine));
  }

  /** What has killed it before is tried first. */
  judge(mutant: Mutant, first?: string): MutantResult {
    return this.soon(mutant, first) ?? this.whole(mutant);
  }

  /** What kills it again, or by an ending: these are found out sooner than results. */
  soon(mutant: Mutant, first?: string): MutantResult | undefined {
    const { routine } = mutant;
    const overlay = once(mutant.overlay);
    const callers = this.known.filter((k) => k.routines.has(routine));
    const named = callers.find(({ run }) => run.name === first);
    if (named) this.begin(routine);
    const before = named && this.learned(named);
    const again = before && this.after({ known: named, before }, mutant, overlay);
    const killed = { killed: true, equivalent: false, reached: true, runs: callers.length };
    if (again?.kills) return { ...killed, by: named!.run.name, how: "result", differing: 1 };
    const end = this.endings.judge(mutant, overlay, first);
    return end && { ...killed, ...end, differing: 0 };
  }

  /** Every run that calls the routine, to its result. */
  private whole(mutant: Mutant): MutantResult {
    const users = this.usersOf(mutant.routine);
    const runs = users.length;
    const overlay = once(mutant.overlay);
    const others: Other[] = [];
    for (const [at, user] of users.entries()) {
      const after = this.after(user, mutant, overlay);
      if (after) others.push({ before: user.before, after: after.variants });
      if (!after?.kills) continue;
      // What has killed one mutant of a routine is likely to kill the next.
      users.unshift(...users.splice(at, 1));
      const killed = { killed: true, by: user.known.run.name, how: "result" } as const;
      return { ...killed, equivalent: false, reached: true, runs, differing: others.length };
    }
    const names = new Set(mutant.inside.map((step) => `${mutant.routine}:${step}`));
    const inEndings = this.endings.reaches(mutant.routine, names);
    const reached = inEndings || users.some((user) => this.reaches(user, mutant, others));
    const equivalent = reached && others.every((o) => this.alike(o));
    const differing = others.length;
    return { killed: false, by: null, how: null, equivalent, reached, runs, differing };
  }

  /** The programs of a run with the mutant, and whether it kills; undefined: they are the same. */
  private after({ known, before }: User, mutant: Mutant, overlay: Overlay) {
    const { configuration } = known.run;
    const { checker, hashes, observed, asked } = before;
    if (!mayNotice(configuration, before, mutant.routine, overlay)) return undefined;
    if (asked.has(mutant.routine) && !this.mayReach(before, mutant)) return undefined;
    const verdict = checked(checker, configuration, { ...this.options, overlay });
    if (hashesOf(verdict) === hashes) return undefined;
    const kills = verdict.observed !== "inconclusive" && verdict.observed !== observed;
    return { variants: verdict.variants, kills };
  }

  /** Whether a run may get to what is edited. */
  private mayReach({ variants }: Before, mutant: Mutant): boolean {
    return variants.some(({ program, semantics, outcome }) => {
      if (!this.reached.has(program)) {
        const { states } = outcome;
        const found = states > REACH_STATES ? undefined : reachedIn(program, semantics, REACH_MAX);
        this.reached.set(program, { reached: found, statements: statementsOf(program) });
      }
      const { reached, statements } = this.reached.get(program)!;
      return mayReach(mutant, reached, statements);
    });
  }

  /** Whether a run gets to what was edited; of an `if`, to what is inside. */
  private reaches(
    { before }: User,
    { routine, inside }: Mutant,
    others: readonly Other[],
  ): boolean {
    if (!before.asked.has(routine)) return false;
    const names = new Set(inside.map((step) => `${routine}:${step}`));
    return before.variants.some((variant) => {
      const histories = this.historiesOf(variant);
      if (typeof histories === "string") return false;
      if ([...names].some((name) => histories.reached.has(name))) return true;
      // What has no instruction of its own has become part of others.
      const codes = [
        variant.program.threads,
        variant.program.rules,
        variant.program.pending,
      ].flat();
      const isOwn = ({ routine, step }: Origin) => names.has(`${routine}:${step}`);
      if (codes.some((c) => c.instrs.some((i) => isOwn(i.origin)))) return false;
      return others.some((o) => o.before === before);
    });
  }

  /** Whether software does and sees the same in a run and in that of the mutant. */
  private alike({ before, after }: Other): boolean {
    if (before.variants.length !== after.length) return false;
    return before.variants.every((variant, n) => {
      const other = after[n]!;
      if (variant.program.hash === other.program.hash) return true;
      const own = this.historiesOf(variant);
      if (typeof own !== "string") {
        const theirs = historiesOf(other.program, other.semantics, 2 * HISTORIES_STATES);
        if (typeof theirs === "string") return false;
        return sameHistories(own, theirs, HISTORIES_PAIRS) === true;
      }
      // Too large to compare: then it has to be the same in its numbers.
      return (["observed", "states", "transitions", "depth"] as const).every(
        (k) => variant.outcome[k] === other.outcome[k],
      );
    });
  }

  private historiesOf({ program, semantics, outcome }: Variant): Histories | NoHistories {
    if (outcome.states > HISTORIES_STATES) return "large";
    let known = this.histories.get(program);
    if (known === undefined) {
      known = historiesOf(program, semantics, HISTORIES_STATES);
      this.histories.set(program, known);
    }
    return known;
  }

  /** What mutants have in common is of use for one routine only. */
  private begin(routine: string): void {
    if (this.routine === routine) return;
    this.routine = routine;
    this.users = undefined;
    this.outcomes.clear();
  }

  private learned(known: Known): Before | null {
    if (known.before === undefined) known.before = this.learn(known);
    return known.before;
  }

  /** The runs that call a routine, small ones first: they kill soonest. */
  private usersOf(routine: string): User[] {
    this.begin(routine);
    if (this.users) return this.users;
    const users = this.known
      .filter((k) => k.routines.has(routine))
      .flatMap((known): User[] => {
        const before = this.learned(known);
        return before ? [{ known, before }] : [];
      });
    const weight = ({ before: { observed, states } }: User) =>
      observed === "never" ? states : 2 * states + 1000;
    const name = ({ known }: User) => known.run.name;
    users.sort((a, b) => weight(a) - weight(b) || (name(a) < name(b) ? -1 : 1));
    this.users = users;
    return users;
  }

  private learn({ run: { scenario, configuration } }: Known): Before | null {
    const checker = new Checker(scenario, this.outcomes);
    const { world } = checker;
    const verdict = checker.check(configuration, this.options);
    checker.forget();
    const { observed, states, variants } = verdict;
    if (observed === "inconclusive") return null;
    const find = finder(configuration);
    const asked = new Set(variants.flatMap((v) => v.program.routines));
    for (const name of closureOf([bootOf(world)], find)) asked.add(name);
    const { kernel, knobs } = configuration;
    const roots = rootsOf(elaborate(scenario, world, kernel, knobs, []));
    return {
      ...{ observed, states, checker, hashes: hashesOf(verdict), variants, asked, roots },
      written: writtenText(roots, find, kernel.version),
    };
  }
}

/** An overlay that makes one kernel of each. */
function once(overlay: Overlay): Overlay {
  const made = new Map<Kernel, Kernel>();
  return (base) => {
    let kernel = made.get(base);
    if (!kernel) made.set(base, (kernel = overlay(base)));
    return kernel;
  };
}

type Checked = Pick<Verdict, "variants"> & { readonly observed: Observation | "broken" };

/** How a limit of the model ends that is no limit of the search. */
const OVERFLOW = "exceeds the domain";

/**
 * A verdict; `broken`: the mutant reads what is not there, as an entry of a table in no table; or a
 * counter leaves the values that it can have, as one that goes below zero.
 */
function checked(checker: Checker, configuration: Configuration, options: CheckOptions): Checked {
  try {
    const verdict = checker.check(configuration, options);
    const overflows = verdict.limit?.endsWith(OVERFLOW) && verdict.observed === "inconclusive";
    return overflows ? { ...verdict, observed: "broken" } : verdict;
  } catch {
    return { observed: "broken", variants: [] };
  } finally {
    checker.forget();
  }
}

const hashesOf = ({ variants }: Pick<Verdict, "variants">): string =>
  variants.map((v) => v.program.hash).join();
