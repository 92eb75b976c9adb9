// SPDX-License-Identifier: Apache-2.0
// The commands that a range becomes in the queue of an SMMUv3, which the model has as one:
// drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, 6.1 and 6.12.

/** Commands that are put into the queue at a time (CMDQ_BATCH_ENTRIES). */
export const CMDQ_BATCH_ENTRIES = 64;
/** Bits of the number of pages that one command takes (CMDQ_TLBI_RANGE_NUM_MAX is 31). */
const RANGE_NUM = 32;

/** __arm_smmu_tlb_inv_range(): how many commands by VA; `leaf`: of last levels alone. */
export function tlbInvCommands(pages: number, rangeCommands: boolean, leaf: boolean): number {
  if (!rangeCommands) return pages;
  let left = !leaf && pages % RANGE_NUM === 1 ? pages + 1 : pages;
  let commands = 0;
  while (left > 0) {
    let scale = 1;
    while (left % (scale * 2) === 0) scale *= 2;
    left -= (Math.floor(left / scale) % RANGE_NUM) * scale;
    commands++;
  }
  return commands;
}

/** arm_smmu_atc_inv_to_cmd(): the aligned power of two of pages that covers [lo, hi). */
export function atcSpan(lo: number, hi: number): number {
  let span = 1;
  while (Math.floor(lo / span) !== Math.floor((hi - 1) / span)) span *= 2;
  return span;
}

/** The fewest aligned powers of two that are [lo, hi) exactly, as that function might do it. */
export function atcExactSpans(lo: number, hi: number): number {
  let count = 0;
  for (let at = lo; at < hi; count++) {
    let span = 1;
    while (at % (span * 2) === 0 && at + span * 2 <= hi) span *= 2;
    at += span;
  }
  return count;
}
