// SPDX-License-Identifier: Apache-2.0
// Every scenario that is shipped is in the gallery; each bug of the museum with its fix.

/// <reference types="vite/client" />
import { parseScenario } from "shootdown";
import { expect, test } from "vitest";
import { galleryOf } from "./gallery-of.ts";

const litmus = "../../../../litmus/";
const texts = import.meta.glob<string>("../../../../litmus/**/*.litmus", {
  ...{ query: "?raw", import: "default", eager: true },
});
const files = Object.entries(texts)
  .map(([path, text]) => ({ path: path.slice(litmus.length), text }))
  .sort((a, b) => (a.path < b.path ? -1 : 1));
const { groups } = galleryOf(files, parseScenario);
const items = groups.flatMap((g) => g.items);

/** What the Result line of a configuration expects, read by other means. */
function expectedOf(text: string, c: (typeof items)[number]["bug"]): string | undefined {
  const knobs = (s: Iterable<readonly string[]>) =>
    [...s]
      .map((p) => p.join("="))
      .sort()
      .join();
  return [...text.matchAll(/Result: +(\w+) +(.*)$/gm)].find(([, , rest = ""]) => {
    const machine = /machine=(\S+)/.exec(rest)?.[1] ?? "arm64+smmuv3";
    const kernel = /kernel=(\S+)/.exec(rest)?.[1] ?? "linux-6.12";
    const set = [...rest.matchAll(/set=([\w-]+)=(\S+)/g)].map(([, k = "", v = ""]) => [k, v]);
    return (
      machine === c.machine && kernel === c.kernel && knobs(set) === knobs(Object.entries(c.set))
    );
  })?.[1];
}

test("the museum: each exhibit is found with its bug, never with its fix", () => {
  const museum = items.filter((i) => i.path.startsWith("museum/"));
  expect(museum.length).toBe(files.filter((f) => f.path.startsWith("museum/")).length);
  expect(museum.length).toBeGreaterThan(50);
  for (const i of museum) {
    expect([i.path, i.is_found]).toEqual([i.path, true]);
    expect(`${i.path} ${expectedOf(i.text, i.bug)}`).toMatch(/ (Sometimes|Always)$/);
    expect([i.path, i.fix && expectedOf(i.text, i.fix)]).toEqual([i.path, "Never"]);
    expect(i.sentence.length).toBeGreaterThan(20);
    expect([i.path, i.versions]).not.toEqual([i.path, null]);
  }
  const late = museum.find((i) => i.name === "mremap-late-flush");
  expect(late?.fixes).toBe("mremap: properly flush TLB before releasing the page (eb66ae030829)");
});

test("what is opened first is what a line of the scenario says", () => {
  for (const i of items) {
    expect([i.path, expectedOf(i.text, i.bug)]).not.toEqual([i.path, undefined]);
  }
  const upgrade = items.find((i) => i.path === "permission-upgrade/upgrade.litmus");
  expect(upgrade?.fix).toMatchObject({ machine: "arm64+smmuv3", kernel: "linux-6.12" });
});
