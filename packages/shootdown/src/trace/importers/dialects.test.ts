// SPDX-License-Identifier: Apache-2.0
// One recording in every spelling that is read: the verdicts are the same.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkTrace } from "../check.ts";
import { type Finding, traceStatus } from "../finding.ts";
import { bytesOf } from "./bytes.ts";
import { recognise, unknownFormat } from "./formats.ts";

const fixture = (name: string) =>
  readFileSync(new URL(`../../../fixtures/${name}.trace.txt`, import.meta.url), "utf8");
const OLD = fixture("6.1-upgrade");
const NEW = fixture("6.12-upgrade");

const encode = (text: string) => new TextEncoder().encode(text);

async function check(input: string) {
  const findings: Finding[] = [];
  const result = await checkTrace(bytesOf(input), { onFinding: (one) => findings.push(one) });
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary, status: traceStatus(result) };
}

/** The verdicts without what a spelling may change: line numbers, and how the kernel was told. */
async function verdicts(input: string) {
  const { findings, summary, status } = await check(input);
  // trace-cmd and perf print addresses in place of callers.
  const strip = ({ line: _l, deadline_line: _d, caller: _f, message, ...rest }: Finding) => ({
    ...rest,
    message: message.replaceAll(/ ?\(line \d+\)/g, ""),
  });
  const { format: _f, contract: _c, ignored_lines: _i, ...counts } = summary;
  return { findings: findings.map(strip), counts, status };
}

const LINE = /^ *(.+?)-(\d+) +\[(\d+)\] \S* *(\d+\.\d+): (\S.*)$/;

/** Each event of an ftrace text: its parts. */
function events(text: string) {
  return text.split("\n").flatMap((line) => {
    const [, task = "", pid = "", cpu = "", time = "", rest = ""] = LINE.exec(line) ?? [];
    return task === "" ? [] : [{ task, pid, cpu, time, rest }];
  });
}

/** What the tools print in place of symbols that they do not have. */
const address = (rest: string) =>
  rest
    .replace(/: \([\w.]+\+0x[^()<]*\)/, ": (ffff800008320af0)")
    .replace(/: \([\w.]+\+0x\S* <- [\w.]+\)/, ": (ffff800008320af0 <- ffff800008307b48)");

const stepOf = (call: RegExpExecArray) => (call[3] === undefined ? "enter" : "exit");

/** As perf script prints it; system calls are tracepoints of their own. */
function perf(text: string, form: "tid" | "pid/tid"): string {
  const lines = events(text).map(({ task, pid, cpu, time, rest }) => {
    const id = form === "tid" ? pid.padStart(5) : `${pid.padStart(5)}/${pid.padEnd(5)}`;
    const call = /^sys_(\w+)(?:\((.*)\)| -> (0x[\da-f]+))$/.exec(rest);
    const mark = /^tracing_mark_write: (.*)/.exec(rest);
    const event =
      call !== null
        ? `syscalls:sys_${stepOf(call)}_${call[1]}: ${call[2] ?? call[3]}`
        : mark !== null
          ? `ftrace:print: tracing_mark_write: ${mark[1]}`
          : `mm:${address(rest)}`;
    return `${task.padStart(16)} ${id} [${cpu}] ${time.padStart(12)}: ${event}\n`;
  });
  return lines.join("");
}

/** As trace-cmd report prints it. */
function report(text: string): string {
  const lines = events(text).map(({ task, pid, cpu, time, rest }) => {
    const call = /^sys_(\w+)(?:\((.*)\)| -> (0x[\da-f]+))$/.exec(rest);
    const mark = /^tracing_mark_write: (.*)/.exec(rest);
    const event =
      call !== null
        ? `sys_${stepOf(call)}_${call[1]}:   ${call[2] ?? call[3]}`
        : mark !== null
          ? `print:                tracing_mark_write: ${mark[1]}`
          : address(rest).replace(": ", ":     ");
    return `${task.padStart(16)}-${pid.padEnd(5)} [${cpu}]  ${time.padStart(12)}: ${event}\n`;
  });
  return `cpus=4\n${lines.join("")}`;
}

const bpftrace = (text: string) =>
  `Attaching 24 probes...\n${text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")}`;

const json = (text: string) =>
  [
    { type: "attached_probes", data: { probes: 24 } },
    ...text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => ({ type: "printf", data: `${line}\n` })),
    { type: "map", data: { "@calls": { "1": 2 } } },
  ]
    .map((one) => `${JSON.stringify(one)}\n`)
    .join("");

