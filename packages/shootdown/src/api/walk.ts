// SPDX-License-Identifier: Apache-2.0
// Walking: a scenario from its start or a witness with all its steps, each step with those that are
// possible beside it. All that comes out is plain data.

import type { Origin } from "../engine/program.ts";
import { KNOBS } from "../hardware/machines.ts";
import { differenceText, sideNames } from "../report/beside.ts";
import type { Problem } from "../report/result.ts";
import type { ShownStep } from "../report/shown.ts";
import { shownStep } from "../report/shown.ts";
import { type WhyPart, whyParts } from "../report/why.ts";
import { type Difference, follow, type Pair, playThrough } from "../study/beside.ts";
import { Checker } from "../study/check.ts";
import type { Staged } from "../study/lanes.ts";
import { toldOrigin, WitnessMismatch, type WitnessStep } from "../study/player.ts";
import type { HeldView, StateView } from "../study/state-view.ts";
import { Walk } from "../study/walk.ts";
import { parseScenario } from "./check.ts";
import { planRuns } from "./plan.ts";
import { misfit, readWitness } from "./replay.ts";
import type { RunOptions } from "./run.ts";

/** A step that is possible, and what it would do. */
export interface ShownMove {
  readonly step: WitnessStep;
  readonly shown: ShownStep;
}

/** A step with its lane, and the messages that it sent and was. */
export interface StagedStep extends ShownStep, Staged {
  /** Calls that led to its statement, the nearest first: `routine:step`. */
  readonly callers: readonly string[];
}

/** Where two runs differ, and that in a sentence. */
export interface ShownDifference extends Difference {
  readonly text: string;
}

/** A run, and another that follows it as far as it goes. */
export interface ShownBeside {
  readonly pairs: readonly Pair[];
  readonly differences: readonly ShownDifference[];
}

/** What a walk is a run of. */
export interface WalkOf {
  readonly test: string;
  readonly property: string;
  readonly machine: string;
  readonly kernel: string;
  readonly knobs: Readonly<Record<string, string>>;
}

/** Positions are numbers of steps taken: 0 is the beginning, `length` the end. */
export class OpenWalk {
  readonly of: WalkOf;
  /** Of a witness: from this position on the steps may repeat for ever. */
  readonly repeats_from: number | undefined;
  private readonly walk: Walk;

  constructor(of: WalkOf, walk: Walk, repeats_from?: number) {
    this.of = of;
    this.walk = walk;
    this.repeats_from = repeats_from;
  }

  get length(): number {
    return this.walk.length;
  }

  /** The steps taken, to be taken again: plain data. */
  get steps(): readonly WitnessStep[] {
    return this.walk.steps;
  }

  /** Takes a step at the end; false if it cannot happen there. */
  take(step: WitnessStep): boolean {
    try {
      this.walk.take(step);
      return true;
    } catch (error) {
      if (!(error instanceof WitnessMismatch)) throw error;
      return false;
    }
  }

  /** Forgets the steps from a position on. */
  cut(position: number): void {
    this.walk.cut(this.checked(position));
  }

  /** What step `n`, from 1, did. */
  shown(n: number): ShownStep {
    if (n < 1) throw new RangeError("steps are numbered from 1");
    return shownStep(this.walk.row(this.checked(n)));
  }

  /** The same, and where it is drawn. */
  staged(n: number): StagedStep {
    const callers = callersOf(toldOrigin(this.walk.row(this.checked(n)))?.caller);
    return { ...this.shown(n), ...this.walk.staged(n), callers };
  }

  /** Every lane of a drawing, from left to right. */
  get lanes(): readonly string[] {
    return this.walk.lanes();
  }

  /** Lanes that the steps taken need; all of them at the beginning. */
  get lanesUsed(): readonly string[] {
    return this.walk.lanesUsed();
  }

  view(position: number): StateView {
    return this.walk.view(this.checked(position));
  }

  moves(position: number): ShownMove[] {
    const moves = this.walk.moves(this.checked(position));
    return moves.map(({ step, row }) => ({ step, shown: shownStep(row) }));
  }

  /** Why an entry of a cache is there, in a sentence; null if it is not. */
  why(position: number, entry: Pick<HeldView, "instance" | "value">): string | null {
    const parts = this.whyParts(position, entry);
    return parts?.map((p) => p.text).join("") ?? null;
  }

  /** The same in pieces, with the steps that it names. */
  whyParts(position: number, entry: Pick<HeldView, "instance" | "value">): WhyPart[] | null {
    const why = this.walk.why(this.checked(position), entry.instance, entry.value);
    return why ? whyParts(why) : null;
  }

  /** Takes steps to an end: programs one after the other, and hardware where they wait. */
  play(): void {
    playThrough(this.walk);
  }

