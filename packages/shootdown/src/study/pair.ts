// SPDX-License-Identifier: Apache-2.0
// Pairs of operations as scenarios: two CPUs, two pages, one device, one table above the leaves.
//
//   shared        both on x and y, which have a page table to themselves, so that it can go
//   neighbours    one on x, the other on y: entries of one table
//
//   safety        CPU0 and CPU1 do one operation each, then access what they like; so does the
//                 device, at any time
//   stuck         the device tries one access until it succeeds; `retried`: nobody handles its
//                 faults, which finds all that `handled` finds but what handling does by itself
//
// A CPU that does nothing but access is an operation too: `cpu_access` beside any other one.

import type { Operation } from "./operations.ts";

export type Placement = "shared" | "neighbours";
export type Question = "safety" | "retried" | "handled";

/** One scenario of a pair. */
export interface PairScenario {
  readonly text: string;
  readonly placement: Placement;
  /** The operation whose start both pages have; of neighbours each has its own. */
  readonly start: string;
  readonly question: Question;
}

/** The hardware that pairs run on. */
export interface PairMachine {
  readonly architecture: "arm64" | "x86";
  readonly device: boolean;
  readonly ats: boolean;
}

/** What a safety run asks, all at once. */
export const PAIR_PROPERTIES: readonly string[] = [
  ...["use_after_free", "stale_write", "stale_access", "lost_write"],
  ...["table_use_after_free", "break_before_make"],
];

/** Any access of both pages, again and again, for ever. */
const ANY = "loop { access x..y unhandled; }";

interface Start {
  readonly map: string;
  readonly vma: string;
}

const startOf = ({ map = "", vma = "" }: Operation): Start => ({ map, vma });

const sameStart = (a: Operation, b: Operation): boolean =>
  startOf(a).map === startOf(b).map && startOf(a).vma === startOf(b).vma;

/** Why two operations do not run at the same time; undefined if they can. */
export function excluded(a: Operation, b: Operation, machine: PairMachine): string | undefined {
  for (const o of [a, b]) {
    if (o.by === "device" && !machine.device) return `${o.name}: no device`;
    if (o.needs === "ats" && !machine.ats) return `${o.name}: no ATS`;
    if (o.statements.includes("$D") && !machine.device) return `${o.name}: no device`;
  }
  if (a.by === "device" && b.by === "device") return "one device does one thing at a time";
  if (attaches(a) && attaches(b)) return "attaching is serialized by the mutex of the group";
  const other = ends(a) ? b : a;
  if ((ends(a) || ends(b)) && other.by === "device") {
    return "who handles a fault holds mm_users: exit_mmap comes after";
  }
  if ((ends(a) || ends(b)) && other.by !== "kernel" && other.by !== "device") {
    return "exit is the last user's";
  }
  return undefined;
}

const ends = ({ statements }: Operation): boolean => /\bexit;/.test(statements);
/** What changes the attachment of the device. */
const attaches = ({ statements }: Operation): boolean => statements.includes("$D");
/** An operation of files' pages on others, or one that does nothing to files' pages on those. */
const idle = ({ files }: Operation, start: Operation): boolean =>
  start.files === "only" ? files === "never" : files === "only";
const isBlock = ({ map = "" }: Operation): boolean => /\bhuge\b/.test(map);
const repeats = ({ statements }: Operation): boolean => /\bloop\b/.test(statements);

/** The scenarios of a pair, those that say the same once. */
export function pairScenarios(
  a: Operation,
  b: Operation,
  machine: PairMachine,
): readonly PairScenario[] {
  const all: PairScenario[] = [];
  const add = (placement: Placement, question: Question, start: Operation) => {
    if (placement === "shared" && [a, b].some((o) => idle(o, start))) return;
    const text = pairText(a, b, { placement, question, start }, machine);
    all.push({ text, placement, question, start: start.name });
  };
  // While ATS is off requests are in flight for a while: one world is enough to search.
  if (attaches(a) || attaches(b)) {
    add("shared", "safety", attaches(a) ? b : a);
    return all;
  }
  const faults = a.by === "device" || b.by === "device";
  const questions: Question[] = ["safety"];
  if (machine.device && !repeats(a) && !repeats(b)) questions.push(faults ? "handled" : "retried");
  for (const question of questions) {
    add("shared", question, a);
    if (!sameStart(a, b)) add("shared", question, b);
    // A block is of both pages.
    if (question === "safety" && !isBlock(a) && !isBlock(b)) add("neighbours", question, a);
  }
  return [...new Map(all.map((s) => [s.text, s])).values()];
}

