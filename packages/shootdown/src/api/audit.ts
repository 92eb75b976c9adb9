// SPDX-License-Identifier: Apache-2.0
// Audits: which pairs there are for kernels and machines, and the result of one as plain data.

import { quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";
import { DEFAULT_BYTES_MAX } from "../explore/search.ts";
import type { PairLine } from "../report/audit.ts";
import type { Problem } from "../report/result.ts";
import { whyText } from "../report/why.ts";
import { AUDIT_KNOBS, Auditor, operationsOf, pairMachine } from "../study/audit.ts";
import type { Outcomes } from "../study/check.ts";
import type { Configuration } from "../study/configuration.ts";
import { configure } from "../study/configuration.ts";
import type { KnownViolation } from "../study/findings.ts";
import { findingOf, readFindings } from "../study/findings.ts";
import { OPERATIONS } from "../study/operations.ts";
import { excluded, pairScenarios } from "../study/pair.ts";
import { problem, wordsFor } from "./problem.ts";

/** States of one search; a pair that has more is inconclusive. */
const STATES_MAX = 1_000_000;

export interface AuditJob {
  readonly kernel: string;
  readonly machine: string;
  readonly a: string;
  readonly b: string;
  readonly set: Readonly<Record<string, string>>;
  readonly states_max?: number;
  readonly bytes_max?: number;
  /** Violations that are known; others are explained. */
  readonly known: readonly KnownViolation[];
  /** Explain known ones too. */
  readonly explain: boolean;
}

/** What a user asks for. */
export interface AuditSelection {
  readonly kernels: readonly string[];
  readonly machines: readonly string[];
  /** All pairs; those in which one takes part; of several, pairs among them. */
  readonly operations: readonly string[];
  readonly set: Readonly<Record<string, string>>;
}

/** The pairs of one kernel on one machine. */
export interface AuditGroup {
  readonly kernel: string;
  readonly machine: string;
  readonly set: Readonly<Record<string, string>>;
  readonly operations: readonly { readonly name: string; readonly silent: string | null }[];
  readonly pairs: readonly (readonly [string, string])[];
}

export type AuditPlan =
  | { readonly ok: true; readonly groups: readonly AuditGroup[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export function planAudit({ kernels, machines, operations, set }: AuditSelection): AuditPlan {
  const problems = operations.flatMap((name) => operationProblem(name));
  const groups: AuditGroup[] = [];
  for (const kernel of kernels) {
    for (const machine of machines) {
      const found = configure(machine, kernel, set);
      if (!found.ok) {
        const { message, note } = wordsFor(found.problem);
        problems.push(problem(message, { note }));
        continue;
      }
      groups.push(groupOf(found.configuration, operations, set));
    }
  }
  if (problems.length === 0) return { ok: true, groups };
  const distinct = new Map(problems.map((p) => [p.text, p]));
  return { ok: false, problems: [...distinct.values()] };
}

function operationProblem(name: string): Problem[] {
  const names = OPERATIONS.map((o) => o.name);
  if (names.includes(name)) return [];
  const note = suggestion(name, names) ?? `operations are ${names.join(", ")}`;
  return [problem(`unknown operation ${quote(name)}`, { note })];
}

function groupOf(
  { kernel, kernelName, machine }: Configuration,
  only: readonly string[],
  set: Readonly<Record<string, string>>,
): AuditGroup {
  const all = operationsOf(kernel);
  const wanted = (a: string, b: string) =>
    only.length < 2
      ? only.length === 0 || only.includes(a) || only.includes(b)
      : only.includes(a) && only.includes(b);
  const pairs = all.flatMap((a, n) =>
    all.slice(n).flatMap((b) => (wanted(a.name, b.name) ? [[a.name, b.name] as const] : [])),
  );
  const operations = all.map(({ name, silent = null }) => ({ name, silent }));
  return { kernel: kernelName, machine, set: { ...AUDIT_KNOBS, ...set }, operations, pairs };
}

const auditors = new Map<string, Auditor>();

/** Searches one pair; `clock` tells seconds, `outcomes` what was searched before. */
export function auditPair(job: AuditJob, clock: () => number, outcomes?: Outcomes): PairLine {
  const start = clock();
  const { kernel, machine, set, states_max = STATES_MAX, bytes_max = DEFAULT_BYTES_MAX } = job;
  const key = JSON.stringify([kernel, machine, set, states_max, bytes_max]);
  let auditor = auditors.get(key);
  if (!auditor) {
    const found = configure(machine, kernel, set);
    if (!found.ok) throw new Error(wordsFor(found.problem).message);
    auditor = new Auditor(found.configuration, { states_max, bytes_max }, outcomes);
    auditors.set(key, auditor);
  }
  const named = { a: job.a, b: job.b, kernel, machine };
  const knownAs = (property: string) => findingOf(job.known, { ...named, property });
  const explain = (property: string) => job.explain || knownAs(property) === undefined;
  const result = auditor.pair(operationNamed(job.a), operationNamed(job.b), explain);
  const { verdict, properties, states, runs, reason, scenario, why } = result;
  const findings = properties.map((p) => knownAs(p) ?? null);
  // What nobody knows comes first.
  const first = Math.max(0, findings.indexOf(null));
  return {
    type: "pair",
    ...named,
    verdict,
    property: properties[first] ?? null,
    properties,
    finding: findings[first] ?? null,
    known: properties.length > 0 && findings.every((f) => f !== null),
    states,
    runs,
    seconds: Math.round((clock() - start) * 1000) / 1000,
    reason,
    why: why ? whyText(why) : null,
    scenario,
  };
}

function operationNamed(name: string) {
  const found = OPERATIONS.find((o) => o.name === name);
  if (!found) throw new Error(`no operation ${name}`);
  return found;
}

export type ShownPair =
  | { readonly ok: true; readonly texts: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The scenarios that an audit makes of a pair. */
export function showPair(a: string, b: string, machine: string, kernel: string): ShownPair {
  const problems = [a, b].flatMap(operationProblem);
  const found = configure(machine, kernel, {});
  if (!found.ok) {
    const { message, note } = wordsFor(found.problem);
    problems.push(problem(message, { note }));
  }
  if (problems.length > 0 || !found.ok) return { ok: false, problems };
  const on = pairMachine(found.configuration);
  const [x, y] = [operationNamed(a), operationNamed(b)];
  const why = excluded(x, y, on);
  if (why !== undefined) return { ok: false, problems: [problem(`${a} beside ${b}: ${why}`)] };
  return { ok: true, texts: pairScenarios(x, y, on).map((s) => s.text) };
}

/** The known violations that docs/FINDINGS.md lists. */
export function knownViolations(
  text: string,
  file: string,
): { readonly known: readonly KnownViolation[]; readonly problems: readonly Problem[] } {
  const read = readFindings(text);
  if (read.ok) return { known: read.known, problems: [] };
  return { known: [], problems: [problem(`line ${read.line}: ${read.message}`, { file })] };
}
