// SPDX-License-Identifier: Apache-2.0
// docs/IR.md: its TypeScript compiles and does what the page says, and its tables are complete.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const root = new URL("../../../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const page = read("docs/IR.md");

/** The code blocks of a language, one after the other. */
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map((m) => m[1]!);

const program = blocks("ts").join("\n");

test("the code type-checks as one module beside the page", () => {
  const name = fileURLToPath(new URL("docs/IR.md.ts", root));
  const config = ts.parseConfigFileTextToJson("tsconfig.base.json", read("tsconfig.base.json"));
  const { options } = ts.convertCompilerOptionsFromJson(
    config.config.compilerOptions,
    root.pathname,
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (f) => f === name || fileExists(f);
  host.readFile = (f) => (f === name ? program : readFile(f));
  host.getSourceFile = (f, o) =>
    f === name ? ts.createSourceFile(f, program, o) : getSourceFile.call(host, f, o);
  const checked = ts.createProgram([name], { ...options, noUnusedLocals: true }, host);
  const own = checked.getSourceFile(name)!;
  const found = [...checked.getSyntacticDiagnostics(own), ...checked.getSemanticDiagnostics(own)];
  expect(found.map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"))).toEqual([]);
});

test("the code does what the page says", async () => {
  const dir = new URL("node_modules/.cache/docs/", root);
  mkdirSync(dir, { recursive: true });
  const file = fileURLToPath(new URL("IR.ts", dir));
  const at = fileURLToPath(new URL("packages/", root));
  writeFileSync(file, program.replaceAll('"../packages/', `"${at}`));
  const { shown, answers, same, difference } = await import(/* @vite-ignore */ file);
  expect(shown).toBe(blocks("c")[0]);
  expect(answers).toEqual(["sometimes", "never", "sometimes"]);
  expect(same).toEqual(answers);
  expect(difference).toEqual([]);
});

/** First cells of the table under a heading line, all their `code` words. */
function words(header: string): Set<string> {
  const table = page.slice(page.indexOf(header)).split("\n\n")[0]!.split("\n").slice(2);
  const cells = table.map((row) => row.split("|")[1]!);
  return new Set(cells.flatMap((c) => [...c.matchAll(/`(\w+)/g)].map((m) => m[1]!)));
}

test("every operation of a program is in the table", () => {
  const source = read("packages/shootdown/src/engine/program.ts");
  const operations = [...source.matchAll(/readonly op: "(\w+)"/g)].map((m) => m[1]!);
  expect(operations.length).toBeGreaterThan(20);
  expect([...words("| opcode |")].sort()).toEqual([...new Set(operations)].sort());
});

test("every statement is in the table", () => {
  const source = read("packages/shootdown/src/ir/stmt.ts");
  const made = [...source.matchAll(/^export (?:const|function) (\w+)/gm)].map((m) => m[1]!);
  expect(made.length).toBeGreaterThan(20);
  expect([...words("| statement |")].sort()).toEqual(made.sort());
});
