// SPDX-License-Identifier: Apache-2.0
// What has a name: routines, hardware, properties, machines, kernels, knobs; and their text.

import { formatPosition } from "../base/span.ts";
import { nearestName } from "../base/suggest.ts";
import { KNOBS, MACHINES as MACHINES_OF, PARTS } from "../hardware/machines.ts";
import { filesOf } from "../hardware/rules/files.ts";
import { type Carrier, carriers, RULES } from "../hardware/rules/registry.ts";
import type { HardwareRule, RuleStatus } from "../hardware/rules/rule.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { Source } from "../ir/machine.ts";
import { printCell, printDefinition, printObserver, printPending, printRule } from "../ir/print.ts";
import { DISCIPLINE } from "../kernel/discipline.ts";
import { DEFINITIONS, READ, VERSIONS } from "../kernel/kernels.ts";
import { OVERLAYS } from "../kernel/overlays.ts";
import type { Scenario } from "../litmus/ast.ts";
import { AT_REST } from "../litmus/at-rest.ts";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { kernelOf, type OwnKernel } from "../litmus/own-kernel.ts";
import { ARCHITECTURES, type Architecture } from "../vocabulary/architecture.ts";
import { OBSERVERS } from "../vocabulary/properties.ts";
import { DEFAULT_KERNEL } from "./plan.ts";

/** Kinds of names that the model knows; scenarios are files, which the shell lists. */
export const NAME_KINDS = [
  "routines",
  "rules",
  "hardware",
  "properties",
  "machines",
  "kernels",
  "knobs",
] as const;
export type NameKind = (typeof NAME_KINDS)[number];

export interface Named {
  readonly type: "name";
  readonly kind: NameKind;
  readonly name: string;
  /** One line: where it comes from, or what it means. */
  readonly describes: string;
}

/** Machines worth a name of their own: what exists, and what differs in this model. */
const MACHINES: readonly (readonly [string, string])[] = [
  ["arm64+smmuv3", "SVA without broadcast: the SMMU hears only its command queue"],
  ["arm64+smmuv3+ats", "the same, and the device has a translation cache (ATC)"],
  ["arm64+smmuv3+btm", "the SMMU can take part in broadcast TLB maintenance"],
  ["arm64+smmuv3+btm+ats", "both"],
  ["arm64+smmuv3+btm+ats+atcsnoop", "imagined: broadcasts reach the ATC too"],
  ["x86", "CPUs that shoot down by interrupts, with lazy TLBs; no IOMMU yet"],
];

const LISTS: Readonly<Record<NameKind, () => (readonly [string, string])[]>> = {
  routines: () => {
    const texts = new Map<string, string>();
    for (const d of DEFINITIONS) {
      const known = texts.get(d.name);
      const versions = d.kernels === undefined ? "" : ` (${d.kernels})`;
      const text = `${d.source.file}${versions}`;
      texts.set(d.name, known === undefined ? text : `${known}, ${text}`);
    }
    return [...texts].sort(byName);
  },
  rules: () => [...RULES.values()].map((r): [string, string] => [r.id, r.title]),
  hardware: () => hardware().map((h): [string, string] => [h.name, sourceText(h.source)]),
  properties: () => [
    ...[...OBSERVERS.values(), ...DISCIPLINE].map((o): [string, string] => [o.name, o.describes]),
    ...[...AT_REST].map(([name, { describes }]): [string, string] => [name, describes]),
    ["stuck", "a device tries again for ever although the page table permits the access"],
    ["never_completes", "a CPU or device waits for ever, or something stays outstanding for ever"],
  ],
  machines: () => [
    ...MACHINES.map(([name, text]): [string, string] => [name, text]),
    ...PARTS.map((p): [string, string] => [`+${p.name}`, p.describes]),
  ],
  kernels: () => [
    ...VERSIONS.map((v): [string, string] => [
      `linux-${v}`,
      READ.includes(v)
        ? "read from the source of this version"
        : "as the versions that were read, but for what the logs of commits say",
    ]),
    ...OVERLAYS.map((o): [string, string] => [`+${o.name}`, o.describes]),
  ],
  knobs: () =>
    KNOBS.map((k): [string, string] => [k.name, `${k.values.join("|")}: ${k.describes}`]),
};

