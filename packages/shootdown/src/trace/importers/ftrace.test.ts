// SPDX-License-Identifier: Apache-2.0
// The ftrace reader on lines as kernels write them, on every cut into chunks, and on garbage.
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ByteSource, bytesOf, MAX_LINE_BYTES } from "./bytes.ts";
import {
  FTRACE,
  type FtraceOptions,
  FtraceReader,
  HEAD_BYTES,
  isFtrace,
  type LostEvents,
  REMEMBERED_LINES,
  readFtrace,
} from "./ftrace.ts";
import { decodeProbe } from "./kprobes.ts";
import type { RawEvent } from "./raw-event.ts";

const HEADER = `# tracer: nop
#
# entries-in-buffer/entries-written: 8810/8810   #P:4
#
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
`;
const KPROBE =
  "         mmsteps-256     [003] d....    51.127622: mn_register: " +
  "(__mmu_notifier_register+0x0/0x1fc) mm=0xffff0000409a4f00\n";

async function read(source: string | ByteSource, options: FtraceOptions = {}) {
  const events: RawEvent[] = [];
  const lost: LostEvents[] = [];
  const bytes = typeof source === "string" ? bytesOf(source) : source;
  const sink = { event: (e: RawEvent) => events.push(e), lost: (l: LostEvents) => lost.push(l) };
  const result = await readFtrace(bytes, sink, options);
  return { events, lost, result };
}

async function one(line: string): Promise<RawEvent> {
  const { events, result } = await read(`${line}\n`);
  expect(result).toMatchObject({ ok: true, value: { events: 1, ignored_lines: 0 } });
  return events[0] as RawEvent;
}

