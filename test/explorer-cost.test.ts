// SPDX-License-Identifier: Apache-2.0
// Costs in a browser: the explorer's view, and the report that is one file.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHROMIUM, launch } from "./support/chromium.ts";
import { ensureBuilt, shootdown, workFolder } from "./support/cli.ts";
import { ServedExplorer } from "./support/explorer.ts";

const ARGS = ["--kernel", "linux-6.1", "--kernel", "linux-6.12", "--profile", "grace"];

describe.skipIf(CHROMIUM === undefined)("in Chromium (apt-get install chromium)", () => {
  let served: ServedExplorer;
  beforeAll(async () => {
    await ensureBuilt();
    served = await ServedExplorer.start();
  });
  afterAll(async () => {
    await served?.stop();
  });

  test("a shipped workload is compared; a name that is none is said", async () => {
    const on = await served.open();
    await on.goto();
    const { page } = on;
    await page.click("header button:has-text('cost')");
    await page.fill(".cost-view input[list]", "sqlite");
    await page.click(".cost-view button:has-text('compare')");
    await page.waitForSelector(".report h3:has-text('grace')", { timeout: 60_000 });
    await page.waitForSelector(".cost-view button:has-text('compare')", { timeout: 60_000 });
    expect(await page.locator(".report svg").count()).toBe(2);
    // The report's own numbers: those that the command prints.
    const shown = await page
      .locator(".report tr:has-text('notifier calls') data")
      .allTextContents();
    const { stdout } = shootdown(["cost", "sqlite", ...ARGS, "--format", "ndjson"]);
    const [first] = stdout.split("\n").map((l) => (l === "" ? null : JSON.parse(l)));
    expect(Number(shown[0]!.replaceAll(",", ""))).toBe(first.counts.notifier_calls);
    await page.fill(".cost-view input[list]", "sqlitte");
    await page.click(".cost-view button:has-text('compare')");
    await page.waitForSelector(".cost-view pre");
    expect(await page.textContent(".cost-view pre")).toContain("sqlitte: no such workload");
    await page.click(".cost-view button:has-text('close')");
    await page.waitForSelector("[role=slider]");
    await on.close();
    expect(on.complaints).toEqual([]);
  });

  test("the report is one file that its own policy lets through", async () => {
    const folder = workFolder();
    const file = join(folder.path, "cost.html");
    const run = shootdown(["cost", "sqlite", ...ARGS, "-q", "--export", `html=${file}`]);
    expect(run.status).toBe(0);
    const browser = await launch();
    const complaints: string[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ viewport: { width: 390, height: 844 }, colorScheme });
      page.on("console", (m) => complaints.push(m.text()));
      page.on("request", (r) => {
        if (r.url() !== pathToFileURL(file).href) complaints.push(r.url());
      });
      await page.goto(pathToFileURL(file).href);
      // In the page: its types are not Node's.
      const seen = await page.evaluate(`[
        getComputedStyle(document.body).backgroundColor,
        document.documentElement.scrollWidth,
        document.querySelectorAll("svg").length]`);
      const paper = colorScheme === "light" ? "rgb(255, 255, 255)" : "rgb(22, 24, 29)";
      expect(seen).toEqual([paper, 390, 6]);
    }
    await browser.close();
    folder.remove();
    expect(complaints).toEqual([]);
  });
});