/** Every name of a kind, in order. */
export const listNames = (kind: NameKind): Named[] =>
  LISTS[kind]().map(([name, describes]) => ({ type: "name", kind, name, describes }));

/** A word of the scenario language, and what follows it. */
export interface StatementName {
  readonly name: string;
  /** Sorts of its arguments, or the words of which one stands there. */
  readonly args: string;
}

/** The statements of the scenario language, in order. */
export const listStatements = (): StatementName[] =>
  [...DICTIONARY.verbs]
    .map(([name, { params }]) => ({
      name,
      args: params.map((p) => (typeof p === "string" ? p : p.join("|"))).join(", "),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

export interface ShownName {
  readonly type: "definition";
  readonly kind: "routine" | "hardware" | "property";
  readonly name: string;
  /** Kernel whose version decides `since` statements. */
  readonly kernel: string;
  /** C-like text with sources and step numbers; ends with a line end. */
  readonly text: string;
}

/** A rule of the hardware notes, and what carries it in this model. */
export interface ShownRule {
  readonly type: "rule";
  readonly name: string;
  readonly title: string;
  readonly says: string;
  readonly source: string;
  readonly status: RuleStatus;
  /** Source files that name it, below packages/shootdown/src. */
  readonly files: readonly string[];
  /** Parts of hardware that implement it; each is shown by its name. */
  readonly hardware: readonly string[];
}

export type ShowResult =
  | { readonly ok: true; readonly shown: readonly (ShownRule | ShownName)[] }
  | {
      readonly ok: false;
      readonly message: string;
      /** What may have been meant. */
      readonly note: string;
    };

/**
 * A routine, a part of hardware or a property by its name, or a rule by its id (`A20`) with all of
 * hardware that implements it. Without a kernel: the default one, or else the newest that has it.
 * With a machine, what is of its architecture.
 */
export function showName(
  name: string,
  kernelName?: string,
  scenario?: Scenario,
  machine?: string,
): ShowResult {
  const architectures = architecturesOf(machine);
  const kernels = kernelName === undefined ? newestFirst() : [kernelName];
  const missing: string[] = [];
  for (const k of kernels) {
    const found = builds(k, scenario, architectures);
    if (!found.ok && "diagnostics" in found) {
      const [first] = found.diagnostics;
      const message = first ? `${formatPosition(first.span)}: ${first.message}` : "";
      return { ok: false, message, note: "shootdown check says more" };
    }
    if (!found.ok && found.why !== undefined) {
      return {
        ok: false,
        message: `'${found.unknown}' ${found.why}`,
        note: "shootdown list kernels",
      };
    }
    if (!found.ok) {
      const near = nearestName(found.unknown, found.known);
      const note = near === undefined ? "shootdown list kernels" : `did you mean '${near}'?`;
      return { ok: false, message: `unknown kernel '${found.unknown}'`, note };
    }
    const texts = found.kernels.flatMap(({ routines, version }) => {
      const routine = routines.get(name);
      return routine ? [printDefinition(routine, version)] : [];
    });
    if (texts.length > 0) {
      const shown = [...new Set(texts)].map((text): ShownName => {
        return { type: "definition", kind: "routine", name, kernel: k, text };
      });
      return { ok: true, shown };
    }
    missing.push(k);
  }
  const first = builds(kernels[0]!, scenario, architectures);
  if (!first.ok) throw new Error("a kernel was known and is not");
  const kernel = first.kernels[0]!;
  const rule = RULES.get(name);
  if (rule) return { ok: true, shown: [shownRule(rule), ...shownCarriers(name, kernel)] };
  const shown = shownHardware(name, kernel, architectures);
  if (shown.length > 0) return { ok: true, shown };
  const others = newestFirst().filter((k) => !missing.includes(k) && hasRoutine(k, name));
  if (others.length > 0) {
    const have = `${others.join(" and ")} ${others.length > 1 ? "have" : "has"} it`;
    const note = `${have}: --kernel ${others[0]}`;
    return { ok: false, message: `${kernels[0]} has no routine '${name}'`, note };
  }
  const lists = [LISTS.routines, LISTS.hardware, LISTS.properties, LISTS.rules];
  const all = lists.flatMap((list) => list()).map(([n]) => n);
  const near = nearestName(name, all);
  const note = near === undefined ? "shootdown list routines" : `did you mean '${near}'?`;
  return { ok: false, message: `no routine, rule or property is called '${name}'`, note };
}

const byName = (a: readonly [string, string], b: readonly [string, string]): number =>
  a[0] < b[0] ? -1 : 1;

/** The architecture that a machine's name begins with; all, without one. */
function architecturesOf(machine: string | undefined): readonly Architecture[] {
  const own = ARCHITECTURES.filter((a) => a === machine?.split("+")[0]);
  return own.length > 0 ? own : ARCHITECTURES;
}

const newestFirst = (): string[] => [
  ...new Set([DEFAULT_KERNEL, ...[...VERSIONS].reverse().map((v) => `linux-${v}`)]),
];

const hasRoutine = (kernel: string, name: string): boolean => {
  const found = builds(kernel);
  return found.ok && found.kernels.some((k) => k.routines.has(name));
};

/** A kernel for each architecture that it can be built for; if none, what the first says. */
function builds(
  name: string,
  scenario?: Scenario,
  architectures: readonly Architecture[] = ARCHITECTURES,
): { readonly ok: true; readonly kernels: readonly Kernel[] } | (OwnKernel & { ok: false }) {
  const found = architectures.map((a) => kernelOf(scenario, name, a));
  const kernels = found.flatMap((k) => (k.ok ? [k.kernel] : []));
  const wrong = found.find((k) => !k.ok);
  return kernels.length === 0 && wrong && !wrong.ok ? wrong : { ok: true, kernels };
}

interface Hardware {
  readonly name: string;
  readonly source: Source;
  readonly print: (version: string) => string;
}

/** All that the machines are made of. */
function hardware(architectures: readonly Architecture[] = ARCHITECTURES): Hardware[] {
  const of = (x: { readonly name: string; readonly source: Source }, print: Hardware["print"]) => ({
    name: x.name,
    source: x.source,
    print,
  });
  const machines = architectures.map((a) => MACHINES_OF[a]);
  return machines.flatMap(({ cells, pending, rules, definitions }) => [
    ...cells.map((c) => of(c, (v) => printCell(c, v))),
    ...pending.map((p) => of(p, (v) => printPending(p, v))),
    ...rules.map((r) => of(r, (v) => printRule(r, v))),
    ...definitions.map((d) => of(d, (v) => printDefinition(d, v))),
  ]);
}

/** The parts that name a rule or ask whether it holds. */
const carrying = (id: string): Carrier[] =>
  Object.values(MACHINES_OF)
    .flatMap((machine) => carriers(machine))
    .filter((c) => c.named.includes(id) || c.asked.includes(id));

const shownRule = ({ id, title, text, source, status }: HardwareRule): ShownRule => ({
  ...{ type: "rule", name: id, title, says: text, source, status },
  ...{ files: filesOf(id), hardware: [...new Set(carrying(id).map((c) => c.name))] },
});

const shownPart = (h: Hardware, { name: kernel, version }: Kernel): ShownName => ({
  ...{ type: "definition", kind: "hardware", name: h.name, kernel, text: h.print(version) },
});

function shownCarriers(id: string, kernel: Kernel): ShownName[] {
  const found = carrying(id);
  // Two architectures define what has one name.
  return hardware()
    .filter((h) => found.some((c) => c.name === h.name && c.source === h.source))
    .map((h) => shownPart(h, kernel));
}

function shownHardware(
  name: string,
  kernel: Kernel,
  architectures: readonly Architecture[],
): ShownName[] {
  const shown = hardware(architectures)
    .filter((h) => h.name === name)
    .map((h) => shownPart(h, kernel));
  const observer = OBSERVERS.get(name) ?? DISCIPLINE.find((o) => o.name === name);
  if (!observer) return shown;
  const text = printObserver(observer, kernel.version);
  return [...shown, { type: "definition", kind: "property", name, kernel: kernel.name, text }];
}

const sourceText = ({ file, rules }: Source): string =>
  rules === undefined || rules.length === 0 ? file : `${rules.join(", ")}: ${file}`;
