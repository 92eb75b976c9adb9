// SPDX-License-Identifier: Apache-2.0
// A part of a machine's name that is off unless it is named.

/** As `Knob` of machines.ts, which imports those who make parts. */
export interface Part {
  readonly name: string;
  readonly values: readonly [string, string];
  readonly describes: string;
  readonly value: string;
  readonly unasked: true;
}

export const part = (name: string, describes: string): Part => ({
  ...{ name, values: ["no", "yes"], describes, value: "no", unasked: true },
});
