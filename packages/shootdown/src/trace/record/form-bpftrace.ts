// SPDX-License-Identifier: Apache-2.0
// A plan as a bpftrace script: one printf an event, in the columns of ftrace, so that what it
// prints is read as ftrace text is. Memory is read by offset: no types are needed.
import type { Fetch, Field, FieldType } from "./definition.ts";
import type { Plan, PlannedEvent, PlannedProbe } from "./plan.ts";

/**
 * `comm` is cut to 15 bytes by the kernel and padded to 16 columns by ftrace. The time stands in
 * columns 38 to 52 for any uptime, so that lines can be sorted by it.
 */
const HEAD = "%16s-%-7d [%03d] ..... %8u.%06u: ";
const HEAD_ARGS = "comm, tid, cpu, nsecs / 1000000000, nsecs % 1000000000 / 1000";

const TYPE_NAMES: Readonly<Record<FieldType, readonly [type: string, format: string]>> = {
  u8: ["uint8", "%u"],
  u16: ["uint16", "%u"],
  u32: ["uint32", "%u"],
  u64: ["uint64", "%lu"],
  s32: ["int32", "%d"],
  s64: ["int64", "%ld"],
  x8: ["uint8", "0x%x"],
  x16: ["uint16", "0x%x"],
  x32: ["uint32", "0x%x"],
  x64: ["uint64", "0x%lx"],
};

/** A value of a 64-bit word, in bpftrace's language. */
function wordOf(fetch: Fetch): string {
  switch (fetch.kind) {
    case "arg":
      return `arg${fetch.index - 1}`;
    case "retval":
      return "retval";
    case "immediate":
      return String(fetch.value);
    case "memory":
      return `*(uint64 *)${placeOf(fetch)}`;
  }
}

const placeOf = ({ base, offset }: Fetch & { kind: "memory" }): string =>
  offset === 0 ? `(${wordOf(base)})` : `(${wordOf(base)} + ${offset})`;

function valueText({ fetch, type }: Field): string {
  const [name] = TYPE_NAMES[type];
  if (fetch.kind === "memory") return `*(${name} *)${placeOf(fetch)}`;
  return name === "uint64" ? wordOf(fetch) : `(${name})${wordOf(fetch)}`;
}

function line(event: string, format: string, args: readonly string[]): string {
  const text = `${HEAD}${event}: ${format}`.trimEnd();
  return `  printf("${text}\\n", ${[HEAD_ARGS, ...args].join(", ")});`;
}

function probeLines({ forms, reveals }: PlannedProbe): string[] {
  return (forms[0] ?? []).flatMap(({ kind, event, symbol, fields }, n) => [
    ...(n === 0 ? [`// ${reveals}`] : []),
    `${kind === "p" ? "kprobe" : "kretprobe"}:${symbol} {`,
    line(
      event,
      // The kernel prints (function) at entry and (caller <- function) at a return.
      [kind === "p" ? `(${symbol})` : `(0+0x0 <- ${symbol})`, ...fields.map(textOf)].join(" "),
      fields.map(valueText),
    ),
    "}",
  ]);
}

const textOf = ({ name, type }: Field): string => `${name}=${TYPE_NAMES[type][1]}`;

const eventLines = ({ path, event, reveals, print: [format, ...args] }: PlannedEvent): string[] => [
  `// ${reveals}`,
  `tracepoint:${path.replace("/", ":")} {`,
  line(event, format, args),
  "}",
];

const callLines = (call: string): string[] => [
  `tracepoint:syscalls:sys_enter_${call} {`,
  `  printf("${HEAD}sys_${call}()\\n", ${HEAD_ARGS});`,
  "}",
  // These do not return.
  ...(call === "exit" || call === "exit_group"
    ? []
    : [
        `tracepoint:syscalls:sys_exit_${call} {`,
        `  printf("${HEAD}sys_${call} -> 0x%lx\\n", ${HEAD_ARGS}, args->ret);`,
        "}",
      ]),
];

/** System calls that any kernel has; of others bpftrace would refuse the whole script. */
const EVERYWHERE: ReadonlySet<string> = new Set([
  ...["mmap", "munmap", "mprotect", "mremap", "madvise", "msync", "mlock", "munlock", "brk"],
  ...["remap_file_pages", "clone", "execve", "exit", "exit_group", "prctl", "ioctl"],
  ...["ftruncate", "truncate", "fallocate", "read", "write", "pread64", "pwrite64", "fsync"],
  ...["fdatasync", "sync", "nanosleep", "clock_nanosleep", "futex", "ppoll", "wait4", "close"],
]);

/**
 * Lines of a bpftrace script; `said` are remarks for its head. bpftrace refuses a script of which
 * one probe cannot be set: what only some builds have is left out, unless it is known to be there.
 */
export function bpftraceForm(plan: Plan, said: readonly string[], known: Known): string[] {
  const probes = plan.probes.filter(({ maybe }) => maybe === undefined || known.symbols);
  const events = plan.events.filter(({ event }) => known.events?.has(event) ?? true);
  const left = [
    ...plan.probes.filter((probe) => !probes.includes(probe)),
    ...plan.events.filter((event) => !events.includes(event)),
  ].map(({ event }) => event);
  const calls = plan.calls.filter((call) => known.calls?.has(call) ?? EVERYWHERE.has(call));
  const notifier = probes.filter(({ event }) => event.startsWith("mn_"));
  const names = notifier.map(({ event }) => event).join(" ");
  return [
    "#!/usr/bin/env bpftrace",
    ...said.map((text) => `// ${text}`.trimEnd()),
    "// bpftrace FILE > raw.txt        prints the CPUs one after another; hence, by time:",
    `// LC_ALL=C sort -s -t '|' -k 1.38,1.52 raw.txt > trace.txt; shootdown trace trace.txt`,
    "// BPFTRACE_PERF_RB_PAGES=4096    for each CPU, if it says that events were lost",
    ...(left.length === 0 ? [] : [`// left out, some builds have them not: ${left.join(" ")}`]),
    "BEGIN {",
    line("tracing_mark_write", `shootdown: probes ${names}`, []).replace(", );", ");"),
    "}",
    ...probes.flatMap(probeLines),
    ...events.flatMap(eventLines),
    ...calls.flatMap(callLines),
  ];
}

/** What the kernel to be recorded is known to have; undefined: not known. */
export interface Known {
  readonly symbols: boolean;
  readonly events: ReadonlySet<string> | undefined;
  readonly calls: ReadonlySet<string> | undefined;
}
