// SPDX-License-Identifier: Apache-2.0
// What is chosen in the explorer: another configuration beside the first, knobs, reasons, calls.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ensureBuilt, workFolder } from "./support/cli.ts";
import { CHROMIUM, type ExplorerPage, ServedExplorer } from "./support/explorer.ts";
import { root } from "./support/files.ts";

const OF_DIRTY = "#s=permission-upgrade/dirty-by-hardware.litmus&m=arm64+smmuv3&k=linux-6.1";

let served: ServedExplorer;
let on: ExplorerPage;

describe.skipIf(CHROMIUM === undefined)("in Chromium (apt-get install chromium)", () => {
  beforeAll(async () => {
    ensureBuilt();
    served = await ServedExplorer.start();
  });
  afterAll(async () => {
    await served?.stop();
  });
  beforeEach(async () => {
    on = await served.open();
  });
  afterEach(async () => {
    await on.close();
    expect(on.complaints).toEqual([]);
  });

  const values = async () => {
    const slider = on.page.locator("[role=slider]");
    return [await on.cursor(), await slider.getAttribute("aria-valuetext")];
  };

  test("6.1 and 6.12 side by side: the notifier call is the first difference", async () => {
    await on.goto();
    await on.page.click("text=compare with linux-6.12");
    await on.page.waitForSelector(".differences li");
    expect(await on.text(".sides >> nth=0")).toMatch(/linux-6\.1 ! stuck\(D\) found.*164 states/s);
    expect(await on.text(".sides >> nth=0")).toMatch(/linux-6\.12 ✓ stuck\(D\) never.*states in/s);
    const first = await on.text(".differences li >> nth=0");
    expect(first).toContain(
      "first difference: CPU0 with linux-6.12 also calls mmu_notifier_arch_invalidate_secondary",
    );
    // The cursor stands there; before it both go in step.
    expect(await on.cursor()).toBe(11);
    await on.page.waitForSelector(".pair.cursor.differs .caption");
    await on.shot("beside");
    await on.press("d d");
    expect(await on.text(".pair.cursor")).toMatch(/! fault x write P ro.*access A x P write/s);
    await on.page.waitForSelector(".differ dd");
    expect(await on.text(".differ")).toContain("smmu_tlb[asid(A),x] P ro");
    // The other one's state: nothing of it is stale there.
    await on.press("o");
    await on.page.waitForSelector(".stale-now", { state: "detached" });
    await on.press("o k");
    await on.page.waitForSelector(".stale-now");
    const hash = await on.link();
    expect(hash).toContain("&vs=arm64+smmuv3,linux-6.12,hafdbs:no,httu:no");
    const before = await values();
    await on.page.goto("about:blank");
    await on.goto(hash);
    await on.page.waitForSelector(".differences li");
    expect(await values()).toEqual(before);
    await on.page.click("text=one alone");
    await on.page.waitForSelector(".stage");
  });

  test("a step of one's own beside another run: that follows, and the link says it", async () => {
    await on.goto();
    await on.page.click("text=compare with linux-6.12");
    await on.page.waitForSelector(".differences li");
    await on.press("Home j j j n");
    await on.page.waitForSelector(".moves button");
    await on.page.click(".moves button:has-text('smmu_tlb')");
    await on.page.waitForSelector("[role=slider][aria-valuemax='4']");
    expect(await on.text(".differences")).toContain("both do the same");
    const hash = await on.link();
    expect(hash).toMatch(/&keep=3&b=\d+&vs=/);
    await on.page.goto("about:blank");
    await on.goto(hash);
    await on.page.waitForSelector("[role=slider][aria-valuemax='4']");
    await on.press("w");
    await on.page.waitForSelector(".differences li");
  });

  test("what holds is compared too: the bug's run, in the kernel without it", async () => {
    await on.goto(
      "#s=permission-upgrade/upgrade.litmus&m=arm64+smmuv3&k=linux-6.12&set=hafdbs:no,httu:no",
    );
    await on.page.click("text=compare with linux-6.1");
    await on.page.waitForSelector(".differences li");
    expect(await on.text(".differences li >> nth=0")).toContain("linux-6.12 also calls");
    expect(await on.text(".sides >> nth=0")).toMatch(/linux-6\.12 ✓.*linux-6\.1 !/s);
    // A machine that cannot run it is said, and the first stays.
    const other = on.page.getByLabel("other machine");
    await other.fill("arm64");
    await other.press("Enter");
    await on.page.waitForSelector(".setup output.bad");
    expect(await on.text(".setup output")).toContain("has no IOMMU for the device D");
  });

  test("a knob left open is searched both ways; one that decides says so", async () => {
    await on.goto();
    const httu = on.page.getByLabel("httu");
    expect(await httu.inputValue()).toBe("no");
    await httu.selectOption("");
    await on.page.waitForSelector("header output:has-text('states in')");
    expect(await on.link()).toMatch(/&set=hafdbs:no&/);
    await on.goto(`${OF_DIRTY}&set=hafdbs:yes,httu:no`);
    await on.page.waitForSelector(".knobs label:has-text('httu') small:has-text('decides')");
    await on.shot("knobs");
    await on.page.getByLabel("httu").selectOption("yes");
    await on.page.waitForSelector("header output b:has-text('never')");
    await on.goto(
      "#s=permission-upgrade/upgrade.litmus&m=arm64+smmuv3+ats&k=linux-6.1&set=nonsense:no",
    );
    await on.page.waitForSelector(`header output.bad:has-text("unknown knob 'nonsense'")`);
  });

  test("a reason leads to the steps that it names", async () => {
    await on.goto();
    // Nobody has to look for it.
    await on.page.waitForSelector(".stale-now .why");
    expect(await on.text(".stale-now")).toContain("SMMU TLB still holds x → P ro");
    expect(await on.text(".stale-now")).toContain("the page table says P rw");
    await on.page.click(".stale-now .why button:has-text('taken after step 8')");
    expect(await on.cursor()).toBe(9);
    await on.page.waitForSelector(".state[data-at='9']");
    await on.page.click("header .because button:has-text('step 8 (CPU0')");
    expect(await on.cursor()).toBe(8);
    await on.page.click("text=show me");
    expect(await on.cursor()).toBe(18);
    await on.press("Home v");
    expect(await on.cursor()).toBe(18);
    // What is missing is what another kernel does.
    await on.page.click("text=never with linux-6.12: what is done there instead?");
    await on.page.waitForSelector(".differences li:has-text('mmu_notifier_arch_invalidate')");
  });

  test("the routine of a step as this kernel has it, the statement in sight; callers", async () => {
    await on.goto();
    await on.press("Home j j j j j j j j c");
    await on.page.waitForSelector(".source mark");
    expect(await on.text(".source mark")).toContain("cmpxchg(");
    await on.page.click(".stack button:has-text('ptep_set_access_flags:5')");
    await on.page.waitForSelector(".source pre:has-text('bool ptep_set_access_flags')");
    expect(await on.text(".source mark")).toContain("cmpxchg_desc(cpu, mm, va");
    expect(await on.text(".origin")).toContain("arch/arm64/mm/fault.c: ptep_set_access_flags");
    expect(await on.text(".origin")).toContain("linux-6.1");
    await on.shot("source");
    await on.page.click(".stack button:has-text('CPU0:1')");
    await on.page.waitForSelector(".source mark:has-text('store x')");
    // A long routine of hardware: what is marked is scrolled to.
    await on.press("j j j j k j");
    await on.page.waitForSelector(".source pre:has-text('void device_access')");
    const box = (await on.page.locator(".source mark").boundingBox())!;
    expect(box.y > 100 && box.y < 800).toBe(true);
    expect(await on.text(".source pre")).not.toContain("x86_tlb");
  });

  test("an exhibit of the museum: its bug, its fix, and both side by side", async () => {
    await on.goto();
    await on.press("/");
    await on.page.keyboard.type("eb66ae030829");
    const item = on.page.locator(".gallery li");
    expect(await item.count()).toBe(1);
    expect(await item.innerText()).toContain(
      "mremap: properly flush TLB before releasing the page",
    );
    await item.locator("button", { hasText: "the fix" }).click();
    await on.page.waitForSelector("header output b:has-text('never')");
    await item.locator("button", { hasText: "the bug" }).click();
    await on.page.waitForSelector("header output b:has-text('found')");
    await item.locator("button", { hasText: "side by side" }).click();
    await on.page.waitForSelector(".differences li");
    expect(await on.text(".differences li >> nth=0")).toContain("tlbi VAE1IS asid(A) x");
    await on.shot("museum");
  });

  test("names are completed where they fit, and a mistake is said at its place", async () => {
    await on.goto();
    await on.page.click("text=text");
    await on.page.waitForSelector(".cm-content");
    const line = on.page.locator(".cm-line", { hasText: "D       { load x; store x; }" });
    await line.click();
    await on.press("Home Shift+End");
    await on.page.keyboard.type("D { load x; stor");
    await on.page.waitForSelector(".cm-tooltip-autocomplete li:has-text('store')");
    await on.shot("completion");
    await on.press("Escape");
    await on.page.keyboard.type("r x; }");
    await on.page.waitForSelector(".problems li");
    expect(await on.text(".problems")).toMatch(/line \d+, column 13: .*did you mean 'store'/s);
    await on.page.waitForSelector(".cm-lintRange-error:has-text('storr')");
    expect(await on.text("header output")).toMatch(/line \d+: /);
  });
});

