// SPDX-License-Identifier: Apache-2.0
// A witness as text: a column for each agent, a line a step, and what changed.
//
//   step CPU0 D hw
//      8 *    . .  cmpxchg_desc:1              pte_store A x P ro -> P rw
//      8 .    . *  smmu_tlb[asid(A),x]         took P ro
//      9 *    . .  dsb:2                       dsb ISHST

import { columns, cutTo, type Paint, pad, plain, wrapText } from "./columns.ts";
import type { ShownStep, ShownWitness } from "./shown.ts";

export interface WitnessStyle {
  readonly width: number;
  readonly paint?: Paint;
  /** Also the statement of every step. */
  readonly statements?: boolean;
}

/** Programs of agents beside one another are told apart by column; hardware has the last. */
const HARDWARE = "hw";

/** The column of places is no wider, so that what happens has room. */
const WHERE_MAX = 30;

/** Where in the line a continued one goes on. */
const CONTINUED = 9;

interface Layout {
  readonly tracks: readonly string[];
  readonly width: number;
  readonly where: number;
  readonly paint: Paint;
  readonly statements: boolean;
}

/** The parts of a printed witness: a line above, one block a step, and how it ends. */
export interface WitnessBlocks {
  readonly head: string;
  readonly steps: readonly (readonly string[])[];
  readonly end: readonly string[];
}

/** Lines without line ends. */
export function witnessLines(witness: ShownWitness, style: WitnessStyle): string[] {
  const { head, steps, end } = witnessBlocks(witness, style);
  return [head, ...steps.flat(), ...end];
}

export function witnessBlocks(witness: ShownWitness, style: WitnessStyle): WitnessBlocks {
  const { steps, cycle, why, confirmed } = witness;
  const all = [...steps, ...cycle];
  const layout: Layout = {
    tracks: tracksOf(all),
    width: style.width,
    // A witness may be longer than a call has arguments.
    where: all.reduce((w, s) => Math.min(WHERE_MAX, Math.max(w, columns(placeOf(s)))), 0),
    paint: style.paint ?? plain,
    statements: style.statements ?? false,
  };
  const blocks = steps.map((s) => stepLines(s, layout));
  for (const [n, s] of cycle.entries()) {
    blocks.push([...(n === 0 ? ["then, for ever:"] : []), ...stepLines(s, layout)]);
  }
  const { paint, width } = layout;
  const said = confirmed ? ending(witness) : `NOT CONFIRMED: no ${witness.property} in this run`;
  const end = wrapText(said, width).map((l) => paint("bad", l));
  if (why !== null && confirmed) end.push(...wrapText(`why: ${why}`, width));
  return { head: headLine(layout), steps: blocks, end };
}

function ending({ property, cycle, steps }: ShownWitness): string {
  const last = steps.at(-1)?.n ?? 0;
  if (cycle.length === 0) return `${property} after step ${last}`;
  const end = cycle.at(-1)?.n ?? last;
  const repeats = end === last + 1 ? `step ${end} repeats` : `steps ${last + 1} to ${end} repeat`;
  return `${property}: ${repeats}, and nothing can end it`;
}

/** Agents in the order of their first step, then hardware. */
function tracksOf(steps: readonly ShownStep[]): string[] {
  const names = new Set(steps.filter((s) => s.kind === "thread").map((s) => s.agent));
  const hardware = steps.some((s) => s.kind !== "thread");
  return [...[...names].sort(), ...(hardware ? [HARDWARE] : [])];
}

const headLine = ({ tracks }: Layout): string => `step ${tracks.join(" ")}`;

function tracksText(step: ShownStep, { tracks, paint }: Layout): string {
  const own = step.kind === "thread" ? step.agent : HARDWARE;
  return tracks
    .map((name) =>
      name === own ? paint("strong", "*") + " ".repeat(columns(name) - 1) : pad(".", columns(name)),
    )
    .join(" ");
}

/** What the line is about: a statement's place, or the hardware that acts. */
function placeOf(step: ShownStep): string {
  if (step.kind === "thread") return step.where;
  if (step.kind !== "fill") return step.where || step.agent;
  return step.changed[0]?.split(": ")[0] ?? step.agent;
}

/** What happened: events and changes; for a step with neither, its statement. */
function newsOf(step: ShownStep): string[] {
  if (step.kind === "fill") {
    return step.changed.map((c) => c.replace(/^.*?: - -> /, "takes ").replace(/^.*?: /, ""));
  }
  const news = [...step.events, ...step.changed.filter((c) => !told(c, step))];
  return news.length > 0 ? news : [step.statement];
}

/** Whether an event says the same as the change of a variable. */
function told(change: string, step: ShownStep): boolean {
  const values = change.slice(change.indexOf(": ") + 2);
  return step.events.some((e) => e.endsWith(values)) && change.startsWith("pte_table");
}

function stepLines(step: ShownStep, layout: Layout): string[] {
  const { width, paint, statements } = layout;
  const place = placeOf(step);
  const tracks = `${String(step.n).padStart(4)} ${tracksText(step, layout)}  `;
  const indent = 4 + 1 + columns(layout.tracks.join(" ")) + 2;
  const at = indent + Math.max(layout.where, columns(place)) + 2;
  const faint = (lines: readonly string[]) => lines.map((l) => paint("faint", l));
  const bare = step.events.length === 0 && step.changed.length === 0;
  const news = newsOf(step);
  const lines: string[] = [];
  const rest: string[] = [];
  if (bare && !statements) {
    lines.push(`${tracks}${pad(place, layout.where)}  ${abridged(step.statement, width - at)}`);
  } else if (columns(news[0] ?? "") <= width - at) {
    lines.push(`${tracks}${pad(place, layout.where)}  ${news[0] ?? ""}`);
    rest.push(...news.slice(1));
  } else {
    lines.push(`${tracks}${place}`);
    rest.push(...news);
  }
  if (statements && !bare && step.statement !== "") rest.push(step.statement);
  const under = " ".repeat(indent + layout.where + 2);
  const fit = rest.every((line) => columns(under) + columns(line) <= width);
  for (const line of rest) lines.push(...faint(fit ? [under + line] : continued(line, width)));
  return lines.map((l) => l.trimEnd());
}

/** A statement that fits: arguments are the first to go. */
function abridged(statement: string, width: number): string {
  if (columns(statement) <= width) return statement;
  let depth = 0;
  let text = "";
  for (const char of statement) {
    if (char === ")") depth--;
    if (depth === 0) text += char;
    if (char === "(" && depth++ === 0) text += "...";
  }
  return cutTo(text, width);
}

const continued = (text: string, width: number): string[] =>
  wrapText(text, width - CONTINUED).map((l) => " ".repeat(CONTINUED) + l);
