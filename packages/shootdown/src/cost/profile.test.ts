// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../base/diagnostic.ts";
import { machineKnobs } from "../hardware/machines.ts";
import { missingQuantities, type Profile, partsOf, TAGS, valuesAt } from "./profile.ts";
import { readProfile } from "./profile-json.ts";
import { FIVE, PROFILES } from "./profiles.ts";
import { largest, type QUANTITIES, QUANTITY_INDEX, QUANTITY_NAMES } from "./quantities.ts";
import { readSweep, swept } from "./sweep.ts";

/** What is said of a text, a line a mistake, without the excerpts. */
function complaints(text: string): string[] {
  const read = readProfile(text, "p.json");
  if (read.ok) return [];
  return read.diagnostics.map((d) => formatDiagnostic(d, text).split("\n")[0]!);
}

function profileOf(value: unknown): Profile {
  const read = readProfile(JSON.stringify(value), "p.json");
  if (!read.ok) throw new Error(JSON.stringify(read.diagnostics));
  return read.profile;
}

describe("shipped profiles", () => {
  test("there are five to compare on, and no name twice", () => {
    expect(FIVE.map((p) => p.name)).toContain("grace");
    expect(FIVE).toHaveLength(5);
    expect(new Set(PROFILES.map((p) => p.name)).size).toBe(PROFILES.length);
  });

  test.each(PROFILES)("$name is complete, and each value has tag, source, sweep", (profile) => {
    expect(missingQuantities(profile)).toEqual([]);
    expect(machineKnobs(profile.machine).ok).toBe(true);
    for (const [name, given] of Object.entries(profile.quantities)) {
      const max = largest(name as keyof typeof QUANTITIES);
      expect(given.low, name).toBeGreaterThanOrEqual(0);
      expect(given.value, name).toBeGreaterThanOrEqual(given.low);
      expect(given.high, name).toBeGreaterThanOrEqual(given.value);
      expect(given.high, name).toBeLessThanOrEqual(max);
      expect(Object.keys(TAGS)).toContain(given.tag);
      expect(given.source.length, name).toBeGreaterThan(5);
      // What is assumed or recalled is never a single value.
      if (given.tag === "A" || given.tag === "R")
        expect(given.high, name).toBeGreaterThan(given.low);
    }
  });

  test("the ATC is nobody's fact", () => {
    for (const { quantities } of PROFILES) {
      expect(quantities.atc_round_trip_ns?.tag ?? "A").toBe("A");
    }
  });

  test("every quantity says its unit", () => {
    for (const name of QUANTITY_NAMES) expect(name).toMatch(/_(ns|share)$/);
    expect([...partsOf("x86", FIVE[4]!.features)].sort()).toContain("invlpgb");
  });
});

