// SPDX-License-Identifier: Apache-2.0
// The words of an SMMUv3 in scenarios: commands beside those that words.ts lists, CD and STE.

import type { Signature } from "./words.ts";

/** TLB commands that take addresses. */
export const CMD_BY_VA: readonly string[] = [
  ...["CMD_TLBI_NH_VA", "CMD_TLBI_NH_VA_Leaf", "CMD_TLBI_NH_VA_TTL2"],
  ...["CMD_TLBI_NH_VAA", "CMD_TLBI_S2_IPA"],
];
const CMD_WHOLE = [
  ...["CMD_TLBI_NH_ALL", "CMD_TLBI_NSNH_ALL", "CMD_TLBI_S12_VMALL"],
  ...["CMD_CFGI_ALL"],
];
const CMD_OF_DEVICE = ["CMD_CFGI_CD_ALL", "CMD_CFGI_STE", "CMD_CFGI_STE_RANGE"];

const CD_WORDS = ["valid", "invalid", "walks", "no-walks"] as const;
const STE_WORDS = ["valid", "invalid", "ats", "no-ats"] as const;

export const SMMU_VERBS: readonly (readonly [string, Signature])[] = [
  ...CMD_BY_VA.map((name) => [name, { params: ["spots"], by: "cpu" }] as const),
  ...CMD_WHOLE.map((name) => [name, { params: [], by: "cpu" }] as const),
  ...CMD_OF_DEVICE.map((name) => [name, { params: ["device"], by: "cpu" }] as const),
  ["set_cd", { params: ["device", CD_WORDS], by: "cpu" }],
  ["set_cd_ttb0", { params: ["device", "mm"], by: "cpu" }],
  ["set_ste", { params: ["device", STE_WORDS], by: "cpu" }],
];
