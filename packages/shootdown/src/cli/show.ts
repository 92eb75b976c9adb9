// SPDX-License-Identifier: Apache-2.0
// `shootdown show NAME`: a routine, a hardware rule or a property as C-like text.

import type { Command } from "commander";
import { problem, showName } from "../api/index.ts";
import { addCommon, type CommonOptions, reportAll, USAGE } from "./options.ts";
import { out } from "./output.ts";

const EXAMPLES = `
NAME is a routine of the kernel, a part of hardware, a property, or the id of a
rule of the hardware notes: then all that implements it is shown. The numbers at
the left are the steps that witnesses and \`check --drop ROUTINE:STEP\` name.

Examples:
  shootdown show ptep_set_access_flags --kernel linux-6.1
  shootdown show flush_tlb_page
  shootdown show dsb
  shootdown show A20`;

interface Options extends CommonOptions {
  readonly kernel?: string;
}

export function register(command: Command): void {
  addCommon(command.argument("<name>"), ["text", "ndjson"])
    .option("--kernel <kernel>", "at which kernel (default: the newest that has it)")
    .addHelpText("after", EXAMPLES)
    .action(show);
}

function show(name: string, options: Options): void {
  const found = showName(name, options.kernel);
  if (!found.ok) {
    reportAll([problem(found.message, { note: found.note })], options.format);
    process.exitCode = USAGE;
    return;
  }
  if (options.format === "ndjson") {
    for (const shown of found.shown) out(`${JSON.stringify(shown)}\n`);
    out(`${JSON.stringify({ type: "summary", shown: found.shown.length })}\n`);
    return;
  }
  out(found.shown.map((s) => s.text).join("\n"));
}
