// SPDX-License-Identifier: Apache-2.0
// Transcripts: what users type and what they get (test/transcripts/*.md), run against the build.
//
//   ```console
//   $ shootdown list kernels | head -1      run by bash; stdout and stderr together
//   linux-6.1                               `...` in a line is any text, as a line any lines
//   [status 1]                              only where it is not 0
//   ```

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt, workFolder } from "./support/cli.ts";
import { root } from "./support/files.ts";

const folder = join(root, "test/transcripts");

interface Exchange {
  readonly line: number;
  readonly command: string;
  readonly expected: readonly string[];
}

/** The commands of a transcript with the output that follows each. */
function exchangesOf(text: string): Exchange[] {
  const found: { line: number; command: string; expected: string[] }[] = [];
  let inside = false;
  let open = false;
  for (const [n, line] of text.split("\n").entries()) {
    if (line.startsWith("```")) {
      inside = line === "```console";
      open = false;
    } else if (inside && line.startsWith("$ ")) {
      found.push({ line: n + 1, command: line.slice(2), expected: [] });
      open = line.endsWith("\\");
    } else if (inside && open) {
      found.at(-1)!.command += `\n${line}`;
      open = line.endsWith("\\");
    } else if (inside) found.at(-1)!.expected.push(line);
  }
  return found;
}

/** A pattern with `...` as described above. */
function patternOf(expected: readonly string[]): RegExp {
  const lines = expected.map((line) => {
    if (line === "...") return "(?:.*\\n)*?";
    const parts = line.split("...").map((p) => p.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return `${parts.join(".*")}\\n`;
  });
  return new RegExp(`^${lines.join("")}$`);
}

const work = workFolder();
beforeAll(ensureBuilt);
afterAll(work.remove);

function run(command: string): string {
  const env = { ...process.env, PATH: `${work.path}/bin:${process.env["PATH"]}`, NO_COLOR: "1" };
  const { status, stdout } = spawnSync("bash", ["-c", `exec 2>&1\n${command}`], {
    cwd: work.path,
    env,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return status === 0 ? stdout : `${stdout}[status ${status}]\n`;
}

for (const file of readdirSync(folder).sort()) {
  describe(file, () => {
    for (const { line, command, expected } of exchangesOf(
      readFileSync(join(folder, file), "utf8"),
    )) {
      test(`line ${line}: ${command.split("\n")[0]}`, () => {
        const said = run(command);
        if (!patternOf(expected).test(said)) expect(said).toBe(`${expected.join("\n")}\n`);
      });
    }
  });
}

test("the patterns mean what they say", () => {
  const matches = (expected: string[], said: string) => patternOf(expected).test(said);
  expect(matches(["a...z", "...", "end"], "abcz\nx\ny\nend\n")).toBe(true);
  expect(matches(["a...z", "...", "end"], "az\nend\n")).toBe(true);
  expect(matches(["a.z"], "abz\n")).toBe(false);
  expect(matches(["a"], "a\nb\n")).toBe(false);
});
