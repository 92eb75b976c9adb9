// SPDX-License-Identifier: Apache-2.0
// Courses of operations that differ in nothing but how long their pieces are, as one function of
// the lengths.
//
//   runs at the vertices of a region of lengths ──same path in all──► a course for all of it
//
// Why that is no estimate. Along one path through a routine every number is affine in the lengths:
// pages, ranges and counts are only added, subtracted and compared. What decides the path is the
// sign of such numbers. A region is a convex polytope; an affine number that has one sign at all
// of its vertices has it everywhere between them. So, decision by decision, whatever lies between
// takes the same path, and what comes out is the affine function that the vertices fix.
// docs/adr/0015 says what is left to check, and the runs that check it.

import type { TlbiFeatures } from "../kernel/arch/arm64/asm/tlbi-ranges.ts";
import type { Act, Course } from "./course.ts";
import type { After, Became } from "./local.ts";
import { instructions } from "./log.ts";
import type { Region } from "./region.ts";
import {
  affineThrough,
  exactRegion,
  holds,
  insideOf,
  leastOf,
  regionsAround,
  verticesOf,
  wholeRegion,
} from "./region.ts";
import type { Done } from "./runner.ts";

/** What one run did, and by which way through the program. */
export interface Probe {
  readonly done: Done;
  /** Paths of the same number are the same instructions, in the same order. */
  readonly path: number;
}

export interface FamilyOptions {
  /** Runs a member: one length for each piece. */
  readonly run: (lengths: readonly number[]) => Probe;
  readonly tlbi: TlbiFeatures;
  /** Pages of all pieces together at most. */
  readonly pagesMax: number;
  /** Numbers of pages at which a kernel may change its way; those that did move to the front. */
  readonly thresholds: number[];
}

/** Members that are run as they are before a region is looked for. */
const STRANGERS_MIN = 2;
/** Searches in vain for a region, before nobody looks any more. */
const REFUSED_MAX = 3;
/** Runs that one search takes at most. */
const PROBES_MAX = 40;
/** The first member of a region that is checked, and how many times more the next one is. */
const CHECK_FIRST = 2;
const CHECK_FACTOR = 4;
/** Pieces whose length is not 1; more have too many vertices. */
const FREE_MAX = 8;

interface Known {
  readonly region: Region;
  readonly course: Template;
  /** Members that were taken from it. */
  uses: number;
  /** The use that will be checked. */
  check: number;
}

/** A course whose numbers are functions of the lengths. */
interface Template {
  readonly like: Done;
  /** For each number of `like`, in order: a constant, then a factor for each length. */
  readonly rows: readonly Float64Array[];
}

export class Family {
  private readonly options: FamilyOptions;
  private readonly known: Known[] = [];
  private readonly probes = new Map<string, Probe>();
  /** Members that were in no region. */
  private strangers = 0;
  private refused = 0;

  constructor(options: FamilyOptions) {
    this.options = options;
  }

  /** The course of a member, if its lengths lie in a region that is known or can be found. */
  find(lengths: readonly number[]): Done | undefined {
    const known = this.known.find(({ region }) => holds(region, lengths));
    if (known) return this.take(known, lengths);
    const free = lengths.filter((n) => n > 1).length;
    if (free === 0 || free > FREE_MAX || this.refused >= REFUSED_MAX) return undefined;
    // A region costs a run for each of its vertices: it must be worth while.
    if (this.strangers++ < STRANGERS_MIN) return undefined;
    const found = this.learn(lengths);
    if (!found) {
      if (++this.refused === REFUSED_MAX) this.probes.clear();
      return undefined;
    }
    this.known.push(found);
    return this.take(found, lengths);
  }

  /** Now and then, ever more rarely, a member is run, and must be what was said. */
  private take(known: Known, lengths: readonly number[]): Done {
    const course = new Member(known.course, lengths, this.options.tlbi);
    const after = course.after();
    if (++known.uses === known.check) {
      known.check *= CHECK_FACTOR;
      const { done } = this.options.run(lengths);
      const said = { course: { acts: course.acts, steps: course.steps }, after };
      if (JSON.stringify(done) !== JSON.stringify(said)) {
        throw new Error(`a course is not what its family says at lengths ${lengths.join()}`);
      }
    }
    return { course, after };
  }

  private learn(lengths: readonly number[]): Known | undefined {
    const here = this.probe(lengths);
    const budget = this.probes.size + PROBES_MAX;
    for (const region of this.candidates(lengths, here)) {
      const points = [...verticesOf(region), insideOf(region, lengths)];
      const alike = points.every((p) => {
        return this.probes.size < budget && this.probe(p).path === here.path;
      });
      const course = alike && this.template(here, points);
      if (course) {
        this.probes.clear();
        this.strangers = 0;
        this.prefer(region);
        return { region, course, uses: 0, check: CHECK_FIRST };
      }
      if (this.probes.size >= budget) return undefined;
    }
    return undefined;
  }

