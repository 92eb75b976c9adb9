// SPDX-License-Identifier: Apache-2.0
// Why a witness goes as it does, in sentences.
//
//   step 19 found P rw in smmu_tlb[asid(A),x], taken after step 9; step 7 (CPU0, xchg_desc:1) had
//   changed memory, and nothing invalidated smmu_tlb after that

import type { CachedEntry, Miss, StepName, Why } from "../study/why.ts";

/** So many things that missed are told; more do not help. */
const MISSES_MAX = 3;

export function whyText(why: Why): string {
  if (why.kind === "waits") return waitsText(why);
  const { found, entry, revoked, misses } = why;
  const sentence = `${found ? `step ${found.n} found ` : ""}${historyOf(entry)}`;
  if (!revoked) return `${sentence}, and nothing removed it`;
  return `${sentence}; step ${named(revoked)} had changed memory, and ${missText(entry, misses)}`;
}

/** `P rw in smmu_tlb[asid(A),x], taken after step 9` */
function historyOf({ place, value, filled, from }: CachedEntry): string {
  const source = from ? ` from ${historyOf(from)}` : "";
  return `${value} in ${place}, ${whenOf(filled)}${source}`;
}

function whenOf(filled: StepName | null): string {
  if (filled === null) return "there from the start";
  return filled.kind === "fill" ? `taken after step ${filled.n}` : `put there by step ${filled.n}`;
}

function named({ n, agent, kind, where }: StepName): string {
  const [first] = where;
  const by = kind === "thread" ? [agent] : [];
  const parts = [...by, ...(first === undefined ? [agent] : [first])];
  return `${n} (${parts.join(", ")})`;
}

function missText({ cell, place }: CachedEntry, misses: readonly Miss[]): string {
  if (misses.length === 0) return `nothing invalidated ${cell} after that`;
  const told = misses.slice(-MISSES_MAX).map((m) => {
    if (m.kind === "outstanding") {
      const since = m.posted ? `, issued at step ${m.posted.n},` : "";
      return `${m.set} ${m.entry}${since} had not taken effect`;
    }
    const step = `step ${named(m.step)}`;
    if (m.kind === "lost") return `the invalidation at ${step} was lost`;
    if (m.kind === "early") return `${step} invalidated ${place} before it was taken`;
    return `${step} invalidated ${cell} elsewhere`;
  });
  return told.join("; ");
}

function waitsText({ threads, outstanding }: Why & { readonly kind: "waits" }): string {
  const parts = [
    ...threads.map(({ agent, at }) => `${agent} waits at ${at}`),
    ...outstanding.map(({ set, entry }) => `outstanding in ${set}: ${entry}`),
  ];
  return parts.join("; ");
}
