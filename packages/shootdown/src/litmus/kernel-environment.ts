// SPDX-License-Identifier: Apache-2.0
// What names in a `kernel { ... }` block may mean: routines, calls of hardware, fields, events.

import { KNOBS, MACHINES, PARTS } from "../hardware/machines.ts";
import type { FieldDecl, Node } from "../ir/expr.ts";
import { local } from "../ir/expr.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { Definition, EventDecl } from "../ir/machine.ts";
import type { AnySort } from "../ir/sort.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import type { Callee, Environment } from "../ir/text/environment.ts";
import { environmentOf } from "../ir/text/environment.ts";
import * as pgtable from "../kernel/asm/pgtable.ts";
import { DEFINITIONS } from "../kernel/kernels.ts";
import * as kernelState from "../kernel/state.ts";
import type { Architecture } from "../vocabulary/architecture.ts";
import { isBlock, pagesOf, pieceOf } from "../vocabulary/blocks.ts";
import { desc } from "../vocabulary/descriptor.ts";
import { events } from "../vocabulary/events.ts";
import * as iommu from "../vocabulary/iommu.ts";
import { regionOf, t } from "../vocabulary/sorts.ts";
import * as state from "../vocabulary/state.ts";

/** Shared arrays among what a file exports. */
const fieldsOf = (file: Readonly<Record<string, unknown>>): FieldDecl[] =>
  Object.values(file).flatMap((x) => {
    const decl = typeof x === "function" && "decl" in x ? (x.decl as FieldDecl) : undefined;
    return decl?.kind === "field" ? [decl] : [];
  });

const entry = local("entry", desc);

/** Named expressions, each with locals as arguments. */
const macros = (): readonly Node[] =>
  [
    ...[pgtable.pte_present, pgtable.pte_write, pgtable.pte_hw_dirty, pgtable.pte_dirty].map((f) =>
      f(entry),
    ),
    ...[pgtable.pte_mkyoung, pgtable.pte_mkold, pgtable.pte_mkdirty, pgtable.pte_mkwrite].map((f) =>
      f(entry),
    ),
    ...[pgtable.pte_wrprotect, pgtable.pte_none, pgtable.pte_protnone].map((f) => f(entry)),
    ...[pgtable.pmd_trans_huge(entry), isBlock(entry), pieceOf(entry, local("va", t.va))],
    pagesOf(local("region", t.region)),
    ...[pgtable.pte_advance_pfn, pgtable.pte_retreat_pfn].map((f) =>
      f(entry, local("from", t.va), local("to", t.va)),
    ),
    pgtable.mk_pte(local("frame", t.pfn)),
    state.pte(local("mm", t.mm), local("va", t.va)),
    regionOf(local("va", t.va)),
  ].map((e) => e.node);

const LIMITS: ReadonlyMap<string, AnySort> = new Map<string, AnySort>([
  ["VA_START", t.va],
  ["TASK_SIZE", t.va],
  ["PTRS_PER_PTE", t.int],
  ["PTRS_PER_PTE_MINUS_1", t.int],
]);

const HINT = "page-table entries change by calls: set_pte_at, ptep_get_and_clear, store_pmd";

type Calls = readonly (readonly [string, Callee])[];

const callees = (definitions: readonly Definition[]): Calls =>
  definitions.map(({ name, params, result }) => [name, { params, result }] as const);

/** Routines of other architectures that generic code calls where there is what they are for. */
function elsewhere(definitions: readonly Definition[]): Calls {
  const called = new Set<string>();
  const visit = (stmts: readonly Stmt[]): void => {
    for (const s of stmts) {
      if (s.k === "call") called.add(s.callee);
      nested(s).forEach(visit);
    }
  };
  for (const d of definitions) visit(d.body());
  return callees(DEFINITIONS.filter((d) => called.has(d.name)));
}

const known = new WeakMap<Kernel, Environment>();

/** What the routines of a kernel and its machine have names for. */
export function kernelEnvironment(kernel: Kernel, architecture: Architecture): Environment {
  let environment = known.get(kernel);
  if (environment) return environment;
  const machine = MACHINES[architecture];
  const own = [...kernel.routines.values()];
  const fields = fieldsOf(kernelState);
  environment = environmentOf(own, {
    fields: [...fields, ...fieldsOf(state), ...fieldsOf(iommu)],
    events: Object.values(events) as unknown as EventDecl[],
    sorts: Object.values(t),
    macros: macros(),
    limits: LIMITS,
    knobs: new Map([...PARTS, ...KNOBS].map((k) => [k.name, k.values])),
    cells: machine.cells,
    pending: machine.pending,
    storedHint: HINT,
  });
  environment = {
    ...environment,
    routines: new Map([
      ...elsewhere(own),
      ...callees(machine.definitions),
      ...environment.routines,
    ]),
    stored: new Set([...environment.stored, ...fields.map((f) => f.name)]),
  };
  known.set(kernel, environment);
  return environment;
}
