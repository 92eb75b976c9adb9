// SPDX-License-Identifier: Apache-2.0
// How soon and how smoothly the built explorer draws, in Chromium, served by the built `serve`.
//
//   explorer/first     from navigation to the witness of the permission upgrade, drawn
//   explorer/bytes     scripts that are loaded until then, and all of them but the editor
//   explorer/step      from a key to the picture and the state of the next step, in 10^4 steps
//   explorer/scroll    frames a second while 10^5 steps are scrolled through and scrubbed
//
// A long run is the permission upgrade's witness and then caches that take and drop entries.

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { root } from "../scripts/constants.mjs";

const PROGRAM = join(root, "packages/shootdown/bin/shootdown.js");
const DIST = join(root, "packages/shootdown/dist");
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export const EXPLORER_BENCHES = [
  { name: "explorer/first", measure: first, bars: { ms: 1000 } },
  { name: "explorer/bytes", measure: bytes, bars: { gzip_kb: 300 } },
  { name: "explorer/step", measure: step, bars: { ms: 16 }, steps: 10_000 },
  { name: "explorer/scroll", measure: scroll, bars: { fps: 60 }, steps: 100_000 },
];

export const isExplorer = ({ name }) => name.startsWith("explorer/");

/** A line of what was measured; `bars` are what it should be below, frames above. */
export async function* watchExplorer(bench, { options }) {
  const { chromium } = await import("playwright-core").catch(() => ({}));
  const executablePath = CHROMIUM.find((path) => existsSync(path));
  if (!chromium || !executablePath) throw new Error("no Chromium (apt-get install chromium)");
  const server = spawn(process.execPath, [PROGRAM, "serve", "-q"], {
    stdio: ["ignore", "pipe", 2],
  });
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const url = await address(server);
    const found = await bench.measure({ browser, url, bench, rounds: options.rounds });
    const { name, bars } = bench;
    const { rounds } = options;
    yield { type: "bench", name, browser: browser.version(), rounds, ...found, bars };
  } finally {
    await browser.close();
    server.kill("SIGINT");
  }
}

export const explorerText = ({ type: _, name, browser: __, rounds: ___, bars, ...found }) =>
  `${name.padEnd(18)} ${Object.entries(found)
    .map(([key, value]) => `${key} ${value}`)
    .join("  ")}  (bar: ${JSON.stringify(bars)})`;

const address = (server) =>
  new Promise((resolve, reject) => {
    let said = "";
    server.stdout.on("data", (data) => {
      said += data;
      const url = /http:\/\/[\d.:]+\//.exec(said)?.[0];
      if (url) resolve(url);
    });
    server.on("exit", () => reject(new Error("serve ended")));
  });

const sorted = (numbers) => numbers.toSorted((a, b) => a - b);
const at = (numbers, part) => sorted(numbers)[Math.floor((numbers.length - 1) * part)];
const spread = (name, numbers) => ({
  [name]: round(at(numbers, 0.5)),
  [`${name}_p95`]: round(at(numbers, 0.95)),
  [`${name}_max`]: round(at(numbers, 1)),
});
const round = (n) => Math.round(n * 10) / 10;

