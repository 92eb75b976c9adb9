// SPDX-License-Identifier: Apache-2.0
// Starts the built program, or says in one line that it has not been built.
"use strict";

const { existsSync } = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

const program = join(__dirname, "..", "dist", "cli.js");

if (existsSync(program)) {
  import(pathToFileURL(program).href);
} else {
  process.stderr.write(
    "shootdown: not built yet; run `npm ci` or `npm run build` in its repository\n",
  );
  process.exitCode = 2;
}
