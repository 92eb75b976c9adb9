// SPDX-License-Identifier: Apache-2.0
// The monitor on what is no good recording: values with a position, bounded memory, no exception.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkTrace, type TraceOptions } from "./check.ts";
import { FINDING_CLASSES, type Finding, traceStatus } from "./finding.ts";
import { bytesOf } from "./importers/bytes.ts";
import { MAX_HELD, MAX_TASKS } from "./limits.ts";

const fixture = (name: string) =>
  readFileSync(new URL(`../../fixtures/${name}.trace.txt`, import.meta.url), "utf8");
const OLD = fixture("6.1-upgrade");
const NEW = fixture("6.12-upgrade");

async function check(input: string | Uint8Array, options: TraceOptions = {}) {
  const findings: Finding[] = [];
  const result = await checkTrace(bytesOf(input), {
    ...options,
    onFinding: (finding) => findings.push(finding),
  });
  return { result, findings, status: traceStatus(result) };
}

describe("inputs that are no recording", () => {
  test.each([
    ["empty", "", 1],
    ["text", "hello\nworld\n", 1],
    ["binary", new Uint8Array(5000).map((_, at) => (at * 7919) % 256), 1],
    ["one long line", "x".repeat(1e6), 1],
  ])("%s: an error with its line, status 2", async (_name, input, line) => {
    const { result, status } = await check(input);
    expect(result).toMatchObject({ ok: false, error: { line } });
    expect(status).toBe(2);
  });

  test("gzip that ends before an event", async () => {
    const { result, status } = await check(gzipSync(OLD).subarray(0, 20));
    expect(result).toMatchObject({
      ok: false,
      error: { message: expect.stringMatching(/^line \d+, column 1: /) },
    });
    expect(status).toBe(2);
  });

  test("gzip that ends early: what came before is judged, the rest is undecidable", async () => {
    const packed = gzipSync(NEW);
    const { result, findings, status } = await check(packed.subarray(0, packed.length - 300));
    expect([findings, status]).toEqual([[], 3]);
    expect(result.ok && Object.keys(result.summary.undecidable_reasons)).toContainEqual(
      expect.stringMatching(
        /^the gzip data is damaged or ends early \(the first time in line \d+\)$/,
      ),
    );
  });

  test("a header alone: nothing was judged", async () => {
    const { result, status } = await check("# tracer: nop\n#\n");
    expect(result).toMatchObject({ ok: true, summary: { events: 0, watched_mms: 0 } });
    expect(status).toBe(3);
  });
});

describe("shipped recordings", () => {
  test("linux-6.1: eight upgrades, none invalidated; gzipped too", async () => {
    for (const input of [OLD, gzipSync(OLD)]) {
      const { result, findings, status } = await check(input);
      expect(result).toMatchObject({ summary: { upgrades: 8, missing: 8, undecidable: 0 } });
      expect(findings.every(({ change }) => change === "upgrade")).toBe(true);
      expect(status).toBe(1);
    }
  });

  test("linux-6.12: all conform", async () => {
    const { result, findings, status } = await check(NEW);
    expect(result).toMatchObject({ summary: { upgrades: 8, missing: 0, conforming: 17 } });
    expect([findings, status]).toEqual([[], 0]);
  });

  test("garbage between the lines is counted and changes nothing", async () => {
    const noisy = OLD.split("\n").flatMap((line, at) => (at % 10 === 9 ? [line, "?!"] : [line]));
    const { result, findings } = await check(noisy.join("\n"));
    expect(findings).toHaveLength(8);
    expect(result).toMatchObject({
      summary: { ignored_lines: Math.floor(OLD.split("\n").length / 10) },
    });
  });

  test.each([
    ["a line that is no event", "?!", /^not an event .*line 301/],
    ["half an event", "         mmsteps-256     [003] d....    51.1", /^not an event .*line 301/],
    ["NULs", "\0".repeat(100), /^NUL bytes .*line 301/],
    ["a long line", "x".repeat(1e6), /^longer than 65536 bytes .*line 301/],
  ])("%s among those of a good recording: never said to conform", async (_name, bad, why) => {
    const lines = NEW.split("\n");
    lines.splice(300, 0, bad);
    const { result, status } = await check(lines.join("\n"));
    expect(status).toBe(3);
    expect(result.ok && Object.keys(result.summary.undecidable_reasons)).toContainEqual(
      expect.stringMatching(why),
    );
  });

  test("CRLF changes nothing", async () => {
    const { result, status } = await check(NEW.replaceAll("\n", "\r\n"));
    expect(result).toMatchObject({ summary: { upgrades: 8, conforming: 17, undecidable: 0 } });
    expect(status).toBe(0);
  });

  test("one recording behind another: time goes backwards, with the line", async () => {
    const { result, status } = await check(NEW + NEW);
    expect(status).toBe(3);
    expect(result.ok && Object.keys(result.summary.undecidable_reasons)).toContainEqual(
      expect.stringMatching(/^time goes backwards \(the first time in line \d+\)$/),
    );
  });

  test("a call whose fields are not understood leaves what waits for it undecided", async () => {
    const lines = NEW.split("\n");
    const at = lines.findIndex(
      (line, index) => index > 200 && line.includes(" mn_invalidate_secondary:"),
    );
    lines[at] = lines[at]!.replace("start=", "begin=");
    const { result, findings, status } = await check(lines.join("\n"));
    expect(findings).toEqual([]);
    expect(result).toMatchObject({ summary: { malformed: 1 } });
    expect(status).toBe(3);
  });
});

