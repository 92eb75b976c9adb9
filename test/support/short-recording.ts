// SPDX-License-Identifier: Apache-2.0
// Short recordings for tests of the monitor: lines as ftrace prints them, and their verdict.
import { checkTrace, type TraceOptions } from "../../packages/shootdown/src/trace/check.ts";
import { type Finding, traceStatus } from "../../packages/shootdown/src/trace/finding.ts";
import { bytesOf } from "../../packages/shootdown/src/trace/importers/bytes.ts";

export const MM = "0xffff000002e9cb40";
export const OLD = { start: "__mmu_notifier_invalidate_range", psaf: "ptep_set_access_flags" };
export const NEW = {
  start: "__mmu_notifier_arch_invalidate_secondary_tlbs",
  psaf: "__ptep_set_access_flags",
};
export const READ_ONLY = "0x6000007ed60fc3";
export const WRITABLE = "0xe800007ed60f43";
export const CLEAN = "0xe800007ed60fc3";

/** A recording: each line "[PID] EVENT: FIELDS"; the mm is filled in for M. */
export function trace(...lines: readonly string[]): string {
  const body = lines
    .flatMap((line) => line.split("\n"))
    .map((line, at) => {
      const [, pid = "7", text = ""] = /^(?:\[(\d+)\] )?(.*)$/.exec(line.trim()) ?? [];
      const time = (1 + at / 1000).toFixed(6);
      const shown = text.replaceAll("mm=M", `mm=${MM}`);
      return `            prog-${pid.padEnd(6)} [000] d....    ${time}: ${shown}`;
    });
  return `# tracer: nop\n#\n${body.join("\n")}\n`;
}

export const REGISTER = "mn_register: (__mmu_notifier_register+0x0/0x1fc) mm=M";
export const secondary = (func: string, start: string, end: string) =>
  `mn_invalidate_secondary: (${func}+0x0/0xb8) mm=M start=${start} end=${end}`;
/** Shows the contract, far away from everything else. */
export const old = [REGISTER, secondary(OLD.start, "0x1000", "0x2000")];
export const fresh = [REGISTER, secondary(NEW.start, "0x1000", "0x2000")];
export const S = (start: string, end: string, event = 1) =>
  `mn_invalidate_range_start: (f+0x0/0x1) mm=M start=${start} end=${end} flags=1 event=${event}`;
export const E = (start: string, end: string, event = 1) =>
  `mn_invalidate_range_end: (f+0x0/0x1) mm=M start=${start} end=${end} flags=1 event=${event}`;
export const upgrade = (from = READ_ONLY, to = WRITABLE) =>
  "ptep_set_access_flags: (f+0x0/0x1) mm=M vm_flags=0xfb addr=0xffff8cab1000 ptep=0x8 " +
  `old=${from} entry=${to} dirty=1`;
export const UPGRADED = "ptep_set_access_flags_ret: (g+0x1/0x2 <- f) changed=1";
export const call = (start = "0xffff8cab1000", end = "0xffff8cab2000") =>
  secondary(NEW.start, start, end);
export const LEAVE = "sys_munmap -> 0x0";

export async function check(text: string | Uint8Array, options: TraceOptions = {}) {
  const findings: Finding[] = [];
  const result = await checkTrace(bytesOf(text), {
    ...options,
    onFinding: (finding) => findings.push(finding),
  });
  if (!result.ok) throw new Error(result.error.message);
  const classes = findings.map((finding) => finding.class);
  return { findings, classes, summary: result.summary, status: traceStatus(result) };
}