interface Form {
  readonly placement: Placement;
  readonly question: Question;
  /** Of shared pages: whose start they have. */
  readonly start: Operation;
}

/** The text of one scenario; `check` reads it. */
export function pairText(
  a: Operation,
  b: Operation,
  { placement, question, start }: Form,
  { device }: PairMachine,
  properties: readonly string[] = PAIR_PROPERTIES,
): string {
  const apart = placement === "neighbours";
  const [ofX, ofY] = apart ? [a, b] : [start, start];
  const programs = [programOf(a, b, 0, question, apart), programOf(b, a, 1, question, apart)];
  const asked = question === "safety" ? properties.join(" \\/ ") : "stuck(D)";
  const lines = [
    `MM ${a.name}+${b.name}`,
    "",
    "(*",
    ` * ${a.name} and ${b.name} at the same time, ${wordsOf(placement, start)}:`,
    ` * ${SENTENCES[question]}.`,
    " *)",
    "",
    "{",
    "  mm A;",
    "  page P, Q;",
    "  va x, y;",
    ...worldOf("x", "P", startOf(ofX)),
    ...worldOf("y", "Q", startOf(ofY)),
    ...(apart ? [] : ["  own-table A:x..y;"]),
    ...(device ? ["  device D in A;"] : []),
    `  free-frames ${framesOf(a) + framesOf(b)};`,
    "}",
    "",
    ...programs.filter((p) => p !== undefined),
    ...(device ? [`D { ${deviceProgram(a, b, question)} }`] : []),
    "",
    `exists (${asked})`,
  ];
  return `${lines.join("\n")}\n`;
}

const SENTENCES: Readonly<Record<Question, string>> = {
  safety: "nothing is used that was revoked",
  retried: "the device gets what it may",
  handled: "the device gets what it may",
};

/** Two operations on two pages take no more, but who takes a frame for each place of a table. */
const FREE_FRAMES = 4;
const framesOf = ({ frames = FREE_FRAMES / 2 }: Operation): number => frames;

const wordsOf = (placement: Placement, start: Operation): string =>
  placement === "shared" ? `on both pages, as ${start.name} finds them` : "on neighbouring pages";

function worldOf(va: string, page: string, { map, vma }: Start): string[] {
  const words = map === "" ? "" : ` ${map}`;
  const lines = map === "none" ? [] : [`  map A:${va} -> ${page}${words};`];
  if (vma !== "") lines.push(`  vma A:${va} ${vma};`);
  if (map === "none") lines.push(`  none A:${va};`);
  return lines;
}

/** The CPU of an operation; undefined if the device does it. */
function programOf(
  own: Operation,
  other: Operation,
  cpu: number,
  question: Question,
  apart: boolean,
): string | undefined {
  if (own.by === "device") return undefined;
  const [x, y] = apart && cpu === 1 ? ["y", "x"] : ["x", "y"];
  const statements = own.statements
    .replaceAll("$r", apart ? x : "x..y")
    .replaceAll("$x", x)
    .replaceAll("$y", y)
    .replaceAll("$P", x === "x" ? "P" : "Q")
    .replaceAll("$Q", x === "x" ? "Q" : "P")
    .replaceAll("$A", "A")
    .replaceAll("$D", "D");
  // A kernel thread goes on with user space afterwards, unless that is about to end.
  const user = !(own.by === "kernel" && ends(other));
  const goesOn = question === "safety" && user && !ends(own) && !repeats(own);
  const rest = goesOn ? ` ${ANY}` : "";
  return `CPU${cpu}${user ? "(A)" : ""} { ${statements}${rest} }`;
}

function deviceProgram(a: Operation, b: Operation, question: Question): string {
  const own = [a, b].find((o) => o.by === "device");
  if (question === "retried") return "access x..y retried;";
  if (question === "handled") return "access x..y;";
  // What one access does not show, many do not; where they are in flight, they are states.
  if (attaches(a) || attaches(b)) return own ? "access x..y;" : "access x..y unhandled;";
  return own ? `access x..y; ${ANY}` : ANY;
}
