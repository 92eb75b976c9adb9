// SPDX-License-Identifier: Apache-2.0
// The audit: pairs of operations, each as a few scenarios, and what the search says of them.

import { REDUCTIONS } from "../explore/tiers.ts";
import type { Kernel } from "../ir/kernel.ts";
import { inVersions } from "../ir/kernel.ts";
import type { Scenario } from "../litmus/ast.ts";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { conditionOf } from "../litmus/elaborate.ts";
import { parseScenario } from "../litmus/parse.ts";
import { worldOf } from "../litmus/world.ts";
import { architectureOf } from "../vocabulary/architecture.ts";
import type { Outcomes, Verdict } from "./check.ts";
import { Checker } from "./check.ts";
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
  private readonly outcomes: Outcomes = new Map();
  private readonly machine: PairMachine;

  constructor(configuration: Configuration, limits: AuditLimits) {
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
    for (const scenario of pairScenarios(a, b, this.machine)) {
      runs++;
      const { observed, states: n, why } = this.observed(scenario.text);
      states += n;
      if (observed === "inconclusive") limit ??= why;
      if (observed === "sometimes" || observed === "always") {
        for (const property of this.violated(scenario)) {
          if (property === INCONCLUSIVE) limit ??= "--max-states or --max-memory";
          else if (!found.some((f) => f.property === property)) found.push({ property, scenario });
        }
      }
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

  /** The properties that a scenario violates, one by one; of a device that is stuck, really so. */
  private violated({ text, question }: PairScenario): string[] {
    if (question === "safety") {
      return PAIR_PROPERTIES.filter((p) => isYes(this.observed(asking(text, p)).observed));
    }
    const { observed } = this.observed(handled(text));
    if (observed === "inconclusive") return [INCONCLUSIVE];
    return isYes(observed) ? ["stuck(D)"] : [];
  }

  private shown({ text, question }: PairScenario, property: string) {
    const own = question === "safety" ? asking(text, property) : handled(text);
    const scenario = read(own);
    if (typeof scenario === "string") return { text: own, why: undefined };
    const checker = new Checker(scenario, this.outcomes);
    const verdict = this.check(checker);
    const witness = witnessOf(scenario, this.configuration, verdict, checker.condition);
    if (!witness) return { text: own, why: undefined };
    const replay = replayWitness(witness, verdict.variant.program, checker.condition);
    return { text: own, why: replay.why };
  }

  private observed(text: string): Pick<Verdict, "observed" | "states"> & { why: string } {
    const scenario = read(text);
    if (typeof scenario === "string") return { observed: "inconclusive", states: 0, why: scenario };
    const { observed, states, limit = "" } = this.check(new Checker(scenario, this.outcomes));
    return { observed, states, why: limit };
  }

  private check(checker: Checker): Verdict {
    return checker.check(this.configuration, {
      ...{ semantics: "window", engine: "auto", reductions: REDUCTIONS, dependsOn: false },
      limits: this.limits,
    });
  }
}

const INCONCLUSIVE = "?";

const isYes = (observed: Verdict["observed"]) => observed === "sometimes" || observed === "always";

/** The scenario that asks for one property alone. */
const asking = (text: string, property: string): string =>
  text.replace(/^exists \(.*\)$/m, `exists (${property})`);

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