const SPELLINGS = [
  ["trace-cmd report", report],
  ["perf script", (text: string) => perf(text, "tid")],
  ["perf script", (text: string) => perf(text, "pid/tid")],
  ["bpftrace", bpftrace],
  ["bpftrace -f json", json],
] as const;

describe.each(SPELLINGS)("%s", (format, spell) => {
  test.each([
    ["6.1", OLD],
    ["6.12", NEW],
  ])("the recording of %s: the verdicts of the ftrace text", async (_kernel, text) => {
    const spelt = spell(text);
    expect((await check(spelt)).summary.format).toBe(format);
    expect(await verdicts(spelt)).toEqual(await verdicts(text));
  });
});

describe("perf script", () => {
  const EVENT = "            mmsteps   256 [003]    51.127622: mm:mn_register: (ffff8) mm=0x5\n";

  test.each([
    ["no CPU", "mmsteps   256    51.127622: mm:mn_register: (ffff8) mm=0x5\n"],
    ["a period", "mmsteps 256 [003] 51.127622:          1 mm:mn_register: (ffff8) mm=0x5\n"],
    ["a header", `# captured on: Mon Nov 23\n#\n${EVENT}`],
    [
      "a name with numbers",
      "Web Content 2 [x] 12   256 [003]  51.127622: mm:mn_register: mm=0x5\n",
    ],
  ])("%s", async (_name, text) => {
    expect((await check(text)).summary).toMatchObject({
      format: "perf script",
      events: 1,
      watched_mms: 1,
      ignored_lines: 0,
    });
  });

  test("events that were lost", async () => {
    const lost = "         swapper     0 [002]    51.2: PERF_RECORD_LOST lost 23\n";
    const { summary, status } = await check(EVENT + lost);
    expect(summary).toMatchObject({ lost_places: 1, lost_events: 23 });
    expect(status).toBe(3);
  });
});

describe("bpftrace", () => {
  test("a line in two pieces, several in one, and events that were lost", async () => {
    const text =
      `{"type": "attached_probes", "data": {"probes": 3}}\n` +
      `{"type": "printf", "data": "         mmsteps-256     [003] .....    51.1: mn_reg"}\n` +
      `{"type": "printf", "data": "ister: (f) mm=0x5\\n  a-256 [003] ..... 51.2: e: x\\n"}\n` +
      `{"type": "lost_events", "data": {"events": 7}}\n`;
    expect((await check(text)).summary).toMatchObject({
      events: 2,
      watched_mms: 1,
      lost_events: 7,
      ignored_lines: 0,
    });
  });

  test("plain text says it in a line", async () => {
    const { summary } = await check(`${bpftrace(NEW)}\nLost 17 events\n`);
    expect(summary).toMatchObject({ lost_places: 1, lost_events: 17 });
  });

  test.each([bpftrace, json])("CPUs one after another: not judged, and said", async (as) => {
    const lines = NEW.split("\n").filter((line) => !line.startsWith("#") && line !== "");
    const cpuOf = (line: string) => /\[(\d+)\]/.exec(line)?.[1] ?? "";
    const apart = lines.toSorted((a, b) => (cpuOf(a) < cpuOf(b) ? -1 : +(cpuOf(a) > cpuOf(b))));
    const { summary, findings, status } = await check(as(apart.join("\n")));
    const reasons = Object.keys(summary.undecidable_reasons).join();
    expect([findings, status, reasons]).toEqual([[], 3, expect.stringMatching(/sort the lines/)]);
    const timeOf = (line: string) => Number(/ (\d+\.\d+): /.exec(line)?.[1]);
    const sorted = apart.toSorted((a, b) => timeOf(a) - timeOf(b));
    const again = await check(as(sorted.join("\n")));
    expect(again.summary).toMatchObject({
      missing: 0,
      changes: (await check(NEW)).summary.changes,
    });
  });

  test("a line that is no JSON is damage", async () => {
    const { summary, status } = await check(`${json(NEW)}{"type": "printf", "da\n`);
    expect(summary.ignored_lines).toBe(1);
    expect(status).toBe(3);
  });

  test("deep nesting", async () => {
    const { summary } = await check(`${json(NEW)}${"[".repeat(60_000)}\n`);
    expect(summary.ignored_lines).toBe(1);
  });
});

