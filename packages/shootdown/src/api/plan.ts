// SPDX-License-Identifier: Apache-2.0
// Which runs a check of a scenario makes: its Result lines, or what was asked for instead.
//
//   nothing given            every Result line, with its expectation
//   machines, kernels, knobs the lines that match; where none does, the configuration by itself,
//                            without expectation
//   expect                   replaces every expectation

import { type Diagnostic, quote } from "../base/diagnostic.ts";
import type { Span } from "../base/span.ts";
import { suggestion } from "../base/suggest.ts";
import { RULES } from "../hardware/rules/registry.ts";
import { ruleKnob } from "../ir/expr.ts";
import { VERSIONS } from "../kernel/kernels.ts";
import type { Expectation, Name, Scenario, Statement } from "../litmus/ast.ts";
import { blockNames } from "../litmus/own-kernel.ts";
import type { Expected, Problem } from "../report/result.ts";
import type { Configuration, ConfigurationProblem } from "../study/configuration.ts";
import { configure } from "../study/configuration.ts";
import { type Drop, dropNamed } from "../study/drop.ts";
import type { Architecture } from "../vocabulary/architecture.ts";
import { ARCHITECTURES, architectureOf } from "../vocabulary/architecture.ts";
import { problem, problemAt, wordsFor } from "./problem.ts";

/** What runs when neither the file nor the caller says. */
export const DEFAULT_MACHINE = "arm64+smmuv3";
export const DEFAULT_KERNEL = "linux-6.12";

/** What a caller may ask for instead of what the file says. */
export interface Selection {
  readonly machines?: readonly string[];
  readonly kernels?: readonly string[];
  readonly set?: Readonly<Record<string, string>>;
  readonly expect?: Expected;
  /** These machines, kernels and knobs as they are: no other knob as Result lines have it. */
  readonly exact?: boolean;
  /** `ROUTINE:STEP`: run with that statement removed. */
  readonly drop?: string;
  /** Ids of rules of hardware to take out. */
  readonly without_rules?: readonly string[];
}

export interface PlannedRun {
  readonly configuration: Configuration;
  readonly set: Readonly<Record<string, string>>;
  readonly expected: Expected | null;
  /** Line of the Result line that asks for it. */
  readonly line: number | null;
  readonly drop: Drop | undefined;
}

/** A run by names, before they are looked up. */
interface Wanted {
  readonly machine: string;
  readonly kernel: string;
  readonly set: Readonly<Record<string, string>>;
  readonly expected: Expected | null;
  readonly from: Expectation | undefined;
}

