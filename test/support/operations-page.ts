// SPDX-License-Identifier: Apache-2.0
// docs/OPERATIONS.md: the rows of Linux's operations, and what their routines leave out.

import { DEFINITIONS } from "../../packages/shootdown/src/kernel/kernels.ts";
import type { LinuxRow } from "./linux-rows.ts";
import { ROWS } from "./linux-rows.ts";

const code = (name: string) => `\`${name}\``;

/** What the definitions of a routine leave out, each once. */
const abstractsOf = (name: string): readonly string[] => [
  ...new Set(DEFINITIONS.filter((d) => d.name === name).flatMap((d) => d.abstracts ?? [])),
];

const sourceOf = (name: string): string =>
  DEFINITIONS.find((d) => d.name === name)?.source.file ?? "";

const lineOf = ({ operation, routines, scenarios, audit, left }: LinuxRow, row: number) =>
  `| ${[
    ...[row, operation, routines.map(code).join(" ")],
    scenarios.map((s) => `[${s.split("/").at(-1)}](../litmus/${s}.litmus)`).join(", "),
    audit.map(code).join(" "),
    left ?? "",
  ].join(" | ")} |`;

export function operationsPage(): string {
  const routines = [...new Set(ROWS.flatMap((r) => r.routines))].sort();
  const leaving = routines.filter((r) => abstractsOf(r).length > 0);
  return `# Operations of Linux

What Linux does to the page tables of a process, row by row: the routines that model it, scenarios
that show what it must keep and which of its statements it cannot do without, and the operation of
\`shootdown audit\` that runs it beside every other one. \`npm run operations\` writes this page.

A scenario names kernels for which its condition is \`Never\`, and most a kernel that lacks one
statement, for which it is \`Sometimes\`. \`shootdown show ROUTINE\` prints a routine.

| row | operation | routines | scenarios | audited as | not modelled |
|---|---|---|---|---|---|
${ROWS.map((r, n) => lineOf(r, n + 1)).join("\n")}

## What routines leave out

Each of these says so itself (\`abstracts\`); what is called by them says it of its own.

| routine | of | leaves out, or takes as given |
|---|---|---|
${leaving.map((r) => `| ${code(r)} | ${sourceOf(r)} | ${abstractsOf(r).join("; ")} |`).join("\n")}
`;
}
