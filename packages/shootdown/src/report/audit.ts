// SPDX-License-Identifier: Apache-2.0
// What an audit prints: what is not safe, counts, and on demand the matrix of all pairs.
//
//        cpu_access           .
//        device_fault         . -
//        fork                 . . .
//        munmap               . . ! k      . safe   ! violation   k a known one   ? inconclusive

import { cutTo, type Paint, plain, wrapText } from "./columns.ts";

export interface PairLine {
  readonly type: "pair";
  readonly a: string;
  readonly b: string;
  readonly kernel: string;
  readonly machine: string;
  readonly verdict: "safe" | "violation" | "inconclusive" | "excluded";
  readonly property: string | null;
  /** All that are violated. */
  readonly properties: readonly string[];
  /** The finding that has the violation of `property`. */
  readonly finding: string | null;
  /** Whether findings have all of them. */
  readonly known: boolean;
  readonly states: number;
  /** Scenarios that were searched. */
  readonly runs: number;
  readonly seconds: number;
  /** The limit that was hit, or why the two do not run together. */
  readonly reason: string | null;
  readonly why: string | null;
  /** The scenario that shows it. */
  readonly scenario: string | null;
}

export interface AuditSummary {
  readonly type: "summary";
  readonly pairs: number;
  readonly safe: number;
  readonly violations: number;
  /** Of these, violations that docs/FINDINGS.md lists. */
  readonly known: number;
  readonly inconclusive: number;
  readonly excluded: number;
  readonly states: number;
  readonly seconds: number;
  readonly interrupted: boolean;
}

export function auditSummary(
  lines: readonly PairLine[],
  seconds: number,
  interrupted: boolean,
): AuditSummary {
  const count = (test: (l: PairLine) => boolean) => lines.filter(test).length;
  return {
    type: "summary",
    pairs: lines.length,
    safe: count((l) => l.verdict === "safe"),
    violations: count((l) => l.verdict === "violation"),
    known: count((l) => l.known),
    inconclusive: count((l) => l.verdict === "inconclusive"),
    excluded: count((l) => l.verdict === "excluded"),
    states: lines.reduce((n, l) => n + l.states, 0),
    seconds: Math.round(seconds * 1000) / 1000,
    interrupted,
  };
}

/** 1: a violation that no finding lists; 3: a pair that hit a limit. */
export function auditStatus(s: AuditSummary): 0 | 1 | 3 {
  if (s.violations > s.known) return 1;
  return s.inconclusive > 0 || s.interrupted ? 3 : 0;
}

export interface AuditStyle {
  readonly width: number;
  readonly paint?: Paint;
  readonly verbose?: boolean;
}

/** What is printed as soon as it is known; nothing of a pair that is safe. */
export function pairText(line: PairLine, { width, paint = plain }: AuditStyle): string {
  const { verdict, a, b, properties, finding, known, reason, why, states } = line;
  if (verdict === "safe" || verdict === "excluded") return "";
  const bad = verdict === "violation";
  const head = bad ? (known ? "known" : "VIOLATION") : "inconclusive";
  const what = bad ? `${properties.join(", ")}${finding === null ? "" : ` (${finding})`}` : reason;
  const tone = known ? "faint" : bad ? "bad" : "unsure";
  const lines = wrapText(`${head.padEnd(12)} ${a} | ${b}: ${what}`, width);
  const told = lines.map((l) => paint(tone, l));
  if (why !== null) told.push(...wrapText(`why: ${why}`, width - 2).map((l) => `  ${l}`));
  if (!bad) told.push(`  after ${states} states; try: raise --max-states`);
  return told.map((l) => `${l}\n`).join("");
}

/** The head of the pairs of one kernel on one machine. */
export function groupText(
  group: { readonly kernel: string; readonly machine: string; readonly pairs: number },
  set: Readonly<Record<string, string>>,
  width: number,
): string {
  const knobs = Object.entries(set).map(([k, v]) => `${k}=${v}`);
  const text = `${group.kernel} on ${group.machine}, ${group.pairs} pairs, ${knobs.join(" ")}`;
  return wrapText(text, width)
    .map((l) => `${l}\n`)
    .join("");
}

const MARKS = { safe: ".", violation: "!", inconclusive: "?", excluded: "-" } as const;
const NAME_MAX = 26;

const BYSTANDER = "cpu_access";

/**
 * Whether an operation violates nothing beside itself and beside CPUs that only access, and nothing
 * that nobody knows: what is known of another pair may be the other's.
 */
function harmless(name: string, lines: readonly PairLine[]): boolean {
  const of = lines.filter((l) => l.a === name || l.b === name);
  const alone = of.filter(({ a, b }) => a === b || a === BYSTANDER || b === BYSTANDER);
  const violates = (l: PairLine) => l.verdict === "violation";
  const known = of.filter((l) => violates(l) && l.known && !alone.includes(l));
  const asked = alone.some((l) => l.verdict === "safe");
  if (!of.some((l) => l.verdict === "safe")) return false;
  return known.length === of.filter(violates).length && (asked || known.length === 0);
}

/** The matrix: a character a pair; then of operations that tell nobody why they need not. */
export function matrixText(
  operations: readonly { readonly name: string; readonly silent: string | null }[],
  lines: readonly PairLine[],
  width: number,
): string {
  const mark = ({ verdict, known }: PairLine) => (known ? "k" : MARKS[verdict]);
  const marks = new Map(lines.map((l) => [`${l.a} ${l.b}`, mark(l)]));
  const rows = operations.map(({ name }, n) => {
    const row = operations.slice(0, n + 1).map((other) => {
      return marks.get(`${other.name} ${name}`) ?? marks.get(`${name} ${other.name}`) ?? " ";
    });
    return `${cutTo(name, NAME_MAX).padEnd(NAME_MAX)} ${row.join("")}`.trimEnd();
  });
  const silent = operations.flatMap(({ name, silent: why }) =>
    why === null || !harmless(name, lines)
      ? []
      : wrapText(`${name}, by itself: nothing found; ${why}`, width),
  );
  const legend = "column n is the operation of line n: . safe  ! violation  k a known one";
  return [...rows, legend, "? inconclusive  - cannot be at the same time", ...silent, ""].join(
    "\n",
  );
}

export function summaryText(s: AuditSummary): string {
  const parts = [
    `${s.safe} safe`,
    `${s.violations} violations (${s.known} known)`,
    `${s.inconclusive} inconclusive`,
    `${s.excluded} excluded`,
  ];
  const work = `${s.states} states in ${s.seconds.toFixed(1)} s`;
  const end = s.interrupted ? "; interrupted" : "";
  return `${s.pairs} pairs: ${parts.join(", ")}; ${work}${end}\n`;
}