describe.skipIf(CHROMIUM === undefined)("serve with a folder", () => {
  const work = workFolder();
  beforeAll(async () => {
    ensureBuilt();
    const folder = join(work.path, "mine");
    mkdirSync(folder);
    const upgrade = readFileSync(join(root, "litmus/permission-upgrade/upgrade.litmus"), "utf8");
    writeFileSync(join(folder, "own.litmus"), upgrade.replace("MM upgrade", "MM own"));
    // Large enough to be read as it comes.
    const line = "          task-1 [000] ..... 1.000000: nothing: of interest\n";
    writeFileSync(join(folder, "trace.txt"), `# tracer: nop\n${line.repeat(40_000)}`);
    served = await ServedExplorer.start(folder);
  });
  afterAll(async () => {
    await served?.stop();
    work.remove();
  });

  test("its files are listed and opened; a recording is read as it comes", async () => {
    on = await served.open();
    await on.goto();
    await on.page.click("text=files");
    await on.page.click("button:has-text('mine/own.litmus')");
    await on.page.waitForSelector("header .test:has-text('own')");
    await on.page.waitForSelector("header output b");
    await on.page.click("button:has-text('mine/trace.txt')");
    await on.page.waitForSelector(".recording [role=status]:has-text('0 findings')");
    await on.page.waitForSelector(".recording pre:not(:empty), .recording .bad");
    await on.shot("folder");
    await on.close();
    expect(on.complaints).toEqual([]);
  });
});
