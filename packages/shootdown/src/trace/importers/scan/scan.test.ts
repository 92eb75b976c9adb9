// SPDX-License-Identifier: Apache-2.0
// The scanner in WebAssembly reads what the one in JavaScript reads, whatever the text is like.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkTrace, wanted } from "../../check.ts";
import type { Finding } from "../../finding.ts";
import { bytesOf } from "../bytes.ts";
import { FTRACE, FtraceReader, type FtraceSink } from "../ftrace.ts";
import type { RawEvent } from "../raw-event.ts";
import { VTD_EVENTS } from "../vtd-events.ts";
import { MAX_HELD } from "./layout.ts";
import { makeScanner } from "./memory.ts";
import { scannerModule } from "./module.ts";
import { scannerBytes } from "./scanner-bytes.ts";
import { Shelf } from "./shelf.ts";

type Engine = "auto" | "javascript";

const fixture = (name: string): string[] =>
  readFileSync(new URL(`../../../../fixtures/${name}`, import.meta.url), "utf8").split("\n");

const HEAD = fixture("x86-6.1-iommu-strict.trace.txt").slice(0, 12);
const STRICT = fixture("x86-6.1-iommu-strict.trace.txt").slice(12, 120);
const LAZY = fixture("x86-6.12-iommu-lazy.trace.txt").slice(12, 120);
const ARM = fixture("6.12-upgrade.trace.txt").slice(12, 140);

const at = (n: number) => `${50 + Math.floor(n / 1e6)}.${String(n % 1e6).padStart(6, "0")}`;
const word = (n: number) => `0x${n.toString(16).padStart(16, "0")}`;
const span = (n: number) => `IOMMU: iova=${word(n * 4096)} - ${word((n + 1) * 4096)}`;
const REASONS = ["flush on task switch (0)", "remote shootdown (1)", "local MM shootdown (3)"];
const STOCK: readonly ((n: number) => string)[] = [
  (n) => `map: ${span(n)} paddr=${word(n)} size=4096`,
  (n) => `unmap: ${span(n)} size=4096 unmapped_size=4096`,
  (n) => `tlb_flush: pages:${(n % 34) - 1} reason:${REASONS[n % 3]}`,
];
const FLAGS = ["d..1.", ".....", "dN.2"];
/** Lines of a server without a recorded queue. */
const stock = (n: number, kind: number) =>
  `${`kworker/u${n % 5}:1`.padStart(16)}-${String(90 + (n % 7)).padEnd(7)} ` +
  `[00${n % 4}] ${FLAGS[n % 3]} ${at(n * 10).padStart(12)}: ${STOCK[kind]!(n)}`;
const PLAIN = Array.from({ length: 60 }, (_, n) => stock(n, n % 3));
const SEVERAL: readonly (readonly string[])[] = [
  ...[STRICT, LAZY, ARM, PLAIN],
  [...PLAIN, ...STRICT],
  PLAIN.flatMap((line, n) => (n % 9 === 4 ? [line, " => intel_unmap+0x10/0x20", ""] : [line])),
];
/** Lines that are none of these, or almost. */
const ODD: readonly string[] = [
  ...["", " ", "#", "# tracer: function", "CPU:2 [LOST 17 EVENTS]", "CPU 1 is empty", "\r"],
  ...["##### CPU 3 buffer started ####", " => do_wp_page+0x10/0x40", " => x", "version = 6"],
  "            bash-1977    [000] .....    51.000001: <stack trace>",
  "            bash-1977    [001] d..1.    51.000001: kernel_stack:   <stack trace >",
  "            bash-1977  (   1977) [000] ..... 17284.993652: sys_close(fd: 3)",
  "            bash-1977    [000] ..... 17284.993652: sys_close -> 0x0",
  "            bash-1977    [000] .....    51.993652: sys_munmap(addr: 0, len: 3)",
  "            bash-1977    [000] .....    51.993652: sys_munmap -> 0x0",
  "            bash-1977    [000] .....    51.993652: ptep_clear_flush <-do_wp_page",
  "            bash-1977    [000]    51.993652: unmap: nothing",
  "            bash-1977    [000] 12345    51.993652: unmap: nothing",
  "            bash-1977    [1023] .....    51.993652: unmap: nothing",
  "            bash-1977    [000] .....    51.99: tlb_flush: pages:3 reason:",
  "            bash-1977    [000] .....    51.993652: tlb_flush: pages:-0 reason:a (1)",
  "            bash-1977    [000] .....    51.993652: tlb_flush:  pages:3 reason:a (1)",
  "            bash-1977    [000] .....    51.993652: tlb_flush: (f+0x0/0x10) tlb=0x1 mm=0x2",
  "            b\u00e4sh-1977    [000] .....    51.993652: unmap: IOMMU: iova=0x0",
  "b-1 [000] 1.5: map: x",
  "            bash-1977    [000] .....    51.993652: mn_register",
  "            bash-1977    [000] .....    51.993652: mn_register:",
  "            bash-1977    [000] .....    51.993652: mn_register: ",
  "            bash-1977    [000] .....    51.993652: contpte_get_and_clear_full_ptes: mm=0x1",
  "            bash-1977    [000] .....    51.993652: contpte_get_and_cleaX_full_ptes: mm=0x1",
  "            bash-1977    [000] .....    51.993652: (x",
  `${"x".repeat(70_000)}`,
  `            bash-1977    [000] .....    51.993652: sys_munmap(${"y".repeat(66_000)})`,
];

