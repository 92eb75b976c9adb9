// SPDX-License-Identifier: Apache-2.0
// Where two runs of one scenario differ, in sentences.
//
//   CPU0 with linux-6.12 also does, before step 14: notifier A x · cmdq CMD_TLBI_NH_VA ...

import type { Difference } from "../study/beside.ts";
import type { ShownStep } from "./shown.ts";

/** Two configurations, and the steps of each by their number in the walk. */
export interface Sides {
  readonly names: readonly [string, string];
  readonly first: (n: number) => ShownStep;
  readonly second: (n: number) => ShownStep;
}

/** So many things of one side are told; more do not help. */
const TOLD_MAX = 4;
/** So many routines are named. */
const CALLS_MAX = 2;

/** What tells two configurations apart, for a sentence. */
export function sideNames(
  a: { readonly machine: string; readonly kernel: string; readonly set: string },
  b: { readonly machine: string; readonly kernel: string; readonly set: string },
): [string, string] {
  const parts = (["kernel", "machine", "set"] as const).filter((k) => a[k] !== b[k]);
  const name = (c: typeof a) =>
    (parts.length === 0 ? [c.kernel] : parts.map((k) => c[k] || "no knobs")).join(" on ");
  return [name(a), name(b)];
}

/** Routines that only one of the runs calls, at a difference. */
export interface Calls {
  readonly first: readonly string[];
  readonly second: readonly string[];
}

export function differenceText(
  d: Difference,
  { names, first, second }: Sides,
  calls: Calls = { first: [], second: [] },
): string {
  const [a, b] = names;
  const here = d.first.map(first);
  const there = d.second.map(second);
  const before = d.on === null ? "" : ` before ${stepText(first(d.on))}`;
  switch (d.kind) {
    case "more": {
      const how = calls.second.length > 0 ? callText(calls.second) : "does more";
      return `${d.agent} with ${b} ${how}${before}: ${doneText(there)}`;
    }
    case "less":
      return `${d.agent} with ${b} leaves out ${doneText(here)}`;
    case "goes on":
      return `at the end ${d.agent} with ${a} can do no more; with ${b}: ${doneText(there)}`;
    case "instead":
      return `${d.agent} with ${a}: ${doneText(here)}; with ${b} instead: ${doneText(there)}`;
    case "outcome":
      return outcomeText(d.agent, names, { x: here[0]!, y: there[0]!, calls });
    case "waits":
      return `${d.agent} with ${b} has to wait where it does with ${a}: ${doneText(here)}`;
    case "ended":
      return `${d.agent} with ${b} has ended; with ${a} it goes on: ${doneText(here)}`;
    case "impossible":
      return `with ${b} this cannot happen here: ${doneText(here)}`;
  }
}

const callText = (routines: readonly string[]): string =>
  `also calls ${routines.slice(0, CALLS_MAX).join(", ")}`;

/** One statement that comes out in two ways. */
function outcomeText(
  agent: string,
  [a, b]: Sides["names"],
  { x, y, calls }: { readonly x: ShownStep; readonly y: ShownStep; readonly calls: Calls },
): string {
  const more = y.events.filter((e) => !x.events.includes(e));
  const less = x.events.filter((e) => !y.events.includes(e));
  const also = (own: readonly string[]) => (own.length > 0 ? callText(own) : "also");
  if (less.length === 0 && more.length > 0) {
    return `${agent} with ${b} ${also(calls.second)}: ${more.join(" · ")}`;
  }
  if (more.length === 0 && less.length > 0) {
    return `${agent} with ${a} ${also(calls.first)}: ${less.join(" · ")}; not with ${b}`;
  }
  return `${agent} with ${a}: ${doneText([x])}; with ${b}: ${doneText([y])}`;
}

const stepText = (s: ShownStep): string => `step ${s.n} (${oneText(s)})`;

const oneText = ({ kind, events, changed, statement, agent }: ShownStep): string => {
  if (events.length > 0) return events.join(" · ");
  if (kind === "fill" || kind === "evict") return changed[0] ?? agent;
  return statement || changed[0] || agent;
};

/** What was done, in few words: events first, for they say most. */
function doneText(steps: readonly ShownStep[]): string {
  const telling = steps.filter((s) => s.events.length > 0);
  const texts = [...new Set((telling.length > 0 ? telling : steps).map(oneText))];
  const told = texts.slice(0, TOLD_MAX).join(" · ");
  return texts.length > TOLD_MAX ? `${told} · …` : told;
}
