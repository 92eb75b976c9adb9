// SPDX-License-Identifier: Apache-2.0
// Constants that the build, the tests and scripts/run-ts.mjs put in (scripts/constants.mjs).

/** The version in packages/shootdown/package.json. */
declare const __SHOOTDOWN_VERSION__: string;

/** Rule id of the hardware notes to the source files that implement it. */
declare const __SHOOTDOWN_RULE_FILES__: Readonly<Record<string, readonly string[]>>;
