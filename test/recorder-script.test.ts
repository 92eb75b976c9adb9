// SPDX-License-Identifier: Apache-2.0
// The recorder's scripts, run by a shell against a folder that stands for tracefs: what they write,
// with which status they end, and what they leave.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { parseDefinition } from "../packages/shootdown/src/trace/record/definition.ts";
import { traceCmdForm } from "../packages/shootdown/src/trace/record/form-trace-cmd.ts";
import { tracefsForm } from "../packages/shootdown/src/trace/record/form-tracefs.ts";
import { planRecord } from "../packages/shootdown/src/trace/record/plan.ts";
import { PARTS } from "../packages/shootdown/src/trace/record/probe.ts";
import { versionOf } from "../packages/shootdown/src/trace/record/version.ts";

const work = mkdtempSync(join(tmpdir(), "shootdown-record-"));
afterAll(() => rmSync(work, { recursive: true }));

const tracefs = join(work, "tracefs");
const instance = join(tracefs, "instances/shootdown");
const plan = planRecord({ version: versionOf("6.12")!, arch: "arm64" }, PARTS);

/** As tracefs does it: an instance is full from the start, and goes as a whole. */
const FAKE = {
  mkdir: `/bin/mkdir -p "$1/events/shootdown" "$1/events/sched/sched_process_exit" "$1/options" \\
  "$1/events/syscalls/sys_enter_munmap" "$1/per_cpu/cpu0"
echo "# tracer: nop" > "$1/trace"; echo "a line" >> "$1/trace"; cp "$1/trace" "$1/trace_pipe"
echo 0 > "$1/events/sched/sched_process_exit/enable"
echo 0 > "$1/events/syscalls/sys_enter_munmap/enable"
printf 'entries: 0\\noverrun: 3\\n' > "$1/per_cpu/cpu0/stats"`,
  rmdir: `cat "$1/trace_marker" "$1/trace_clock" "$1/buffer_size_kb" > "${work}/was" 2>/dev/null
cat "$1/events/syscalls/sys_enter_munmap/enable" >> "${work}/was"
rm -r "$1"`,
  "trace-cmd": `case $1 in
record) echo "$@" > "${work}/trace-cmd" ;;
report) echo "a report" ;;
esac`,
};

beforeEach(() => {
  rmSync(tracefs, { recursive: true, force: true });
  mkdirSync(join(tracefs, "instances"), { recursive: true });
  for (const name of ["trace_clock", "kprobe_events"]) writeFileSync(join(tracefs, name), "");
  writeFileSync(join(tracefs, "kprobe_profile"), "  handle_mm_fault_ret   99   4\n  other 1 7\n");
  mkdirSync(join(work, "bin"), { recursive: true });
  for (const [name, text] of Object.entries(FAKE)) {
    writeFileSync(join(work, "bin", name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(work, "bin", name), 0o755);
  }
});

function run(lines: readonly string[], args: readonly string[], env: Record<string, string> = {}) {
  const PATH = `${work}/bin:${process.env["PATH"]}`;
  return spawnSync("sh", ["-e", "-s", "--", ...args], {
    cwd: work,
    input: `${lines.join("\n")}\n`,
    encoding: "utf8",
    // No terminal of its own.
    ...({ detached: true } as object),
    env: { PATH, TRACEFS: tracefs, ...env },
  });
}

const written = () => readFileSync(join(tracefs, "kprobe_events"), "utf8").split("\n");
const defined = () =>
  written().flatMap((line) => (parseDefinition(line) === undefined ? [] : [line.split(" ")[0]!]));

test("tracefs: every probe, the command's status, what it says, nothing left", () => {
  const { status, stderr } = run(tracefsForm(plan, []), ["sh", "-c", "exit 7"], {
    BUFFER_KB: "64",
  });
  expect(status).toBe(7);
  const first = plan.probes.flatMap(({ forms }) => forms[0]!.map(({ event }) => event));
  expect(defined().map((head) => head.replace(/^.*\//, ""))).toEqual(first);
  // Each of them is taken away again.
  const gone = written().filter((line) => line.startsWith("-:shootdown/"));
  expect(new Set(gone).size).toBe(first.length);
  expect(existsSync(instance)).toBe(false);
  expect(readFileSync(join(work, "trace.txt"), "utf8")).toBe("# tracer: nop\na line\n");
  expect(readFileSync(join(work, "stacks.txt"), "utf8")).toContain("a line");
  expect(stderr).toContain("this kernel refuses: migrate/set_migration_pte");
  expect(stderr).toContain("events were overwritten on 1 CPUs");
  expect(stderr).toContain("handle_mm_fault_ret: 4 calls missed");
  expect(stderr).not.toContain("other");
});

test("tracefs: the marks, the clock and the system calls of the instance", () => {
  const lines = tracefsForm({ ...plan, parts: ["mm"] }, []);
  expect(run(lines, [], { RECORD_SECONDS: "0", BUFFER_KB: "64" }).status).toBe(0);
  const [kernel, probes, clock, size, call] = readFileSync(join(work, "was"), "utf8").split("\n");
  expect(kernel).toMatch(/^shootdown: kernel \S+ \S+$/);
  expect(probes).toMatch(/^shootdown: probes mn_\w+(?: mn_\w+)+$/);
  expect(probes).toContain(" mn_invalidate_secondary");
  expect([clock, size, call]).toEqual(["mono", "64", "1"]);
});

test("tracefs: streamed and compressed", () => {
  const env = { RECORD_STREAM: "1", OUT: "streamed.txt.gz", RECORD_SECONDS: "1" };
  expect(run(tracefsForm(plan, []), [], env).status).toBe(0);
  const { stdout } = spawnSync("gzip", ["-dc", join(work, "streamed.txt.gz")], {
    encoding: "utf8",
  });
  expect(stdout).toBe("# tracer: nop\n# tracer: nop\na line\n");
  expect(existsSync(join(work, "streamed.txt.gz.pid"))).toBe(false);
});

test("nothing to do it with: one sentence, status 2, nothing touched", () => {
  rmSync(join(tracefs, "kprobe_events"));
  const none = run(tracefsForm(plan, []), ["true"]);
  expect([none.status, none.stderr]).toEqual([
    2,
    "shootdown: no kprobes: needs CONFIG_KPROBE_EVENTS\n",
  ]);
  expect(existsSync(instance)).toBe(false);
  writeFileSync(join(tracefs, "kprobe_events"), "");
  const silent = run(tracefsForm(plan, []), []);
  expect([silent.status, silent.stderr]).toEqual([
    2,
    "shootdown: no terminal: give a COMMAND or RECORD_SECONDS\n",
  ]);
});

test("trace-cmd: the probes, its options, the mark before the command", () => {
  const { status, stderr } = run(traceCmdForm(plan, []), ["./load", "a b"], { BUFFER_KB: "64" });
  expect([status, stderr]).toEqual([
    0,
    "shootdown: wrote ./trace.txt: shootdown trace ./trace.txt\n",
  ]);
  const called = readFileSync(join(work, "trace-cmd"), "utf8");
  expect(called).toMatch(/^record -q -C mono -b 64 -o trace.dat -e shootdown .*sh .\/load a b\n$/);
  expect(called).toContain('echo "shootdown: probes$marked" > "$t/trace_marker"');
  expect(defined().length).toBe(plan.probes.flatMap(({ forms }) => forms[0]!).length);
  expect(readFileSync(join(work, "trace.txt"), "utf8")).toBe("a report\n");
});
