// SPDX-License-Identifier: Apache-2.0
// What has a name: routines, hardware, properties, machines, kernels, knobs; and their text.

import { nearestName } from "../base/suggest.ts";
import { KNOBS, MACHINE, PARTS } from "../hardware/machines.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { Source } from "../ir/machine.ts";
import { printCell, printDefinition, printObserver, printPending, printRule } from "../ir/print.ts";
import { DEFINITIONS, kernelNamed, VERSIONS } from "../kernel/kernels.ts";
import { OVERLAYS } from "../kernel/overlays.ts";
import { OBSERVERS } from "../vocabulary/properties.ts";

/** Kinds of names that the model knows; scenarios are files, which the shell lists. */
export const NAME_KINDS = [
  "routines",
  "rules",
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
  rules: () => hardware().map((h): [string, string] => [h.name, sourceText(h.source)]),
  properties: () => [
    ...[...OBSERVERS.values()].map((o): [string, string] => [o.name, o.describes]),
    ["stuck", "a device tries again for ever although the page table permits the access"],
  ],
  machines: () => [
    ...MACHINES.map(([name, text]): [string, string] => [name, text]),
    ...PARTS.map((p): [string, string] => [`+${p.name}`, p.describes]),
  ],
  kernels: () => [
    ...VERSIONS.map((v): [string, string] => [
      `linux-${v}`,
      "read from the source of this version",
    ]),
    ...OVERLAYS.map((o): [string, string] => [`+${o.name}`, o.describes]),
  ],
  knobs: () =>
    KNOBS.map((k): [string, string] => [k.name, `${k.values.join("|")}: ${k.describes}`]),
};

/** Every name of a kind, in order. */
export const listNames = (kind: NameKind): Named[] =>
  LISTS[kind]().map(([name, describes]) => ({ type: "name", kind, name, describes }));

export interface ShownName {
  readonly type: "definition";
  readonly kind: "routine" | "rule" | "property";
  readonly name: string;
  /** Kernel whose version decides `since` statements. */
  readonly kernel: string;
  /** C-like text with sources and step numbers; ends with a line end. */
  readonly text: string;
}

export type ShowResult =
  | { readonly ok: true; readonly shown: readonly ShownName[] }
  | {
      readonly ok: false;
      readonly message: string;
      /** What may have been meant. */
      readonly note: string;
    };

/**
 * A routine, a hardware rule or a property by its name, or all of hardware that implements a rule
 * id (`A20`). Without a kernel: the newest version that has the routine.
 */
export function showName(name: string, kernelName?: string): ShowResult {
  const kernels = kernelName === undefined ? newestFirst() : [kernelName];
  const missing: string[] = [];
  for (const k of kernels) {
    const found = kernelNamed(k);
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
    const routine = found.kernel.routines.get(name);
    if (routine) {
      const text = printDefinition(routine, found.kernel.version);
      return { ok: true, shown: [{ type: "definition", kind: "routine", name, kernel: k, text }] };
    }
    missing.push(k);
  }
  const first = kernelNamed(kernels[0]!);
  if (!first.ok) throw new Error("a kernel was known and is not");
  const shown = shownHardware(name, first.kernel);
  if (shown.length > 0) return { ok: true, shown };
  const others = newestFirst().filter((k) => !missing.includes(k) && hasRoutine(k, name));
  if (others.length > 0) {
    const have = `${others.join(" and ")} ${others.length > 1 ? "have" : "has"} it`;
    const note = `${have}: --kernel ${others[0]}`;
    return { ok: false, message: `${kernels[0]} has no routine '${name}'`, note };
  }
  const all = [...LISTS.routines(), ...LISTS.rules(), ...LISTS.properties()].map(([n]) => n);
  const near = nearestName(name, all);
  const note = near === undefined ? "shootdown list routines" : `did you mean '${near}'?`;
  return { ok: false, message: `no routine, rule or property is called '${name}'`, note };
}

const byName = (a: readonly [string, string], b: readonly [string, string]): number =>
  a[0] < b[0] ? -1 : 1;

const newestFirst = (): string[] => [...VERSIONS].reverse().map((v) => `linux-${v}`);

const hasRoutine = (kernel: string, name: string): boolean => {
  const found = kernelNamed(kernel);
  return found.ok && found.kernel.routines.has(name);
};

interface Hardware {
  readonly name: string;
  readonly source: Source;
  readonly print: (version: string) => string;
}

/** All that the machines are made of. */
function hardware(): Hardware[] {
  const { cells, pending, rules, definitions } = MACHINE;
  const of = (x: { readonly name: string; readonly source: Source }, print: Hardware["print"]) => ({
    name: x.name,
    source: x.source,
    print,
  });
  return [
    ...cells.map((c) => of(c, (v) => printCell(c, v))),
    ...pending.map((p) => of(p, (v) => printPending(p, v))),
    ...rules.map((r) => of(r, (v) => printRule(r, v))),
    ...definitions.map((d) => of(d, (v) => printDefinition(d, v))),
  ];
}

function shownHardware(name: string, kernel: Kernel): ShownName[] {
  const { version } = kernel;
  const make = (kind: ShownName["kind"], called: string, text: string): ShownName => ({
    ...{ type: "definition", kind, name: called, kernel: kernel.name, text },
  });
  const all = hardware();
  const named = all.filter((h) => h.name === name);
  const chosen = named.length > 0 ? named : all.filter((h) => h.source.rules?.includes(name));
  const shown = chosen.map((h) => make("rule", h.name, h.print(version)));
  const observer = OBSERVERS.get(name);
  return observer ? [...shown, make("property", name, printObserver(observer, version))] : shown;
}

const sourceText = ({ file, rules }: Source): string =>
  rules === undefined || rules.length === 0 ? file : `${rules.join(", ")}: ${file}`;