interface Edit {
  readonly what: "drop" | "twice" | "swap" | "odd" | "byte" | "insert" | "cut" | "join";
  readonly line: number;
  readonly place: number;
  readonly value: number;
}
const edits = fc.array(
  fc.record<Edit>({
    what: fc.constantFrom("drop", "twice", "swap", "odd", "byte", "insert", "cut", "join"),
    ...{ line: fc.nat(1000), place: fc.nat(160), value: fc.nat(1000) },
  }),
  { maxLength: 12 },
);
const BYTES = [0, 9, 10, 13, 32, 35, 40, 41, 45, 46, 48, 57, 58, 60, 91, 93, 97, 103, 200, 255];

function mutated(lines: readonly string[], changes: readonly Edit[], ends: string): Uint8Array {
  const all = lines.map((line) => [...Buffer.from(line)]);
  for (const { what, line, place, value } of changes) {
    const n = line % all.length;
    const here = all[n] ?? [];
    const column = place % (here.length + 1);
    const byte = BYTES[value % BYTES.length] as number;
    if (what === "drop") all.splice(n, 1, []);
    if (what === "twice") all.splice(n, 0, [...here]);
    if (what === "swap") all.splice(n, 2, all[n + 1] ?? [], here);
    if (what === "odd") all.splice(n, 0, [...Buffer.from(ODD[value % ODD.length] as string)]);
    if (what === "byte") here[column] = byte;
    if (what === "insert") here.splice(column, 0, byte);
    if (what === "cut") here.splice(column);
    if (what === "join") all.splice(n, 2, [...here, ...(all[n + 1] ?? [])]);
  }
  const end = [...Buffer.from(ends)];
  return Uint8Array.from(all.flatMap((line) => [...line, ...end]));
}

const shown = (event: RawEvent) => ({
  ...{ line: event.line, time_s: event.time_s, cpu: event.cpu, pid: event.pid },
  ...{ event: event.event, form: event.form, raw: event.raw, task: event.task },
  ...{ flags: event.flags, text: event.text },
});

/** All that a reader says, in its order; stacks as they are at the end. */
function read(text: Uint8Array, sizes: readonly number[], engine: Engine, waiting: boolean) {
  const said: unknown[] = [];
  const events: RawEvent[] = [];
  const flushes = new Map<string, number>();
  const count = (reason: string, n: number) => flushes.set(reason, (flushes.get(reason) ?? 0) + n);
  const sink: FtraceSink = {
    event(event) {
      const reason = /^pages:\S+ reason:(.*) \(\d+\)$/.exec(event.text)?.[1];
      if (event.event === "tlb_flush" && reason !== undefined) return void count(reason, 1);
      said.push(shown(event));
      events.push(event);
    },
    lost: (lost) => {
      shelf.lost();
      said.push(lost);
    },
    damaged: (damage) => void said.push(damage),
  };
  const shelf = new Shelf(VTD_EVENTS, {
    event: (event) => sink.event(event),
    lost: () => void said.push("lost"),
    fell: (fallen) => void said.push(fallen),
    flushed: (reason, { flushes }) => void count(reason, flushes),
  });
  const options = { wanted: wanted(false), engine, ...(waiting ? { shelf } : {}) };
  const reader = new FtraceReader(sink, options, FTRACE, true);
  let from = 0;
  for (let n = 0; from < text.length; n++) {
    const size = sizes[n % sizes.length] as number;
    reader.push(text.slice(from, from + size));
    from += size;
  }
  const result = reader.finish();
  return { said, result, flushes: Object.fromEntries(flushes), stacks: events.map((e) => e.stack) };
}

