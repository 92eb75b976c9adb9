// SPDX-License-Identifier: Apache-2.0
// The name somebody meant: nearest by Damerau-Levenshtein distance.
//
// The distance counts insertions, deletions, replacements and swaps of neighbours, each stretch
// edited once (optimal string alignment).

/** Longer words are not compared: nobody mistypes them, and the distance costs their product. */
const MAX_COMPARED_LENGTH = 64;

/** With no near name, up to this many known names are listed instead. */
const MAX_LISTED_NAMES = 8;

/** Number of edits from `a` to `b`. */
export function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  let beforeLast = new Uint32Array(width);
  let last = Uint32Array.from({ length: width }, (_, j) => j);
  let row = new Uint32Array(width);
  for (let i = 1; i <= a.length; i++) {
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1);
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      const swapped =
        i > 1 &&
        j > 1 &&
        a.charCodeAt(i - 1) === b.charCodeAt(j - 2) &&
        a.charCodeAt(i - 2) === b.charCodeAt(j - 1);
      if (swapped) best = Math.min(best, beforeLast[j - 2]! + 1);
      row[j] = best;
    }
    [beforeLast, last, row] = [last, row, beforeLast];
  }
  return last[b.length]!;
}

/**
 * The candidates at the least distance from `word`, in their order; empty if none is near enough
 * (one edit, and one more for each three letters above three).
 */
export function nearestNames(word: string, candidates: Iterable<string>): string[] {
  if (word.length > MAX_COMPARED_LENGTH) return [];
  const wanted = word.toLowerCase();
  let limit = Math.max(1, Math.floor((word.length + 2) / 3));
  let nearest: string[] = [];
  for (const candidate of new Set(candidates)) {
    if (candidate.length > MAX_COMPARED_LENGTH) continue;
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance > limit) continue;
    if (distance < limit) nearest = [];
    limit = distance;
    nearest.push(candidate);
  }
  return nearest;
}

/** The one nearest name, the first of several that are equally near. */
export function nearestName(word: string, candidates: Iterable<string>): string | undefined {
  return nearestNames(word, candidates)[0];
}

/**
 * The sentence for a note: the name that was meant if one is clearly nearest, else the few names
 * there are, else nothing.
 */
export function suggestion(word: string, candidates: Iterable<string>): string | undefined {
  const names = [...new Set(candidates)];
  const nearest = nearestNames(word, names);
  if (nearest.length === 1) return `did you mean '${nearest[0]}'?`;
  if (names.length === 0 || names.length > MAX_LISTED_NAMES) {
    return nearest.length > 0 ? `did you mean '${nearest[0]}'?` : undefined;
  }
  const list = names.map((name) => `'${name}'`).join(", ");
  return names.length === 1 ? `the only name known here is ${list}` : `known here: ${list}`;
}
