// SPDX-License-Identifier: Apache-2.0
// A verdict as the page keeps it, and what its scenario says of other configurations.

import type { CheckRun, WhyPart } from "shootdown";
import type { Checked, Configuration, Expectation } from "../engine/engine.ts";

export interface Verdict {
  readonly run: CheckRun;
  readonly witness: string | null;
  readonly why: readonly WhyPart[];
  /** Knobs that matter to it. */
  readonly asks: readonly string[];
  /** What the property says. */
  readonly meaning: string;
}

export const verdictOf = ({ run, witness, why, asks, meaning }: Checked): Verdict | null =>
  run && { run, witness, why, asks, meaning };

const keyOf = ({ machine, kernel, set }: Configuration): string =>
  JSON.stringify([machine, kernel, Object.entries(set).sort()]);

export const isSame = (a: Configuration, b: Configuration): boolean => keyOf(a) === keyOf(b);

/**
 * What is worth a comparison, by Result lines: those that expect something else than is so here,
 * the nearest first; then the others.
 */
export function counterparts(
  expectations: readonly Expectation[],
  { machine, kernel, set }: Configuration,
  observed: string,
): Expectation[] {
  const own = { machine, kernel, set };
  const others = expectations.filter((e) => !isSame(e, own));
  const isNever = observed === "never";
  const opposite = (e: Expectation) => (e.expected.toLowerCase() === "never") !== isNever;
  const away = (e: Expectation): number =>
    (opposite(e) ? 0 : 16) +
    (e.machine === machine ? 0 : 4) +
    (isSame({ ...own, set: e.set }, own) ? 0 : 2) +
    (e.kernel === kernel ? 1 : e.kernel.includes("+") ? 1 : 0);
  return others
    .map((e, n) => ({ e, n }))
    .sort((a, b) => away(a.e) - away(b.e) || a.n - b.n)
    .map(({ e }) => e);
}

/** What tells a configuration from another, in few words. */
export function differsBy(c: Configuration, from: Configuration): string {
  const knobs = Object.entries(c.set).filter(([k, v]) => from.set[k] !== v);
  const open = Object.keys(from.set).filter((k) => !(k in c.set));
  const where = [
    ...(c.kernel === from.kernel ? [] : [c.kernel]),
    ...(c.machine === from.machine ? [] : [c.machine]),
  ].join(" on ");
  const settings = [...knobs.map(([k, v]) => `${k}=${v}`), ...open.map((k) => `${k} open`)];
  const parts = [...(where === "" ? [] : [where]), ...settings];
  return parts.join(", ") || c.kernel;
}