export type PlanResult =
  | { readonly ok: true; readonly runs: readonly PlannedRun[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Mistakes in a selection that can be seen without a file; `blocks`: parts of a kernel's name that
 * are not known may be blocks of the files.
 */
export function selectionProblems(selection: Selection, blocks = false): Problem[] {
  const wrong: Problem[] = [];
  const look = (machine: string, kernel: string, set: Readonly<Record<string, string>>) => {
    const found = configure(machine, kernel, set);
    if (found.ok) return;
    const { message, note } = wordsFor(found.problem);
    wrong.push(problem(message, { note }));
  };
  for (const m of selection.machines ?? []) look(m, DEFAULT_KERNEL, {});
  for (const k of selection.kernels ?? []) {
    const name = blocks ? k.split("+")[0]! : k;
    // An overlay may fit one architecture alone.
    if (!ARCHITECTURES.some((a) => configure(a, name, {}).ok)) look(DEFAULT_MACHINE, name, {});
  }
  for (const [n, v] of Object.entries(selection.set ?? {})) {
    look(DEFAULT_MACHINE, DEFAULT_KERNEL, { [n]: v });
  }
  for (const id of selection.without_rules ?? []) {
    if (RULES.has(id)) continue;
    const note = suggestion(id, RULES.keys()) ?? "shootdown list rules";
    wrong.push(problem(`--without-rule ${quote(id)}: unknown rule`, { note }));
  }
  return wrong;
}

/** The runs of a scenario; mistakes in its Result lines are reported at their place. */
export function planRuns(scenario: Scenario, text: string, selection: Selection): PlanResult {
  const problems: Problem[] = unusedBlocks(scenario, text);
  const runs: PlannedRun[] = [];
  for (const wanted of wantedRuns(scenario, selection)) {
    const { machine, kernel, set, from } = wanted;
    const found = configure(machine, kernel, set, scenario);
    if (!found.ok) {
      problems.push(...configurationProblems(found.problem, from, text));
      continue;
    }
    const homeless =
      deviceProblem(scenario, found.configuration, from, text) ??
      foreignProblem(scenario, found.configuration, from, text);
    if (homeless) {
      problems.push(homeless);
      continue;
    }
    const dropped =
      selection.drop === undefined ? undefined : dropFrom(found.configuration, selection.drop);
    if (dropped && "problem" in dropped) {
      problems.push(dropped.problem);
      continue;
    }
    const line = from?.span.line ?? null;
    const expected = selection.expect ?? wanted.expected;
    const configuration = withoutRules(found.configuration, selection.without_rules ?? []);
    runs.push({ configuration, set, expected, line, drop: dropped?.drop });
  }
  if (problems.length === 0) return { ok: true, runs };
  return { ok: false, problems: distinct(problems) };
}

/** A block that no Result line names is read too, for the kernels that it is for. */
function unusedBlocks(scenario: Scenario, text: string): Problem[] {
  const used = scenario.expectations.flatMap((e) => e.kernel?.text.split("+") ?? []);
  return blockNames(scenario).flatMap((name) => {
    if (used.includes(name)) return [];
    const found = [...VERSIONS].reverse().flatMap((version) => {
      const kernel = `linux-${version}+${name}`;
      const tried = ARCHITECTURES.map((a) => configure(a, kernel, {}, scenario));
      return tried.some((t) => !t.ok && t.problem.what !== "block") ? [] : [tried];
    });
    const tried = found[0] ?? [];
    if (tried.length === 0 || tried.some((t) => t.ok)) return [];
    const [first] = tried;
    return first && !first.ok ? configurationProblems(first.problem, undefined, text) : [];
  });
}

/** The rules are taken out by knobs that nothing else sets. */
function withoutRules(configuration: Configuration, ids: readonly string[]): Configuration {
  const knobs = Object.fromEntries(ids.map((id) => [ruleKnob(id), "no"]));
  return { ...configuration, knobs: { ...configuration.knobs, ...knobs } };
}

const distinct = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map((p) => [p.text, p])).values(),
];

function dropFrom(c: Configuration, name: string): { drop: Drop } | { problem: Problem } {
  const found = dropNamed(c.kernel, name);
  if (found.ok) return { drop: found.drop };
  const { message, name: wrong, known } = found.problem;
  const note = suggestion(wrong, known) ?? `shootdown show ROUTINE --kernel ${c.kernelName}`;
  return { problem: problem(`--drop ${quote(name)}: ${message}`, { note }) };
}

function wantedRuns(scenario: Scenario, selection: Selection): Wanted[] {
  const lines = scenario.expectations.map(wantedBy);
  if (selection.exact) return exactRuns(lines, selection);
  const chosen = chooseNames(lines, selection);
  const set = Object.entries(selection.set ?? {});
  if (set.length === 0) return chosen;
  const agreeing = chosen.filter((w) => set.every(([n, v]) => w.set[n] === v));
  if (agreeing.length > 0) return agreeing;
  const replaced = chosen.map((w): Wanted => {
    const knobs = { ...w.set, ...selection.set };
    return { ...w, set: knobs, expected: null, from: undefined };
  });
  return [...new Map(replaced.map((w) => [keyOf(w), w])).values()];
}

