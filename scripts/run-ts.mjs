// SPDX-License-Identifier: Apache-2.0
// Runs a TypeScript file without a build: `node scripts/run-ts.mjs FILE.ts [ARGUMENT...]`.
//
// The file is bundled into node_modules/.cache/run-ts, with packages left as imports, and imported
// from there. `process.argv` is as if Node had been given the file, and `import.meta.url` is that
// of the source file it stands in.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { constants, root } from "./constants.mjs";

/** Keeps `import.meta.url` pointing at the source, which is where its data lies. */
const sourceUrl = {
  name: "source-url",
  transform(code, id) {
    if (!code.includes("import.meta.url")) return null;
    const url = JSON.stringify(pathToFileURL(id).href);
    return { code: code.replaceAll("import.meta.url", url), map: null };
  },
};

export async function runTs(file, args) {
  const cache = join(root, "node_modules/.cache/run-ts");
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(cache, "run-"));
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  const build = await rolldown({
    input: { main: resolve(file) },
    platform: "node",
    external: (id) => !id.startsWith(".") && !id.startsWith("/"),
    plugins: [sourceUrl],
    transform: { define: constants() },
  });
  await build.write({ dir, format: "esm", entryFileNames: "[name].mjs", sourcemap: "inline" });
  await build.close();
  process.argv = [process.argv[0], resolve(file), ...args];
  process.setSourceMapsEnabled(true);
  return import(pathToFileURL(join(dir, "main.mjs")).href);
}

if (process.argv[1] === import.meta.filename) {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined) {
    process.stderr.write("usage: node scripts/run-ts.mjs FILE.ts [ARGUMENT...]\n");
    process.exitCode = 2;
  } else {
    await runTs(file, args);
  }
}
