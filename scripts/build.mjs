// SPDX-License-Identifier: Apache-2.0
// Builds packages/shootdown/dist: the command line, the library and the browser bundle.
//
//   src/cli/main.ts    ->  cli.js, one chunk a subcommand beside it (check.js, trace.js ...)
//   src/cli/worker.ts  ->  worker.js            (when it exists; shares chunks with cli.js)
//   src/api/index.ts   ->  api.js, browser.js   (one file each; neither may import anything)
//   packages/explorer  ->  explorer/            (the page of `shootdown serve`: static files)
//   litmus/, fixtures/ ->  litmus/, fixtures/   (what the package ships as data)
//   docs/FINDINGS.md   ->  FINDINGS.md          (violations that an audit knows)
//   docs/MUTANTS.md    ->  MUTANTS.md           (survivors that are explained)
//
// All files lie flat in dist/, so `new URL("./litmus/", import.meta.url)` and
// `new URL("./worker.js", import.meta.url)` are right in every chunk. The build goes into a folder
// of its own and is renamed into place, so that a program running meanwhile never sees half of it.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { join, relative, resolve, sep } from "node:path";
import { rolldown } from "rolldown";
import { constants, root } from "./constants.mjs";

const home = join(root, "packages/shootdown");
const dist = join(home, "dist");
const api = join(home, "src/api");
const DATA = [
  [join(root, "litmus"), "litmus"],
  [join(home, "fixtures"), "fixtures"],
  [join(root, "docs/FINDINGS.md"), "FINDINGS.md"],
  [join(root, "docs/MUTANTS.md"), "MUTANTS.md"],
];

/** Refuses every import that would need Node or a package at run time. */
function selfContained(file) {
  return {
    name: "self-contained",
    resolveId(source, importer) {
      if (!importer || source.startsWith(".")) return null;
      throw new Error(
        `${file} must run anywhere, but ${relative(root, importer)} imports ${source}`,
      );
    },
  };
}

/** Node's own modules stay imports; everything else is bundled. */
const nodeOnly = {
  name: "node-only",
  resolveId: (source) => (isBuiltin(source) ? { id: source, external: true } : null),
};

async function bundle(input, plugins, options, output) {
  const build = await rolldown({
    input,
    plugins,
    cwd: root,
    transform: { define: constants() },
    // The api is a door: it only re-exports, so a subcommand loads what it uses of it.
    treeshake: { moduleSideEffects: (id) => !id.startsWith(api + sep) },
    onLog(level, log, next) {
      if (log.code === "UNRESOLVED_IMPORT") throw new Error(log.message);
      if (level === "warn") process.stderr.write(`build: ${log.message}\n`);
      else next(level, log);
    },
    ...options,
  });
  const result = await build.write({ format: "esm", sourcemap: false, ...output });
  await build.close();
  return result.output.filter((part) => part.type === "chunk");
}

async function bundleCli(dir) {
  const input = { cli: join(home, "src/cli/main.ts") };
  const worker = join(home, "src/cli/worker.ts");
  if (existsSync(worker)) input.worker = worker;
  return bundle(
    input,
    [nodeOnly],
    { platform: "node" },
    {
      dir,
      entryFileNames: "[name].js",
      chunkFileNames: "[name].js",
    },
  );
}

async function bundleLibrary(dir, file, minify) {
  const input = join(api, "index.ts");
  const output = { file: join(dir, file), codeSplitting: false, minify };
  return bundle(input, [selfContained(file)], { platform: "browser" }, output);
}

/** The page; it is made with the library that has just been built. */
async function bundleExplorer(dir) {
  process.env.SHOOTDOWN_DIST = dir;
  const { build } = await import("vite");
  const configFile = join(root, "packages/explorer/vite.config.ts");
  const outDir = join(dir, "explorer");
  const built = await build({ configFile, logLevel: "warn", build: { outDir } });
  return [built].flat().flatMap((one) => one.output.filter((part) => part.type === "chunk"));
}

/** The licences of the packages bundled into the program, as they ask for. */
function notices(chunks) {
  const folders = new Set();
  for (const id of chunks.flatMap((chunk) => chunk.moduleIds)) {
    const match = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id);
    if (match) folders.add(match[0]);
  }
  return [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(folder, "package.json"), "utf8"),
    );
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
}

/** Puts the finished build where the old one was; `dist` is missing only between two renames. */
function install(fresh, old) {
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
}

async function build() {
  const started = performance.now();
  const fresh = join(home, `.dist-${process.pid}`);
  try {
    mkdirSync(fresh);
    const chunks = await bundleCli(fresh);
    await bundleLibrary(fresh, "api.js", false);
    await bundleLibrary(fresh, "browser.js", true);
    const page = await bundleExplorer(fresh);
    for (const [from, to] of DATA) {
      if (existsSync(from)) cpSync(from, join(fresh, to), { recursive: true });
    }
    writeFileSync(join(fresh, "NOTICES.txt"), notices([...chunks, ...page]).join("\n---\n\n"));
    install(fresh, `${fresh}-old`);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stderr.write(`build: ${relative(root, resolve(dist))} in ${seconds} s\n`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

build().catch((error) => {
  process.stderr.write(`build: ${error.message}\n`);
  process.exitCode = 1;
});
