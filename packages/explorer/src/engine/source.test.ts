// SPDX-License-Identifier: Apache-2.0
// Of every step of many runs: its routine and all that called it are found, the statement marked.

/// <reference types="vite/client" />
import { listNames, parseScenario } from "shootdown";
import { expect, test } from "vitest";
import { galleryOf } from "../model/gallery-of.ts";
import { marked, placeOf } from "../model/source.ts";
import { Engine } from "./engine.ts";

const texts = import.meta.glob<string>(
  [
    "../../../../litmus/permission-upgrade/*.litmus",
    "../../../../litmus/museum/{mremap,end,lazy,atc,huge,vma,pending}*/*.litmus",
  ],
  { query: "?raw", import: "default", eager: true },
);
const files = Object.entries(texts).map(([path, text]) => ({ path, text }));
const items = galleryOf(files, parseScenario).groups.flatMap((g) => g.items);

const properties = new Set(listNames("properties").map((p) => p.name));

test.each(items.map((i) => [i.name, i] as const))("%s", (_, { text, bug }) => {
  const engine = new Engine();
  const { witness } = engine.check(text, bug);
  const { length, problems } = engine.open("main", { text, configuration: bug, witness });
  expect(problems).toEqual([]);
  const threads = new Set(engine.at("main", 0).view.threads.map((t) => t.name));
  const sources = new Map<string, string>();
  const source = (routine: string) => {
    let found = sources.get(routine);
    if (found === undefined) sources.set(routine, (found = engine.source(routine, bug, text)));
    return found;
  };
  for (const { where, callers } of engine.steps("main", 0, length)) {
    for (const place of [where, ...callers].filter((w) => w !== "")) {
      const { routine, number } = placeOf(place);
      const { lines } = marked(source(routine), number);
      const current = lines.filter((l) => l.is_current);
      expect(lines.length, place).toBeGreaterThan(2);
      // Columns of the scenario and properties have their own numbers.
      if (threads.has(routine) || properties.has(routine)) continue;
      const texts = new Set(current.map((l) => l.text.replace(/\s+/g, " ")));
      expect([place, texts.size]).toEqual([place, 1]);
    }
  }
});
