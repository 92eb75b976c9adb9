// SPDX-License-Identifier: Apache-2.0
// Builds the page to a folder of static files that works from any web server.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { constants, root } from "../../scripts/constants.mjs";
import { galleryOf } from "./src/model/gallery-of.ts";

const home = join(root, "packages/explorer");
const litmus = join(root, "litmus");

/** gallery.json: the scenarios that the page ships. */
function gallery(): Plugin {
  const text = () => {
    const paths = readdirSync(litmus, { recursive: true, encoding: "utf8" })
      .map((p) => p.replaceAll("\\", "/"))
      .filter((p) => p.endsWith(".litmus"))
      .sort();
    const files = paths.map((path) => ({ path, text: readFileSync(join(litmus, path), "utf8") }));
    return JSON.stringify(galleryOf(files));
  };
  return {
    name: "gallery",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "gallery.json", source: text() });
    },
    configureServer(server) {
      server.middlewares.use("/gallery.json", (_, response) => {
        response.setHeader("Content-Type", "application/json");
        response.end(text());
      });
    },
  };
}

const api = join(root, "packages/shootdown/src/api");

export default defineConfig({
  root: home,
  base: "./",
  define: constants(),
  resolve: { alias: { shootdown: join(api, "index.ts") } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [gallery()],
  worker: { format: "es" },
  build: {
    outDir: join(home, "dist"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      // The api is a door: it only re-exports, so a page loads what it uses of it.
      treeshake: { moduleSideEffects: (id: string) => !id.startsWith(api) },
    },
  },
});
