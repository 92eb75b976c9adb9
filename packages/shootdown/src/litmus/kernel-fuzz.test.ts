// SPDX-License-Identifier: Apache-2.0
// Hostile kernels: whatever stands in a block, it is refused in words or can be lowered.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { lower } from "../engine/lower.ts";
import { KNOBS, machineKnobs } from "../hardware/machines.ts";
import { DICTIONARY } from "./dictionary.ts";
import { elaborate } from "./elaborate.ts";
import { kernelOf } from "./own-kernel.ts";
import { parseScenario } from "./parse.ts";
import { printScenario } from "./print.ts";
import { worldOf } from "./world.ts";

const HEAD = `MM a (* one two three *)
{ mm A; page P; va x, y; map A:x -> P; none A:y; device D in A; }
`;
const BLOCKS = `kernel {
  int users(mm) = 1; bool flag; range kept(cpu);
  bool shift_ptes(cpu, mm, va from, va to) {
    desc entry = *ptep(mm, from), other = 0; pfn frame; range all; bool ok;
    spin_lock_ptl(mm); entry = ptep_get_and_clear(cpu, mm, from); users(mm)++; flag = true;
    l: if (pte_present(entry) && (users(mm) < 3 || !flag))
      set_pte_at(cpu, mm, to, { entry, .AF = false });
    else if (entry == other) return false; else atomic { wait_until(!ptl(mm)); ptl(mm) = true; }
    all = [from, to + 1);
    for_each(v, all) { grow(all, v); if (v == to) continue; flush_tlb_page(cpu, mm, v); }
    for_all(d, dev) { if (dev_mm(d) == mm) flag = false; }
    either { isb(cpu); } or { dsb(cpu, ISH); }
    frame = any(pfn where frame != entry.pfn); ok = cmpxchg(users(mm), 1, 2); kept(cpu) = all;
    while (users(mm) > 1) { users(mm) = users(mm) - 1; } emit(revoked, mm, va: from, reads: ok);
    spin_unlock_ptl(mm); return ok || empty(kept(cpu)) || knob(hafdbs) == yes;
  }
  in do_munmap {
    before 2 { bool done; done = shift_ptes(cpu, mm, range.start, range.end); }
    move "mmap_write_downgrade(mm);" after "unmap_region(cpu, mm, range);";
    drop "mmap_read_unlock(mm);";
  }
}
`;
const REST = `CPU0(A) { shift_ptes(A, x, y); munmap x; }
D { load x; }
exists (use_after_free)
`;

const WORDS = [...new Set(BLOCKS.match(/[a-z_]+|[0-9]+|[^\sa-z0-9]/gi))];
const knobs = (machine: string) => {
  const found = machineKnobs(machine);
  if (!found.ok) throw new Error(machine);
  return { ...Object.fromEntries(KNOBS.map((k) => [k.name, k.values[0]!])), ...found.knobs };
};

function attempt(block: string): string {
  const read = parseScenario(HEAD + block + REST, { dictionary: DICTIONARY });
  if (!read.ok) return "refused";
  const again = parseScenario(printScenario(read.scenario), { dictionary: DICTIONARY });
  expect(again.ok || again.diagnostics).toBe(true);
  const found = kernelOf(read.scenario, "linux-6.12", "arm64");
  kernelOf(read.scenario, "linux-6.1", "x86");
  if (!found.ok) {
    if ("diagnostics" in found) expect(found.diagnostics.length).toBeGreaterThan(0);
    return "unfit";
  }
  // A plan refuses this: the block may have got a name.
  if (!found.kernel.routines.has("shift_ptes")) return "unfit";
  lower(elaborate(read.scenario, worldOf(read.scenario), found.kernel, knobs("arm64+smmuv3")));
  return "lowered";
}

test("the blocks as they are can be lowered", () => {
  const read = parseScenario(HEAD + BLOCKS + REST, { dictionary: DICTIONARY });
  const found = read.ok ? kernelOf(read.scenario, "linux-6.12", "arm64") : read;
  expect("diagnostics" in found ? found.diagnostics : []).toEqual([]);
  expect(attempt(BLOCKS)).toBe("lowered");
});

test("mutated blocks", () => {
  const edit = fc.record({
    at: fc.nat(BLOCKS.length),
    drop: fc.nat(6),
    insert: fc.constantFrom("", ...WORDS),
  });
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 2 }), (edits) => {
      let text = BLOCKS;
      for (const { at, drop, insert } of edits) {
        // At the start of a word, so that many a text stays one.
        const from = text.slice(0, at).search(/\w*$/);
        const word = /^(?:\w+|[^\w])/.exec(text.slice(from))?.[0] ?? "";
        text = `${text.slice(0, from)}${insert}${text.slice(from + (drop > 2 ? word.length : 0))}`;
      }
      const what = attempt(text);
      seen.set(what, (seen.get(what) ?? 0) + 1);
    }),
    { numRuns: 300, seed: 1 },
  );
  expect([...seen.keys()].sort()).toEqual(["lowered", "refused", "unfit"]);
});