describe("a user's profile", () => {
  const base = { name: "mine", based_on: "grace" };

  test("takes over what it does not say", () => {
    const cmd_sync_ns = { value: 300, low: 280, high: 330, tag: "M", source: "measured here" };
    const mine = profileOf({ ...base, features: { cpus: 72 }, quantities: { cmd_sync_ns } });
    expect(mine.features.cpus).toBe(72);
    expect(mine.features.repeat_tlbi).toBe(true);
    expect(mine.quantities.cmd_sync_ns).toEqual(cmd_sync_ns);
    expect(mine.quantities.cmd_ns?.value).toBe(60);
    expect(valuesAt(mine, "high")[QUANTITY_INDEX.cmd_sync_ns]).toBe(330);
  });

  test("any shipped profile comes back as it is", () => {
    for (const profile of PROFILES) expect(profileOf(profile)).toEqual(profile);
  });

  test.each([
    ["not JSON", '{"name": mine}', "p.json:1:10: error: expected a value, found 'mine' [P001]"],
    ["not an object", "[1]", "p.json:1:1: error: a profile is an object {...} [P003]"],
    ["empty", "", "expected a value, found the end of the file [P001]"],
    ["nothing in it", "{}", "'name' is missing [P005]"],
    ["no machine", '{"name": "x"}', "'machine' is missing [P005]"],
    ["wrong machine", '{"name": "x", "machine": "arm64+smmu"}', "'smmu' is no part of a machine"],
    ["unknown base", '{"name": "x", "based_on": "grce"}', "1:27: error: unknown profile 'grce'"],
    ["lacks values", '{"name": "x", "machine": "arm64"}', "arm64 lacks 'work_ns', 'step_ns'"],
    ["unknown member", '{"name": "x", "based_on": "grace", "cpu": 1}', "unknown member 'cpu'"],
    ["feature", '{"name":"x","based_on":"grace","features":{"cpus":0}}', "from 1 to 4096"],
    ["word", '{"name":"x","based_on":"grace","features":{"iommu":"smmu"}}', "'iommu' is one of"],
    ["flag", '{"name":"x","based_on":"grace","features":{"invlpgb":1}}', "is true or false"],
  ])("%s", (_, text, expected) => {
    expect(complaints(text).join("\n")).toContain(expected);
  });

  const mistakes = [
    ['"dsb_base_us": {}', "unknown quantity 'dsb_base_us'; no quantity is in 'us' [P004]"],
    ['"dsb_base_ns": {"value": -1, "tag": "M", "source": "me"}', "dsb_base_ns cannot be negative"],
    ['"dsb_base_ns": {"value": 1, "tag": "X", "source": "me"}', "unknown tag 'X'"],
    ['"dsb_base_ns": {"value": 1, "tag": "M"}', "'source' is missing [P005]"],
    ['"dsb_base_ns": {"value": 1, "low": 2, "tag": "M", "source": "me"}', "'low' is above 'value'"],
    ['"dsb_base_ns": {"value": 9, "high": 2, "tag": "M", "source": "me"}', "'high' is below"],
    ['"dsb_base_ns": {"value": "1", "tag": "M", "source": "me"}', "'dsb_base_ns' is nanoseconds"],
    ['"bystander_share": {"value": 2, "tag": "M", "source": "me"}', "bystander_share is at most 1"],
    ['"dsb_base_ns": {"value": 1e40, "tag": "M", "source": "me"}', "is at most 60000000000"],
    ['"dsb_base_ns": 300', "'dsb_base_ns' is an object"],
  ] as const;

  test.each(mistakes)("quantity %s", (member, expected) => {
    const text = `{"name": "x", "based_on": "grace",\n "quantities": {${member}}}`;
    const said = complaints(text);
    expect(said.join("\n")).toContain(expected);
    for (const line of said) expect(line).toMatch(/^p\.json:2:\d+: error: /);
  });

  test("anything else ends in a sentence", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const read = readProfile(text, "p.json");
        expect(read.ok).toBe(false);
      }),
    );
  });
});

describe("--sweep", () => {
  test("moves the middle only as far as it must", () => {
    const sweep = readSweep("dsb_base_ns=300..900");
    if ("code" in sweep) throw new Error(sweep.message);
    expect(swept(FIVE[0]!, [sweep]).quantities.dsb_base_ns).toMatchObject({
      ...{ value: 300, low: 300, high: 900 },
    });
    expect(FIVE[0]!.quantities.dsb_base_ns?.value).toBe(264);
    expect(readSweep("dsb_base_ns=5..5")).toMatchObject({ low: 5, high: 5 });
  });

  test.each([
    ["dsb_base_ns", "--sweep:1:1: error: expected QUANTITY=LOW..HIGH [P002]"],
    ["dsb_bse_ns=1..2", "--sweep:1:1: error: unknown quantity 'dsb_bse_ns' [P002]"],
    ["dsb_base_us=1..2", "no quantity is in 'us'"],
    ["dsb_base_ns=1", "--sweep:1:13: error: expected LOW..HIGH"],
    ["dsb_base_ns=-1..2", "--sweep:1:13: error: dsb_base_ns cannot be negative"],
    ["dsb_base_ns=1..x", "--sweep:1:16: error: expected a number, found 'x'"],
    ["dsb_base_ns=3..2", "3 is more than 2"],
    ["dsb_base_ns=1..", "expected a number, found ''"],
    ["dsb_base_ns=1..1e99", "dsb_base_ns is at most"],
    ["bystander_share=0..2", "bystander_share is at most 1"],
  ])("%s", (text, expected) => {
    const sweep = readSweep(text);
    if (!("code" in sweep)) throw new Error("was read");
    expect(formatDiagnostic(sweep, text).split("\n")[0]).toContain(expected);
  });

  test("the name that was meant", () => {
    const notes = ["dsb_base_us=1..2", "dsb_bse_ns=1..2"].map((text) => {
      const sweep = readSweep(text);
      return "code" in sweep ? sweep.notes[0]?.message : "";
    });
    expect(notes).toEqual(["did you mean 'dsb_base_ns'?", "did you mean 'dsb_base_ns'?"]);
  });
});
