// SPDX-License-Identifier: Apache-2.0
// Runners of several kernels and machines that are asked as one, as long as each leaves the same.
//
//   operation ──► key ──known?──► number of the course, and what all leave
//                   └──not known──► every runner ──same?──► a number, a course of each
//                                                └──not──► who differs from the first leaves
//
// What one runner leaves is where the next operation begins: who has left has to begin anew.

import type { ClockCourse } from "./clock-program.ts";
import type { Course } from "./course.ts";
import type { After, Local } from "./local.ts";
import { CODES } from "./page.ts";
import type { Access, Context, Done, Routine, Runner, Runs } from "./runner.ts";
import { accessKey, CPUS, contextOf, runKey } from "./runner.ts";
import type { Piece } from "./space.ts";

/** A course of all, by its number, and what it leaves. */
export interface Joint {
  readonly course: number;
  readonly after: After;
}

export class Team implements Runs<number> {
  /** By number: of the first runner, or of who else numbers courses here. */
  readonly courses: ClockCourse[] = [];
  /** How often anybody was asked. */
  asked = 0;
  /** Of each runner that has not left, its courses by their numbers. */
  private readonly members: Map<Runner, Course[]>;
  private readonly first: Runner;
  private readonly cpus: number;
  private readonly remembers: boolean;
  private readonly memory = new Map<string | number, Joint>();
  private readonly routines = new Map<Routine, number>();
  private readonly accesses = new Map<number, Joint>();

  constructor(runners: ReadonlySet<Runner>) {
    const all = [...runners];
    this.first = all[0]!;
    this.members = new Map(all.map((runner) => [runner, []]));
    this.cpus = Math.max(...all.map((runner) => runner.cpus));
    this.remembers = all.every((runner) => runner.options.memory !== false);
  }

  /** The runner's courses by their numbers, sparse; none if it has left. */
  coursesOf(runner: Runner): readonly (Course | undefined)[] | undefined {
    return this.members.get(runner);
  }

  run(routine: Routine, context: Context, local: Local, to?: Local): Joint {
    this.asked++;
    const seen = contextOf(routine, context, this.cpus);
    const short = to === undefined ? shortOf(local) : -1;
    const key = short < 0 ? runKey(routine, seen, local, to) : this.number(routine, seen, short);
    const known = this.memory.get(key);
    if (known) return known;
    const joint = this.ask((runner) => runner.run(routine, context, local, to));
    if (this.remembers) this.memory.set(key, joint);
    return joint;
  }

  access(routine: Access, context: Context, code: number): Joint {
    this.asked++;
    const key = accessKey(routine, contextOf(routine, context, this.cpus), code);
    const known = this.accesses.get(key);
    if (known) return known;
    const joint = this.ask((runner) => runner.access(routine, context, code));
    if (this.remembers) this.accesses.set(key, joint);
    return joint;
  }

  /** Knows what is known by `short`, which is less than SHORT, as a string would. */
  private number(routine: Routine, { bound, cpus }: Context, short: number): number {
    let number = this.routines.get(routine);
    if (number === undefined) this.routines.set(routine, (number = this.routines.size));
    return ((2 * number + (bound ? 1 : 0)) * CPUS + cpus) * SHORT + short;
  }

  private ask(run: (runner: Runner) => Done): Joint {
    const { course, after } = run(this.first);
    const number = this.courses.push(course) - 1;
    for (const [runner, courses] of this.members) {
      const done = runner === this.first ? { course, after } : run(runner);
      if (sameAfter(after, done.after)) courses[number] = done.course;
      else this.members.delete(runner);
    }
    return { course: number, after };
  }
}

/** Pages of ranges that have a short key, at most. */
const SHORT_PAGES = 2 ** 16;
const SHORT = SHORT_PAGES * CODES;

/** A number for a range of one kind of pages whose tables all stay, as most are; otherwise -1. */
function shortOf({ length, offset, pieces, before, behind, tables }: Local): number {
  if (pieces.length !== 1 || length >= SHORT_PAGES || offset !== 1 || !before || behind) return -1;
  const [{ lo, hi, code }] = pieces as [Piece];
  if (lo !== 0 || hi !== length || tables.length !== 1) return -1;
  const { start, end } = tables[0]!;
  return start === 0 && end === 1 ? length * CODES + code : -1;
}

/** Whether the same has become of everything. */
function sameAfter(a: After, b: After): boolean {
  if (a.pages.length !== b.pages.length || a.tables.length !== b.tables.length) return false;
  const pages = a.pages.every((p, n) => {
    const q = b.pages[n]!;
    return p.lo === q.lo && p.hi === q.hi && p.code === q.code && p.kept === q.kept;
  });
  if (!pages) return false;
  return a.tables.every(
    ({ start, end }, n) => start === b.tables[n]!.start && end === b.tables[n]!.end,
  );
}