describe("stacks", () => {
  const frames = ["__ptep_set_access_flags", "do_wp_page", "handle_mm_fault"];
  const at = OLD.split("\n").findIndex((line) => line.includes(" ptep_set_access_flags: "));
  const line = OLD.split("\n")[at]!;
  const after = (text: string) => [...OLD.split("\n").slice(0, at + 1), text].join("\n");
  const rest = OLD.split("\n")
    .slice(at + 1)
    .join("\n");

  test("ftrace: the stack of an event is quoted by its finding", async () => {
    const head = line.replace(/ptep_set_access_flags: .*/, "<stack trace>");
    const other = line.replace(/\[\d+\]/, "[009]").replace(/ptep.*/, "other: x");
    const stack = [head, ...frames.map((name) => ` => ${name}+0x1c/0x40`)].join("\n");
    const { findings, summary } = await check(`${after(`${other}\n${stack}`)}\n${rest}`);
    expect(summary.ignored_lines).toBe(0);
    expect(findings.map((one) => one.stack)).toContainEqual(frames);
    expect(findings.filter((one) => one.stack !== undefined)).toHaveLength(1);
  });

  test("trace-cmd report", async () => {
    const lines = report(OLD).split("\n");
    const index = lines.findIndex((one) => one.includes(" ptep_set_access_flags: "));
    const head = lines[index]!.replace(
      /ptep_set_access_flags: .*/,
      "kernel_stack:   <stack trace >",
    );
    lines.splice(index + 1, 0, head, ...frames.map((name) => `=> ${name} (ffff800080397050)`));
    const { findings } = await check(lines.join("\n"));
    expect(findings.map((one) => one.stack)).toContainEqual(frames);
  });

  test("perf script: a call chain", async () => {
    const lines = perf(OLD, "tid").split("\n");
    const index = lines.findIndex((one) => one.includes(":ptep_set_access_flags: "));
    const chain = frames.map((name) => `\tffff80000830a190 ${name}+0x0 ([kernel.kallsyms])`);
    lines.splice(index + 1, 0, ...chain, "");
    const { findings, summary } = await check(lines.join("\n"));
    expect(summary.ignored_lines).toBe(0);
    expect(findings.map((one) => one.stack)).toContainEqual(frames);
  });
});

describe("what no importer reads", () => {
  test.each([
    ["text", "hello\nworld\n", 'line 1, column 1: no known format: the line is "hello"; known are'],
    ["after blank lines", "\n\nhello\n", 'line 3, column 1: no known format: the line is "hello";'],
    ["trace.dat", "\x17\x08\x44tracing7\0\0", "trace-cmd report FILE"],
    ["perf.data", "PERFILE2\0\0", "perf script -i FILE"],
    ["zstd", new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 1]), "zstd -dc"],
    ["lz4", new Uint8Array([4, 0x22, 0x4d, 0x18, 1]), "lz4 -dc"],
    ["gzip of gzip", new Uint8Array([0x1f, 0x8b, 8, 0]), "gzip -dc FILE"],
    ["PowerShell", new Uint8Array([0xff, 0xfe, 0x23, 0]), "iconv -f UTF-16"],
    ["UTF-16", encode("# tracer: nop".replaceAll(/./g, "$&\0")), "iconv -f UTF-16"],
    ["UTF-16, big end first", encode("# tracer: nop".replaceAll(/./g, "\0$&")), "iconv -f UTF-16"],
    ["CR alone", "# tracer: nop\r#\r", "tr '\\r' '\\n' < FILE"],
    ["tar", encode(`trace.txt${"\0".repeat(248)}ustar\0`), "tar -xOf FILE NAME"],
    ["binary", new Uint8Array([0, 1, 2, 3]), "the line is no text; known are"],
    ["nothing", "", "the input is empty; known are"],
  ])("%s", (_name, input, said) => {
    const head = typeof input === "string" ? encode(input) : input;
    expect(recognise(head)).toBeUndefined();
    expect(unknownFormat(head).message).toContain(said);
  });

  test("an event's own words do not make another format of it", () => {
    expect(recognise(encode("foo-12 345 [001]  1.5: mm:x: y\n"))).toBe("perf");
    expect(recognise(encode("   12 [001]-345   [001] d....  1.5: x: y\n"))).toBe("ftrace");
  });
});
