// SPDX-License-Identifier: Apache-2.0
// `npm test`: everything that can be checked here, ending with the line `N passed, N failed`.
//
//   npm test                       all of it
//   npm test -- types layers       only these checks (style, types, layers, unit)
//   npm test -- unit -- -t name    the words after a second `--` go to vitest
//   npm run test:slow              tests of minutes, *.slow.test.ts: a step of their own
//
// The style, type and layer checks count as one test each; `unit` counts every vitest test.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./constants.mjs";

const NOT_CHECKED = /^tsconfig\.(base|types)\.json$/;

/** A check is a program of node_modules and its arguments; it passes when the program exits 0. */
function checks() {
  const style = { kind: "style", name: "biome check", command: ["biome", "check"] };
  style.command.push("--error-on-warnings", "--colors=off");
  const layers = {
    kind: "layers",
    name: "layers",
    command: ["depcruise", "packages/shootdown/src"],
  };
  layers.command.push("--config", ".dependency-cruiser.cjs", "--output-type", "err-long");
  return [style, ...typeChecks(), layers];
}

/** One check for each tsconfig of the root and the packages. */
function typeChecks() {
  const packages = readdirSync(join(root, "packages")).map((name) => `packages/${name}`);
  return [".", ...packages].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => /^tsconfig.*\.json$/.test(file) && !NOT_CHECKED.test(file))
      .map((file) => {
        const config = join(folder, file);
        const info = `node_modules/.cache/tsc/${config.replaceAll(/[/\\]/g, "-")}.tsbuildinfo`;
        const command = ["tsc", "-p", config, "--incremental", "--tsBuildInfoFile", info];
        return { kind: "types", name: `types of ${config}`, command };
      }),
  );
}

/** Runs a program of node_modules; resolves with its exit status and what it printed. */
function run([program, ...args], { quiet, env = {} }) {
  return new Promise((resolve) => {
    const stdio = ["ignore", quiet ? "pipe" : "inherit", quiet ? "pipe" : "inherit"];
    const bin = join(root, "node_modules/.bin", program);
    const child = spawn(bin, args, { cwd: root, stdio, env: { ...process.env, ...env } });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => (text += data));
    child.on("error", (error) => resolve({ ok: false, text: error.message }));
    child.on("close", (status) => resolve({ ok: status === 0, text }));
  });
}

async function runCheck(check, counts) {
  const { ok, text } = await run(check.command, { quiet: true });
  counts[ok ? "passed" : "failed"] += 1;
  process.stdout.write(`${ok ? "ok    " : "FAILED"} ${check.name}\n${ok ? "" : text}`);
}

/** Runs the checks two at a time. */
async function runChecks(list, counts) {
  const queue = [...list];
  const worker = async () => {
    for (let check = queue.shift(); check; check = queue.shift()) await runCheck(check, counts);
  };
  await Promise.all([worker(), worker()]);
}

async function runUnit(args, counts, slow = false) {
  const dir = mkdtempSync(join(tmpdir(), "shootdown-test-"));
  const report = join(dir, "report.json");
  const command = ["vitest", "run", "--reporter=default", "--reporter=./scripts/vitest-report.mjs"];
  const env = { SHOOTDOWN_TEST_REPORT: report, SHOOTDOWN_SLOW: slow ? "1" : "0" };
  const { ok } = await run([...command, ...args], { quiet: false, env });
  const result = existsSync(report)
    ? JSON.parse(readFileSync(report, "utf8"))
    : { passed: 0, failed: 1, skipped: [] };
  rmSync(dir, { recursive: true, force: true });
  counts.passed += result.passed;
  counts.failed += Math.max(result.failed, ok ? 0 : 1);
  counts.skipped.push(...result.skipped);
}

async function main(args) {
  const end = args.indexOf("--");
  const kinds = end < 0 ? args : args.slice(0, end);
  const known = ["style", "types", "layers", "unit", "slow"];
  const unknown = kinds.find((kind) => !known.includes(kind));
  if (unknown !== undefined) {
    process.stderr.write(`test: no check is called ${unknown}; there are ${known.join(", ")}\n`);
    process.exitCode = 2;
    return;
  }
  const chosen = (kind) => kinds.length === 0 || kinds.includes(kind);
  const counts = { passed: 0, failed: 0, skipped: [] };
  await runChecks(
    checks().filter((check) => chosen(check.kind)),
    counts,
  );
  const words = end < 0 ? [] : args.slice(end + 1);
  if (chosen("unit")) await runUnit(words, counts);
  if (kinds.includes("slow")) await runUnit(words, counts, true);
  for (const { name, reason } of counts.skipped) {
    process.stdout.write(`skipped ${name}: ${reason}\n`);
  }
  const skipped = counts.skipped.length > 0 ? `, ${counts.skipped.length} skipped` : "";
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}

await main(process.argv.slice(2));
