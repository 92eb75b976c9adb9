// SPDX-License-Identifier: Apache-2.0
// Writes the figures of the shipped workloads into docs/WORKLOADS.md; for workloads.sh, with the
// arguments TRACE NAME TITLE WHAT OUT.txt.gz, makes a shipped workload of a recording.
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { gzipSync } from "node:zlib";
import { formatDiagnostic } from "../packages/shootdown/src/base/diagnostic.ts";
import { readRecording } from "../packages/shootdown/src/cost/workloads/recording.ts";
import { writeText } from "../packages/shootdown/src/cost/workloads/text.ts";
import { WORKLOADS_PAGE, withTable, workloadTable } from "../test/support/workloads.ts";

const [trace, name = "", title = "", what = "", out = ""] = process.argv.slice(2);
if (trace === undefined) {
  const page = readFileSync(WORKLOADS_PAGE, "utf8");
  writeFileSync(WORKLOADS_PAGE, withTable(page, await workloadTable()));
} else {
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  const kernel = release().replace(/-.*/, "");
  const provenance = `${what}; ${system ?? "Linux"}, x86-64, Linux ${kernel}; ftrace`;
  const result = await readRecording(name, createReadStream(trace), { title, provenance });
  if (!("workload" in result)) {
    for (const one of result.diagnostics) console.error(formatDiagnostic(one, one.source));
    process.exit(1);
  }
  const text = [...writeText(result.workload)].join("");
  const bytes = gzipSync(text, { level: 9 });
  writeFileSync(out, bytes);
  console.error(`${name}: ${text.split("\n").length} lines, ${Math.ceil(bytes.length / 1024)} KiB`);
}
