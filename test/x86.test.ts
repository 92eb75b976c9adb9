// SPDX-License-Identifier: Apache-2.0
// The shape of x86's shootdown: who is interrupted and who flushes what, in the model, and in
// recordings of real kernels where they are present (docs/X86.md).

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { lower } from "../packages/shootdown/src/engine/lower.ts";
import { PackedMachine } from "../packages/shootdown/src/engine/packed.ts";
import { search } from "../packages/shootdown/src/explore/search.ts";
import { add, field, ne, not, num } from "../packages/shootdown/src/ir/expr.ts";
import { observer, on } from "../packages/shootdown/src/ir/machine.ts";
import { int } from "../packages/shootdown/src/ir/sort.ts";
import { set, when } from "../packages/shootdown/src/ir/stmt.ts";
import { DICTIONARY } from "../packages/shootdown/src/litmus/dictionary.ts";
import { elaborate } from "../packages/shootdown/src/litmus/elaborate.ts";
import { parseScenario } from "../packages/shootdown/src/litmus/parse.ts";
import { worldOf } from "../packages/shootdown/src/litmus/world.ts";
import { configure } from "../packages/shootdown/src/study/configuration.ts";
import { events } from "../packages/shootdown/src/vocabulary/events.ts";
import { root } from "./support/files.ts";

/** Interrupts sent, and flushes by other CPUs page by page; everything else is not counted. */
const ipis = field("test.ipis", [], int);
const byPage = field("test.byPage", [], int);
const counting = observer(
  "counting",
  "counts interrupts and flushes of other CPUs",
  on(events.ipi, () => [set(ipis(), add(ipis(), num(1)))]),
  on(events.tlb_flush, ({ cpu, from, all }) => [
    when(ne(cpu, from), when(not(all), set(byPage(), add(byPage(), num(1))))),
  ]),
);

/** What happens in every run of a scenario whose helpers are CPU1 and CPU2. */
function shape(kernel: string, ownTable: boolean, helper: string, body: string) {
  const helpers = [1, 2].map((n) => `CPU${n}(A) { ${helper.replace("ready", `r${n}`)} }`);
  const text = `MM shape (* Counts of a shootdown. *)
    { mm A; page P, Q; map A:x -> P; map A:y -> Q; ${ownTable ? "own-table A:x;" : ""} }
    CPU0(A) { await r1; await r2; ${body} } ${helpers.join(" ")} exists (use_after_free)`;
  const parsed = parseScenario(text, { dictionary: DICTIONARY });
  if (!parsed.ok) throw new Error(parsed.diagnostics[0]!.message);
  const found = configure("x86", kernel, {});
  if (!found.ok) throw new Error(found.problem.name);
  const world = worldOf(parsed.scenario);
  const knobs = { ...found.configuration.knobs, pcid: "no" };
  const system = elaborate(parsed.scenario, world, found.configuration.kernel, knobs);
  const watched = [ipis.decl, byPage.decl];
  const program = lower({ ...system, observers: [counting], watched });
  const seen = new Set<string>();
  const machine = new PackedMachine(program, { semantics: "window" });
  const note = (m: PackedMachine) => {
    seen.add(`${m.field(ipis.decl.name, [])} sent, ${m.field(byPage.decl.name, [])} by page`);
    return false;
  };
  const limits = { states_max: 500_000, bytes_max: 2 ** 30 };
  expect(search(machine, { final: note }, limits).exhaustive).toBe(true);
  return [...seen];
}

const SPIN = "signal ready;";
// A locked instruction, so that CPU0 sees a lazy CPU.
const SLEEP = "lazy; cpumask_set_cpu(A); signal ready;";

