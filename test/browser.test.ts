// SPDX-License-Identifier: Apache-2.0
// The library in a browser: the bundle imports nothing and checks a scenario without Node.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createContext, Script } from "node:vm";
import { beforeAll, describe, expect, test } from "vitest";
import type * as Api from "../packages/shootdown/src/api/index.ts";
import { dist, ensureBuilt } from "./support/cli.ts";
import { root } from "./support/files.ts";

const SCENARIO = join(root, "litmus/permission-upgrade/upgrade.litmus");

beforeAll(ensureBuilt);

/** The bundle as a script: its one statement that only modules may have becomes an assignment. */
function asScript(module: string): string {
  const exports = /export\s*\{([^}]*)\};?\s*$/.exec(module);
  if (!exports) throw new Error("the bundle does not end with its exports");
  const pairs = exports[1]!.split(",").map((pair) => {
    const [local, name = local] = pair.trim().split(/\s+as\s+/);
    return `${name}: ${local}`;
  });
  return `${module.slice(0, exports.index)}\nglobalThis.api = { ${pairs.join(", ")} };`;
}

/** The api in a realm that has the language and what every browser has, and nothing of Node. */
function inBrowser(): typeof Api {
  const globals = { TextEncoder, TextDecoder, api: undefined as unknown };
  const realm = createContext(globals);
  new Script(asScript(readFileSync(join(dist, "browser.js"), "utf8"))).runInContext(realm);
  return globals.api as typeof Api;
}

describe("browser.js", () => {
  test("imports nothing", () => {
    const module = readFileSync(join(dist, "browser.js"), "utf8");
    expect(module).not.toMatch(/\bimport\s*(?:[{*"'(]|\w+\s+from\b)/);
    expect(module).not.toMatch(/["']node:/);
    expect(module).not.toMatch(/\brequire\s*\(/);
    expect(module).not.toMatch(/\bprocess\.(?:env|argv|stdout)\b/);
  });

  test("checks a scenario in a realm without Node", () => {
    const api = inBrowser();
    const selection = { machines: ["arm64+smmuv3"], witness: "all", file: "a.litmus" } as const;
    const text = readFileSync(SCENARIO, "utf8");
    const observed = (kernel: string) =>
      [...api.checkScenario(text, { ...selection, kernels: [kernel] })].map(({ run, shown }) => ({
        kernel: run.kernel,
        observed: run.observed,
        ok: run.ok,
        seconds: run.seconds,
        confirmed: shown?.confirmed,
      }));
    expect([...observed("linux-6.1"), ...observed("linux-6.12")]).toEqual([
      { kernel: "linux-6.1", observed: "sometimes", ok: true, seconds: 0, confirmed: true },
      { kernel: "linux-6.12", observed: "never", ok: true, seconds: 0, confirmed: undefined },
    ]);
  });

  test("reports mistakes as values", () => {
    const api = inBrowser();
    const read = api.parseScenario("MM x { }", "x.litmus");
    expect(read.ok).toBe(false);
    if (!read.ok)
      expect(read.problems[0]).toMatchObject({ type: "error", file: "x.litmus", line: 1 });
    expect(api.showName("flush_tlb_pag")).toMatchObject({ note: "did you mean 'flush_tlb_page'?" });
  });
});
