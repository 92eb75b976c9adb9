// SPDX-License-Identifier: Apache-2.0
// The search with steps taken alone, where that gives the same answer.
//
//   reduced search ── never ──► that is the answer
//                  └─ found ──► the search of everything, for the shortest witness

import type { AloneTable, Outcome, Question } from "./search.ts";

/** One search, of everything or with steps taken alone. */
export type SearchWith = (alone: AloneTable | undefined) => Outcome;

/**
 * Searches with steps taken alone. What is never seen that way is never seen. What is seen is
 * looked for again among all runs, where the first witness is the shortest and where it is decided
 * whether every run comes to it: the answer, its depth and its witness are those without reduction.
 *
 * The depth of a `never`, which is how far the last state was from the first, may be another.
 */
export function reduced(question: Question, alone: () => AloneTable, run: SearchWith): Outcome {
  // Whether a thread can be stuck hangs on states in which the others stand still.
  if (question.stuck !== undefined) return run(undefined);
  const table = alone();
  if (!table.some((points) => points.includes(true))) return run(undefined);
  const first = run(table);
  if (first.observed === "never" || first.observed === "inconclusive") return first;
  if (question.whether) return first;
  const second = run(undefined);
  // A limit that only the search of everything meets does not undo what was found.
  return second.observed === "inconclusive" ? { ...first, exhaustive: false } : second;
}
