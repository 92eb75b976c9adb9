// SPDX-License-Identifier: Apache-2.0
// Readies packages/shootdown for `npm pack`: a fresh build, types, and the licence and README.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./constants.mjs";

const home = join(root, "packages/shootdown");

for (const script of ["build", "build:types"]) {
  execFileSync("npm", ["run", "--silent", script], { cwd: root, stdio: ["ignore", 2, 2] });
}
for (const file of ["LICENSE", "README.md"]) {
  if (existsSync(join(root, file))) copyFileSync(join(root, file), join(home, file));
}
