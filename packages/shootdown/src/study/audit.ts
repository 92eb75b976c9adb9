// SPDX-License-Identifier: Apache-2.0
// The audit: pairs of operations, each as a few scenarios, and what the search says of them.

import { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import type { FieldDecl } from "../ir/expr.ts";
import type { Kernel } from "../ir/kernel.ts";
import { inVersions } from "../ir/kernel.ts";
import type { Scenario } from "../litmus/ast.ts";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { conditionOf } from "../litmus/elaborate.ts";
import { parseScenario } from "../litmus/parse.ts";
import { worldOf } from "../litmus/world.ts";
import { architectureOf } from "../vocabulary/architecture.ts";
import { table_life } from "../vocabulary/state.ts";
import type { CheckOptions, Outcomes, Variant, Verdict } from "./check.ts";
import { Apart, Checker } from "./check.ts";
import type { Configuration } from "./configuration.ts";
import type { Operation } from "./operations.ts";
import { OPERATIONS } from "./operations.ts";
import type { PairMachine, PairScenario } from "./pair.ts";
import { excluded, PAIR_PROPERTIES, pairScenarios } from "./pair.ts";
import type { Why } from "./why.ts";
import { replayWitness, witnessOf } from "./witness.ts";

/** Choices of the architecture that an audit fixes where nothing is said: one run each. */
export const AUDIT_KNOBS: Readonly<Record<string, string>> = {
  hafdbs: "no",
  httu: "no",
  atcReRequest: "no",
};

/** Machines that stand for all. */
export const AUDIT_MACHINES: readonly string[] = [
  ...["arm64", "arm64+smmuv3", "arm64+smmuv3+ats", "arm64+smmuv3+btm", "arm64+smmuv3+btm+ats"],
  "x86",
];

export type PairVerdict = "safe" | "violation" | "inconclusive" | "excluded";

export interface PairResult {
  readonly a: string;
  readonly b: string;
  readonly kernel: string;
  readonly machine: string;
  readonly verdict: PairVerdict;
  /** What is violated. */
  readonly properties: readonly string[];
  readonly states: number;
  readonly runs: number;
  /** The limit that was hit, or why the two do not run together. */
  readonly reason: string | null;
  /** The scenario that shows it, of the first property to be explained. */
  readonly scenario: string | null;
  readonly why: Why | undefined;
}

export interface AuditLimits {
  readonly states_max: number;
  readonly bytes_max: number;
}

/** The operations that a kernel has on an architecture. */
export function operationsOf(kernel: Kernel): readonly Operation[] {
  return OPERATIONS.filter(({ kernels, statements }) => {
    if (!inVersions(kernels, kernel.version)) return false;
    const called = [...statements.matchAll(/\b([A-Za-z_]\w*)\(/g)].map((m) => m[1]!);
    return called.every((name) => kernel.routines.has(name));
  });
}

export function pairMachine({ knobs }: Configuration): PairMachine {
  const architecture = architectureOf(knobs);
  const device = knobs["smmuv3"] === "yes";
  return { architecture, device, ats: device && knobs["ats"] === "yes" };
}

/** Audits pairs for one kernel and machine; equal programs are searched once. */
export class Auditor {
  private readonly configuration: Configuration;
  private readonly limits: AuditLimits;
  private readonly outcomes: Outcomes;
  private readonly machine: PairMachine;
  /** Of the last texts that were asked about. */
  private last: { readonly key: string; readonly checker: Checker | string } | undefined;

  constructor(configuration: Configuration, limits: AuditLimits, outcomes: Outcomes = new Map()) {
    this.outcomes = outcomes;
    const knobs = { ...AUDIT_KNOBS, ...configuration.knobs };
    this.configuration = { ...configuration, knobs };
    this.limits = limits;
    this.machine = pairMachine(configuration);
  }

  /** `explain`: of which properties it should be found out why. */
  pair(a: Operation, b: Operation, explain: (property: string) => boolean): PairResult {
    const { machine, kernelName: kernel } = this.configuration;
    const base = { a: a.name, b: b.name, kernel, machine };
    const nothing = { properties: [], scenario: null, why: undefined } as const;
    const reason = excluded(a, b, this.machine);
    if (reason !== undefined) {
      return { ...base, ...nothing, verdict: "excluded", states: 0, runs: 0, reason };
    }
    let [states, runs] = [0, 0];
    let limit: string | null = null;
    const found: { property: string; scenario: PairScenario }[] = [];
    const open: PairScenario[] = [];
    for (const group of this.groups(pairScenarios(a, b, this.machine))) {
      const n = group.length === 1 ? undefined : this.never(group);
      if (n === undefined) open.push(...group);
      else {
        runs++;
        states += n;
      }
    }
    for (const scenario of open) {
      runs++;
      // What one scenario shows is not asked of the next.
      const seen = found.map((f) => f.property);
      const { violated, states: n, why } = this.violated(scenario, seen);
      states += n;
      limit ??= why;
      for (const property of violated) found.push({ property, scenario });
    }
    const [first] = found;
    const told = found.find((f) => explain(f.property));
    const verdict = first ? "violation" : limit === null ? "safe" : "inconclusive";
    const properties = found.map((f) => f.property);
    const shown = told && this.shown(told.scenario, told.property);
    return {
      ...{ ...base, ...nothing, verdict, states, runs, reason: limit, properties },
      ...(shown ? { scenario: shown.text, why: shown.why } : {}),
    };
  }

  /** Scenarios that can be searched together. */
  private groups(scenarios: readonly PairScenario[]): readonly (readonly PairScenario[])[] {
    const groups = new Map<string, PairScenario[]>();
    for (const s of scenarios) {
      const scenario = read(s.text);
      const world = typeof scenario === "string" ? undefined : worldOf(scenario);
      const { sizes, limits } = world?.domain ?? {};
      const key = JSON.stringify([s.question, sizes, limits, world?.cpus]);
      groups.set(key, [...(groups.get(key) ?? []), s]);
    }
    return [...groups.values()];
  }

  /** How many states some scenarios have together, if nothing is ever violated in them. */
  private never(scenarios: readonly PairScenario[]): number | undefined {
    const texts = scenarios.map((s) => s.text);
    try {
      const asked = scenarios[0]!.question === "safety" ? this.possible(texts) : undefined;
      const { observed, states } = this.observed(texts, asked);
      return observed === "never" ? states : undefined;
    } catch (error) {
      if (error instanceof Apart) return undefined;
      throw error;
    }
  }

  /** What a scenario violates; of a device that is stuck, with its faults handled too. */
  private violated({ text, question }: PairScenario, seen: readonly string[]): Violated {
    if (question === "safety") return this.violations(text, seen);
    if (seen.includes(STUCK)) return { violated: [], states: 0, why: null };
    const first = this.observed([text]);
    if (!isYes(first.observed) || question === "handled") return of(first, [STUCK]);
    const second = this.observed([handled(text)]);
    return of({ ...second, states: first.states + second.states }, [STUCK]);
  }

  /** The properties of which one can be violated: all at first, then those that were not yet. */
  private violations(text: string, seen: readonly string[]): Violated {
    let left = this.possible([text]).filter((p) => !seen.includes(p));
    const violated: string[] = [];
    let states = 0;
    while (left.length > 0) {
      const found = this.observed([text], left);
      states += found.states;
      if (!isYes(found.observed)) return { ...of(found, []), violated, states };
      if (found.latched.length === 0) throw new Error("a witness violates nothing");
      violated.push(...found.latched);
      left = left.filter((p) => !found.latched.includes(p));
    }
    return { violated, states, why: null };
  }

  /** Properties that can be violated: a table that nobody frees is not used after that. */
  private possible(texts: readonly string[]): readonly string[] {
    const checker = this.checker(texts);
    if (typeof checker === "string") return PAIR_PROPERTIES;
    const programs = [...checker.choices(this.configuration, this.options())];
    const frees = programs.some(({ program }) => writes(program, table_life.decl));
    return frees ? PAIR_PROPERTIES : PAIR_PROPERTIES.filter((p) => p !== TABLES);
  }

  /** Of scenarios that are searched together; or why one of them is none. */
  private checker(texts: readonly string[]): Checker | string {
    const key = texts.join();
    if (this.last?.key !== key) {
      const scenarios = texts.map(read);
      const [first, ...others] = scenarios.filter((s) => typeof s !== "string");
      const why = scenarios.find((s) => typeof s === "string");
      this.last = { key, checker: why ?? new Checker(first!, this.outcomes, others) };
    }
    return this.last.checker;
  }

  private shown({ text, question }: PairScenario, property: string) {
    const own = question === "safety" ? asking(text, [property]) : handled(text);
    const scenario = read(own);
    if (typeof scenario === "string") return { text: own, why: undefined };
    const checker = new Checker(scenario, this.outcomes);
    // Without reductions: the shortest witness.
    const verdict = checker.check(this.configuration, { ...this.options(), reductions: [] });
    const witness = witnessOf(scenario, this.configuration, verdict, checker.condition);
    if (!witness) return { text: own, why: undefined };
    const replay = replayWitness(witness, verdict.variant.program, checker.condition);
    return { text: own, why: replay.why };
  }

  /** What the search of scenarios says; of the properties asked for, instead of their condition. */
  private observed(texts: readonly string[], asked?: readonly string[]): Observed {
    const nothing = { states: 0, latched: [] } as const;
    const known = this.checker(texts);
    if (typeof known === "string") return { observed: "inconclusive", ...nothing, limit: known };
    const other =
      asked && asked.length < PAIR_PROPERTIES.length ? read(asking(texts[0]!, asked)) : undefined;
    if (typeof other === "string") return { observed: "inconclusive", ...nothing, limit: other };
    const checker = other ? known.asking(other.condition) : known;
    const verdict = checker.check(this.configuration, this.options());
    const { observed, states, limit, variant } = verdict;
    const latched = isYes(observed) && texts.length === 1 ? latchedAtEnd(variant) : [];
    return { observed, states, latched, limit: limit ?? null };
  }

  private options(): CheckOptions {
    return {
      ...{ semantics: "window", engine: "auto", reductions: ["collapse"], dependsOn: false },
      ...{ whether: true, limits: this.limits },
    };
  }
}

/** What one search says, and the observers that its witness violates. */
interface Observed {
  readonly observed: Verdict["observed"];
  readonly states: number;
  readonly latched: readonly string[];
  readonly limit: string | null;
}

/** What a scenario violates, as far as it was found out. */
interface Violated {
  readonly violated: readonly string[];
  readonly states: number;
  /** Why it was not found out. */
  readonly why: string | null;
}

const of = ({ observed, states, limit }: Omit<Observed, "latched">, all: string[]): Violated => ({
  violated: isYes(observed) ? all : [],
  states,
  why: observed === "inconclusive" ? (limit ?? "a limit") : null,
});

const STUCK = "stuck(D)";
const TABLES = "table_use_after_free";

/** Whether something in a program writes a field. */
function writes(program: Program, field: FieldDecl): boolean {
  const codes = [...program.threads, ...program.rules, ...program.pending];
  return codes.some(({ instrs }) =>
    instrs.some(
      (i) => (i.op === "store" || i.op === "xchg" || i.op === "cas") && i.field === field,
    ),
  );
}

/** The observers that are violated where a variant's path ends. */
function latchedAtEnd({ program, outcome, semantics }: Variant): readonly string[] {
  const machine = new PackedMachine(program, { semantics });
  let state = machine.initial();
  for (const { transition, choices } of outcome.path ?? []) {
    if (!machine.replay(machine.transitions[transition]!, choices, state)) {
      throw new Error("a witness cannot be repeated");
    }
    state = machine.state.slice();
  }
  machine.load(state, 0);
  return program.observers.filter((_, n) => machine.violated(n));
}

const isYes = (observed: Verdict["observed"]) => observed === "sometimes" || observed === "always";

/** The scenario that asks for these properties alone. */
const asking = (text: string, properties: readonly string[]): string =>
  text.replace(/^exists \(.*\)$/m, `exists (${properties.join(" \\/ ")})`);

/** The scenario in which the kernel handles the device's faults. */
const handled = (text: string): string => text.replace("access x..y retried;", "access x..y;");

/** The scenario, or why it is none. */
function read(text: string): Scenario | string {
  const parsed = parseScenario(text, { dictionary: DICTIONARY });
  if (!parsed.ok) return parsed.diagnostics[0]?.message ?? "not a scenario";
  const { scenario } = parsed;
  const condition = conditionOf(scenario, worldOf(scenario));
  return "why" in condition ? condition.why : scenario;
}