  /** Regions to try: all lengths, then by the ranges that a threshold may be for. */
  private *candidates(lengths: readonly number[], here: Probe): Generator<Region, void, undefined> {
    const { pagesMax, thresholds } = this.options;
    yield wholeRegion(lengths, pagesMax);
    const least = leastOf(lengths);
    const parts = new Map([
      ...partsOf(lengths, here.done),
      ...partsOf(least, this.probe(least).done),
    ]);
    for (const threshold of thresholds.slice()) {
      for (const [first, last] of parts.values()) {
        yield* regionsAround(lengths, pagesMax, { first, last, threshold });
      }
    }
    // What goes page by page, as INVLPG does, is another path for each number of pages.
    for (const [first, last] of parts.values()) {
      yield exactRegion(lengths, pagesMax, first, last);
    }
  }

  /** A threshold that there is is tried first from now on. */
  private prefer({ threshold }: Region): void {
    const { thresholds } = this.options;
    const at = threshold === undefined ? -1 : thresholds.indexOf(threshold);
    if (at > 0) thresholds.unshift(...thresholds.splice(at, 1));
  }

  private probe(lengths: readonly number[]): Probe {
    const key = lengths.join();
    let probe = this.probes.get(key);
    if (!probe) this.probes.set(key, (probe = this.options.run(lengths)));
    return probe;
  }

  /** The affine function through the runs at `points`; none if they are not alike otherwise. */
  private template(like: Probe, points: readonly (readonly number[])[]): Template | undefined {
    const runs = points.map((p) => this.probe(p).done);
    const form = formOf(like.done);
    if (runs.some((run) => formOf(run) !== form)) return undefined;
    const rows = affineThrough(points, runs.map(numbersOf));
    return rows && { like: like.done, rows };
  }
}

/** Pieces [first, last) that some range of a course begins and ends with. */
function partsOf(
  lengths: readonly number[],
  { course }: Done,
): Map<string, readonly [first: number, last: number]> {
  const found = new Map<string, readonly [number, number]>();
  const starts = [0];
  for (const n of lengths) starts.push(starts.at(-1)! + n);
  for (const a of course.acts) {
    if (!isRange(a)) continue;
    const [first, last] = [starts.indexOf(a.lo), starts.indexOf(a.hi)];
    if (first >= 0 && last > first) found.set(`${first} ${last}`, [first, last]);
  }
  return found;
}

/** Everything of a course but its numbers. */
function formOf({ course, after }: Done): string {
  const acts = course.acts.map((a) => {
    if (isRange(a)) return { ...a, lo: 0, hi: 0, ...(a.act === "tlbi" && { instructions: 0 }) };
    // Of one path, steps are as many wherever they are counted.
    return a.act === "pte" ? { ...a, n: 0 } : a;
  });
  const pages = after.pages.map(({ code, kept }) => [code, kept]);
  return JSON.stringify([course.steps, acts, pages, after.tables]);
}

type Ranged = Extract<Act, { readonly hi: number }>;
const isRange = (a: Act): a is Ranged => "hi" in a && a.hi !== Number.POSITIVE_INFINITY;

/** The numbers of a course, in the order in which a member has them: those of `after` last. */
function numbersOf({ course, after }: Done): number[] {
  const found: number[] = [];
  for (const a of course.acts) {
    if (a.act === "pte") found.push(a.n);
    else if (isRange(a)) found.push(a.lo, a.hi);
  }
  for (const { lo, hi } of after.pages) found.push(lo, hi);
  return found;
}

/** The course of a member; there are many of them, so that only what is asked for is made. */
class Member implements Course {
  private readonly template: Template;
  private readonly lengths: readonly number[];
  private readonly tlbi: TlbiFeatures;

  constructor(template: Template, lengths: readonly number[], tlbi: TlbiFeatures) {
    this.template = template;
    this.lengths = lengths;
    this.tlbi = tlbi;
  }

  get steps(): number {
    return this.template.like.course.steps;
  }

  get acts(): readonly Act[] {
    let at = 0;
    const next = () => this.number(at++);
    return this.template.like.course.acts.map((a): Act => {
      if (a.act === "pte") return { ...a, n: next() };
      if (!isRange(a)) return a;
      const [lo, hi] = [next(), next()];
      if (a.act !== "tlbi") return { ...a, lo, hi };
      return { ...a, instructions: instructions(a.op, { lo, hi }, this.tlbi), lo, hi };
    });
  }

  after(): After {
    const { like, rows } = this.template;
    const { pages } = like.after;
    let at = rows.length - 2 * pages.length;
    const next = () => this.number(at++);
    return { ...like.after, pages: pages.map((p): Became => ({ ...p, lo: next(), hi: next() })) };
  }

  private number(at: number): number {
    const row = this.template.rows[at]!;
    const { lengths } = this;
    let sum = row[0]!;
    for (let n = 0; n < lengths.length; n++) sum += row[n + 1]! * lengths[n]!;
    return Math.round(sum);
  }
}
