// SPDX-License-Identifier: Apache-2.0
// What is known about single tests of herd's catalogue, by name.

/**
 * Tests that the catalogue's text heuristic calls barriered and that are not: the two events of one
 * thread without a DSB between them.
 */
export const MISFILED: Readonly<Record<string, string>> = {};

/** Why an answer differs, where it is known. */
export const EXPLAINED: Readonly<Record<string, string>> = {};
