// SPDX-License-Identifier: Apache-2.0
// munmap and mprotect of every small range, over every content of the page table: the packed
// executor, element by element, and the open one, in bulk, log the same events.

import { describe, expect, test } from "vitest";
import { lower } from "../packages/shootdown/src/engine/lower.ts";
import { OpenMachine } from "../packages/shootdown/src/engine/open.ts";
import { prompt, run } from "../packages/shootdown/src/engine/open-schedule.ts";
import type { OpenLogEntry, Value } from "../packages/shootdown/src/engine/open-value.ts";
import { expand, toPacked } from "../packages/shootdown/src/engine/open-value.ts";
import { PackedMachine } from "../packages/shootdown/src/engine/packed.ts";
import type { Domain, Initial, Program, System } from "../packages/shootdown/src/engine/program.ts";
import { wordLayout } from "../packages/shootdown/src/engine/word.ts";
import { KNOBS, MACHINE, PARTS } from "../packages/shootdown/src/hardware/machines.ts";
import { constant } from "../packages/shootdown/src/ir/expr.ts";
import type { Stmt } from "../packages/shootdown/src/ir/stmt.ts";
import { call } from "../packages/shootdown/src/ir/stmt.ts";
import { kernelNamed } from "../packages/shootdown/src/kernel/kernels.ts";
import { do_munmap } from "../packages/shootdown/src/kernel/mm/mmap.ts";
import { do_mprotect_pkey } from "../packages/shootdown/src/kernel/mm/mprotect.ts";
import {
  PageAnonExclusive,
  page_refs,
  VM_WRITE,
  vma,
} from "../packages/shootdown/src/kernel/state.ts";
import { desc } from "../packages/shootdown/src/vocabulary/descriptor.ts";
import { eventNamed } from "../packages/shootdown/src/vocabulary/events.ts";
import { OBSERVERS } from "../packages/shootdown/src/vocabulary/properties.ts";
import { Range, t } from "../packages/shootdown/src/vocabulary/sorts.ts";
import { page_life, pmd, pte_table } from "../packages/shootdown/src/vocabulary/state.ts";

const PAGES = 4;
const PER_TABLE = 2;
const domain: Domain = {
  sizes: {
    ...{ cpu: 1, mm: 1, va: PAGES, region: PAGES / PER_TABLE, table: PAGES / PER_TABLE },
    ...{ pfn: PAGES + 1, asid: 2, pasid: 1, dev: 1, agent: 1, int: 4, signal: 1 },
  },
  names: {},
  limits: {
    ...{ VA_START: 0, TASK_SIZE: PAGES, PTRS_PER_PTE: PER_TABLE, PTRS_PER_PTE_MINUS_1: 1 },
    // Both sides of each threshold are reached.
    ...{ MAX_TLBI_OPS: 3, MAX_TLBI_OPS_TABLES: 4, CMDQ_MAX_TLBI_OPS: 2, CPU_ASIDS: 1 },
    MAX_TLBI_RANGE_PAGES: PAGES,
    ...{ TLBI_OUTSTANDING: 2, CMDQ_ENTRIES: 4, ATC_INVALIDATIONS: 2, DEVICE_REQUESTS: 2 },
  },
};
const knobs = {
  ...Object.fromEntries(PARTS.map((p) => [p.name, "no"])),
  ...Object.fromEntries(KNOBS.map((k) => [k.name, k.values[0]])),
  ...{ smmuv3: "no", btm: "no", ats: "no", atcsnoop: "no" },
};

const word = (parts: Record<string, number>) =>
  Object.entries(parts).reduce((v, [f, x]) => wordLayout(desc, domain).put(v, f, x), 0);

/** 0 none, 1 read-only, 2 writable: for each page. */
function contents(pages: readonly number[]): Initial[] {
  const out: Initial[] = [];
  for (let r = 0; r < PAGES / PER_TABLE; r++) {
    out.push({ field: pmd.decl, index: [0, r], value: word({ valid: 1, table: 1, next: r }) });
  }
  for (const [va, kind] of pages.entries()) {
    out.push({ field: vma.decl, index: [0, va], value: 1 });
    out.push({ field: VM_WRITE.decl, index: [0, va], value: kind === 2 ? 1 : 0 });
    if (kind === 0) continue;
    const bits = kind === 2 ? { DBM: 1, DIRTY: 1 } : { RDONLY: 1 };
    const value = word({ valid: 1, AF: 1, ...bits, pfn: va });
    out.push({ field: pte_table.decl, index: [Math.floor(va / PER_TABLE), va], value });
    out.push({ field: page_life.decl, index: [va], value: 1 });
    out.push({ field: page_refs.decl, index: [va], value: 1 });
    out.push({ field: PageAnonExclusive.decl, index: [va], value: va < PER_TABLE ? 1 : 0 });
  }
  return out;
}

