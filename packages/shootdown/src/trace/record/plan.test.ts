// SPDX-License-Identifier: Apache-2.0
// The recorder's tables: against the names that the monitor reads, against the grammar of tracefs,
// and each line through the importer.
import { describe, expect, test } from "vitest";
import { CENSUS_EVENTS } from "../census.ts";
import { wanted } from "../check.ts";
import { readBpftrace } from "../importers/bpftrace.ts";
import { bytesOf } from "../importers/bytes.ts";
import { readFtrace } from "../importers/ftrace.ts";
import { decodeProbe, PROBE_EVENTS } from "../importers/kprobes.ts";
import type { RawEvent } from "../importers/raw-event.ts";
import { decodeVtd, VTD_EVENTS } from "../importers/vtd-events.ts";
import { KVM_UNMAP } from "../kvm-watch.ts";
import { type Definition, definitionText, parseDefinition } from "./definition.ts";
import { bpftraceForm } from "./form-bpftrace.ts";
import { traceCmdForm } from "./form-trace-cmd.ts";
import { tracefsForm } from "./form-tracefs.ts";
import { type Plan, PROBES, planRecord } from "./plan.ts";
import { ARCHES, PARTS } from "./probe.ts";
import { NOT_RECORDED, OTHER_CALLS, SPACE_CALLS, TRACEPOINTS } from "./tracepoints.ts";
import { versionOf, within } from "./version.ts";

