// SPDX-License-Identifier: Apache-2.0
// Overlays of the SMMU's driver: bugs that it had, and those that other IOMMUs' drivers had.

import type { Expr } from "../../ir/expr.ts";
import { and, eq, expr, local, not } from "../../ir/expr.ts";
import type { Overlay } from "../../ir/kernel.ts";
import { editing, MisplacedEdit } from "../../ir/kernel.ts";
import { nested } from "../../ir/steps.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, ret, set, when } from "../../ir/stmt.ts";
import { EMPTY, Range, t, WHOLE_MM } from "../../vocabulary/sorts.ts";
import { arm_smmu_remove_master_domain } from "../iommu/arm-smmu-v3-domain.ts";
import {
  arm_smmu_atc_inv_domain,
  arm_smmu_mm_arch_invalidate_secondary_tlbs,
} from "../iommu/arm-smmu-v3-sva.ts";
import type { NamedOverlay } from "../overlays.ts";
import { dev_mm, master_ats_enabled, pci_disconnected } from "../state.ts";

/** Statements that a routine runs first. */
const first =
  (routine: string, ...stmts: readonly Stmt[]): Overlay =>
  (base) => {
    const d = base.routines.get(routine);
    if (!d) throw new MisplacedEdit(`${base.name} has no routine ${routine}`);
    const body = () => [...stmts, ...d.body()];
    return { ...base, routines: new Map([...base.routines, [routine, { ...d, body }]]) };
  };

const cpu = local("cpu", t.cpu);
const dev = local("dev", t.dev);
const range = local("range", t.range);
const callback = arm_smmu_mm_arch_invalidate_secondary_tlbs.name;

const same = (a: Expr<"range">, b: Expr<"range">) =>
  and(eq(Range.lo(a), Range.lo(b)), eq(Range.hi(a), Range.hi(b)));

/** A command or call of its own, about other pages. */
const about =
  (pages: Expr<"range">) =>
  (s: Stmt): readonly Stmt[] => {
    const inner = s.k === "label" ? s.body : [s];
    return inner.map((c) => {
      if (c.k !== "call") throw new Error("not a call");
      const args = c.args.map(([n, v]) => [n, n === "range" ? pages.node : v] as const);
      return { ...c, args };
    });
  };

/** The device that a command is for. */
function master(issue: Stmt): Expr<"dev"> {
  const [inner] = nested(issue)[0]!;
  if (inner?.k !== "call") throw new Error("not a call");
  return expr(inner.args.find(([name]) => name === "dev")![1]);
}

export const SMMU_OVERLAYS: readonly NamedOverlay[] = [
  {
    name: "empty-is-nothing",
    describes: "the range callback does nothing for a range without pages",
    overlay: first(callback, when(Range.empty(range), ret())),
  },
  {
    name: "whole-overflows",
    describes: "the size of the whole address space overflows to no page: before e7ad6c2a4b1a",
    overlay: first(callback, when(same(range, WHOLE_MM), ret())),
  },
  {
    name: "pgsize-bitmap-zero",
    describes: "commands by range have no page size, and reach no page: before 12f78021973a",
    overlay: editing("arm_smmu_tlb_inv_range_asid", "command", about(EMPTY)),
  },
  {
    name: "atc-inv-swapped",
    describes: "functions read the address of an invalidation byte by byte from the wrong end",
    overlay: editing(arm_smmu_atc_inv_domain.name, "issue", about(EMPTY)),
  },
  {
    name: "atc-skip-gone",
    describes: "no ATC invalidation is sent to a function that is gone",
    overlay: editing(arm_smmu_atc_inv_domain.name, "issue", (issue) => [
      when(not(pci_disconnected(master(issue))), issue),
    ]),
  },
  {
    name: "ats-counted-by-new-state",
    describes: "a master leaves a domain counted by its ATS in the next one: before 685ca577b408",
    overlay: editing("arm_smmu_attach_dev", "new-state-first", () => [
      set(master_ats_enabled(dev), local("ats", t.bool)),
    ]),
  },
  {
    name: "leave-before-flush",
    describes: "a device leaves its domain's list before the list is gone through to flush it",
    overlay: (base) => {
      const flushed = editing("arm_smmu_sva_unbind", "atc", () => [])(base);
      return editing("arm_smmu_sva_unbind", "leave", () => [
        call(arm_smmu_remove_master_domain, { dev }),
        call(arm_smmu_atc_inv_domain, { cpu, mm: dev_mm(dev), range: WHOLE_MM }),
      ])(flushed);
    },
  },
  {
    name: "asid-unflushed",
    describes: "an ASID of the SMMU is given back without a flush",
    overlay: editing("arm_smmu_sva_domain_free", "flush", () => []),
  },
];