function wantedBy(e: Expectation): Wanted {
  return {
    machine: e.machine?.text ?? DEFAULT_MACHINE,
    kernel: e.kernel?.text ?? DEFAULT_KERNEL,
    set: Object.fromEntries(e.set.map((s) => [s.knob.text, s.value.text])),
    expected: e.observation.text.toLowerCase() as Expected,
    from: e,
  };
}

/** What is asked for, with the expectation of a line that says the same. */
function exactRuns(lines: readonly Wanted[], selection: Selection): Wanted[] {
  const { machines = [DEFAULT_MACHINE], kernels = [DEFAULT_KERNEL], set = {} } = selection;
  return machines.flatMap((machine) =>
    kernels.map((kernel): Wanted => {
      const own: Wanted = { machine, kernel, set, expected: null, from: undefined };
      const line = lines.find((w) => keyOf(w) === keyOf(own));
      return { ...own, expected: line?.expected ?? null, from: line?.from };
    }),
  );
}

const keyOf = (w: Wanted): string =>
  JSON.stringify([machineKey(w.machine), w.kernel, Object.entries(w.set).sort()]);

/** Parts are a set: their order does not matter. */
const machineKey = (name: string): string => {
  const [base, ...parts] = name.split("+");
  return [base, ...parts.sort()].join("+");
};

/** Every line, or those of the machines and kernels asked for, or these by themselves. */
function chooseNames(lines: readonly Wanted[], selection: Selection): Wanted[] {
  const { machines = [], kernels = [] } = selection;
  const bare = (machine: string, kernel: string): Wanted => ({
    ...{ machine, kernel, set: {}, expected: null, from: undefined },
  });
  if (machines.length === 0 && kernels.length === 0) {
    return lines.length > 0 ? [...lines] : [bare(DEFAULT_MACHINE, DEFAULT_KERNEL)];
  }
  const sameMachine = (w: Wanted, m: string) => machineKey(w.machine) === machineKey(m);
  const of = (names: readonly string[], otherwise: string) =>
    names.length > 0 ? [...new Set(names)] : [otherwise];
  const select = (matching: readonly Wanted[], instead: () => Wanted[]) =>
    matching.length > 0 ? [...matching] : instead();
  if (machines.length === 0) {
    return kernels.flatMap((k) =>
      select(
        lines.filter((w) => w.kernel === k),
        () =>
          of(
            lines.map((w) => w.machine),
            DEFAULT_MACHINE,
          ).map((m) => bare(m, k)),
      ),
    );
  }
  if (kernels.length === 0) {
    return machines.flatMap((m) =>
      select(
        lines.filter((w) => sameMachine(w, m)),
        () =>
          of(
            lines.map((w) => w.kernel),
            DEFAULT_KERNEL,
          ).map((k) => bare(m, k)),
      ),
    );
  }
  return machines.flatMap((m) =>
    kernels.flatMap((k) =>
      select(
        lines.filter((w) => sameMachine(w, m) && w.kernel === k),
        () => [bare(m, k)],
      ),
    ),
  );
}

/** A device without an IOMMU translates nothing. */
function deviceProblem(
  scenario: Scenario,
  { machine, knobs }: Configuration,
  from: Expectation | undefined,
  text: string,
): Problem | undefined {
  const arm64 = architectureOf(knobs) === "arm64";
  const devices = scenario.items.filter((i) => i.kind === "device");
  // Page tables of their own need no IOMMU.
  const device = devices.find((d) => !arm64 || d.attributes.tables === undefined);
  if (!device || knobs["smmuv3"] !== "no") return undefined;
  const message = `the machine ${quote(machine)} has no IOMMU for the device ${device.name.text}`;
  const note = `${arm64 ? machine : "arm64"}+smmuv3 has one`;
  const span = from?.machine?.span;
  if (!span) return problem(message, { note });
  return problemAt({ code: "C006", span, message, notes: [{ message: note }] }, text);
}

