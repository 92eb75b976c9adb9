// SPDX-License-Identifier: Apache-2.0
// A limit of the model that a step runs into: it ends the search that makes the step.

/** How far a search had come. */
export interface Seen {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
}

export class ModelLimit extends Error {
  /** The levels that were through, if a search was ended. */
  seen?: Seen;
}

/** Runs a search; a limit that ends it is told what the search had seen. */
export function limited<T>(run: () => T, seen: () => Seen): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ModelLimit) error.seen ??= seen();
    throw error;
  }
}
