// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { planCost } from "../api/cost.ts";
import { kernelOn } from "./compare.ts";
import { misfit } from "./profile.ts";
import { PROFILES, profileNamed } from "./profiles.ts";
import { readSetting, type Setting, withSettings } from "./setting.ts";

/** What is said of it, and where. */
function complaint(text: string): string {
  const read = readSetting(text);
  return "feature" in read ? "" : `${read.span.col}..${read.span.end} ${read.message}`;
}

test("values of every kind are read, and every mistake is said where it stands", () => {
  expect(readSetting("smmus=8")).toEqual({ feature: "smmus", value: 8 });
  expect(readSetting("atc_span=exact")).toEqual({ feature: "atc_span", value: "exact" });
  expect(readSetting("invlpgb=no")).toEqual({ feature: "invlpgb", value: false });
  expect(readSetting(`cmdq_max_tlbi_ops=${2 ** 36}`)).toEqual({
    ...{ feature: "cmdq_max_tlbi_ops", value: 2 ** 36 },
  });
  expect(readSetting("devices=0")).toEqual({ feature: "devices", value: 0 });
  expect(complaint("smmus")).toBe("1..5 expected FEATURE=VALUE");
  expect(complaint("smus=1")).toBe("1..4 unknown feature 'smus'");
  expect(complaint("smmus=0")).toBe("7..7 smmus is a number from 1 to 256, not '0'");
  expect(complaint("smmus=257")).toContain("from 1 to 256");
  expect(complaint("devices=5")).toBe("9..9 devices is a number from 0 to 4, not '5'");
  expect(complaint("atc_span=1")).toBe("10..10 atc_span is covering or exact, not '1'");
  expect(complaint("invlpgb=true")).toBe("9..12 invlpgb is yes or no, not 'true'");
  for (const word of ["", "-1", "1.5", "1e3", "NaN", "Infinity", "0x10", "1e400"]) {
    expect(complaint(`cpus=${word}`)).toContain("a number from 1 to 4096");
  }
});

test("shipped machines are sound, and none becomes one that there is not", () => {
  for (const profile of PROFILES) expect(misfit(profile)).toBeUndefined();
  const said = (profile: string, text: string) => {
    const plan = planCost({ profiles: [profile], settings: [text] });
    return plan.ok ? "" : plan.problems[0]!.message;
  };
  expect(said("sapphire-rapids", "iommu=smmuv3")).toBe("a machine x86 has no IOMMU 'smmuv3'");
  expect(said("grace", "iommu=vtd")).toContain("has no IOMMU 'vtd'");
  expect(said("grace", "iommu=smmuv2")).toContain("has no IOMMU 'smmuv2'");
  expect(said("snapdragon-888", "iommu=smmuv3")).toContain("has no IOMMU 'smmuv3'");
  expect(said("snapdragon-888", "iommu=smmuv2")).toMatch(/^arm64 lacks 'notifier_ns'/);
  expect(said("sapphire-rapids", "tlbi_range=yes")).toBe("'tlbi_range' is of arm64, not of x86");
  expect(said("grace", "invlpgb=yes")).toBe("'invlpgb' is of x86, not of arm64");
  expect(said("grace", "iommu=none")).toBe("");
  expect(said("amd-invlpgb", "invlpgb=no")).toBe("");
});

test("of several machines those are changed that can be", () => {
  const plan = planCost({ settings: ["invlpgb=yes", "smmus=2"] });
  if (!plan.ok) throw new Error(plan.problems[0]!.message);
  const invlpgb = plan.profiles.filter((p) => p.features.invlpgb).map((p) => p.name);
  // What INVLPGB takes is given for one alone.
  expect(invlpgb).toEqual(["amd-invlpgb"]);
  expect(plan.profiles.every((p) => p.features.smmus === 2)).toBe(true);
  const grace = profileNamed("grace")!;
  const set: Setting[] = [{ feature: "devices", value: 1 }, readSetting("smmus=1") as Setting];
  expect(withSettings(grace, set).features).toEqual({ ...grace.features, devices: 1, smmus: 1 });
});

test("a kernel that there is not on a machine is refused", () => {
  const said = (kernel: string, ...profiles: string[]) => {
    const plan = planCost({ profiles, kernels: [kernel] });
    return plan.ok ? [] : plan.problems.map(({ message }) => message);
  };
  expect(said("linux-6.12+no-ipi", "sapphire-rapids")).toEqual([]);
  expect(said("linux-6.12+no-ipi", "sapphire-rapids", "grace")).toEqual([
    "--kernel 'linux-6.12+no-ipi' on grace: " +
      "'no-ipi' changes what linux-6.12 does not have on arm64",
  ]);
  for (const name of ["btm-on", "btm-private", "ptm-on", "btm-skip", "no-notifier"]) {
    expect(said(`linux-6.12+${name}`, "n2-btm")).toEqual([]);
  }
  expect(said("linux-9.9", "grace")).toHaveLength(1);
});

test("a driver that leaves out its commands is not asked to twice", () => {
  const btm = profileNamed("n2-btm")!;
  expect(kernelOn("linux-6.12", btm)).toBe("linux-6.12+btm-skip");
  expect(kernelOn("linux-6.12+btm-skip", btm)).toBe("linux-6.12+btm-skip");
  expect(kernelOn("linux-6.12+ptm-on", btm)).toBe("linux-6.12+ptm-on");
  expect(kernelOn("linux-6.12", profileNamed("grace")!)).toBe("linux-6.12");
});
