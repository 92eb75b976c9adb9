// SPDX-License-Identifier: Apache-2.0
// The one public door of the library: it only re-exports, and has no effect of its own.

/** The version of this package. */
export const version: string = __SHOOTDOWN_VERSION__;
