// SPDX-License-Identifier: Apache-2.0
// NUMA balancing: entries become PROT_NONE, and the faults that follow tell who uses a page.

import { handle_mm_fault } from "../../../packages/shootdown/src/kernel/mm/memory.ts";
import { change_prot_numa } from "../../../packages/shootdown/src/kernel/mm/mempolicy.ts";
import { try_to_migrate_one } from "../../../packages/shootdown/src/kernel/mm/rmap.ts";
import { entries_protnone, gathers_nest } from "../../../packages/shootdown/src/kernel/state.ts";
import { hinted, pagesOf } from "./history.ts";
import type { Kind } from "./kind.ts";
import { batched, has, one, PUT_OFF, page, pageOf, probe } from "./kind.ts";
import { Model } from "./model.ts";

const BEGINS = [entries_protnone.decl, gathers_nest.decl];

/** Makes a page PROT_NONE. */
export function protnone(model: Model, va: number): void {
  const args = { cpu: 0, mm: model.process.mm, range: one(va) };
  model.before(model.call(change_prot_numa, args));
}

export const NUMA_KINDS: readonly Kind[] = [
  {
    name: "NUMA balancing scans: change_prot_numa, change_pte_range",
    is: (op) => op.kind === "work" && has(op, "change_prot_numa"),
    placed: { clear: "ptep_modify_prot_start", set: "ptep_modify_prot_commit" },
    run: (op, folder, { owing }) =>
      hinted(op).flatMap(({ range, pages }, n) => {
        const model = Model.shared(folder, BEGINS);
        // The first scan makes up for what was put off.
        if (owing && n === 0) model.owe();
        model.reserve(range, true);
        // Which pages are mapped is taken from the recording.
        for (const at of pagesOf(pages)) model.map(one(at));
        return model.words(model.call(change_prot_numa, { cpu: 0, mm: model.process.mm, range }));
      }),
  },
  {
    name: "fault of a PROT_NONE page that moves to another node: try_to_migrate_one",
    is: (op) => op.kind === "fault" && has(op, "try_to_migrate_one"),
    placed: PUT_OFF,
    run: (op, folder) => {
      const model = Model.shared(folder, BEGINS);
      const p = probe(op, "try_to_migrate_one");
      const va = pageOf(p.args);
      const [frame] = model.map(one(va));
      protnone(model, va);
      const at = { cpu: 0, mm: model.process.mm, va, frame: frame! };
      return model.words(
        model.call(try_to_migrate_one, { ...at, batch_flush: batched(p) ? 1 : 0 }),
      );
    },
  },
  {
    name: "fault of a PROT_NONE page that stays: handle_mm_fault, do_numa_page",
    is: (op) => op.kind === "fault" && has(op, "ptep_modify_prot_start"),
    placed: { clear: "ptep_modify_prot_start", set: "ptep_modify_prot_commit" },
    run: (op, folder) => {
      const model = Model.shared(folder, BEGINS);
      const va = page(op);
      model.map(one(va));
      protnone(model, va);
      const at = { cpu: 0, mm: model.process.mm, va, write: 0 };
      return model.words(model.call(handle_mm_fault, at));
    },
  },
];
