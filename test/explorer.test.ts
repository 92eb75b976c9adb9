// SPDX-License-Identifier: Apache-2.0
// The explorer in a real Chromium, as `shootdown serve` serves it. Screenshots go to out/explorer.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { checkScenario, openWitnessWalk } from "../packages/shootdown/src/api/index.ts";
import { ensureBuilt, program, shootdown, workFolder } from "./support/cli.ts";
import { root } from "./support/files.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => existsSync(path),
);
const RECORDING = join(root, "../shared/traces/6.1-mm-max/trace.txt.gz");
const SHOTS = join(root, "out/explorer");
const FIXED_KERNEL = "linux-6.12";

let server: ChildProcess;
let origin = "";
let browser: Browser;
let page: Page;
let complaints: string[] = [];

/** The page after a verdict. */
async function opened(hash = ""): Promise<void> {
  await page.goto(`${origin}/${hash}`);
  await page.waitForSelector("header output b");
}

const verdict = () => page.textContent("header output");
const shot = (name: string) => page.screenshot({ path: join(SHOTS, `${name}.png`) });
const press = async (keys: string) => {
  for (const key of keys.split(" ")) await page.keyboard.press(key);
};
const cursor = async () => Number(await page.getAttribute("[role=slider]", "aria-valuenow"));
/** The state panel, once it shows the cursor's state. */
const state = async () => {
  await page.waitForSelector(`.state[data-at="${await cursor()}"]`);
  return (await page.textContent(".state")) ?? "";
};