describe("lines", () => {
  test("a kprobe", async () => {
    const { events, result } = await read(HEADER + KPROBE);
    expect(result).toMatchObject({
      ok: true,
      value: { format: "ftrace", tracer: "nop", lines: 13, events: 1, ignored_lines: 0 },
    });
    expect(events[0]).toMatchObject({
      line: 13,
      time_s: 51.127622,
      cpu: 3,
      pid: 256,
      task: "mmsteps",
      flags: "d....",
      event: "mn_register",
      form: "event",
      func: "__mmu_notifier_register",
      caller: undefined,
    });
    expect(events[0]?.arg("mm")).toBe("0xffff0000409a4f00");
    expect(events[0]?.arg("m")).toBeUndefined();
  });

  test("a return probe, in the kernel's order and in trace-cmd's", async () => {
    const kernel = await one(
      "         mmsteps-256     [000] .....    51.409538: " +
        "ptep_set_access_flags_ret: (wp_page_reuse+0x70/0xb0 [m] <- ptep_set_access_flags) " +
        "changed=1",
    );
    expect([kernel.func, kernel.caller]).toEqual(["ptep_set_access_flags", "wp_page_reuse"]);
    const report = await one(
      "         mmsteps-256   [000]    51.146259: " +
        "change_protection_ret: (ffff80000831bd10 <- ffff80000831cb14) pages=0",
    );
    expect([report.func, report.caller]).toEqual(["ffff80000831bd10", "ffff80000831cb14"]);
    expect(report.flags).toBe("");
  });

  test.each([
    ["kworker/3:1H", "    kworker/3:1H-166     [003] .....     1.5: e: a=1", 166],
    ["Web Content [2]", " Web Content [2]-77      [000] d..1.     1.5: e: a=1", 77],
    ["a-1 [0] 1.0: b:", " a-1 [0] 1.0: b:-9       [012] d..1.     1.5: e: a=1", 9],
    ["<idle>", "          <idle>-0       [000] d.h..     1.5: e: a=1", 0],
    ["<...>", "           <...>-123456  [000] d.h..     1.5: e: a=1", 123456],
    ["jbd2/nvme0n1-8", "  jbd2/nvme0n1-8-158     [003] .....     1.5: e: a=1", 158],
    ["padding-lost", "padding-lost-158 [003] ..... 1.5: e: a=1", 158],
    ["naïve", "          naïve-5       [003] .....     1.5: e: a=1", 5],
  ])("task %s", async (task, line, pid) => {
    const event = await one(line);
    expect(event).toMatchObject({ task, pid, event: "e", text: "a=1", time_s: 1.5 });
    expect(event.arg("a")).toBe("1");
  });

  test.each([
    ["none (irq-info off)", "          <idle>-0       [000]     1.5: e: x", ""],
    ["four, before 5.15", "          <idle>-0       [000] d.h1     1.5: e: x", "d.h1"],
    ["five", "          <idle>-0       [000] dNh1.     1.5: e: x", "dNh1."],
    ["RT, eight", "          <idle>-0       [000] dNLh2421     1.5: e: x", "dNLh2421"],
    ["RT, lazy", "          <idle>-0       [000] d..h.21.     1.5: e: x", "d..h.21."],
  ])("flags: %s", async (_name, line, flags) => {
    expect(await one(line)).toMatchObject({ flags, event: "e", text: "x", cpu: 0, time_s: 1.5 });
  });

  test("a thread group, a clock without a unit, nanoseconds", async () => {
    const grouped = await one("           bash-12     (   11) [001] d....     1.5: e: x");
    expect(grouped).toMatchObject({ pid: 12, cpu: 1, task: "bash" });
    expect(await one("           bash-12     (-------) [001] d....     1.5: e: x")).toMatchObject({
      pid: 12,
    });
    const ticks = await one("           bash-12      [001] d....   123456789: e: x");
    expect(ticks.time_s).toBe(123456789);
    expect((await one("b-12 [001] d.... 1.000000001: e: x")).time_s).toBe(1.000000001);
  });

  test("system calls, in both spellings", async () => {
    const text =
      HEADER +
      "         mmsteps-256     [000] .....    51.2: sys_ioctl(fd: 4, cmd: 40106d01, arg: ff)\n" +
      "         mmsteps-256     [000] .....    51.3: sys_ioctl -> 0x0\n" +
      "         mmsteps-256     [000] .....    51.3: sys_exit_group(error_code: 0)\n" +
      "         mmsteps-256   [000]    51.4: sys_enter_ioctl:      fd: 0x00000004, cmd: 0x40\n" +
      "         mmsteps-256   [000]    51.5: sys_exit_ioctl:       0x0\n";
    for (const options of [{}, { wanted: new Set(["sys_ioctl", "sys_exit_group"]) }]) {
      const { events } = await read(text, options);
      expect(events.map((e) => [e.event, e.form])).toEqual([
        ["sys_ioctl", "enter"],
        ["sys_ioctl", "exit"],
        ["sys_exit_group", "enter"],
        ["sys_ioctl", "enter"],
        ["sys_ioctl", "exit"],
      ]);
      expect(events[0]?.arg("cmd")).toBe("40106d01");
      expect(events[1]?.text).toBe("-> 0x0");
      expect(events[3]?.arg("fd")).toBe("0x00000004");
    }
  });

  test("marks, in both spellings; a mark's text may look like anything", async () => {
    const text = "mark=1 step=a op=b: [000] 1.0: c";
    const { events } = await read(
      `         mmsteps-256     [000] .....    51.2: tracing_mark_write: ${text}\n` +
        `         mmsteps-256   [000]    51.2: print:       tracing_mark_write: ${text}\n`,
      { wanted: new Set(["tracing_mark_write"]) },
    );
    expect(events.map((e) => [e.event, e.text])).toEqual([
      ["tracing_mark_write", text],
      ["tracing_mark_write", text],
    ]);
  });

  test("function tracer and stacks", async () => {
    const { events, result } = await read(
      "# tracer: function\n#\n" +
        "          <idle>-0       [000] d..1.     1.5: do_idle <-cpu_startup_entry\n" +
        "          <idle>-0       [000] d..1.     1.6: <stack trace>\n" +
        " => do_idle\n => start_kernel\n",
    );
    expect(events.map((e) => [e.event, e.form, e.text])).toEqual([
      ["do_idle", "function", "<-cpu_startup_entry"],
    ]);
    expect(result).toMatchObject({ ok: true, value: { tracer: "function", ignored_lines: 0 } });
  });

  test("the head of trace-cmd report", async () => {
    const { result } = await read(`version = 6\ncpus=4\n${KPROBE}`);
    expect(result).toMatchObject({
      ok: true,
      value: { format: "trace-cmd report", lines: 3, events: 1, ignored_lines: 0 },
    });
  });

  test("keys are whole words", async () => {
    const event = await one("b-1 [0] 1.0: e: (f+0x0/0x10) kept_pte=0x5 pte=0x7, x: 3 dst_mm=0x9");
    expect([event.arg("pte"), event.arg("mm"), event.arg("x")]).toEqual(["0x7", undefined, "3"]);
    expect(event.word("pte")).toEqual({ hi: 0, lo: 7 });
    expect(event.word("func")).toBeUndefined();
  });
});

