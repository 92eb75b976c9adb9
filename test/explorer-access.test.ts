// SPDX-License-Identifier: Apache-2.0
// What a screen reader is told of the explorer: Chromium's accessibility tree of each panel.

import { type ChildProcess, spawn } from "node:child_process";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHROMIUM, launch } from "./support/chromium.ts";
import { ensureBuilt, program } from "./support/cli.ts";
import { root } from "./support/files.ts";

interface Node {
  readonly role: string;
  readonly name: string;
  readonly value: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** What somebody can do something with. */
const CONTROLS = new Set([
  ...["button", "link", "textbox", "searchbox", "combobox", "slider", "tab", "checkbox", "radio"],
  ...["spinbutton", "switch", "menuitem", "DisclosureTriangle"],
]);

describe.skipIf(CHROMIUM === undefined)("in Chromium (apt-get install chromium)", () => {
  let server: ChildProcess;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    ensureBuilt();
    server = spawn(process.execPath, [program, "serve", "-q"], { cwd: root });
    const url = await new Promise<string>((resolve) =>
      server.stdout!.on("data", (data) => resolve(/http:\S+/.exec(`${data}`)![0])),
    );
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(url);
    await page.waitForSelector("header output b");
    await page.waitForSelector(".gallery li");
  });
  afterAll(async () => {
    await browser?.close();
    server?.kill("SIGINT");
  });

  async function tree(): Promise<Node[]> {
    const cdp = await page.context().newCDPSession(page);
    const { nodes } = await cdp.send("Accessibility.getFullAXTree");
    await cdp.detach();
    return nodes
      .filter((n) => !n.ignored)
      .map((n) => ({
        role: `${n.role?.value ?? ""}`,
        name: `${n.name?.value ?? ""}`.trim(),
        value: `${n.value?.value ?? ""}`,
        properties: Object.fromEntries((n.properties ?? []).map((p) => [p.name, p.value.value])),
      }));
  }

  const unnamed = (nodes: readonly Node[]) =>
    nodes.filter((n) => CONTROLS.has(n.role) && n.name === "").map((n) => n.role);

  test.each([
    ["scenarios", "state"],
    ["text", "next"],
    ["files", "source"],
  ])("every control of %s and %s has a name", async (left, right) => {
    const chosen = page.getByRole("tab", { name: left, exact: true });
    if ((await chosen.getAttribute("aria-selected")) !== "true") await chosen.click();
    await page.getByRole("tab", { name: right, exact: true }).click();
    if (left === "text") await page.waitForSelector(".cm-content");
    await page.waitForTimeout(200);
    const nodes = await tree();
    expect(unnamed(nodes)).toEqual([]);
    expect(nodes.filter((n) => n.role === "tab" && n.properties["selected"]).length).toBe(2);
    for (const role of ["main", "banner"]) {
      expect(nodes.filter((n) => n.role === role).length, role).toBe(1);
    }
    // Of several parts of a kind each says which it is.
    const parts = nodes.filter((n) => n.role === "complementary" || n.role === "tabpanel");
    expect(parts.map((n) => n.name)).not.toContain("");
    expect(new Set(parts.map((n) => `${n.role} ${n.name}`)).size).toBe(parts.length);
  });

  test("the picture has words: the step under the cursor, told when it changes", async () => {
    await page.keyboard.press("Home");
    for (let n = 0; n < 9; n++) await page.keyboard.press("j");
    await page.waitForSelector(".said p:has-text('takes P ro')");
    const nodes = await tree();
    const slider = nodes.find((n) => n.role === "slider" && n.name === "Position in the run")!;
    const said = "after step 8, SMMU: smmu_tlb[asid(A),x] takes P ro";
    expect(slider.value).toBe("9");
    expect(await page.getAttribute("[role=slider]", "aria-valuetext")).toBe(said);
    const live = nodes.filter((n) => n.properties["live"] === "polite");
    expect(live.length).toBeGreaterThan(0);
    expect(await page.textContent(".said [role=status]")).toBe(said);
  });

  test("the page table is a list in a list; what is stale says so", async () => {
    await page.getByRole("tab", { name: "state", exact: true }).click();
    await page.waitForSelector(".state .stale");
    const nodes = await tree();
    const levels = nodes.filter((n) => n.role === "listitem").map((n) => n.properties["level"]);
    expect(levels).toContain(1);
    expect(levels).toContain(2);
    expect(nodes.some((n) => n.role === "StaticText" && n.name === "stale")).toBe(true);
  });

  test("help is a dialog with a name, and gives the focus back", async () => {
    await page.getByRole("button", { name: "Help" }).focus();
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    const nodes = await tree();
    expect(nodes.some((n) => n.role === "dialog" && n.name === "Help")).toBe(true);
    expect(unnamed(nodes)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.waitForSelector("dialog", { state: "detached" });
    const focused = "document.activeElement?.getAttribute('aria-label')";
    expect(await page.evaluate(focused)).toBe("Help");
  });
});
