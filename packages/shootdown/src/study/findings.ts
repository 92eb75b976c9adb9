// SPDX-License-Identifier: Apache-2.0
// Which violations of an audit are known: lines of docs/FINDINGS.md.
//
//   ## F-1: an unmap beside the enabling of ATS ...
//   Audit: attach_ats * kernel=linux-6.12 property=use_after_free,stale_access

/** A line: two operations in any order, `*` for any one; fields that are absent match all. */
export interface KnownViolation {
  /** Of the heading that it stands below. */
  readonly finding: string;
  readonly operations: readonly [string, string];
  readonly kernels?: readonly string[];
  readonly machines?: readonly string[];
  readonly properties?: readonly string[];
}

/** What an audit found for a pair. */
export interface Violation {
  readonly a: string;
  readonly b: string;
  readonly kernel: string;
  readonly machine: string;
  readonly property: string;
}

export type FindingsResult =
  | { readonly ok: true; readonly known: readonly KnownViolation[] }
  | { readonly ok: false; readonly line: number; readonly message: string };

const FIELDS = ["kernel", "machine", "property"] as const;

/** Reads the lines that begin with `Audit:`. */
export function readFindings(text: string): FindingsResult {
  const known: KnownViolation[] = [];
  let finding = "";
  for (const [n, line] of text.split(/\r?\n/).entries()) {
    finding = /^## (F-[0-9]+):/.exec(line)?.[1] ?? finding;
    if (!line.startsWith("Audit:")) continue;
    const fail = (message: string) => ({ ok: false, line: n + 1, message }) as const;
    if (finding === "") return fail("stands below no finding");
    const words = line.slice("Audit:".length).trim().split(/\s+/);
    const [a, b, ...fields] = words;
    if (a === undefined || b === undefined || a.includes("=") || b.includes("=")) {
      return fail("two operations were expected, `*` for any one");
    }
    const of: Partial<Record<(typeof FIELDS)[number], readonly string[]>> = {};
    for (const field of fields) {
      const [name = "", value = ""] = field.split("=", 2);
      const found = FIELDS.find((f) => f === name);
      if (!found || value === "") return fail(`${field}: expected kernel=, machine= or property=`);
      of[found] = value.split(",");
    }
    known.push({
      finding,
      operations: [a, b],
      ...(of.kernel ? { kernels: of.kernel } : {}),
      ...(of.machine ? { machines: of.machine } : {}),
      ...(of.property ? { properties: of.property } : {}),
    });
  }
  return { ok: true, known };
}

/** The finding that says so; undefined if none does. */
export function findingOf(
  known: readonly KnownViolation[],
  { a, b, kernel, machine, property }: Violation,
): string | undefined {
  const isOne = (name: string, word: string) => word === "*" || word === name;
  const within = (list: readonly string[] | undefined, name: string) =>
    list === undefined || list.includes(name);
  return known.find(({ operations: [x, y], kernels, machines, properties }) => {
    const pair = (isOne(a, x) && isOne(b, y)) || (isOne(a, y) && isOne(b, x));
    return (
      pair && within(kernels, kernel) && within(machines, machine) && within(properties, property)
    );
  })?.finding;
}
