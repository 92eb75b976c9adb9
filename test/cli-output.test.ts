// SPDX-License-Identifier: Apache-2.0
// What comes out of the command beside its words: widths, colours, closed pipes, signals, help.

import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { progressText } from "../packages/shootdown/src/cli/progress.ts";
import { ensureBuilt, program, shootdown, workFolder } from "./support/cli.ts";
import { root } from "./support/files.ts";

const UPGRADE = "litmus/permission-upgrade/upgrade.litmus";
const FORK = "litmus/permission-upgrade/fork.litmus";

/** A terminal of the usual size, with a line for the prompt. */
const SCREEN_LINES = 50;

/** How long the search goes on that is interrupted. */
const SEARCH_MS = 3000;

const work = workFolder();
const cwd = work.path;
beforeAll(ensureBuilt);
afterAll(work.remove);

const widest = (text: string): number =>
  Math.max(...text.split("\n").map((line) => [...line].length));

test("a damaged file of earlier mutants: status 2, with the line", () => {
  const good = '{"type":"mutant","kernel":"linux-6.12","routine":"ptep_clear_flush","step":1}';
  writeFileSync(join(work.path, "cut.ndjson"), `${good}\n${good.slice(0, 30)}\n`);
  for (const option of ["--from", "--resume"]) {
    const args = ["mutate", "--routine", "ptep_clear_flush", option, "cut.ndjson"];
    const { status, stdout, stderr } = shootdown(args, { cwd });
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^cut\.ndjson:2:1: error: not a line of `shootdown mutate/);
  }
});

describe("widths", () => {
  test.each([
    [80, ["check", "litmus/hardware", "-v"]],
    [80, ["check", "litmus/museum", "-v"]],
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
    const { stdout, stderr } = shootdown(["check", "litmus/museum", "--format", "ndjson"], { cwd });
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

test("a search that others help with comes out the same", () => {
  const cpus = [0, 1, 2].map((n) => `CPU${n}(A) { store x; munmap x; store y; }`);
  const world = "{ mm A; page P, Q; map A:x -> P writable; map A:y -> Q writable; device D in A; }";
  const text = [
    "MM three",
    "(* Three CPUs at once. *)",
    world,
    ...cpus,
    "D { store x; }",
    "exists (use_after_free)",
  ];
  const knobs = ["--set", "httu=no", "--set", "hafdbs=no", "--reduce", "none", "--engine", "wasm"];
  const run = (jobs: string) => {
    const args = ["check", "-", "-j", jobs, "--expect", "never", ...knobs, "--format", "ndjson"];
    const { stdout } = shootdown(args, { cwd, input: `${text.join("\n")}\n` });
    const { seconds: _, bytes: __, ...rest } = JSON.parse(stdout.split("\n")[0]!);
    return rest;
  };
  const alone = run("1");
  // Enough that help is asked for.
  expect(alone.states).toBeGreaterThan(1 << 16);
  expect(run("3")).toEqual(alone);
});

describe("Ctrl-C", () => {
  const file = join(cwd, "long.litmus");

  /** Starts a search that no machine finishes soon, and sends signals when it has begun. */
  async function interrupted(args: readonly string[], signals: readonly NodeJS.Signals[]) {
    const cpus = [0, 1, 2, 3].map((n) => `CPU${n}(A) { store x; munmap x; store y; }`);
    const world =
      "{ mm A; page P, Q; map A:x -> P writable; map A:y -> Q writable; device D in A; }";
    const scenario = ["MM long", "(* Four CPUs at once. *)", world, ...cpus, "D { store x; }"];
    writeFileSync(file, `${[...scenario, "exists (use_after_free)"].join("\n")}\n`);
    // One that is over at once comes first, so that there is output when the long one begins.
    const child = spawn(process.execPath, [program, "check", FORK, file, ...args], {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stderr.on("data", (data) => (stderr += data));
    const over = new Promise<unknown>((resolve) =>
      child.on("close", (status, signal) => resolve(signal ?? status)),
    );
    await new Promise<void>((begun) => {
      child.stdout.on("data", (data) => {
        stdout += data;
        if (stdout.includes("linux-6.12")) begun();
      });
    });
    await new Promise((wake) => setTimeout(wake, SEARCH_MS));
    for (const signal of signals) child.kill(signal);
    return { ended: await over, stdout, stderr };
  }

  test.each(["SIGINT", "SIGTERM"] as const)("%s says how far the search was", async (signal) => {
    const { ended, stdout, stderr } = await interrupted([], [signal]);
    expect({ ended, stderr }).toEqual({ ended: 130, stderr: "" });
    expect(stdout).toMatch(/^ {2}\? {5}inconclusive +\d+ +\d+ {2}arm64\+smmuv3 linux-6\.12$/m);
    expect(stdout).toMatch(/^ {8}stopped by: interrupt\n {8}not exhaustive: \d+ states, \d+ tra/m);
    expect(stdout).toMatch(/^4 runs: 3 as expected, 1 inconclusive, interrupted; /m);
  });

  test("NDJSON stays whole, with the summary at its end", async () => {
    const { ended, stdout } = await interrupted(["--format", "ndjson", "--bisect"], ["SIGINT"]);
    expect(ended).toBe(130);
    const objects = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const cut = objects.find(({ file: name }) => name === file);
    expect(cut).toMatchObject({ observed: "inconclusive", limit: "interrupt", exhaustive: false });
    expect(cut.states).toBeGreaterThan(0);
    // Thousands of states before the signal: many were met more than once.
    expect(cut.transitions).toBeGreaterThan(cut.states);
    expect(cut.queue).toBeGreaterThan(0);
    expect(objects.at(-1)).toMatchObject({ type: "summary", runs: 4, interrupted: true });
  });

  test("asked twice it does not wait", async () => {
    const { ended } = await interrupted([], ["SIGINT", "SIGTERM", "SIGINT"]);
    expect(["SIGINT", "SIGTERM"]).toContain(ended);
  });
});

describe("the line that shows progress", () => {
  const name = { test: "fork", property: "p", set: {}, expected: null, line: null };
  const far = { states: 1_234_567, transitions: 9, depth: 17, queue: 83_100, bytes: 1 << 26 };

  test("has numbers whatever the names, within its width", () => {
    const running = (machine: string) => ({
      name: { ...name, machine, kernel: "linux-6.12" },
      ...{ far, rate: 410_000, seconds: 3 },
    });
    expect(progressText(running("arm64+smmuv3"), 3, "", 77)).toBe(
      "fork arm64+smmuv3 linux-6.12: 1.2M states, 83k queued, depth 17, 410k/s, 64M",
    );
    const long = progressText(running("arm64+smmuv3+btm+ats+inflight"), 3, "[12/120] ", 77);
    expect(long).toBe(
      "[12/120] fork arm64+smmuv3...: 1.2M states, 83k queued, depth 17, 410k/s, 64M",
    );
    expect(progressText(running("arm64"), 3, "", 20)).toHaveLength(20);
  });

  test("names a test of herd, and what has only begun", () => {
    const none = { states: 0, transitions: 0, depth: 0, queue: 0, bytes: 0 };
    expect(progressText({ name: "MP", far: none, rate: 0, seconds: 1 }, 1.9, "", 77)).toBe(
      "MP: 1 s",
    );
    const running = { name: "MP\u001b[31m", far: { ...far, depth: 0 }, rate: 9, seconds: 1 };
    expect(progressText(running, 1, "", 77)).not.toContain("\u001b");
    expect(progressText(running, 1, "", 77)).toMatch(/^MP.*: 1.2M states, 83k queued, 9\/s, 64M$/);
  });
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
