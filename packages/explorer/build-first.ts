// SPDX-License-Identifier: Apache-2.0
// Runs the page's own engine at build time, with the library that has been built.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { constants, root } from "../../scripts/constants.mjs";
import type * as FirstModule from "./src/engine/first.ts";

/** What the page begins with, as JSON that may stand in an element. `api` is the library. */
export async function firstJson(litmus: string, api: string): Promise<string> {
  const cache = join(root, "node_modules/.cache/explorer");
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(cache, "first-"));
  try {
    const build = await rolldown({
      input: { first: join(root, "packages/explorer/src/engine/first.ts") },
      platform: "node",
      resolve: { alias: { shootdown: pathToFileURL(api).href } },
      external: /^file:/,
      transform: { define: constants() },
    });
    await build.write({ dir, format: "esm", entryFileNames: "[name].mjs" });
    await build.close();
    const file = pathToFileURL(join(dir, "first.mjs")).href;
    const { FIRST, makeFirst } = (await import(file)) as typeof FirstModule;
    const first = makeFirst(readFileSync(join(litmus, FIRST.scenario), "utf8"));
    return JSON.stringify(first).replaceAll("<", "\\u003c");
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
