// SPDX-License-Identifier: Apache-2.0
// `shootdown tour`: the main job on shipped, real input, with the commands that repeat each part.

import { readFileSync } from "node:fs";
import { relative } from "node:path";
import type { Command } from "commander";
import {
  checkReporter,
  checkScenario,
  type CheckResult,
  checkTrace,
  type Finding,
  findingLines,
  traceStatus,
  wrapText,
} from "../api/index.ts";
import { fixture, shippedInputs } from "./files.ts";
import { addCommon, type CommonOptions } from "./options.ts";
import { columnsOf, out, paintFor } from "./output.ts";
import { createReadStream } from "node:fs";
