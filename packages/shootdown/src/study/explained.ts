// SPDX-License-Identifier: Apache-2.0
// Mutants that survive, with the statement or rule that makes the original redundant: lines of
// docs/MUTANTS.md.
//
//   Mutant: flush_tlb_mm | drop | dsb(cpu, ISHST); | the xchg before it orders the store too

export interface Explained {
  readonly routine: string;
  /** Of mutant; `*`: any. */
  readonly kind: string;
  readonly statement: string;
  readonly reason: string;
}

export type ExplainedResult =
  | { readonly ok: true; readonly explained: readonly Explained[] }
  | { readonly ok: false; readonly line: number; readonly message: string };

export function readExplained(text: string): ExplainedResult {
  const explained: Explained[] = [];
  for (const [n, line] of text.split(/\r?\n/).entries()) {
    if (!line.startsWith("Mutant:")) continue;
    const parts = line.slice("Mutant:".length).split(" | ");
    const [routine = "", kind = "", statement = "", ...rest] = parts.map((p) => p.trim());
    const reason = rest.join(" | ");
    if (reason === "") {
      return { ok: false, line: n + 1, message: "expected routine | kind | statement | reason" };
    }
    explained.push({ routine, kind, statement, reason });
  }
  return { ok: true, explained };
}

/** The reason why a mutant survives; null if nobody says one. */
export function reasonFor(
  explained: readonly Explained[],
  mutant: { readonly routine: string; readonly kind: string; readonly statement: string },
): string | null {
  const isOne = (word: string, name: string) => word === "*" || word === name;
  const found = explained.find(
    (e) =>
      e.routine === mutant.routine &&
      isOne(e.kind, mutant.kind) &&
      isOne(e.statement, mutant.statement),
  );
  return found?.reason ?? null;
}
