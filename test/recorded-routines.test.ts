// SPDX-License-Identifier: Apache-2.0
// Routines of the model against recordings of real kernels: what one operation of one thread does
// to entries, TLBs and the notifier, word by word. test/recorded-operations.txt lists them all.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "./support/files.ts";
import type { Compared, Comparison } from "./support/recordings/compare.ts";
import { compareFolder } from "./support/recordings/compare.ts";
import { hasRecording, MM_FOLDERS, readFolder } from "./support/recordings/folder.ts";
import type { Operation } from "./support/recordings/operations.ts";
import { equal, page } from "./support/recordings/report.ts";
import { STEPS } from "./support/recordings/steps.ts";

const NAMES = MM_FOLDERS;
const present = NAMES.every(hasRecording);
const title = present
  ? "recorded operations"
  : "recorded operations (skipped: neither SHOOTDOWN_TRACES nor ../shared/traces is there)";

const LIST = join(root, "test/recorded-operations.txt");
const PAGE = join(root, "docs/RECORDINGS.md");

/** Operations that are compared at least, and kinds of them. */
const LEAST = {
  "6.1-mm-max": { operations: 375, kinds: 26 },
  "6.1-mm-a72": { operations: 452, kinds: 28 },
  "6.12-mm-max": { operations: 452, kinds: 28 },
} as const;
/** So long even on a machine that is busy. */
const WAIT_MS = 240_000;

describe.skipIf(!present)(title, () => {
  const done = new Map<string, Comparison>();
  const compared = (name: (typeof NAMES)[number]): Comparison => {
    const known = done.get(name) ?? compareFolder(readFolder(name));
    done.set(name, known);
    return known;
  };

  test.each(NAMES)(
    "%s: each operation does what its routine does",
    (name) => {
      const { compared: all } = compared(name);
      const kinds = new Set(all.map((c) => c.kind));
      const different = all.filter((c) => !equal(c)).map(difference);
      expect(different.slice(0, 3)).toEqual([]);
      expect(all.length).toBeGreaterThanOrEqual(LEAST[name].operations);
      expect(kinds.size).toBeGreaterThanOrEqual(LEAST[name].kinds);
    },
    WAIT_MS,
  );

  test.each(NAMES)("%s: every step is listed, and compared where nobody else acts", (name) => {
    const { compared: all, left } = compared(name);
    const { kernel, items } = readFolder(name);
    const marks = items.flatMap((i) => (i.from === "trace" && i.args["step"]) || []);
    const listed = STEPS.map((s) => s.name);
    expect([...new Set(marks)]).toEqual(listed);
    const not = [...left.values()].flat();
    for (const step of STEPS) {
      const words = all.filter((c) => c.op.step === step.name && c.recorded.length > 0);
      if (!step.not?.includes(kernel))
        expect([step.name, words.length > 0]).toEqual([step.name, true]);
      if (step.others !== undefined) continue;
      const missed = not.filter((op) => op.step === step.name).map((op) => op.line);
      expect([step.name, missed]).toEqual([step.name, []]);
    }
  });

  test.each(NAMES)("%s: every TLBI of a process with a notifier is in an operation", (name) => {
    const { tlbis, executed } = compared(name);
    expect(tlbis).toBe(executed);
    expect(tlbis).toBeGreaterThan(200);
  });

  test("the page is current (npm run recordings)", () => {
    const text = page({ names: NAMES, of: (name) => compared(name as (typeof NAMES)[number]) });
    expect(readFileSync(PAGE, "utf8")).toBe(text);
  });

  test.each(NAMES)("%s: hints name the level of pages, and few barriers are hidden", (name) => {
    const { compared: all } = compared(name);
    // Where a hint is given it is of the last level, or of huge pages: the model has none.
    for (const { op } of all) {
      const huge = /^(thp|hugetlb)/.test(op.step) ? [2] : [];
      expect([op.line, [...op.hints].filter((h) => h !== 3)]).toEqual([
        op.line,
        op.hints.has(2) ? huge : [],
      ]);
    }
    expect(all.filter((c) => c.hidden).length).toBeLessThan(10);
  });

  test("features are those of the CPUs that were emulated", () => {
    const features = NAMES.map((name) => readFolder(name).features);
    const max = { rangeTlbi: true, dbm: true, e2h: true, kpti: false };
    const a72 = { rangeTlbi: false, dbm: false, e2h: false, kpti: false };
    expect(features).toEqual([max, a72, max]);
  });

  test("the list of operations is current (SHOOTDOWN_WRITE_LIST=1 writes it)", () => {
    const lines = NAMES.flatMap((name) => listed(name, compared(name)));
    if (process.env["SHOOTDOWN_WRITE_LIST"]) writeFileSync(LIST, `${lines.join("\n")}\n`);
    const known = readFileSync(LIST, "utf8").split("\n");
    const at = lines.findIndex((line, index) => line !== known[index]);
    expect(at < 0 ? undefined : { line: at + 1, now: lines[at], listed: known[at] }).toBe(
      undefined,
    );
    expect(known.length).toBe(lines.length + 1);
  });
});

const difference = ({ op, recorded, model }: Compared) => ({
  operation: `${op.line} ${op.kind} of ${op.step}, ${op.intent}`,
  recorded: recorded.join(", "),
  model: model.join(", "),
});

const place = ({ line, time_s, step, intent, kind }: Operation): string =>
  `  ${line} ${time_s.toFixed(6)} ${step}, ${intent}: ${kind}`;

/** Every operation: line and time in trace.txt, step, and what was said of it. */
function listed(name: string, { compared: all, left }: Comparison): string[] {
  const kinds = [...new Set(all.map((c) => c.kind))];
  return [
    ...kinds.flatMap((kind) => [
      `${name}: ${kind.name}`,
      ...all
        .filter((c) => c.kind === kind)
        .map((c) => `${place(c.op)}: ${shortened(c.recorded)}${c.hidden ? " (a DSB hidden)" : ""}`),
    ]),
    ...[...left].flatMap(([why, ops]) => [
      `${name}, not compared: ${why}`,
      ...ops.map((op) => `${place(op)}: ${shortened(op.words)}`),
    ]),
    "",
  ];
}

/** The first of many. */
const shortened = (words: readonly string[]): string => {
  if (words.length === 0) return "nothing";
  if (words.length <= MOST) return words.join(", ");
  return `${words.slice(0, MOST).join(", ")} and ${words.length - MOST} more`;
};
const MOST = 48;