test("lost events are reported where they are missing", async () => {
  const { events, lost, result } = await read(
    HEADER.replace("8810/8810", "8810/9000") +
      KPROBE +
      "CPU:1 [LOST 295 EVENTS]\n" +
      KPROBE +
      "##### CPU 2 buffer started ####\nCPU:3 [LOST EVENTS]\nCPU:0 [7 EVENTS DROPPED]\n" +
      KPROBE,
  );
  expect(events.length).toBe(3);
  expect(lost).toEqual([
    { line: 3, cpu: undefined, count: 190, why: "overwritten" },
    { line: 14, cpu: 1, count: 295, why: "dropped" },
    { line: 16, cpu: 2, count: undefined, why: "started" },
    { line: 17, cpu: 3, count: undefined, why: "dropped" },
    { line: 18, cpu: 0, count: 7, why: "dropped" },
  ]);
  expect(result).toMatchObject({
    ok: true,
    value: { lost_places: 5, lost_events: 492, ignored_lines: 0 },
  });
});

test("only wanted events are handed on, all are counted", async () => {
  const { events, result } = await read(
    HEADER + KPROBE + KPROBE.replace("mn_register", "mn_release"),
    { wanted: new Set(["mn_release"]) },
  );
  expect(events.map((e) => e.event)).toEqual(["mn_release"]);
  expect(result).toMatchObject({ ok: true, value: { events: 2 } });
});

test("lines that are no events are counted, and the first are remembered", async () => {
  const junk = Array.from({ length: 20 }, (_, i) => `junk ${i}\n`).join("");
  const { result, events } = await read(
    `${HEADER}${junk}${"x".repeat(MAX_LINE_BYTES + 1)}\n${KPROBE}`,
  );
  expect(result).toMatchObject({ ok: true, value: { lines: 34, ignored_lines: 21, events: 1 } });
  if (!result.ok) return;
  expect(result.value.ignored.length).toBe(REMEMBERED_LINES);
  expect(result.value.ignored[0]).toEqual({ line: 13, why: "not an event", text: "junk 0" });
  expect(events[0]?.line).toBe(34);
});

test.each([
  ["6.1-upgrade.trace.txt", 418],
  ["6.12-upgrade.trace.txt", 446],
])("the shipped recording %s", async (name, count) => {
  const path = new URL(`../../../fixtures/${name}`, import.meta.url);
  const { result, events } = await read(bytesOf(await readFile(path)));
  expect(result).toMatchObject({
    ok: true,
    value: { tracer: "nop", events: count, ignored_lines: 0, lost_places: 0 },
  });
  expect(events.filter((e) => decodeProbe(e)?.kind === "malformed")).toEqual([]);
});

describe("what is not ftrace is an error with a position", () => {
  test.each([
    ["nothing", ""],
    ["binary", "\x7fELF\x00\x01\x02"],
    ["prose", "Dear all,\nthe kernel is fine.\n"],
    ["JSON", '{"type":"summary"}\n'],
    ["perf script", "mmsteps 256 [003] 51.127622: probe:mn_register: (ffff) mm=0x1\n"],
    ["comments only", "# tracer\n# nothing\n"],
  ])("%s", async (_name, text) => {
    const { result } = await read(text);
    expect(result).toMatchObject({ ok: false, error: { line: 1, column: 1 } });
    if (result.ok) return;
    expect(result.error.message).toMatch(/^line 1, column 1: .*; recognised formats are .*trace/);
  });

  test("a tracer whose lines are no events", async () => {
    const { result } = await read("# tracer: function_graph\n#\n 0)   0.5 us    |  do_idle();\n");
    expect(result).toMatchObject({ ok: false, error: { line: 3 } });
    if (!result.ok) expect(result.error.message).toContain("(tracer function_graph)");
  });

  test("an empty trace is no error", async () => {
    expect((await read(HEADER)).result).toMatchObject({ ok: true, value: { events: 0 } });
  });
});

