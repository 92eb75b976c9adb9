// SPDX-License-Identifier: Apache-2.0
// The explorer in a real Chromium, as `shootdown serve` serves it; what a page says wrong is kept.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { program } from "./cli.ts";
import { root } from "./files.ts";

export const CHROMIUM = [
  ...["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
].find((path) => existsSync(path));

const SHOTS = join(root, "out/explorer");

/** `shootdown serve` with files, and a browser. */
export class ServedExplorer {
  readonly origin: string;
  private readonly server: ChildProcess;
  private readonly browser: Browser;

  private constructor(origin: string, server: ChildProcess, browser: Browser) {
    this.origin = origin;
    this.server = server;
    this.browser = browser;
  }

  static async start(...files: readonly string[]): Promise<ServedExplorer> {
    mkdirSync(SHOTS, { recursive: true });
    const server = spawn(process.execPath, [program, "serve", ...files], { cwd: root });
    const origin = await new Promise<string>((resolve, reject) => {
      let said = "";
      server.stdout!.on("data", (data) => {
        said += data;
        const url = /http:\/\/[\d.:]+/.exec(said)?.[0];
        if (url) resolve(url);
      });
      server.on("exit", () => reject(new Error("serve ended")));
    });
    const browser = await chromium.launch({ executablePath: CHROMIUM!, args: ["--no-sandbox"] });
    return new ServedExplorer(origin, server, browser);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    this.server.kill("SIGINT");
  }

  async open(): Promise<ExplorerPage> {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 } });
    return new ExplorerPage(await context.newPage(), this.origin);
  }
}

/** A page, and what it should not have said or asked for. */
export class ExplorerPage {
  readonly page: Page;
  readonly complaints: string[] = [];
  private readonly origin: string;

  constructor(page: Page, origin: string) {
    this.page = page;
    this.origin = origin;
    page.on("console", (m) => {
      if (m.type() === "error" || m.type() === "warning") this.complaints.push(m.text());
    });
    page.on("pageerror", (e) => this.complaints.push(e.message));
    page.on("request", (r) => {
      const own = r.url().startsWith(origin) || /^(?:data|blob):/.test(r.url());
      if (!own) this.complaints.push(r.url());
    });
  }

  /** Goes to a link and waits for its verdict. */
  async goto(hash = ""): Promise<void> {
    await this.page.goto(`${this.origin}/${hash}`);
    await this.page.waitForSelector("header output b, header output.bad");
    // The names are the last that comes.
    await this.page.waitForSelector("datalist#all-machine option[value='x86']", {
      state: "attached",
    });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  async press(keys: string): Promise<void> {
    for (const key of keys.split(" ")) await this.page.keyboard.press(key);
  }

  /** Where the cursor is, among the steps or the pairs that are shown. */
  async cursor(): Promise<number> {
    return Number(await this.page.getAttribute("[role=slider]", "aria-valuenow"));
  }

  async shot(name: string): Promise<void> {
    await this.page.screenshot({ path: join(SHOTS, `${name}.png`) });
  }

  text(selector: string): Promise<string> {
    return this.page.innerText(selector);
  }

  /** Copies the link; its fragment. */
  async link(): Promise<string> {
    await this.page.click("text=copy link");
    await this.page.waitForSelector("text=copied");
    return new URL(this.page.url()).hash;
  }
}
