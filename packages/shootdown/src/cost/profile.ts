// SPDX-License-Identifier: Apache-2.0
// A profile: what a machine is, and how long its parts take, every value with where it is from.

import { type Part, QUANTITIES, QUANTITY_NAMES, type QuantityName } from "./quantities.ts";

/** How a value is known. Only V and M are facts about the machine that is named. */
export const TAGS = {
  V: "read in its source",
  D: "arithmetic on read values",
  M: "measured",
  R: "recalled, not read again",
  A: "assumed: no public value",
} as const;
export type Tag = keyof typeof TAGS;

export interface Quantity {
  readonly value: number;
  /** The range in which the true value is taken to be; `low` <= `value` <= `high`. */
  readonly low: number;
  readonly high: number;
  readonly tag: Tag;
  readonly source: string;
}

export type Quantities = Readonly<Partial<Record<QuantityName, Quantity>>>;

export const IOMMUS = ["none", "smmuv3", "smmuv2", "vtd", "amd"] as const;
export type Iommu = (typeof IOMMUS)[number];

/** What a machine can do and how much of it there is. */
export interface Features {
  readonly cpus: number;
  readonly nodes: number;
  readonly iommu: Iommu;
  /** IOMMUs behind which a process has devices, and how a routine walks through them. */
  readonly smmus: number;
  readonly smmu_order: "sequential" | "overlapped";
  /** Command queues of one IOMMU (ECMDQ, CMDQV): CPUs are spread over them. */
  readonly queues: number;
  /** Pages from which on the driver of an SMMUv3 without range commands invalidates an ASID. */
  readonly cmdq_max_tlbi_ops: number;
  /** The queue's memory is on another node than the CPUs that use it. */
  readonly queue_remote: boolean;
  /** Devices of a process, spread over the IOMMUs. */
  readonly devices: number;
  /** FEAT_TLBIRANGE of the CPUs. */
  readonly tlbi_range: boolean;
  /** SMMU_IDR3.RIL, or invalidation of aligned powers of two. */
  readonly range_inv: boolean;
  /** Invalidation of a device's TLB: one covering power of two, or an exact split. */
  readonly atc_span: "covering" | "exact";
  /** TLBI;DSB is done twice (CVE-2025-10263). */
  readonly repeat_tlbi: boolean;
  readonly invlpgb: boolean;
  /** Each write of the command queue traps to a hypervisor. */
  readonly trapped: boolean;
  /** Entries, of 4 KB. */
  readonly tlb_entries: number;
  readonly iotlb_entries: number;
  readonly atc_entries: number;
}

export const DEFAULT_FEATURES: Features = {
  cpus: 1,
  nodes: 1,
  iommu: "none",
  smmus: 1,
  smmu_order: "sequential",
  queues: 1,
  cmdq_max_tlbi_ops: 512,
  queue_remote: false,
  devices: 1,
  tlbi_range: false,
  range_inv: false,
  atc_span: "covering",
  repeat_tlbi: false,
  invlpgb: false,
  trapped: false,
  tlb_entries: 2048,
  iotlb_entries: 2048,
  atc_entries: 1024,
};

export interface Profile {
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /** By its parts, as everywhere: `arm64+smmuv3+ats`. */
  readonly machine: string;
  readonly features: Features;
  readonly quantities: Quantities;
}

/** A value of a quantity; the sweep is the value itself if it is not given. */
export function quantity(
  tag: Tag,
  value: number,
  source: string,
  sweep: readonly [number, number] = [value, value],
): Quantity {
  return { value, low: sweep[0], high: sweep[1], tag, source };
}

/** The parts of a machine, as far as quantities ask. */
export function partsOf(machine: string, features: Features): ReadonlySet<Part> {
  const [architecture, ...names] = machine.split("+");
  const parts = new Set<Part>(["any", architecture === "x86" ? "x86" : "arm64"]);
  if (features.invlpgb) parts.add("invlpgb");
  if (features.iommu === "smmuv2") parts.add("smmuv2");
  if (features.iommu !== "none") parts.add("iommu");
  if (names.includes("ats") || (architecture === "x86" && features.atc_entries > 0)) {
    if (features.iommu !== "none") parts.add("ats");
  }
  return parts;
}

/** Quantities that the machine needs and the profile does not give. */
export function missingQuantities(profile: Profile): QuantityName[] {
  const parts = partsOf(profile.machine, profile.features);
  return QUANTITY_NAMES.filter(
    (name) => parts.has(QUANTITIES[name].part) && profile.quantities[name] === undefined,
  );
}

/** What an IOMMU is beside, by the parts of the machine. */
const BESIDE: Readonly<Record<Iommu, (architecture: string, parts: readonly string[]) => boolean>> =
  {
    none: () => true,
    smmuv3: (_, parts) => parts.includes("smmuv3"),
    smmuv2: (architecture, parts) => architecture === "arm64" && !parts.includes("smmuv3"),
    vtd: (architecture) => architecture === "x86",
    amd: (architecture) => architecture === "x86",
  };

/** Features that machines of one architecture alone have. */
const ONLY = { tlbi_range: "arm64", repeat_tlbi: "arm64", invlpgb: "x86" } as const;

/** Why there is no such machine, or nothing is known of its times; undefined if all is well. */
export function misfit(profile: Profile): string | undefined {
  const { machine, features } = profile;
  const [architecture = "", ...parts] = machine.split("+");
  if (!BESIDE[features.iommu](architecture, parts)) {
    return `a machine ${machine} has no IOMMU '${features.iommu}'`;
  }
  for (const [name, of] of Object.entries(ONLY)) {
    if (features[name as keyof typeof ONLY] && architecture !== of) {
      return `'${name}' is of ${of}, not of ${architecture}`;
    }
  }
  const missing = missingQuantities(profile).map((name) => `'${name}'`);
  return missing.length === 0 ? undefined : `${machine} lacks ${missing.join(", ")}`;
}

export type Corner = "low" | "mid" | "high";

/** All quantities in their order; what the machine lacks is nothing. */
export function valuesAt(profile: Profile, corner: Corner): Float64Array {
  return Float64Array.from(QUANTITY_NAMES, (name) => {
    const given = profile.quantities[name];
    return given === undefined ? 0 : given[corner === "mid" ? "value" : corner];
  });
}