describe.skipIf(CHROMIUM === undefined)("in Chromium (apt-get install chromium)", () => {
  beforeAll(async () => {
    ensureBuilt();
    mkdirSync(SHOTS, { recursive: true });
    server = spawn(process.execPath, [program, "serve"], { cwd: root });
    origin = await new Promise<string>((resolve, reject) => {
      let said = "";
      server.stdout!.on("data", (data) => {
        said += data;
        const url = /http:\/\/[\d.:]+/.exec(said)?.[0];
        if (url) resolve(url);
      });
      server.on("exit", () => reject(new Error("serve ended")));
    });
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: ["--no-sandbox"] });
  });
  afterAll(async () => {
    await browser?.close();
    server?.kill("SIGINT");
  });
  beforeEach(async () => {
    complaints = [];
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    page = await context.newPage();
    page.on("console", (m) => {
      if (m.type() === "error" || m.type() === "warning") complaints.push(m.text());
    });
    page.on("pageerror", (e) => complaints.push(e.message));
    page.on("request", (r) => {
      if (!r.url().startsWith(origin) && !/^(?:data|blob):/.test(r.url())) complaints.push(r.url());
    });
  });
  afterEach(async () => {
    await page.context().close();
    expect(complaints).toEqual([]);
  });

  test("the witness, stepped through to the stale entry, and why it is there", async () => {
    await opened();
    expect(await verdict()).toContain("stuck(D) found");
    await press("Home");
    expect(await state()).not.toContain("stale");
    for (let n = 0; n < 40 && !(await state()).includes("stale"); n++) await press("j");
    expect(await cursor()).toBe(9);
    expect(await state()).toContain("smmu_tlb[asid(A),x] P ro stale");
    await page.click("li.stale:has-text('smmu_tlb') button");
    await page.waitForSelector(".why");
    expect(await page.textContent(".why")).toContain("nothing invalidated smmu_tlb");
    await shot("stale");
  });

  test("the first picture needs no Worker, and is what the Worker gives", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route(/\/worker-/, async (route) => {
      await held;
      await route.continue();
    });
    await opened();
    await page.waitForSelector("canvas[data-drawn='32'][data-missing='0']");
    const drawn = [await verdict(), await state(), await cursor()];
    expect(drawn[1]).toContain("stale");
    release();
    await press("k j r");
    await page.waitForSelector("header output:has-text('states in')");
    const again = (await verdict())!.replace(/ in [\d.]+ s/, "");
    expect([again, await state(), await cursor()]).toEqual(drawn);
  });

  test("what is typed stays while the rest of the page is loaded", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route(/gallery\.json/, async (route) => {
      await held;
      await route.continue();
    });
    await opened();
    await page.getByLabel("kernel").fill("linux-6.1");
    await page.getByLabel("kernel").press("2");
    release();
    await page.waitForSelector("#all-kernel option[value='linux-6.19']", { state: "attached" });
    await page.waitForSelector(".gallery li");
    expect(await page.getByLabel("kernel").inputValue()).toBe("linux-6.12");
    await page.getByLabel("kernel").press("Enter");
    await page.waitForSelector("header output:has-text('never')");
  });

  test("a branch, and back to the run that was found", async () => {
    await opened();
    const end = Number(await page.getAttribute("[role=slider]", "aria-valuemax"));
    await press("Home j j n");
    await page.waitForSelector(".moves button");
    await page.click(".moves button:has-text('smmu_tlb')");
    await page.waitForSelector("[role=slider][aria-valuemax='3']");
    expect(await cursor()).toBe(3);
    await shot("branch");
    await press("w");
    await page.waitForSelector(`[role=slider][aria-valuemax="${end}"]`);
  });

  test("edited into the fixed one and back", async () => {
    await opened();
    const kernel = page.getByLabel("kernel");
    await kernel.fill(FIXED_KERNEL);
    await kernel.press("Enter");
    await page.waitForSelector("header output:has-text('never')");
    await shot("fixed");
    await kernel.fill("linux-6.1");
    await kernel.press("Enter");
    await page.waitForSelector("header output:has-text('found')");
    await page.click("text=text");
    await page.waitForSelector(".cm-content");
    const line = page.locator(".cm-line", { hasText: "D       { load x; store x; }" });
    await line.click();
    await press("Home Shift+End");
    await page.keyboard.type("D { load x; }");
    await page.keyboard.press("Control+Enter");
    await page.waitForSelector("header output:has-text('never')");
    await page.locator(".cm-line", { hasText: "D { load x; }" }).click();
    await press("Home Shift+End");
    await page.keyboard.type("D { load x; stroe x; }");
    await page.waitForSelector(".problems li:has-text('stroe')");
    expect(await page.textContent(".problems")).toContain("stroe");
    await shot("mistake");
    await press("Home Shift+End");
    await page.keyboard.type("D { load x; store x; }");
    await page.keyboard.press("Control+Enter");
    await page.waitForSelector("header output:has-text('found')");
  });

  test.skipIf(!existsSync(RECORDING))("a recording of 6.1: its 94 findings", async () => {
    await opened();
    await page.click("text=files");
    const buffer = gunzipSync(readFileSync(RECORDING));
    await page.setInputFiles("input[type=file]", {
      name: "trace.txt",
      mimeType: "text/plain",
      buffer,
    });
    await page.waitForSelector(".recording pre:not(:empty)");
    expect(await page.textContent(".recording [role=status]")).toBe("94 findings");
    expect(await page.locator(".findings ol > li").count()).toBe(94);
    await page.click(".findings ol li:nth-child(2) button");
    expect(await page.textContent(".details")).toContain("may now be written");
    await page.click("text=by mm");
    await shot("recording");
  });

  test("a link says it all", async () => {
    await opened();
    await press("Home j j j n");
    await page.waitForSelector(".moves button");
    await page.locator(".moves button").last().click();
    await page.waitForSelector("[role=slider][aria-valuenow='4']");
    await press("k s");
    await page.click("text=copy link");
    await page.waitForSelector("text=copied");
    const { hash } = new URL(page.url());
    expect(hash).toMatch(/keep=3&b=\d+&at=3$/);
    const before = [
      await cursor(),
      await state(),
      await page.getAttribute("[role=slider]", "aria-valuemax"),
    ];
    await page.goto("about:blank");
    await opened(hash);
    const after = [
      await cursor(),
      await state(),
      await page.getAttribute("[role=slider]", "aria-valuemax"),
    ];
    expect(after).toEqual(before);
  });

  test("a bug and its fix from the gallery, by keyboard alone", async () => {
    await opened();
    await press("/");
    await page.keyboard.type("mremap");
    await page.keyboard.press("Tab");
    expect(await page.locator(".gallery :focus").count()).toBe(1);
    await press("Escape");
    await page.waitForSelector(".gallery li");
    await press("?");
    await page.waitForSelector("dialog[open]");
    await shot("help");
    await press("Escape");
    await page.waitForSelector("dialog", { state: "detached" });
    await press("Home j ] [ End v");
    expect(await cursor()).toBeGreaterThan(0);
  });

  test("3000 steps: reasons come when they are asked for", async () => {
    const text = readFileSync(join(root, "litmus/permission-upgrade/upgrade.litmus"), "utf8");
    const on = { machines: ["arm64+smmuv3"], kernels: ["linux-6.1"], witness: "all" } as const;
    const [found] = checkScenario(text, on);
    const witness = found!.witness!;
    const steps = [...witness.steps, ...witness.cycle];
    const walked = openWitnessWalk(JSON.stringify(witness));
    if (!walked.ok) throw new Error("not opened");
    const tlb = /^tlb/;
    const own = (at: number, kind: string) =>
      walked.walk.moves(at).find((m) => m.step.kind === kind && tlb.test(m.step.name))!.step;
    const fill = own(steps.length, "fill");
    walked.walk.take(fill);
    const drop = own(steps.length + 1, "evict");
    while (steps.length < 3000) steps.push(fill, drop);
    await opened();
    await page.click("role=tab[name=files]");
    const buffer = Buffer.from(JSON.stringify({ ...witness, steps, cycle: [] }));
    const file = { name: "long.w.json", mimeType: "application/json", buffer };
    await page.setInputFiles("input[type=file]", file);
    await page.waitForSelector("canvas[data-drawn='3000'][data-missing='0']");
    expect(await state()).toContain("stale");
    await page.waitForTimeout(300);
    expect(await page.locator(".stale-now .why").count()).toBe(0);
    await page.click(".stale-now button:has-text('why?')");
    await page.waitForSelector(".stale-now .why:has-text('nothing invalidated smmu_tlb')");
    await press("Home");
    await page.waitForSelector("canvas[data-cursor='0'][data-missing='0']");
  });

  test("the picture saved as SVG", async () => {
    await opened();
    const coming = page.waitForEvent("download");
    await page.click("text=save as SVG");
    const download = await coming;
    expect(download.suggestedFilename()).toBe("upgrade.svg");
    const svg = readFileSync(await download.path(), "utf8");
    const file = join(SHOTS, "upgrade.svg");
    writeFileSync(file, svg);
    await page.goto(pathToFileURL(file).href);
    const words = await page.locator("svg text").allTextContents();
    expect(words).toEqual(expect.arrayContaining(["SMMU", "smmu_tlb[asid(A),x] takes P ro"]));
    expect(words[0]).toBe("upgrade: stuck(D) on arm64+smmuv3, linux-6.1");
    await shot("svg");
    complaints = complaints.filter((c) => !c.startsWith("file:"));
  });

  test("one exported file, opened from disk: it asks for nothing", async () => {
    const work = workFolder();
    const upgrade = join(root, "litmus/permission-upgrade/upgrade.litmus");
    const on = ["--machine", "arm64+smmuv3", "--kernel", "linux-6.1"];
    const { cwd } = { cwd: work.path };
    shootdown(["check", upgrade, ...on, "-q", "--expect", "never", "--witness", "w"], { cwd });
    const [witness = ""] = readdirSync(join(cwd, "w"));
    const targets = ["html=run.html", "perfetto=run.pftrace", "svg=run.svg"].flatMap((t) => [
      ...["--export", t],
    ]);
    expect(shootdown(["replay", "-q", join("w", witness), ...targets], { cwd }).status).toBe(0);
    const requests: string[] = [];
    page.on("request", (r) => requests.push(r.url()));
    const url = pathToFileURL(join(cwd, "run.html")).href;
    await page.goto(url);
    await page.waitForSelector("[role=slider][aria-valuenow='18']");
    expect(await state()).toContain("stale");
    await press("k k n");
    await page.waitForSelector(".moves button");
    await shot("exported");
    expect(requests.filter((r) => !r.startsWith("blob:"))).toEqual([url]);
    complaints = complaints.filter((c) => c !== url);
    expect(readFileSync(join(cwd, "run.pftrace")).includes("pte_store A x P ro -> P rw")).toBe(
      true,
    );
    expect(readFileSync(join(cwd, "run.svg"), "utf8")).toContain("smmu_tlb[asid(A),x] takes P ro");
    work.remove();
  });
});
