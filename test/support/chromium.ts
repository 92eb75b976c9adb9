// SPDX-License-Identifier: Apache-2.0
// A real browser for tests of the explorer: Debian's package, or what else is installed.

import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

export const CHROMIUM = [
  ...["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
].find((path) => existsSync(path));

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM!, args: ["--no-sandbox"] });
