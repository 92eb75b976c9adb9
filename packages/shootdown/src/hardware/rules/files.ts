// SPDX-License-Identifier: Apache-2.0
// In which files of this tree a rule is written down: read off the sources when they are built.

const FILES: Readonly<Record<string, readonly string[]>> = __SHOOTDOWN_RULE_FILES__;

/** Paths below packages/shootdown/src that name a rule as their source or ask whether it holds. */
export const filesOf = (id: string): readonly string[] => FILES[id] ?? [];
