// SPDX-License-Identifier: Apache-2.0
// Parts of a machine's name that are about an SMMUv3: faults to inject.

/** As `Knob` of machines.ts, which imports this file. */
interface Part {
  readonly name: string;
  readonly values: readonly [string, string];
  readonly describes: string;
  readonly value: string;
  readonly unasked: true;
}

const part = (name: string, describes: string): Part => ({
  ...{ name, values: ["no", "yes"], describes, value: "no", unasked: true },
});

export const SMMU_PARTS: readonly Part[] = [
  part("atctimeout", "fault: the completion of one ATC invalidation never comes (S30)"),
  part("atcur", "fault: functions answer invalidations with UR and perform none (S31)"),
];