const VERSIONS = [
  ...["5.10", "5.11", "5.12", "5.13", "5.14", "5.15", "5.16", "5.17", "5.18", "5.19", "6.0"],
  ...["6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "6.7", "6.8", "6.9", "6.10", "6.11", "6.12"],
  ...["6.13", "6.14", "6.15", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1"],
];

const plans: readonly Plan[] = VERSIONS.flatMap((name) =>
  ARCHES.map((arch) => planRecord({ version: versionOf(name)!, arch }, PARTS)),
);

const formsOf = (plan: Plan): Definition[] => plan.probes.flatMap(({ forms }) => forms.flat());

/** Events that the tables have on some kernel. */
const recorded = new Set([
  ...plans.flatMap((plan) => formsOf(plan).map(({ event }) => event)),
  ...TRACEPOINTS.map(({ event }) => event),
]);

describe("names", () => {
  const read = new Set([...PROBE_EVENTS, ...VTD_EVENTS, ...CENSUS_EVENTS, KVM_UNMAP]);

  test("every event that is recorded is read", () => {
    expect([...recorded].filter((name) => !read.has(name))).toEqual([]);
  });

  test("every event that is read is recorded, but for those with a reason", () => {
    // Callbacks and ground truth of a module for tests; returns that nothing is learnt from.
    const excused = (name: string) =>
      /^(?:cb_|stlb_)/.test(name) || Object.hasOwn(NOT_RECORDED, name);
    const returns = (name: string) =>
      name.endsWith("_ret") && recorded.has(name.slice(0, -4)) && !recorded.has(name);
    const missing = [...read].filter((name) => !recorded.has(name) && !excused(name));
    expect(missing.filter((name) => !returns(name) && !/_ret$/.test(name))).toEqual([]);
    for (const name of Object.keys(NOT_RECORDED)) expect(recorded.has(name)).toBe(false);
  });

  test("the returns that verdicts hang on are recorded", () => {
    const hanging = [
      ...["ptep_set_access_flags_ret", "ptep_clear_flush_ret", "tlb_finish_mmu_ret"],
      ...["handle_mm_fault_ret", "change_protection_ret", "qi_submit_sync_ret"],
      ...["intel_iommu_unmap_pages_ret", "intel_iommu_tlb_sync_ret", "intel_flush_iotlb_all_ret"],
    ];
    expect(hanging.filter((name) => !recorded.has(name))).toEqual([]);
  });

  test("system calls are those that the monitor asks for", () => {
    const asked = [...wanted(true)].filter((name) => name.startsWith("sys_"));
    const calls = [...SPACE_CALLS, ...OTHER_CALLS].map((name) => `sys_${name}`);
    expect(asked.sort()).toEqual(calls.sort());
    expect(new Set(calls).size).toBe(calls.length);
  });

  test("a row that a version lacks says why and what shows it", () => {
    for (const plan of plans) {
      const there = new Set(plan.probes.map(({ event }) => event));
      const said = new Set(plan.hidden.map(({ what }) => what));
      const silent = PROBES.filter(
        ({ event, part, at }) =>
          !there.has(event) &&
          !said.has(event) &&
          part !== "vtd" &&
          // Contiguous entries are arm64's own.
          !(plan.arch === "x86" && at.every(({ symbol }) => /contpte_/.test(symbol))),
      );
      expect([plan.arch, plan.version, silent.map(({ event }) => event)]).toEqual([
        plan.arch,
        plan.version,
        [],
      ]);
      expect(plan.hidden.filter(({ why, shown }) => why === "" || shown === "")).toEqual([]);
    }
  });
});

test("versions and intervals", () => {
  expect(versionOf("6.12.117+deb12-arm64")).toEqual({ major: 6, minor: 12 });
  expect(versionOf("linux-7.0-rc3")).toEqual({ major: 7, minor: 0 });
  for (const bad of ["", "linux", "6", "linux-6", "6.", "six.one", "6.1 ", "6.1234"]) {
    expect([bad, versionOf(bad)]).toEqual([bad, undefined]);
  }
  const at = (name: string) => versionOf(name)!;
  expect(within("..6.5", at("6.5"))).toBe(true);
  expect(within("..6.5", at("6.6"))).toBe(false);
  expect(within("6.9..6.18", at("6.10"))).toBe(true);
  expect(within("6.9..", at("6.8"))).toBe(false);
  expect(() => within("new..", at("6.8"))).toThrow("no interval");
});

describe("definitions", () => {
  test("each is one of the grammar, and says the same when read", () => {
    for (const one of plans.flatMap(formsOf)) {
      expect(parseDefinition(definitionText(one))).toEqual(one);
    }
  });

  test.each([
    "p:mm/x f",
    "p:shootdown/x",
    "p:shootdown/x f a",
    "p:shootdown/x f a=$arg0:x64",
    "p:shootdown/x f a=$arg9:x64",
    "p:shootdown/x f a=$arg1:x65",
    "p:shootdown/x f a=$arg1",
    "p:shootdown/x f a=+8($arg1:x64",
    "p:shootdown/x f a=+8():x64",
    "p:shootdown/x f a=$arg1:x64 a=$arg2:x64",
    "p:shootdown/x f a=$retval:x64",
    "r512:shootdown/x f a=$arg1:x64",
    "r:shootdown/x f",
    "p512:shootdown/x f",
    "p:shootdown/x f  a=$arg1:x64",
    "p:shootdown/x f a=$arg1:x64; rm",
  ])("not one: %s", (text) => {
    expect(parseDefinition(text)).toBeUndefined();
  });

  test("names are unique in a plan, and a kernel before 6.6 says only_end", () => {
    for (const plan of plans) {
      const first = plan.probes.flatMap(({ forms }) => forms[0] ?? []);
      const names = first.map(({ event }) => event);
      expect(new Set(names).size).toBe(names.length);
      const end = first.find(({ event }) => event === "mn_invalidate_range_end")!;
      const only = end.fields.some(({ name }) => name === "only_end");
      expect(only).toBe(within("..6.5", plan.version));
    }
  });
});

/** A line's text, with a value for each field. */
function sampleOf({ kind, event, symbol, fields }: Definition): string {
  const place = kind === "p" ? `(${symbol}+0x0/0x140)` : `(caller+0x40/0x140 <- ${symbol})`;
  const values = fields.map(({ name, type }, n) => {
    const value = name === "end" ? 0x9000 : 0x1000 * (1 + (n % 4));
    return `${name}=${type.startsWith("x") ? `0x${value.toString(16)}` : n % 2}`;
  });
  return [`${event}: ${place}`, ...values].join(" ");
}

const decoded = (event: RawEvent) =>
  [decodeProbe(event), VTD_EVENTS.has(event.event) ? decodeVtd(event) : undefined].filter(
    (record) => record !== undefined,
  );

describe("through the importers", () => {
  test("a line of each definition is an event with what the monitor needs", async () => {
    for (const plan of plans) {
      const all = formsOf(plan);
      const lines = all.map(
        (one) => `         test-256     [000] d....    51.4: ${sampleOf(one)}\n`,
      );
      const events: RawEvent[] = [];
      const read = await readFtrace(bytesOf(lines.join("")), { event: (e) => events.push(e) });
      expect(read).toMatchObject({ ok: true, value: { events: all.length, ignored_lines: 0 } });
      for (const [n, event] of events.entries()) {
        const records = decoded(event);
        const text = lines[n];
        const counted = CENSUS_EVENTS.has(event.event);
        expect([text, records.length > 0 || counted]).toEqual([text, true]);
        expect(records.map((r) => (r.kind === "malformed" ? r.why : ""))).toEqual(
          records.map(() => ""),
        );
        expect(event.func).toBe(all[n]?.symbol);
      }
    }
  });

  test("what bpftrace prints is read as well", async () => {
    const known = { symbols: true, events: undefined, calls: undefined };
    for (const plan of plans) {
      const script = bpftraceForm(plan, [], known).join("\n");
      const formats = [...script.matchAll(/printf\("(.*)\\n"(.*)\);/g)];
      const lines = formats.map(([, format = "", args = ""]) => printed(format, args));
      // A number without its 0x would be read as another one.
      const probes = formats.map(([, format = ""]) => format).filter((f) => / \(/.test(f));
      expect(probes.filter((format) => /=%l?x/.test(format))).toEqual([]);
      const events: RawEvent[] = [];
      const source = bytesOf(`Attaching 9 probes...\n${lines.join("")}`);
      const read = await readBpftrace(source, { event: (e) => events.push(e) });
      expect(read).toMatchObject({ ok: true, value: { events: lines.length, ignored_lines: 0 } });
      for (const event of events.filter(({ form }) => form === "event")) {
        if (event.event === "tracing_mark_write") continue;
        if (event.event === KVM_UNMAP) expect(event.text).toMatch(/range: 0x\S+ -- 0x\S+$/);
        else if (!CENSUS_EVENTS.has(event.event))
          expect([event.raw, decoded(event)[0]?.kind]).not.toEqual([event.raw, undefined]);
        expect(decoded(event).some(({ kind }) => kind === "malformed")).toBe(false);
      }
    }
  });
});

/** As bpftrace prints it: a value of its own for each kind of conversion. */
function printed(format: string, args: string): string {
  const words = /"(\w+)" : "(\w+)"/.exec(args);
  let count = 0;
  const text = format.replaceAll(/%(-?\d*)(\w?)([dulxs])/g, (_, width: string, long, kind) => {
    count++;
    if (width === "16" && kind === "s") return "test".padStart(16);
    if (width.startsWith("-")) return "256".padEnd(7);
    if (width === "03" || width === "8")
      return "1".padStart(Number(width), " 0"[+(width === "03")]);
    if (width === "06") return "000002";
    if (width === "016") return "0000000000004000";
    if (kind === "s") return words?.[2] ?? "dmar0";
    return kind === "x" || long === "x" ? "4000" : "1";
  });
  // An argument for each conversion: commas inside of brackets and texts are none.
  expect([format, argumentsIn(args)]).toEqual([format, count]);
  return `${text.replaceAll("\\n", "")}\n`;
}

function argumentsIn(text: string): number {
  let depth = 0;
  let count = 0;
  for (const char of text.replaceAll(/"[^"]*"/g, "")) {
    if (char === "(") depth++;
    if (char === ")") depth--;
    if (char === "," && depth === 0) count++;
  }
  return count;
}

test("scripts hold every definition in single quotes and nothing that a shell would expand", () => {
  for (const plan of plans) {
    for (const lines of [tracefsForm(plan, ["said"]), traceCmdForm(plan, ["said"])]) {
      const tries = lines.filter((line) => line.startsWith("  try "));
      expect(tries.length).toBe(plan.probes.length);
      for (const line of tries) {
        expect(line).toMatch(/^ {2}try \w+(?: '[^']+'| or)+$/);
        const texts = [...line.matchAll(/'([^']+)'/g)].map(([, text = ""]) => text);
        expect(texts.filter((text) => parseDefinition(text) === undefined)).toEqual([]);
      }
      expect(lines.filter((line) => /\t|[^\x20-\x7e]/.test(line))).toEqual([]);
      // An interactive shell would put its history there.
      expect(lines.filter((line) => /![^ =\n]/.test(line.replace("#!/bin/sh", "")))).toEqual([]);
    }
  }
});
