// SPDX-License-Identifier: Apache-2.0
// Writes docs/OPERATIONS.md.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../test/support/files.ts";
import { operationsPage } from "../test/support/operations-page.ts";

writeFileSync(join(root, "docs/OPERATIONS.md"), operationsPage());
