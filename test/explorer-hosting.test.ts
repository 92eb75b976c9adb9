// SPDX-License-Identifier: Apache-2.0
// The built explorer elsewhere than under `serve`: any web server, any path, a disk; one policy.

import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { htmlOf } from "../packages/shootdown/src/cli/export-html.ts";
import { PAGE_POLICY } from "../packages/shootdown/src/cli/policy.ts";
import { appFor } from "../packages/shootdown/src/cli/serve.ts";
import { CHROMIUM, launch } from "./support/chromium.ts";
import { dist, ensureBuilt } from "./support/cli.ts";
import { root } from "./support/files.ts";

beforeAll(ensureBuilt);
const home = join(dist, "explorer");

/** The policy that a document says of itself. */
function policyIn(html: string): string {
  const [, content = ""] =
    /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html) ?? [];
  return content.replaceAll("&#39;", "'");
}

const scriptsOf = (policy: string) => /script-src ([^;]*)/.exec(policy)?.[1]?.split(" ") ?? [];

describe("one policy", () => {
  test("the built document, the answers of serve and an exported file agree", async () => {
    expect(policyIn(readFileSync(join(home, "index.html"), "utf8"))).toBe(PAGE_POLICY);
    const answer = await appFor(home, []).request("http://127.0.0.1/", {
      headers: { host: "127.0.0.1" },
    });
    const served = answer.headers.get("content-security-policy");
    expect(served).toBe(`${PAGE_POLICY}; frame-ancestors 'none'`);
    expect(policyIn(await answer.text())).toBe(PAGE_POLICY);
    const exported = policyIn(htmlOf(home, { witness: "{}" }));
    for (const policy of [PAGE_POLICY, exported]) {
      expect(policy).toMatch(/^default-src 'none'; /);
      expect(scriptsOf(policy)).toContain("'wasm-unsafe-eval'");
      expect(policy).not.toMatch(/'unsafe-eval'|https?:|\*/);
      expect(scriptsOf(policy)).not.toContain("'unsafe-inline'");
    }
    expect(exported).toContain("connect-src 'none'");
  });

  test("it is written once", () => {
    const files = ["packages/explorer", "packages/shootdown/src"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((p) => /\.(?:ts|tsx|html)$/.test(p) && !/node_modules|dist/.test(p))
        .map((p) => join(folder, p)),
    );
    const having = files.filter((f) => readFileSync(join(root, f), "utf8").includes("script-src"));
    expect(having).toEqual([join("packages/shootdown/src/cli/policy.ts")]);
  });
});

const TYPES: Readonly<Record<string, string>> = {
  ...{ ".html": "text/html", ".js": "text/javascript", ".css": "text/css" },
  ".json": "application/json",
};
const BELOW = "/some/where/below/";

/** As plain as a web server can be: files, and no header but their type. */
function plainServer(asked: string[]): Server {
  return createServer((request, response) => {
    const path = new URL(request.url!, "http://localhost").pathname;
    asked.push(path);
    const name = path.slice(BELOW.length) || "index.html";
    try {
      if (!path.startsWith(BELOW)) throw new Error("not below");
      const body = readFileSync(join(home, normalize(name)));
      response.setHeader("Content-Type", TYPES[extname(name)] ?? "text/plain");
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
}

describe.skipIf(CHROMIUM === undefined)("in Chromium (apt-get install chromium)", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(async () => browser?.close());

  test("a plain web server, below a path: it searches, and asks nobody else", async () => {
    const asked: string[] = [];
    const server = plainServer(asked);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
    page.on("pageerror", (e) => complaints.push(e.message));
    page.on("request", (r) => {
      if (!r.url().startsWith(`${origin}${BELOW}`)) complaints.push(r.url());
    });
    await page.goto(`${origin}${BELOW}#s=permission-upgrade/upgrade.litmus&k=linux-6.12`);
    await page.keyboard.press("r");
    await page.waitForSelector("header output small:has-text('states in')");
    await page.goto("about:blank");
    await page.goto(
      `${origin}${BELOW}#s=permission-upgrade/fork.litmus&m=arm64+smmuv3&k=linux-6.1`,
    );
    await page.waitForSelector("header .test:has-text('fork')");
    await page.waitForSelector("header output b");
    expect(await page.evaluate("crossOriginIsolated")).toBe(false);
    expect(complaints).toEqual([]);
    expect(asked).toContain(`${BELOW}gallery.json`);
    expect(asked.filter((p) => p.includes("files.json"))).toEqual([]);
    await page.close();
    server.close();
  });

  test("opened from disk the page says what to do", async () => {
    const page = await browser.newPage();
    await page.goto(pathToFileURL(join(home, "index.html")).href);
    await page.waitForSelector("#waits", { state: "visible" });
    expect(await page.textContent("#waits")).toContain("shootdown replay --export html=FILE");
    await page.close();
  });
});
