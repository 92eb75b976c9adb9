// SPDX-License-Identifier: Apache-2.0
// The recorder's tables against kernels: what their own types say (recorder-kernels.txt), and,
// where recordings are installed, their symbols, the probes that they took and those refused.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  type Definition,
  definitionText,
  fetchText,
  parseDefinition,
} from "../packages/shootdown/src/trace/record/definition.ts";
import {
  offersOf,
  offersStatus,
  probeable,
  symbolsOf,
} from "../packages/shootdown/src/trace/record/offer.ts";
import { PROBES, planRecord } from "../packages/shootdown/src/trace/record/plan.ts";
import { ALIASES, type Arch, PARTS } from "../packages/shootdown/src/trace/record/probe.ts";
import { offsetIn } from "../packages/shootdown/src/trace/record/structs.ts";
import { versionOf, within } from "../packages/shootdown/src/trace/record/version.ts";
import { root } from "./support/files.ts";

const TRACES = process.env.SHOOTDOWN_TRACES ?? join(root, "../shared/traces");
const present = existsSync(TRACES);
const skipped = present ? "" : " (skipped: neither SHOOTDOWN_TRACES nor ../shared/traces is there)";

const facts = readFileSync(join(root, "test/recorder-kernels.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split(" "));

const KERNELS = ["arm64 6.1", "arm64 6.12", "x86 6.1", "x86 6.12", "x86 6.18"] as const;
const split = (kernel: string): [Arch, string] => kernel.split(" ") as [Arch, string];

describe.each(KERNELS)("what the types of %s say", (kernel) => {
  const [arch, name] = split(kernel);
  const version = versionOf(name)!;
  const own = facts.filter(([a, v]) => a === arch && v === name);
  const parameters = new Map(
    own.filter(([, , kind]) => kind === "function").map(([, , , f = "", ...names]) => [f, names]),
  );

  test("members lie where the table has them", () => {
    const offsets = own.filter(([, , kind]) => kind === "offset");
    expect(offsets.length).toBeGreaterThan(10);
    for (const [, , , path = "", bytes] of offsets) {
      const [struct = "", member = ""] = path.split(".");
      // A member that this version has and no probe of it reads.
      const known = offsetIn(struct, member, version);
      if (known !== undefined) expect([path, known]).toEqual([path, Number(bytes)]);
    }
  });

  test("functions have the parameters that the table has, in its order", () => {
    const places = PROBES.flatMap(({ at }) => at).filter(
      (place) => within(place.kernels, version) && (place.arch ?? arch) === arch,
    );
    const known = places.filter(({ symbol }) => parameters.has(symbol));
    expect(known.length).toBeGreaterThan(name === "6.18" ? 55 : 60);
    for (const { symbol, params } of known) {
      const names = parameters.get(symbol)!;
      for (const [n, param] of params
        .split(" ")
        .filter((word) => word !== "")
        .entries()) {
        // Not read, and named by position only.
        if (
          ["from", "get", "put", "private", "mode", "desc", "size", "sz", "pmd"].includes(param)
        ) {
          continue;
        }
        const meant = [param, ...(ALIASES[param] ?? [])];
        const found = names[n] ?? "";
        const fits = meant.includes(found) || LOOSE[param]?.includes(found) === true;
        expect([symbol, param, found, fits]).toEqual([symbol, param, found, true]);
      }
    }
  });

  test("a function that every build has is there", () => {
    const types = { parameters: (f: string) => parameters.get(f), has: () => false };
    const plan = planRecord({ version, arch }, ["mm", "cpu"]);
    const missing = plan.probes
      .filter(({ maybe }) => maybe === undefined)
      .filter(({ forms }) => !forms.some(([entry]) => types.parameters(entry!.symbol)))
      .map(({ event }) => event);
    expect(missing).toEqual([]);
    expect(plan.unverified).toEqual([]);
  });
});

/** Names of parameters that the table reads under a name of its own. */
const LOOSE: Readonly<Record<string, readonly string[]>> = {
  vma: ["dst_vma"],
  flags: ["arg"],
  end: ["end_addr"],
  count: ["count"],
};

const read = (...path: string[]): string => {
  const plain = join(TRACES, ...path);
  return existsSync(plain)
    ? readFileSync(plain, "utf8")
    : gunzipSync(readFileSync(`${plain}.gz`)).toString("utf8");
};

/** A definition as the recorder would write it, without its group and number of returns. */
const bare = (text: string): Definition | undefined =>
  parseDefinition(
    text.replace(/^([pr])\d*:\w+\//, (_, kind) =>
      kind === "r" ? "r512:shootdown/" : "p:shootdown/",
    ),
  );

const FOLDERS = [
  ["arm64", "6.1", "6.1-mm-max"],
  ["arm64", "6.12", "6.12-mm-max"],
  ["x86", "6.1", "x86-6.1-mm"],
  ["x86", "6.12", "x86-6.12-mm"],
  ["x86", "6.1", "x86-6.1-iommu-strict"],
  ["x86", "6.12", "x86-6.12-iommu-strict"],
] as const;

describe.skipIf(!present)(`recordings${skipped}`, () => {
  test.each(FOLDERS)("%s %s: definitions are those that %s was made with", (arch, name, folder) => {
    const version = versionOf(name)!;
    const taken = new Map<string, Definition>();
    for (const line of read(folder, "kprobe_events.txt").split("\n")) {
      const one = bare(line);
      if (one !== undefined) taken.set(one.event, one);
    }
    expect(taken.size).toBeGreaterThan(20);
    let compared = 0;
    for (const probe of planRecord({ version, arch }, PARTS).probes) {
      for (const mine of probe.forms[0] ?? []) {
        const theirs = taken.get(mine.event);
        if (theirs === undefined) continue;
        compared++;
        expect(mine.symbol).toBe(theirs.symbol);
        for (const { name: field, fetch, type } of mine.fields) {
          const same = theirs.fields.find((one) => one.name === field);
          if (same === undefined) continue;
          const text = `${mine.event} ${field}=${fetchText(fetch)}:${type}`;
          expect(text).toBe(`${mine.event} ${field}=${fetchText(same.fetch)}:${same.type}`);
        }
      }
    }
    expect(compared).toBeGreaterThan(60);
  });

  test.each(FOLDERS)("%s %s: what %s had refused is not tried, or said", (arch, name, folder) => {
    const version = versionOf(name)!;
    const refused = new Set(
      read(folder, "probes-refused.txt")
        .split("\n")
        .map((line) => /^[pr]:\w+\/(\w+)/.exec(line)?.[1]),
    );
    const tried = planRecord({ version, arch }, PARTS).probes.filter(({ event }) =>
      refused.has(event),
    );
    const silent = tried.filter(({ maybe }) => maybe === undefined).map(({ event }) => event);
    expect(silent).toEqual([]);
  });

  test.each(["6.1", "6.12"])("symbols of arm64 %s: all that must be there is", (name) => {
    const kallsyms = read(`kallsyms-${name}.txt`);
    const version = versionOf(name)!;
    const parts = PARTS.filter((part) => part !== "vtd");
    const plan = planRecord({ version, arch: "arm64" }, parts);
    const offers = offersOf(plan, { kallsyms });
    expect(offersStatus(offers)).toBe(0);
    expect(offers.kprobes).toBe(true);
    const absent = offers.offers.filter(({ status }) => status !== "offered");
    expect(absent.map(({ event, status, why }) => [event, status, why !== ""])).toEqual(
      name === "6.1" ? [] : [["wp_page_copy", "absent", true]],
    );
    expect(offers.calls).toContain("munmap");
    expect(offers.calls).not.toContain("fork");
    // With the symbols known the plan has the same without the one that is not there.
    const narrowed = planRecord(
      { version, arch: "arm64", symbols: probeable(symbolsOf(kallsyms)) },
      parts,
    );
    expect(narrowed.probes.length).toBe(plan.probes.length - absent.length);
    expect(narrowed.hidden.filter(({ what }) => what === "wp_page_copy").length).toBe(
      absent.length,
    );
  });
});

describe("what a kernel says of itself", () => {
  const plan = planRecord({ version: versionOf("6.12")!, arch: "arm64" }, ["mm"]);
  const names = plan.probes.map(({ forms }) => forms[0]![0]!.symbol);
  const kallsyms = (...lines: string[]) =>
    ["0000 T register_kprobe", ...names.map((name) => `0000 t ${name}`), ...lines].join("\n");
  const of = (event: string, files: Parameters<typeof offersOf>[1]) =>
    offersOf(plan, files).offers.find((one) => one.event === event);

  test("symbols, doubles, pieces, the blacklist, events", () => {
    expect(offersStatus(offersOf(plan, { kallsyms: kallsyms() }))).toBe(0);
    const doubled = kallsyms("0001 t ptep_clear_flush");
    expect(of("ptep_clear_flush", { kallsyms: doubled })).toMatchObject({ status: "ambiguous" });
    expect(offersStatus(offersOf(plan, { kallsyms: doubled }))).toBe(1);
    const pieces = kallsyms("0001 t exit_mmap.cold").replace(
      "t exit_mmap\n",
      "t exit_mmap.isra.0 [x]\n",
    );
    expect(of("exit_mmap", { kallsyms: pieces })).toMatchObject({
      status: "absent",
      why: expect.stringMatching(/^only exit_mmap.isra.0, whose arguments may be others/),
    });
    const blacklist = "0x1-0x2\thandle_mm_fault\n";
    expect(of("handle_mm_fault", { kallsyms: kallsyms(), blacklist })).toMatchObject({
      status: "blacklisted",
    });
    const events = "migrate:set_migration_pte\n";
    expect(of("set_migration_pte", { events })).toMatchObject({ status: "offered" });
    expect(of("remove_migration_pte", { events })).toMatchObject({ status: "absent" });
    expect(of("sched_process_exit", {})).toMatchObject({ status: "unknown" });
  });

  test("without kprobes nothing is offered, without symbols nothing is known", () => {
    expect(
      offersStatus(offersOf(plan, { kallsyms: names.map((n) => `0 t ${n}`).join("\n") })),
    ).toBe(1);
    expect(offersStatus(offersOf(plan, {}))).toBe(3);
  });

  test("other parameters than the table's: by the kernel's own types, or not at all", () => {
    const types = {
      parameters: (f: string) =>
        f === "exit_mmap" ? ["how", "mm"] : f === "unmap_page_range" ? ["control"] : undefined,
      has: (struct: string) => struct === "vm_area_struct",
      offset: (_: string, member: string) => (member === "vm_mm" ? 48 : undefined),
    };
    const other = planRecord({ version: versionOf("6.30")!, arch: "arm64", types }, ["mm"]);
    const text = (event: string) =>
      other.probes.find((one) => one.event === event)?.forms[0]?.map(definitionText)[0];
    expect(text("exit_mmap")).toBe("p:shootdown/exit_mmap exit_mmap mm=$arg2:x64");
    expect(text("page_mkclean_one")).toMatch(/mm=\+48\(\$arg2\):x64/);
    expect(text("handle_mm_fault")).not.toContain("vm_flags");
    expect(text("unmap_page_range")).toBeUndefined();
    expect(other.hidden.find(({ what }) => what === "unmap_page_range")?.why).toBe(
      "this kernel's unmap_page_range has other parameters: control",
    );
    expect(other.unverified.join()).toMatch(/which of these functions linux-6.30 has/);
  });
});
