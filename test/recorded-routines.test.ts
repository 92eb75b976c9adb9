// SPDX-License-Identifier: Apache-2.0
// Routines of the model against recordings of real kernels: what one operation of one thread does
// to entries, TLBs and the notifier, word by word. test/recorded-operations.txt lists them all.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "./support/files.ts";
import type { Compared, Comparison } from "./support/recordings/compare.ts";
import { compareFolder } from "./support/recordings/compare.ts";
import { hasRecording, readFolder } from "./support/recordings/folder.ts";
import type { Operation } from "./support/recordings/operations.ts";

const NAMES = ["6.1-mm-max", "6.1-mm-a72", "6.12-mm-max"] as const;
const present = NAMES.every(hasRecording);
const title = present
  ? "recorded operations"
  : "recorded operations (skipped: neither SHOOTDOWN_TRACES nor ../shared/traces is there)";

const LIST = join(root, "test/recorded-operations.txt");

/** Operations that are compared at least, and kinds of them. */
const LEAST = {
  "6.1-mm-max": { operations: 120, kinds: 11 },
  "6.1-mm-a72": { operations: 203, kinds: 13 },
  "6.12-mm-max": { operations: 123, kinds: 11 },
} as const;

describe.skipIf(!present)(title, () => {
  const done = new Map<string, Comparison>();
  const compared = (name: (typeof NAMES)[number]): Comparison => {
    const known = done.get(name) ?? compareFolder(readFolder(name));
    done.set(name, known);
    return known;
  };

  test.each(NAMES)("%s: each operation does what its routine does", (name) => {
    const { compared: all, left } = compared(name);
    const kinds = new Set(all.map((c) => c.kind));
    const others = [...left].map(([why, ops]) => `${ops.length} ${why}`).join("; ");
    console.log(
      `${name}: ${all.length} operations of ${kinds.size} kinds compared; not: ${others}`,
    );
    const different = all.filter((c) => c.recorded.join() !== c.model.join()).map(difference);
    expect(different.slice(0, 3)).toEqual([]);
    expect(all.length).toBeGreaterThanOrEqual(LEAST[name].operations);
    expect(kinds.size).toBeGreaterThanOrEqual(LEAST[name].kinds);
  });

  test.each(NAMES)("%s: hints name the level of pages, and few barriers are hidden", (name) => {
    const { compared: all } = compared(name);
    // Where a hint is given it is of the last level: the model has none.
    for (const { op } of all)
      expect([op.line, [...op.hints].filter((h) => h !== 3)]).toEqual([op.line, []]);
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
        .map((c) => `${place(c.op)}: ${c.recorded.join(", ")}${c.hidden ? " (a DSB hidden)" : ""}`),
    ]),
    ...[...left].flatMap(([why, ops]) => [
      `${name}, not compared: ${why}`,
      ...ops.map((op) => `${place(op)}: ${shortened(op.words)}`),
    ]),
    "",
  ];
}

/** What was not compared may be long. */
const shortened = (words: readonly string[]): string =>
  words.length <= 24
    ? words.join(", ")
    : `${words.slice(0, 24).join(", ")} and ${words.length - 24} more`;
