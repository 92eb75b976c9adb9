// SPDX-License-Identifier: Apache-2.0
// What `show` prints of a routine is read back as the same routine: of every kernel and overlay.

import { describe, expect, test } from "vitest";
import { lower } from "../engine/lower.ts";
import type { System } from "../engine/program.ts";
import { KNOBS, MACHINES, machineKnobs } from "../hardware/machines.ts";
import { constant, limitOf, type Node } from "../ir/expr.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { printDefinition } from "../ir/print.ts";
import type { AnySort } from "../ir/sort.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import { Lexer, type Mistake } from "../ir/text/lexer.ts";
import { readParams, readRoutine } from "../ir/text/parse.ts";
import { calleeOf, resolveRoutine } from "../ir/text/resolve.ts";
import { DEFINITIONS, kernelNamed, VERSIONS } from "../kernel/kernels.ts";
import { OVERLAYS } from "../kernel/overlays.ts";
import { ARCHITECTURES, type Architecture } from "../vocabulary/architecture.ts";
import { Range, va } from "../vocabulary/sorts.ts";
import { kernelEnvironment } from "./kernel-environment.ts";
import { parseScenario } from "./parse.ts";
import { worldOf } from "./world.ts";

/** The definition that the text of another says. */
function reread(kernel: Kernel, architecture: Architecture, old: Definition): Definition {
  const text = printDefinition(old, kernel.version);
  const env = kernelEnvironment(kernel, architecture);
  const wrong: string[] = [];
  const out = {
    full: false,
    report: (m: Mistake, s: { line: number }, message: string, ...notes: unknown[]) => {
      wrong.push([m, text.split("\n")[s.line - 1], message, ...notes].join(" | "));
    },
  };
  const lexer = new Lexer(text, old.name, out);
  const [result, name] = [lexer.word("a sort")!, lexer.word("a name")!];
  const syntax = readRoutine(lexer, result, name, readParams(lexer, name)!);
  const callee = syntax && calleeOf(env, out, syntax);
  const found = callee && resolveRoutine(env, out, syntax!, callee);
  expect(wrong).toEqual([]);
  return { ...old, ...callee!, locals: found!.locals, body: () => found!.body };
}

const WORLD = worldOf(
  (() => {
    const read = parseScenario(
      `MM a (* one two three *)
{ mm A; page P; map A:x -> P; none A:y; device D in A; }
CPU0(A) { load x; } CPU1(A) { load y; }
exists (a)`,
    );
    if (!read.ok) throw new Error("the scenario is wrong");
    return read.scenario;
  })(),
);

/** A program that calls these routines. */
function system(kernel: Kernel, architecture: Architecture, called: readonly Definition[]): System {
  const knobs = machineKnobs(architecture === "x86" ? "x86" : "arm64+smmuv3+ats");
  if (!knobs.ok) throw new Error("no machine");
  const value = (sort: AnySort): Node =>
    sort.element
      ? Range.make(constant(va, 0), limitOf(va, "PTRS_PER_PTE")).node
      : constant(sort, sort.name === "mm" ? 0 : 1 % (sort.values?.length ?? 2)).node;
  const body = called.map(
    (d): Stmt => ({
      k: "call",
      callee: d.name,
      args: Object.entries(d.params).map(([name, sort]) => [name, value(sort)] as const),
    }),
  );
  // What generic code calls on the other architecture.
  const stubs = DEFINITIONS.filter((d) => !kernel.routines.has(d.name)).map(
    (d): Definition => ({ ...d, locals: {}, body: () => [] }),
  );
  const unset = Object.fromEntries(KNOBS.map((k) => [k.name, k.values[0]!]));
  return {
    machine: MACHINES[architecture],
    kernel: {
      ...kernel,
      routines: new Map([...stubs.map((d) => [d.name, d] as const), ...kernel.routines]),
    },
    domain: WORLD.domain,
    knobs: { ...unset, ...knobs.knobs },
    threads: [{ name: "CPU0", locals: {}, body }],
    observers: [],
    initial: [],
    entries: [],
  };
}

/** An overlay may be for another architecture, and call what this one does not have. */
function callsKnown(kernel: Kernel, architecture: Architecture): boolean {
  const known = new Set([...DEFINITIONS, ...MACHINES[architecture].definitions].map((d) => d.name));
  const visit = (stmts: readonly Stmt[]): boolean =>
    stmts.every((s) => (s.k !== "call" || known.has(s.callee)) && nested(s).every(visit));
  return [...kernel.routines.values()].every((d) => visit(d.body()));
}

const kernels = ARCHITECTURES.flatMap((architecture) =>
  VERSIONS.flatMap((v) =>
    ["", ...OVERLAYS.map((o) => `+${o.name}`)].flatMap((overlay) => {
      const base = kernelNamed(`linux-${v}`, architecture);
      const found = kernelNamed(`linux-${v}${overlay}`, architecture);
      if (!base.ok || !found.ok || !callsKnown(found.kernel, architecture)) return [];
      // Of an overlay, what it changes: all else is the version's own.
      const all = [...found.kernel.routines.values()];
      const own = all.filter((d) => overlay === "" || base.kernel.routines.get(d.name) !== d);
      return [{ name: `${found.kernel.name} ${architecture}`, architecture, own, ...found }];
    }),
  ),
);

describe.each(kernels)("$name", ({ kernel, architecture, own }) => {
  const again: Kernel = {
    ...kernel,
    routines: new Map(
      [...kernel.routines].map(([name, d]) => {
        let known: Definition | undefined;
        const read = () => (known ??= reread(kernel, architecture, d));
        return [
          name,
          {
            ...d,
            get locals() {
              return read().locals;
            },
            body: () => read().body(),
          },
        ];
      }),
    ),
  };

  test("the text of the text is the text", () => {
    for (const d of own) {
      const text = printDefinition(d, kernel.version);
      expect(printDefinition(again.routines.get(d.name)!, kernel.version)).toBe(text);
    }
  });

  test("the program is the same", () => {
    const hash = (k: Kernel) => {
      const called = own.map((d) => k.routines.get(d.name)!);
      return lower(system(k, architecture, called), { keepAll: true }).hash;
    };
    expect(hash(again)).toBe(hash(kernel));
  });
});