/** An instruction of another architecture, or a routine that this kernel does not have. */
function foreignProblem(
  scenario: Scenario,
  { machine, kernelName, kernel, knobs }: Configuration,
  from: Expectation | undefined,
  text: string,
): Problem | undefined {
  const foreign = VERBS_ELSEWHERE[architectureOf(knobs)];
  const visit = (statements: readonly Statement[]): string | undefined => {
    for (const s of statements) {
      const inner = s.kind === "loop" ? visit(s.body) : undefined;
      if (inner !== undefined) return inner;
      if (s.kind === "verb" && foreign.test(s.verb.text)) {
        return `the machine ${quote(machine)} has no ${quote(s.verb.text)}`;
      }
      if (s.kind === "call" && !kernel.routines.has(s.routine.text)) {
        return `${kernelName} on ${quote(machine)} has no ${quote(s.routine.text)}`;
      }
    }
    return undefined;
  };
  const message =
    (architectureOf(knobs) === "x86" ? beyondX86(scenario, machine) : undefined) ??
    visit(scenario.bodies.flatMap((b) => b.statements));
  if (message === undefined) return undefined;
  const span = from?.machine?.span;
  return span ? problemAt({ code: "C007", span, message, notes: [] }, text) : problem(message, {});
}

/** What entries of arm64 alone may be: to pass over it would change what is asked. */
function beyondX86({ items }: Scenario, machine: string): string | undefined {
  for (const i of items) {
    if (i.kind !== "map") continue;
    const { size, scope, group } = i.attributes;
    if (size) return `on ${quote(machine)} the kernel's large pages are not modelled`;
    if (scope) return `on ${quote(machine)} global entries are not modelled`;
    if (group) return `${quote(machine)} has no contiguous groups`;
  }
  return undefined;
}

/** Statements that are instructions of other architectures. */
const VERBS_ELSEWHERE: Readonly<Record<Architecture, RegExp>> = {
  arm64: /^(invlpg|lazy|switch)$/,
  x86: /^(tlbi|dsb|isb|ttbr0|set_asid|CMD_.*)$/,
};

/** At the name in the Result line, if it came from one. */
function configurationProblems(
  wrong: ConfigurationProblem,
  from: Expectation | undefined,
  text: string,
): Problem[] {
  if (wrong.what === "block") return (wrong.diagnostics ?? []).map((d) => problemAt(d, text));
  const { message, note } = wordsFor(wrong);
  const span = from && spanOf(wrong, from);
  if (!span) return [problem(message, { note })];
  const notes = note === undefined ? [] : [{ message: note }];
  const diagnostic: Diagnostic = { code: CODES[wrong.what], span, message, notes };
  return [problemAt(diagnostic, text)];
}

/** Codes of mistakes in names of configurations; docs/man/shootdown-check.md explains them. */
const CODES = { machine: "C001", kernel: "C002", knob: "C003", value: "C004" } as const;

function spanOf(wrong: ConfigurationProblem, from: Expectation): Span | undefined {
  if (wrong.what === "machine") return from.machine && partOf(from.machine, wrong.name);
  if (wrong.what === "kernel") return from.kernel && partOf(from.kernel, wrong.name);
  const setting = from.set.find((s) =>
    wrong.what === "knob"
      ? s.knob.text === wrong.name
      : `${s.knob.text}=${s.value.text}` === wrong.name,
  );
  return wrong.what === "knob" ? setting?.knob.span : setting?.value.span;
}

/** The stretch of one part of a name joined by `+`. */
function partOf(name: Name, part: string): Span {
  let at = 0;
  for (const word of name.text.split("+")) {
    if (word === part) break;
    at += word.length + 1;
  }
  const { span } = name;
  if (at > name.text.length) return span;
  return {
    ...span,
    col: span.col + at,
    offset: span.offset + at,
    end: span.offset + at + part.length,
  };
}
