// SPDX-License-Identifier: Apache-2.0
// Mutation: which mutants of a kernel some scenario kills, by a result that comes out otherwise.
//
// A run kills a mutant if the search of the mutated program ends with another result. A mutant
// whose program is equal in every run that calls its routine is `equivalent`: nothing tells it.

import type { Origin, Program } from "../engine/program.ts";
import { rootsOf, writtenFields } from "../engine/written.ts";
import { REDUCTIONS } from "../explore/tiers.ts";
import { machineOf } from "../hardware/machines.ts";
import type { Kernel, Overlay } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import type { Scenario } from "../litmus/ast.ts";
import { elaborate } from "../litmus/elaborate.ts";
import { threadsOf } from "../litmus/threads.ts";
import type { World } from "../litmus/world.ts";
import { worldOf } from "../litmus/world.ts";
import type { CheckOptions, Observation, Outcomes, Variant, Verdict } from "./check.ts";
import { Checker } from "./check.ts";
import type { Configuration } from "./configuration.ts";
import type { Histories, NoHistories } from "./histories.ts";
import { historiesOf, sameHistories } from "./histories.ts";
import type { Mutant } from "./mutants.ts";

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
  readonly world: World;
  /** The routines that its programs may call. */
  readonly routines: ReadonlySet<string>;
  before: Before | null | undefined;
}

interface Before {
  readonly observed: Observation;
  readonly states: number;
  readonly checker: Checker;
  readonly hashes: string;
  readonly variants: readonly Variant[];
  /** The routines of which its programs are made, and which set it up. */
  readonly asked: ReadonlySet<string>;
  /** What may be called counts here, whether or not it is: who writes a field decides much. */
  readonly roots: readonly (readonly Stmt[])[];
  readonly written: string;
}

/** A run that came out the same by another program. */
interface Other {
  readonly before: Before;
  readonly after: readonly Variant[];
}

/** Larger graphs and more pairs of sets of states are not compared. */
const HISTORIES_STATES = 1500;
const HISTORIES_PAIRS = 20_000;

/** A run that syntactically calls a routine, for the mutants of which it is. */
interface User {
  readonly known: Known;
  readonly before: Before;
}

export interface MutantResult {
  readonly killed: boolean;
  /** The run that killed it. */
  readonly by: string | null;
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

/** What set-up runs before the programs; see litmus/boot.ts. */
const BOOT: readonly string[] = ["arm_smmu_device_reset", "arm_smmu_sva_bind"];

type Find = (name: string) => Definition | undefined;

const finder = ({ kernel, knobs }: Configuration): Find => {
  const machine = new Map(machineOf(knobs).definitions.map((d) => [d.name, d]));
  return (name) => kernel.routines.get(name) ?? machine.get(name);
};

/** The routines that statements call, directly or not. */
function closureOf(bodies: readonly (readonly Stmt[])[], find: Find): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (stmts: readonly Stmt[]): void => {
    for (const s of stmts) {
      if (s.k === "call" && !found.has(s.callee)) {
        found.add(s.callee);
        visit(find(s.callee)?.body() ?? []);
      }
      nested(s).forEach(visit);
    }
  };
  bodies.forEach(visit);
  return found;
}

/** What set-up runs before the programs, if there are devices. */
const bootOf = ({ devices }: World): readonly Stmt[] =>
  devices.length === 0 ? [] : BOOT.map((callee) => ({ k: "call", callee, args: [] }));

/** The runs of a library, each searched once as it is; then mutants against them. */
export class Mutator {
  private readonly known: readonly Known[];
  private readonly options: CheckOptions;
  private routine: string | undefined;
  private users: User[] = [];
  private readonly histories = new WeakMap<Program, Histories | NoHistories>();
  private readonly outcomes: Outcomes = new Map();

  constructor(runs: readonly KillerRun[], limits: MutateLimits) {
    this.options = {
      ...{ semantics: "window", engine: "auto", reductions: REDUCTIONS, dependsOn: false },
      limits,
    };
    const worlds = new Map<Scenario, World>();
    this.known = runs.map((run): Known => {
      const { scenario, configuration } = run;
      let world = worlds.get(scenario);
      if (!world) worlds.set(scenario, (world = worldOf(scenario)));
      const bodies = [...threadsOf(scenario, world).map((t) => t.body), bootOf(world)];
      const routines = closureOf(bodies, finder(configuration));
      return { run, world, routines, before: undefined };
    });
  }

  /** Whether the programs of some run are made of the routine. */
  uses(routine: string): boolean {
    return this.usersOf(routine).some(({ before }) => before.asked.has(routine));
  }

  judge(mutant: Mutant): MutantResult {
    const users = this.usersOf(mutant.routine);
    const runs = users.length;
    const mutated = new Map<Kernel, Kernel>();
    const overlay = (base: Kernel): Kernel => {
      let kernel = mutated.get(base);
      if (!kernel) mutated.set(base, (kernel = mutant.overlay(base)));
      return kernel;
    };
    let differing = 0;
    const others: Other[] = [];
    for (const [at, user] of users.entries()) {
      const { known, before } = user;
      const { configuration } = known.run;
      if (!mayNotice(user, mutant.routine, overlay)) continue;
      const { checker, hashes } = before;
      const verdict = checked(checker, configuration, { ...this.options, overlay });
      if (hashesOf(verdict) === hashes) continue;
      differing++;
      others.push({ before, after: verdict.variants });
      const { observed } = verdict;
      if (observed !== "inconclusive" && observed !== before.observed) {
        // What has killed one mutant of a routine is likely to kill the next.
        users.unshift(...users.splice(at, 1));
        const by = known.run.name;
        return { killed: true, by, equivalent: false, reached: true, runs, differing };
      }
    }
    const reached = users.some((user) => this.reaches(user, mutant, others));
    const equivalent = reached && others.every((o) => this.alike(o));
    return { killed: false, by: null, equivalent, reached, runs, differing };
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

  /** The runs that call a routine, small ones first: they kill soonest. */
  private usersOf(routine: string): User[] {
    if (this.routine === routine) return this.users;
    // What lowerings of mutants share is of use for one routine only.
    this.routine = routine;
    this.outcomes.clear();
    const users = this.known
      .filter((k) => k.routines.has(routine))
      .flatMap((known): User[] => {
        const before = (known.before ??= this.learn(known));
        return before ? [{ known, before }] : [];
      });
    const weight = ({ before: { observed, states } }: User) =>
      observed === "never" ? states : 2 * states + 1000;
    const name = ({ known }: User) => known.run.name;
    this.users = users.sort((a, b) => weight(a) - weight(b) || (name(a) < name(b) ? -1 : 1));
    return this.users;
  }

  private learn({ run: { scenario, configuration }, world }: Known): Before | null {
    const checker = new Checker(scenario, this.outcomes);
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

const writtenText = (roots: readonly (readonly Stmt[])[], find: Find, version: string): string =>
  [...writtenFields(roots, find, version)].sort().join();

/** Whether the program of a run may be another with a routine edited. */
function mayNotice({ known, before }: User, routine: string, overlay: Overlay): boolean {
  if (before.asked.has(routine)) return true;
  const { configuration } = known.run;
  const kernel = overlay(configuration.kernel);
  // What nobody calls may still be the only one who writes a field.
  const find = finder({ ...configuration, kernel });
  return writtenText(before.roots, find, kernel.version) !== before.written;
}
