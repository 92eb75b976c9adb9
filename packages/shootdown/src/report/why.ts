// SPDX-License-Identifier: Apache-2.0
// Why a witness goes as it does, in sentences.
//
//   step 19 found P rw in smmu_tlb[asid(A),x], taken after step 9; step 7 (CPU0, xchg_desc:1) had
//   changed memory, and nothing invalidated smmu_tlb after that

import type { CachedEntry, Miss, StepName, Why } from "../study/why.ts";

/** So many things that missed are told; more do not help. */
const MISSES_MAX = 3;

/** A stretch of a sentence, and the step that it names: its place among all steps, from 1. */
export interface WhyPart {
  readonly text: string;
  readonly at: number | null;
}

export const whyText = (why: Why): string =>
  whyParts(why)
    .map((p) => p.text)
    .join("");

/** The sentence in pieces, those that name a step with its place. */
export function whyParts(why: Why): WhyPart[] {
  if (why.kind === "waits") return [said(waitsText(why))];
  const { found, entry, revoked, misses } = why;
  const sentence = [...(found ? [step(found), said(" found ")] : []), ...historyOf(entry)];
  if (!revoked) return joined([...sentence, said(", and nothing removed it")]);
  const changed = [said("; "), named(revoked), said(" had changed memory, and ")];
  return joined([...sentence, ...changed, ...missParts(entry, misses)]);
}

const said = (text: string): WhyPart => ({ text, at: null });
const step = ({ n, at }: StepName): WhyPart => ({ text: `step ${n}`, at });

/** What names no step is one stretch up to the next that does. */
function joined(parts: readonly WhyPart[]): WhyPart[] {
  const out: WhyPart[] = [];
  for (const p of parts) {
    const last = out.at(-1);
    if (last && last.at === null && p.at === null) out[out.length - 1] = said(last.text + p.text);
    else out.push(p);
  }
  return out;
}

/** `P rw in smmu_tlb[asid(A),x], taken after step 9` */
function historyOf({ place, value, filled, from }: CachedEntry): WhyPart[] {
  const source = from ? [said(" from "), ...historyOf(from)] : [];
  return [said(`${value} in ${place}, `), whenOf(filled), ...source];
}

function whenOf(filled: StepName | null): WhyPart {
  if (filled === null) return said("there from the start");
  const { n, at, kind } = filled;
  return { text: kind === "fill" ? `taken after step ${n}` : `put there by step ${n}`, at };
}

function named({ n, at, agent, kind, where }: StepName): WhyPart {
  const [first] = where;
  const by = kind === "thread" ? [agent] : [];
  const parts = [...by, ...(first === undefined ? [agent] : [first])];
  return { text: `step ${n} (${parts.join(", ")})`, at };
}

function missParts({ cell, place }: CachedEntry, misses: readonly Miss[]): WhyPart[] {
  if (misses.length === 0) return [said(`nothing invalidated ${cell} after that`)];
  return misses.slice(-MISSES_MAX).flatMap((m, n) => {
    const before = n === 0 ? [] : [said("; ")];
    if (m.kind === "outstanding") {
      const since = m.posted ? [said(", issued at "), step(m.posted), said(",")] : [];
      return [...before, said(`${m.set} ${m.entry}`), ...since, said(" had not taken effect")];
    }
    const at = named(m.step);
    if (m.kind === "lost") return [...before, said("the invalidation at "), at, said(" was lost")];
    if (m.kind === "early") {
      return [...before, at, said(` invalidated ${place} before it was taken`)];
    }
    return [...before, at, said(` invalidated ${cell} elsewhere`)];
  });
}

function waitsText({ threads, outstanding }: Why & { readonly kind: "waits" }): string {
  const parts = [
    ...threads.map(({ agent, at }) => `${agent} waits at ${at}`),
    ...outstanding.map(({ set, entry }) => `outstanding in ${set}: ${entry}`),
  ];
  return parts.join("; ");
}