describe.each(["linux-6.1", "linux-6.12"])("%s", (kernel) => {
  test.each([
    ["mprotect, helpers run", false, SPIN, "mprotect x read-only;", "2 sent, 2 by page"],
    ["mprotect, helpers sleep", false, SLEEP, "mprotect x read-only;", "0 sent, 0 by page"],
    ["munmap, helpers run", false, SPIN, "munmap x;", "2 sent, 2 by page"],
    ["munmap, helpers sleep", false, SLEEP, "munmap x;", "0 sent, 0 by page"],
    ["munmap that frees a table, helpers sleep", true, SLEEP, "munmap x;", "2 sent, 0 by page"],
    // The helpers have left the mm at the first: nobody is called for the second.
    ["two of them", true, SLEEP, "munmap x; mprotect y read-only;", "2 sent, 0 by page"],
  ])("%s", (_what, ownTable, helper, body, expected) => {
    expect(shape(kernel, ownTable, helper, body)).toEqual([expected]);
  });
});

const folder = [process.env["SHOOTDOWN_TRACES"], join(root, "../shared/traces")].find(
  (f) => f !== undefined && existsSync(join(f, "x86-6.12-tlb")),
);

interface Flush {
  readonly step: string;
  readonly op: string;
  readonly freed: boolean;
  multi: boolean;
  readonly remote: Set<string>;
}

/** The flushes that the load on CPU 0 asked for, with the other CPUs on which the call ran. */
function flushes(version: string): Flush[] {
  const file = join(folder!, `x86-${version}-tlb/trace.txt.gz`);
  const done: Flush[] = [];
  let [step, op] = ["", ""];
  let now: Flush | undefined;
  for (const line of gunzipSync(readFileSync(file)).toString("latin1").split("\n")) {
    const [, task, cpu, event, rest = ""] =
      /^\s*(\S+)-\d+\s+\[(\d+)\] \S+\s+[\d.]+: (\w+): (.*)/.exec(line) ?? [];
    const mark = event === "tracing_mark_write" ? /step=(\S+) op=(\S+)/.exec(rest) : null;
    if (mark) [step, op] = [mark[1]!, mark[2]!];
    if (event === "flush_tlb_mm_range" && cpu === "000" && task === "tlbsteps") {
      const freed = rest.includes("freed_tables=1");
      now = { step, op, freed, multi: false, remote: new Set() };
      done.push(now);
    } else if (event === "flush_tlb_mm_range_ret" && cpu === "000") now = undefined;
    else if (now && event === "native_flush_tlb_multi") now.multi = true;
    else if (now && event === "flush_tlb_func" && cpu !== "000" && rest.includes("ing_cpu=0")) {
      now.remote.add(cpu!);
    }
  }
  return done;
}

describe.skipIf(folder === undefined).each(["6.1", "6.12"])("the recording of %s", (version) => {
  const all = folder === undefined ? [] : flushes(version);
  const counts = (step: string, freed: boolean): number[] => {
    const own = all.filter((f) => f.step === step && f.freed === freed && f.multi);
    return [...new Set(own.map((f) => f.remote.size))].sort();
  };

  test("helpers that run are called, with or without freed tables", () => {
    // On 6.1 one helper of one call does not run just then.
    expect(counts("mprotect_spin", false).at(-1)).toBe(3);
    expect(counts("munmap_spin", false)).toEqual([3]);
    expect(counts("munmap_spin", true)).toEqual([3]);
  });

  test("helpers that sleep are called for freed tables alone", () => {
    expect(counts("mprotect_sleep", false)).toEqual([0]);
    expect(counts("munmap_sleep", false)).toEqual([0]);
    expect(counts("munmap_sleep", true)).toEqual([3]);
  });

  test("and have left the mm then: the next flush is local", () => {
    const asleep = all.filter((f) => f.step === "madvise_sleep");
    expect(asleep.filter((f) => f.freed).map((f) => f.remote.size)).toEqual([3]);
    const after = asleep.slice(asleep.findIndex((f) => f.freed) + 1);
    expect(after.length).toBeGreaterThan(0);
    expect(after.filter((f) => f.multi)).toEqual([]);
  });
});
