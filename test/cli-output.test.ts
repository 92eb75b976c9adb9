// SPDX-License-Identifier: Apache-2.0
// What comes out of the command beside its words: widths, colours, closed pipes, signals, help.

import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt, program, shootdown, workFolder } from "./support/cli.ts";
import { root } from "./support/files.ts";

const UPGRADE = "litmus/permission-upgrade/upgrade.litmus";
const FORK = "litmus/permission-upgrade/fork.litmus";

/** A terminal of the usual size, with a line for the prompt. */
const SCREEN_LINES = 50;

/** How long the search goes on that is interrupted. */
const SEARCH_MS = 2000;

const work = workFolder();
const cwd = work.path;
beforeAll(ensureBuilt);
afterAll(work.remove);

const widest = (text: string): number =>
  Math.max(...text.split("\n").map((line) => [...line].length));

describe("widths", () => {
  test.each([
    [80, ["check", "litmus", "-v"]],
    [80, ["check", UPGRADE, "--expect", "never"]],
    [80, ["check", UPGRADE, "--expect", "never", "--format", "ktap"]],
    [75, ["check", UPGRADE, "--format", "mail", "--expect", "never"]],
    [80, ["tour"]],
  ])("%i columns: shootdown %s", (columns, args) => {
    const { stdout } = shootdown(args, { cwd });
    // Paths of the installed recordings are as long as they are, and a KTAP result is one line.
    const free = /\$ shootdown trace|^ *(?:not )?ok \d/;
    const lines = stdout.split("\n").filter((line) => !free.test(line));
    expect(lines.length).toBeGreaterThan(5);
    expect(widest(lines.join("\n"))).toBeLessThanOrEqual(columns);
  });
});

describe("colours", () => {
  const esc = "\u001b[";

  test("none where stdout is no terminal", () => {
    expect(shootdown(["check", FORK], { cwd }).stdout).not.toContain(esc);
    expect(shootdown(["check", FORK, "--color", "never"], { cwd }).stdout).not.toContain(esc);
  });

  test("some where they are asked for, even with NO_COLOR, and only in text", () => {
    const env = { NO_COLOR: "1" };
    expect(shootdown(["check", FORK, "--color", "always"], { cwd, env }).stdout).toContain(esc);
    const ndjson = shootdown(["check", FORK, "--color", "always", "--format", "ndjson"], { cwd });
    expect(ndjson.stdout).not.toContain(esc);
  });
});

describe("streams", () => {
  test("every line of NDJSON is an object with a type, the last the summary", () => {
    const { stdout, stderr } = shootdown(["check", "litmus", "--format", "ndjson"], { cwd });
    const objects = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(objects.every((o) => typeof o.type === "string")).toBe(true);
    expect(objects.at(-1)).toMatchObject({ type: "summary", failed: 0, inconclusive: 0 });
    expect(stderr).toBe("");
  });

  test.each([["check litmus"], ["list"], ["tour"], ["trace fixtures/6.1-upgrade.trace.txt"]])(
    "a reader that leaves is no mistake: %s | head -1",
    (args) => {
      const script = `"$0" "$1" ${args} | head -1`;
      const ran = spawnSync("bash", ["-c", script, process.execPath, program], {
        cwd,
        encoding: "utf8",
      });
      expect(ran.stderr).toBe("");
      expect(ran.stdout.split("\n")).toHaveLength(2);
    },
  );

  test("the runs do not depend on -j", () => {
    const runs = (jobs: string) =>
      shootdown(["check", "litmus/permission-upgrade", "--format", "ndjson", "-j", jobs], {
        cwd,
      }).stdout.replaceAll(/"seconds":[0-9.]+/g, "");
    expect(runs("3")).toBe(runs("1"));
  });
});

test("Ctrl-C says how far the search was, status 3", async () => {
  // Enough CPUs that no machine finishes soon.
  const cpus = [0, 1, 2, 3].map((n) => `CPU${n}(A) { store x; munmap x; store y; }`);
  const world = "{ mm A; page P, Q; map A:x -> P writable; map A:y -> Q writable; device D in A; }";
  const scenario = ["MM long", "(* Four CPUs at once. *)", world, ...cpus, "D { store x; }"];
  const file = join(cwd, "long.litmus");
  writeFileSync(file, `${[...scenario, "exists (use_after_free)"].join("\n")}\n`);
  const child = spawn(process.execPath, [program, "check", file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let stdout = "";
  const over = new Promise<number | null>((resolve) => child.on("close", resolve));
  // The name of the file comes when its search begins.
  await new Promise<void>((begun) => {
    child.stdout.on("data", (data) => {
      stdout += data;
      begun();
    });
  });
  await new Promise((wake) => setTimeout(wake, SEARCH_MS));
  child.kill("SIGINT");
  expect(await over).toBe(3);
  expect(stdout).toMatch(/^ {2}\? {5}inconclusive +\d+ +\d+ {2}arm64\+smmuv3 linux-6\.12$/m);
  expect(stdout).toMatch(/^ {8}stopped by: interrupt$/m);
  expect(stdout).toMatch(/^1 run: 1 inconclusive, interrupted; /m);
});

describe("help", () => {
  const commands = shootdownCommands();

  function shootdownCommands(): string[] {
    const source = readFileSync(join(root, "packages/shootdown/src/cli/main.ts"), "utf8");
    return [...source.matchAll(/name: "([a-z]+)",/g)].map((match) => match[1]!);
  }

  const manual = (command: string): string =>
    readFileSync(join(root, `docs/man/shootdown-${command}.md`), "utf8");

  test.each(commands)("shootdown %s --help fits a screen and has examples", (command) => {
    const { status, stdout, stderr } = shootdown([command, "--help"], { cwd });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/Examples?:\n {2}/);
    expect(stdout.split("\n").length).toBeLessThanOrEqual(SCREEN_LINES);
    expect(widest(stdout)).toBeLessThanOrEqual(84);
  });

  test.each(commands)("the manual page of %s has every option", (command) => {
    const { stdout } = shootdown([command, "--help"], { cwd });
    const options = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map((match) => match[1]!);
    expect(options.length).toBeGreaterThan(3);
    const page = manual(command);
    const common = readFileSync(join(root, "docs/man/shootdown.md"), "utf8");
    expect(options.filter((o) => !page.includes(o) && !common.includes(o))).toEqual([]);
  });

  test("every manual page belongs to a command, and the overview names each", () => {
    const pages = readdirSync(join(root, "docs/man")).sort();
    expect(pages).toEqual([...commands.map((c) => `shootdown-${c}.md`), "shootdown.md"].sort());
    const overview = readFileSync(join(root, "docs/man/shootdown.md"), "utf8");
    expect(commands.filter((c) => !overview.includes(`shootdown-${c}.md`))).toEqual([]);
  });

  test("--version", () => {
    expect(shootdown(["--version"]).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
