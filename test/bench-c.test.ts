// SPDX-License-Identifier: Apache-2.0
// The C that benchmarks are compared with does what the language of compiled code says.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { writeC } from "../bench/c.ts";
import type { Module } from "../packages/shootdown/src/engine/target/code.ts";
import { plainMemory } from "../packages/shootdown/src/engine/target/javascript.ts";
import { Interpreter } from "./support/code-interpreter.ts";
import { EDGES, moduleFrom, WINDOW_BYTES } from "./support/random-code.ts";

const installed = spawnSync("gcc", ["--version"]).status === 0;
// Only random code compares a value with itself.
const FLAGS = ["-O2", "-Wall", "-Werror", "-Wno-unused", "-Wno-tautological-compare"];
const MODULES = 12;
const ARGUMENTS = EDGES.slice(0, 20);

/** Calls every function with every pair of arguments, then says what memory holds. */
const mainOf = ({ functions }: Module): string => `
#include <stdio.h>
static u32 calls;
u32 host_host(u32 a) { return a * 3 + ++calls; }
int main(void) {
  static const u32 args[] = { ${ARGUMENTS.map((n) => `${n >>> 0}u`).join(", ")} };
  memory_init();
  u32 *words = (u32 *)memory;
  for (u32 n = 0; n < ${WINDOW_BYTES / 4}; n++) words[n] = n * 0x9e3779b9u;
  for (u32 n = 0; n + 1 < sizeof args / sizeof *args; n++) {
${functions.map((f) => `printf("%d\\n", (int)f_${f.name}(args[n], args[n + 1]));`).join("\n")}
  }
  for (u32 n = 0; n < ${WINDOW_BYTES / 4}; n++) printf("%d\\n", (int)words[n]);
}
`;

function meant(module: Module): number[] {
  const memory = plainMemory(module.memory);
  let calls = 0;
  const interpreter = new Interpreter(module, memory, {
    host: (a) => Math.imul(a as number, 3) + ++calls,
  });
  const words = () => new Int32Array(memory.buffer, 0, WINDOW_BYTES / 4);
  const first = words();
  for (let n = 0; n < first.length; n++) first[n] = Math.imul(n, 0x9e3779b9);
  const results = ARGUMENTS.slice(1).flatMap((b, n) =>
    module.functions.map((f) => interpreter.call(f.name, ARGUMENTS[n] as number, b)),
  );
  return [...results, ...words()];
}

test.skipIf(!installed)("random modules do the same in C (needs gcc)", () => {
  const dir = mkdtempSync(join(tmpdir(), "shootdown-c-"));
  try {
    const choices = fc.array(fc.nat(999), { minLength: 200, maxLength: 500, size: "max" });
    for (const list of fc.sample(choices, { numRuns: MODULES, seed: 4 })) {
      const module = moduleFrom(list);
      const [source, program] = [join(dir, "m.c"), join(dir, "m")];
      writeFileSync(source, writeC(module) + mainOf(module));
      const cc = spawnSync("gcc", [...FLAGS, "-o", program, source], { encoding: "utf8" });
      expect(cc.stderr).toBe("");
      const { stdout } = spawnSync(program, { encoding: "utf8" });
      expect(stdout.trim().split("\n").map(Number)).toEqual(meant(module));
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
