// SPDX-License-Identifier: Apache-2.0
// The scenarios that the page ships: bugs with their fixes first.

import type { Configuration } from "../engine/engine.ts";

export interface GalleryItem {
  /** Below litmus/. */
  readonly path: string;
  readonly name: string;
  /** The first sentence of what it says of itself. */
  readonly sentence: string;
  readonly text: string;
  /** Where the bug is, and where it is not. */
  readonly bug: Configuration;
  readonly fix: Configuration | null;
  /** Whether there is a bug at all: not in a scenario that is about what never happens. */
  readonly is_found: boolean;
  /** Of a bug that was fixed: by which commit, and which versions had it. */
  readonly fixes: string | null;
  readonly versions: string | null;
}

export interface GalleryGroup {
  readonly title: string;
  readonly items: readonly GalleryItem[];
}

export interface Gallery {
  readonly groups: readonly GalleryGroup[];
}