const mutation = fc.record({
  at: fc.nat(700),
  kind: fc.constantFrom("delete", "repeat", "swap", "cut", "field", "task", "garble"),
  by: fc.nat(40),
  text: fc.string({ maxLength: 30 }),
});

test("broken recordings never throw, and every finding is well formed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(OLD, NEW),
      fc.array(mutation, { minLength: 1, maxLength: 25 }),
      fc.constantFrom<TraceOptions>({}, { mm: "all" }, { kernel: "linux-6.1", explain: true }),
      async (text, mutations, options) => {
        const lines = text.split("\n");
        for (const one of mutations) mutate(lines, one);
        const { result, findings } = await check(lines.join("\n"), options);
        if (!result.ok) {
          expect(result.error.message).toMatch(/^line \d+, column \d+: /);
          return;
        }
        for (const finding of findings) {
          expect(FINDING_CLASSES).toContain(finding.class);
          expect(finding.start).toMatch(/^0x[\da-f]+$/);
          expect(finding.line).toBeGreaterThan(0);
          expect(finding.line).toBeLessThanOrEqual(lines.length);
        }
        const { summary } = result;
        const dirty = summary.dirty_missing;
        for (const name of FINDING_CLASSES) {
          const seen = findings.filter((finding) => finding.class === name).length;
          expect(seen).toBe(summary[name] + (name === "missing" ? dirty : 0));
        }
        expect(Object.values(summary.undecidable_reasons).reduce((a, b) => a + b, 0)).toBe(
          summary.undecidable,
        );
      },
    ),
    { numRuns: 150 },
  );
});

function mutate(
  lines: string[],
  one: { at: number; kind: string; by: number; text: string },
): void {
  const at = one.at % lines.length;
  const line = lines[at] ?? "";
  switch (one.kind) {
    case "delete":
      lines.splice(at, 1 + (one.by % 5));
      return;
    case "repeat":
      lines.splice(at, 0, ...lines.slice(at, at + one.by));
      return;
    case "swap": {
      const moved = lines.splice(at, 1);
      lines.splice(Math.max(0, at - one.by), 0, ...moved);
      return;
    }
    case "cut":
      lines[at] = line.slice(0, Math.max(0, line.length - one.by * 3));
      return;
    case "field":
      lines[at] = line.replace(/0x[\da-f]+/g, (word) =>
        one.by % 2 ? `${word}f` : "0xffffffffffffffff",
      );
      return;
    case "task":
      lines[at] = line.replace(/-\d+ /, `-${one.by} `);
      return;
    default:
      lines[at] = line.slice(0, one.by) + one.text + line.slice(one.by);
  }
}

describe("memory", () => {
  const line = (pid: number, time: number, text: string) =>
    `            prog-${pid}     [000] d....    ${time}.000000: ${text}\n`;
  const upgrade =
    "ptep_set_access_flags: (f+0x0/0x1) mm=0x5 vm_flags=0xfb addr=0xffff8cab1000 ptep=0x8 " +
    "old=0x6000007ed60fc3 entry=0xe800007ed60f43 dirty=1";

  test("more tasks in the middle of something than are remembered", async () => {
    let text = `# tracer: nop\n${line(1, 1, "mn_register: (f+0x0/0x1) mm=0x5")}`;
    for (let pid = 10; pid < 10 + MAX_TASKS + 100; pid++) text += line(pid, 2, upgrade);
    const { result } = await check(text);
    expect(result).toMatchObject({ summary: { missing: 0, undecidable: MAX_TASKS + 100 } });
    expect(result.ok && result.summary.evicted.MAX_TASKS).toBeGreaterThan(99);
  });

  test("more verdicts that wait than are kept", async () => {
    const returned = "ptep_set_access_flags_ret: (g+0x1/0x2 <- f) changed=1";
    const one = line(7, 2, upgrade) + line(7, 2, returned) + line(7, 2, "sys_munmap -> 0x0");
    const registered = line(1, 1, "mn_register: (f+0x0/0x1) mm=0x5");
    const { result } = await check(`# tracer: nop\n${registered}${one.repeat(MAX_HELD + 5)}`);
    expect(result).toMatchObject({
      summary: { upgrades: MAX_HELD + 5, undecidable: MAX_HELD + 5, evicted: { MAX_HELD: 5 } },
    });
  });

  test("a range over the whole address space costs no more than a page", async () => {
    const start =
      "mn_invalidate_range_start: (f+0x0/0x1) mm=0x5 start=0x0 end=0xffffffffffffffff event=1";
    const call = "mn_invalidate_secondary: (f+0x0/0x1) mm=0x5 start=0x0 end=0xffffffffffffffff";
    const lines = [start, call, start.replace("_start:", "_end:")].map((text) => line(7, 2, text));
    const { result } = await check(`# tracer: nop\n${lines.join("").repeat(1000)}`);
    expect(result).toMatchObject({ ok: true, summary: { unpaired: 0 } });
  });
});