  /**
   * Begins anew and takes the steps of another walk of the same scenario as far as that goes: the
   * same statements of the same programs, the same of hardware. Says where the two differ.
   */
  follow(leader: OpenWalk): ShownBeside {
    this.walk.cut(0);
    const { pairs, differences } = follow(leader.walk, this.walk);
    const [first, second] = [new Routines(leader.walk), new Routines(this.walk)];
    const named = [leader.of, this.of].map(({ machine, kernel, knobs }) => ({
      ...{ machine, kernel, set: KNOBS.flatMap((k) => setting(k.name, knobs)).join(",") },
    }));
    const sides = {
      names: sideNames(named[0]!, named[1]!),
      first: (n: number) => leader.shown(n),
      second: (n: number) => this.shown(n),
    };
    const shown = differences.map((d): ShownDifference => {
      const calls = {
        first: first.beyond(d.first, second),
        second: second.beyond(d.second, first),
      };
      return { ...d, text: differenceText(d, sides, calls) };
    });
    return { pairs, differences: shown };
  }

  private checked(position: number): number {
    if (Number.isInteger(position) && position >= 0 && position <= this.length) return position;
    throw new RangeError(`no position ${position} in a walk of ${this.length} steps`);
  }
}

/** Which routines a run goes through. */
class Routines {
  private readonly walk: Walk;
  private readonly names = new Set<string>();

  constructor(walk: Walk) {
    this.walk = walk;
    for (let n = 1; n <= walk.length; n++) {
      for (const chain of this.chains(n)) for (const name of chain) this.names.add(name);
    }
  }

  /** Of the calls that lead to steps, the outermost that another run does not make anywhere. */
  beyond(steps: readonly number[], other: Routines): string[] {
    const found = steps.flatMap((n) =>
      this.chains(n).flatMap((chain) => chain.find((name) => !other.names.has(name)) ?? []),
    );
    return [...new Set(found)];
  }

  /** For each statement of a program's step its routine with callers, the outermost first. */
  private chains(n: number): string[][] {
    if (this.walk.steps[n - 1]!.kind !== "thread") return [];
    return this.walk.row(n).origins.map((o) => {
      const chain = [o.routine];
      for (let c = o.caller; c; c = c.caller) chain.unshift(c.routine);
      return chain;
    });
  }
}

function callersOf(origin: Origin | undefined): string[] {
  const callers: string[] = [];
  for (let o = origin; o; o = o.caller) callers.push(`${o.routine}:${o.step}`);
  return callers;
}

const setting = (name: string, knobs: Readonly<Record<string, string>>): string[] =>
  knobs[name] === undefined ? [] : [`${name}=${knobs[name]}`];

export type WalkOpened =
  | { readonly ok: true; readonly walk: OpenWalk }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface WalkOptions extends Omit<RunOptions, "seed"> {
  /**
   * Values of knobs that are not set, as another walk has them; the program is then the one that
   * is searched, without what nobody notices, so that a witness can be followed in it.
   */
  readonly like?: Readonly<Record<string, string>>;
}

/** Of what another machine leaves open, that which is not set here. */
const unset = (
  like: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
): Record<string, string> =>
  Object.fromEntries(
    KNOBS.flatMap(({ name }) =>
      like[name] === undefined || name in own ? [] : [[name, like[name]] as const],
    ),
  );

/**
 * The beginning of a scenario, in the first of the configurations that its Result lines or the
 * options name; knobs that are not set have their first value. Never throws for a bad text.
 */
export function openWalk(input: Uint8Array | string, options: WalkOptions = {}): WalkOpened {
  const read = parseScenario(input, options.file ?? "<scenario>");
  if (!read.ok) return read;
  const plan = planRuns(read.scenario, read.text, options);
  if (!plan.ok) return plan;
  const [planned] = plan.runs;
  if (!planned) throw new Error("a plan without runs");
  const { configuration, drop } = planned;
  const checker = new Checker(read.scenario);
  const { machine, kernelName: kernel } = configuration;
  const chosen = options.like ? unset(options.like, configuration.knobs) : {};
  const knobs = { ...configuration.knobs, ...chosen };
  const walk = new Walk(
    options.like
      ? checker.programFor(configuration, chosen, drop?.overlay)
      : checker.fullProgram(configuration, drop?.overlay),
  );
  const { property } = checker.condition;
  const of = { test: read.scenario.name.text, property, machine, kernel, knobs };
  return { ok: true, walk: new OpenWalk(of, walk) };
}

/** A witness, all its steps taken; what it repeats is taken once. Never throws for a bad text. */
export function openWitnessWalk(text: string, file = "<witness>"): WalkOpened {
  const read = readWitness(text, file);
  if (!read.ok) return read;
  const { witness, program } = read;
  const walk = new Walk(program);
  try {
    for (const step of [...witness.steps, ...witness.cycle]) walk.take(step);
  } catch (error) {
    if (!(error instanceof WitnessMismatch)) throw error;
    return { ok: false, problems: [misfit(error, file)] };
  }
  const { test, property, machine, kernel, knobs, steps, cycle } = witness;
  const of = { test, property, machine, kernel, knobs };
  return { ok: true, walk: new OpenWalk(of, walk, cycle.length > 0 ? steps.length : undefined) };
}
