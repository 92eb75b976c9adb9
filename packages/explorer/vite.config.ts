// SPDX-License-Identifier: Apache-2.0
// Builds the page to a folder of static files that works from any web server.

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { constants, root } from "../../scripts/constants.mjs";
import { PAGE_POLICY } from "../shootdown/src/cli/policy.ts";
import { firstJson } from "./build-first.ts";
import { galleryOf, type ParseScenario } from "./src/model/gallery-of.ts";

const home = join(root, "packages/explorer");
const litmus = join(root, "litmus");

/** Where the library has been built; another place while it is being built. */
const dist = process.env["SHOOTDOWN_DIST"] ?? join(root, "packages/shootdown/dist");

/** gallery.json: the scenarios that the page ships. */
function gallery(): Plugin {
  const text = async () => {
    const { parseScenario } = (await import(join(dist, "api.js"))) as {
      parseScenario: ParseScenario;
    };
    const paths = readdirSync(litmus, { recursive: true, encoding: "utf8" })
      .map((p) => p.replaceAll("\\", "/"))
      .filter((p) => p.endsWith(".litmus"))
      .sort();
    const files = paths.map((path) => ({ path, text: readFileSync(join(litmus, path), "utf8") }));
    return JSON.stringify(galleryOf(files, parseScenario));
  };
  return {
    name: "gallery",
    async generateBundle() {
      this.emitFile({ type: "asset", fileName: "gallery.json", source: await text() });
    },
    configureServer(server) {
      server.middlewares.use("/gallery.json", (_, response) => {
        response.setHeader("Content-Type", "application/json");
        void text().then((json) => response.end(json));
      });
    },
  };
}

/** workloads/: the recorded programs, as the package ships them. */
function workloads(): Plugin {
  const folder = join(root, "packages/shootdown/fixtures/workloads");
  return {
    name: "workloads",
    generateBundle() {
      for (const name of readdirSync(folder).filter((file) => file.endsWith(".gz"))) {
        const source = readFileSync(join(folder, name));
        this.emitFile({ type: "asset", fileName: `workloads/${name}`, source });
      }
    },
    configureServer(server) {
      server.middlewares.use("/workloads/", (request, response) => {
        response.end(readFileSync(join(folder, basename(request.url ?? ""))));
      });
    },
  };
}

const FIRST_DATA = { type: "application/json", id: "first" };

/** The policy, and the first picture as data: it is there before any program has run. */
const inDocument: Plugin = {
  name: "in-document",
  async transformIndexHtml() {
    const children = await firstJson(litmus, join(dist, "api.js"));
    const policy = { "http-equiv": "Content-Security-Policy", content: PAGE_POLICY };
    return [
      { tag: "meta", attrs: policy, injectTo: "head-prepend" },
      { tag: "script", attrs: FIRST_DATA, children, injectTo: "body" },
    ];
  },
};

const src = join(root, "packages/shootdown/src");

/**
 * No module of the library is there for what it does when it is loaded: who does not use a printer
 * or a reader does not load it.
 */
const treeshake = { moduleSideEffects: (id: string) => !id.startsWith(src) };

export default defineConfig({
  root: home,
  base: "./",
  define: constants(),
  resolve: { alias: { shootdown: join(src, "api/index.ts") } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [gallery(), workloads(), inDocument],
  worker: { format: "es", rolldownOptions: { treeshake } },
  build: {
    outDir: join(home, "dist"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      checks: { pluginTimings: false },
      treeshake,
    },
  },
});