function programOf(kernel: string, body: readonly Stmt[]): Program {
  const named = kernelNamed(kernel);
  if (!named.ok) throw new Error(named.unknown);
  const system: System = {
    machine: MACHINE,
    kernel: named.kernel,
    ...{ domain, knobs, initial: [], entries: [] },
    threads: [{ name: "CPU0", locals: {}, body }],
    observers: [...OBSERVERS.values()],
  };
  return lower(system, { keepAll: true });
}

/** The events of the packed executor; the thread goes first, effects when it waits. */
function packedLog(program: Program): string[] {
  const machine = new PackedMachine(program, { semantics: "concrete" });
  const log: string[] = [];
  let state = machine.initial();
  for (let moved = true; moved; ) {
    moved = machine.transitions.some((transition) => {
      if (transition.free) return false;
      const events: string[] = [];
      machine.log = ({ event, args }) => events.push(JSON.stringify([event, args]));
      const ran = machine.replay(transition, [], state);
      machine.log = undefined;
      if (!ran) return false;
      state = machine.state.slice();
      log.push(...events);
      return true;
    });
  }
  return log;
}

function openLog(program: Program): { log: string[]; groups: number } {
  const entries: OpenLogEntry[] = [];
  const machine = new OpenMachine(program, {
    log: (e) => entries.push(e),
    affine: { desc: "pfn" },
    stairs: { pte_table: { index: 0, every: PER_TABLE } },
  });
  run(machine, prompt());
  const log = entries.flatMap((entry) =>
    [...expand(entry)].map(({ event, args }) => {
      const params = eventNamed(event)!.params;
      const plain = Object.entries(args).map(([name, value]): [string, Value] => [
        name,
        toPacked(value, params[name]!, domain),
      ]);
      return JSON.stringify([event, Object.fromEntries(plain)]);
    }),
  );
  return { log, groups: entries.filter((e) => "repeat" in e).length };
}

const mm = constant(t.mm, 0);
const cpu = constant(t.cpu, 0);
const range = (lo: number, hi: number) => Range.make(constant(t.va, lo), constant(t.va, hi));
const operations: Record<string, (lo: number, hi: number) => Stmt> = {
  munmap: (lo, hi) => call(do_munmap, { cpu, mm, range: range(lo, hi) }),
  "mprotect read-only": (lo, hi) =>
    call(do_mprotect_pkey, { cpu, mm, range: range(lo, hi), writable: constant(t.bool, 0) }),
  "mprotect read-write": (lo, hi) =>
    call(do_mprotect_pkey, { cpu, mm, range: range(lo, hi), writable: constant(t.bool, 1) }),
};
const ranges = Array.from({ length: PAGES }, (_, lo) =>
  Array.from({ length: PAGES - lo }, (_, n) => [lo, lo + n + 1] as const),
).flat();
const tables = Array.from({ length: 3 ** PAGES }, (_, n) =>
  Array.from({ length: PAGES }, (_, i) => Math.floor(n / 3 ** i) % 3),
);

describe.each(["linux-6.1", "linux-6.12"])("%s", (kernel) => {
  test.each(Object.keys(operations))(
    "%s",
    (operation) => {
      let groups = 0;
      for (const [lo, hi] of ranges) {
        const program = programOf(kernel, [operations[operation]!(lo, hi)]);
        for (const pages of tables) {
          const known = new Set(program.fields.map((f) => f.name));
          const initial = contents(pages).filter((i) => known.has(i.field.name));
          const started = { ...program, initial };
          const open = openLog(started);
          groups += open.groups;
          expect(open.log, `[${lo}, ${hi}) of ${pages}`).toEqual(packedLog(started));
        }
      }
      // Loops did run in bulk: the comparison is of two ways.
      expect(groups).toBeGreaterThan(50);
    },
    120_000,
  );
});
