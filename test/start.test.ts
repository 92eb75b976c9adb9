// SPDX-License-Identifier: Apache-2.0
// The file that starts the command: an old Node and a missing build each get one clear sentence.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./support/files.ts";

const bin = join(root, "packages/shootdown/bin");

/** Runs bin/shootdown.js as if in another version of Node; returns what it wrote and its status. */
function startIn(version: string): { wrote: string; status: number | string } {
  const source = readFileSync(join(bin, "shootdown.js"), "utf8").replace(/^#!.*/, "");
  const result = { wrote: "", status: "still running" as number | string };
  const fake = {
    version: `v${version}`,
    versions: { node: version },
    stderr: { write: (text: string) => (result.wrote += text) },
    exit: (status: number) => {
      result.status = status;
      throw new Error("exit");
    },
  };
  const load = (path: string) => {
    result.status = `loaded ${path}`;
  };
  try {
    new Function("process", "require", source)(fake, load);
  } catch (error) {
    if ((error as Error).message !== "exit") throw error;
  }
  return result;
}

test.each(["0.10.48", "6.17.1", "18.20.4", "20.18.3"])("Node %s is refused", (version) => {
  const wrote = `shootdown: needs Node.js 20.19 or newer, this is v${version}\n`;
  expect(startIn(version)).toEqual({ wrote, status: 2 });
});

test.each(["20.19.0", "22.0.0", "24.1.2"])("Node %s is welcome", (version) => {
  expect(startIn(version)).toEqual({ wrote: "", status: "loaded ./start.js" });
});

test("the version check is written in the JavaScript of old", () => {
  const source = readFileSync(join(bin, "shootdown.js"), "utf8");
  const code = source.replaceAll(/\/\/.*/g, "").replaceAll(/"[^"]*"/g, '""');
  expect(code).not.toMatch(/=>|`|\b(?:const|let|class|import|async|await)\b|\?\.|\.\.\./);
});

test("without a build it says how to make one", () => {
  const home = mkdtempSync(join(tmpdir(), "shootdown-start-"));
  cpSync(bin, join(home, "bin"), { recursive: true });
  const program = join(home, "bin/shootdown.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8" });
  rmSync(home, { recursive: true, force: true });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^shootdown: not built yet; .*\n$/);
});