test("recognition", () => {
  expect(isFtrace(HEADER)).toBe(true);
  expect(isFtrace(`\ufeff${KPROBE}`)).toBe(true);
  expect(isFtrace("cpus=4\n")).toBe(true);
  expect(isFtrace("version = 6\ncpus=4\n")).toBe(true);
  expect(isFtrace("CPU:1 [LOST 295 EVENTS]\n")).toBe(true);
  expect(isFtrace("-256 [003] 1.0: x: y\n")).toBe(false);
});

async function gzip(text: string): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

test("gzip is recognised by content, whatever the chunks; damage is said", async () => {
  const text = HEADER + KPROBE.repeat(5000);
  const packed = await gzip(text);
  const { result } = await read(bytesOf(packed.subarray(0, 1), packed.subarray(1)));
  expect(result).toMatchObject({ ok: true, value: { events: 5000 } });
  const cut = await read(bytesOf(packed.subarray(0, packed.length - 20)));
  expect(cut.result).toMatchObject({ ok: true });
  if (cut.result.ok) {
    expect(cut.result.value.ignored.at(-1)?.why).toMatch(/gzip data is damaged or ends early/);
  }
  const spoilt = packed.slice();
  spoilt.fill(0x55, 40, 60);
  expect((await read(bytesOf(spoilt))).result).toMatchObject({ ok: false });
});

test("what the source throws comes through", async () => {
  const failing = async function* (): ByteSource {
    yield new TextEncoder().encode(HEADER);
    throw new Error("disk");
  };
  await expect(read(failing())).rejects.toThrow("disk");
  const packed = await gzip(HEADER + KPROBE);
  const failingPacked = async function* (): ByteSource {
    yield packed.subarray(0, 30);
    throw new Error("disk");
  };
  await expect(read(failingPacked())).rejects.toThrow("disk");
});

test("every cut into chunks gives the same events", () => {
  const filler = KPROBE.repeat(Math.ceil(HEAD_BYTES / KPROBE.length));
  const text = `${HEADER}${filler}junk\r\n\n${KPROBE.replace("\n", "\r\n")}CPU:1 [LOST 2 EVENTS]\n`;
  const bytes = new TextEncoder().encode(text + KPROBE.trimEnd());
  const readIn = (cuts: readonly number[]): unknown => {
    const events: unknown[] = [];
    const sink = {
      event: (e: RawEvent) => events.push([e.line, e.raw, e.time_s]),
      lost: (l: LostEvents) => events.push(l),
    };
    const reader = new FtraceReader(sink, {}, FTRACE);
    let at = 0;
    for (const cut of [...cuts].sort((a, b) => a - b)) {
      reader.push(bytes.slice(at, cut));
      at = cut;
    }
    reader.push(bytes.slice(at));
    return [events, reader.finish()];
  };
  const whole = readIn([]);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 30 }), (cuts) => {
      expect(readIn(cuts)).toEqual(whole);
    }),
    { numRuns: 60 },
  );
});

test("no input makes the reader throw", async () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .array(
        fc.constantFrom(
          ..."# tracer:nop\n-0123456789[]()<>.:=>x CPU LOST EVENTS sys_ \t\r".split(""),
        ),
        { maxLength: 300 },
      )
      .map((c) => new TextEncoder().encode(c.join(""))),
    fc.tuple(fc.nat(KPROBE.length), fc.uint8Array({ maxLength: 5 })).map(([at, mid]) => {
      const line = new TextEncoder().encode(KPROBE);
      return new Uint8Array([...line.subarray(0, at), ...mid, ...line.subarray(at + mid.length)]);
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(noise, { maxLength: 6 }), async (headed, parts) => {
      const { events, result } = await read(bytesOf(headed ? HEADER : "", ...parts));
      for (const e of events) void [e.task, e.flags, e.text, e.func, e.caller, e.arg("mm")];
      if (!result.ok) expect(result.error.message).toMatch(/^line \d+, column \d+: /);
    }),
    { numRuns: 400 },
  );
});
