// SPDX-License-Identifier: Apache-2.0
// The architectures: a machine's name begins with one, and a kernel is built for one.

export const ARCHITECTURES = ["arm64", "x86"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** The architecture of a choice of knobs; unless one says otherwise, that of the first machine. */
export const architectureOf = (knobs: Readonly<Record<string, string>>): Architecture =>
  ARCHITECTURES.find((a) => a === knobs["arch"]) ?? "arm64";