describe("the same", () => {
  test("there is a scanner", () => {
    expect(makeScanner([{ spelling: "map", kind: 0 }])).toBeDefined();
  });

  test("its bytes are those of the module as it is now (npm run scanner)", () => {
    expect(scannerBytes()).toEqual(scannerModule());
  });

  const texts = fc.tuple(fc.constantFrom(...SEVERAL), edits, fc.constantFrom("\n", "\n", "\r\n"));
  const sizes = fc.oneof(
    fc.constant([1 << 20]),
    fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 4 }),
  );
  test("events, stacks, losses, damage and counts, of mutated recordings in any pieces", () => {
    fc.assert(
      fc.property(texts, sizes, fc.boolean(), ([lines, changes, ends], pieces, waiting) => {
        const text = mutated([...HEAD, ...lines], changes, ends);
        expect(read(text, pieces, "auto", waiting)).toEqual(
          read(text, [1 << 20], "javascript", waiting),
        );
      }),
      { numRuns: 150 },
    );
  });

  test("verdicts and summaries", async () => {
    await fc.assert(
      fc.asyncProperty(texts, async ([lines, changes, ends]) => {
        const text = mutated([...HEAD, ...lines], changes, ends);
        const [one, other] = await Promise.all([
          verdict(text, "auto"),
          verdict(text, "javascript"),
        ]);
        expect(one).toEqual(other);
      }),
      { numRuns: 40 },
    );
  });

  async function verdict(text: Uint8Array, engine: Engine) {
    const findings: Finding[] = [];
    const onFinding = (finding: Finding) => void findings.push(finding);
    return { result: await checkTrace(bytesOf(text), { engine, onFinding }), findings };
  }
});

describe("the shelf", () => {
  const many = (count: number, kind: (n: number) => number) =>
    Array.from({ length: count }, (_, n) => stock(n, kind(n)));
  const both = async (lines: readonly string[]) => {
    const text = mutated([...HEAD, ...lines], [], "\n");
    const results = await Promise.all(
      (["auto", "javascript"] as const).map((engine) => checkTrace(bytesOf(text), { engine })),
    );
    expect(results[0]).toEqual(results[1]);
    if (results[0]?.ok !== true) throw new Error("unreadable");
    return results[0].summary;
  };

  test("without a queue nothing of it is said, and flushes are counted", async () => {
    const summary = await both(many(3 * MAX_HELD, (n) => n % 3));
    expect(summary).toMatchObject({ events: 3 * MAX_HELD, undecidable: 0, evicted: {} });
    const flushes = Object.values(summary.cpu_flushes ?? {});
    expect(flushes.reduce((sum, { flushes: n }) => sum + n, 0)).toBe(MAX_HELD);
    expect(summary.iommu).toBeUndefined();
  });

  test("what was mapped before the queue's first descriptor counts", async () => {
    const before = many(100, (n) => n % 2);
    const alone = await both(STRICT);
    const summary = await both([
      ...before,
      ...STRICT.map((line) => line.replace(/ {4}7\./, "   70.")),
    ]);
    expect(summary.iommu?.maps).toBe((alone.iommu?.maps ?? 0) + 50);
    expect(summary.iommu?.unmaps).toBe((alone.iommu?.unmaps ?? 0) + 50);
  });

  test("what fell off is counted, and nothing is said to conform", async () => {
    const before = many(MAX_HELD + 100, (n) => n % 2);
    const summary = await both([...before, ...STRICT]);
    expect(summary.evicted).toEqual({ MAX_HELD: 1 });
    expect(summary.undecidable).toBeGreaterThan(50);
  });
});