/** Runs in the page: looks at each frame whether all is there that makes the picture useful. */
function watchPicture() {
  const look = () => {
    const drawn = document.querySelector(".rows canvas")?.dataset.drawn === "32";
    const state = document.querySelector(".state")?.textContent.includes("stale");
    const verdict = document.querySelector("header output b");
    if (drawn && state && verdict) globalThis.usefulAt = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** Each time a new context: nothing is in a cache. */
async function first({ browser, url, rounds }) {
  const times = [];
  // One more: the program that serves has just been started.
  for (let n = 0; n <= rounds; n++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.addInitScript(watchPicture);
    await page.goto(url);
    await page.waitForFunction(() => globalThis.usefulAt !== undefined);
    if (n > 0) times.push(await page.evaluate(() => globalThis.usefulAt));
    await context.close();
  }
  return { ...spread("ms", times), ms_min: round(at(times, 0)) };
}

async function bytes({ browser, url }) {
  const page = await browser.newPage();
  const loaded = new Set();
  const kept = (r) => r.url().endsWith(".js") && loaded.add(new URL(r.url()).pathname);
  page.context().on("request", kept);
  await page.addInitScript(watchPicture);
  await page.goto(url);
  await page.waitForFunction(() => globalThis.usefulAt !== undefined);
  await page.waitForLoadState("networkidle");
  const home = join(DIST, "explorer");
  const all = readdirSync(join(home, "assets")).filter((f) => f.endsWith(".js"));
  const size = (paths, compress) =>
    round(paths.reduce((sum, p) => sum + compress(readFileSync(join(home, p))).length, 0) / 1000);
  const named = (part) => all.filter((f) => f.startsWith(part)).map((f) => `assets/${f}`);
  const editor = named("codemirror");
  const rest = all.map((f) => `assets/${f}`).filter((f) => !editor.includes(f));
  return {
    gzip_kb: size([...loaded], gzipSync),
    brotli_kb: size([...loaded], brotliCompressSync),
    files: loaded.size,
    all_but_editor_gzip_kb: size(rest, gzipSync),
    editor_gzip_kb: size(editor, gzipSync),
  };
}

/** The witness of the permission upgrade, made long. */
async function longWitness(steps) {
  const api = await import(join(DIST, "api.js"));
  const text = readFileSync(join(DIST, "litmus/permission-upgrade/upgrade.litmus"), "utf8");
  const options = { machines: ["arm64+smmuv3"], kernels: ["linux-6.1"], witness: "all" };
  const [{ witness }] = [...api.checkScenario(text, options)];
  const { walk } = api.openWitnessWalk(JSON.stringify(witness));
  const taken = [...witness.steps, ...witness.cycle];
  const end = taken.length;
  const before = JSON.stringify(walk.view(end));
  const block = [];
  for (const { step } of walk.moves(end).filter((m) => m.step.kind === "fill")) {
    walk.cut(end);
    walk.take(step);
    const back = walk.moves(end + 1).find((m) => {
      walk.cut(end + 1);
      return walk.take(m.step) && JSON.stringify(walk.view(end + 2)) === before;
    });
    if (back) block.push(step, back.step);
  }
  while (taken.length < steps) taken.push(...block);
  return JSON.stringify({ ...witness, steps: taken.slice(0, steps), cycle: [] });
}

async function openLong({ browser, url, bench }) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(url);
  await page.waitForSelector("header output b");
  const buffer = Buffer.from(await longWitness(bench.steps));
  await page.click("role=tab[name=files]");
  const begin = performance.now();
  const file = { name: "long.w.json", mimeType: "application/json", buffer };
  await page.setInputFiles("input[type=file]", file);
  const end = `[role=slider][aria-valuenow="${bench.steps}"]`;
  await page.waitForSelector(end, { timeout: 120_000 });
  await page.waitForSelector(`.state[data-at="${bench.steps}"]`);
  return { page, open_ms: performance.now() - begin };
}

const PRESSES = 300;

/** Runs in the page: a key, then until the state of the new position is in the document. */
function pressed(key) {
  return new Promise((resolve) => {
    const slider = document.querySelector("[role=slider]");
    const want = `${Number(slider.getAttribute("aria-valuenow")) + (key === "k" ? -1 : 1)}`;
    const begin = performance.now();
    dispatchEvent(new KeyboardEvent("keydown", { key }));
    const sent = performance.now() - begin;
    const canvas = document.querySelector(".rows canvas");
    let state;
    const done = () => {
      const now = performance.now() - begin;
      if (document.querySelector(".state")?.dataset.at === want) state ??= now;
      if (state === undefined || canvas.dataset.cursor !== want) return;
      watch.disconnect();
      resolve({ sent, state, all: now });
    };
    const watch = new MutationObserver(done);
    const attributes = { attributes: true, subtree: true, childList: true };
    watch.observe(document.querySelector("main"), attributes);
  });
}

async function step({ bench, ...rest }) {
  const { page, open_ms } = await openLong({ bench, ...rest });
  await page.evaluate(`globalThis.pressed = ${pressed}`);
  const times = [];
  const [sent, state] = [[], []];
  for (let n = 0; n < PRESSES; n++) {
    const one = await page.evaluate((key) => globalThis.pressed(key), n < PRESSES / 2 ? "k" : "j");
    times.push(one.all);
    sent.push(one.sent);
    state.push(one.state);
  }
  const parts = { ...spread("state_ms", state), handler_ms_p95: round(at(sent, 0.95)) };
  return { steps: bench.steps, open_ms: round(open_ms), ...spread("ms", times), ...parts };
}

const SCROLL_MS = 3000;

/** Runs in the page: moves the window each frame; how long frames took and how many had gaps. */
function scrolled({ ms, px }) {
  return new Promise((resolve) => {
    const box = document.querySelector(".rows");
    const canvas = box.querySelector("canvas");
    const begin = performance.now();
    const frames = [];
    let last = begin;
    let gaps = 0;
    box.scrollTop = 0;
    const frame = () => {
      const now = performance.now();
      frames.push(now - last);
      last = now;
      if (canvas.dataset.missing !== "0") gaps++;
      const room = box.scrollHeight - box.clientHeight;
      // Scrubbed, the whole run passes by once.
      box.scrollTop = px === 0 ? (room * (now - begin)) / ms : box.scrollTop + px;
      if (now - begin < ms) requestAnimationFrame(frame);
      else resolve({ frames: frames.slice(1), gaps });
    };
    requestAnimationFrame(frame);
  });
}

async function scroll({ bench, ...rest }) {
  const { page, open_ms } = await openLong({ bench, ...rest });
  const of = async (name, px) => {
    const { frames, gaps } = await page.evaluate(scrolled, { ms: SCROLL_MS, px });
    const fps = round((1000 * frames.length) / frames.reduce((a, b) => a + b, 0));
    const ms_p95 = round(at(frames, 0.95));
    return { [`${name}_fps`]: fps, [`${name}_ms_p95`]: ms_p95, [`${name}_gaps`]: gaps };
  };
  const scroll = await of("scroll", 240);
  const scrub = await of("scrub", 0);
  return { steps: bench.steps, open_ms: round(open_ms), ...scroll, ...scrub };
}
