// SPDX-License-Identifier: Apache-2.0
// `shootdown record`: prints what records a kernel for `shootdown trace`, or says what it offers.

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { arch, release } from "node:os";
import { gunzipSync } from "node:zlib";
import { type Command, Option } from "commander";
import {
  offerLines,
  offersStatus,
  openRecord,
  problem,
  RECORD_FORMS,
  type RecordForm,
  type RecordResult,
  type RecordSources,
  recordLines,
  recordNdjson,
  recordSummary,
} from "../api/index.ts";
import { explain } from "./files.ts";
import { addCommon, type CommonOptions, collect, reportAll, USAGE } from "./options.ts";
import { out, paintFor } from "./output.ts";

const EXAMPLES = `
Prints a script that records, in a tracing instance of its own, what \`shootdown
trace\` reads. It runs as root on the machine to be recorded and leaves nothing
behind. What cannot be recorded there is said in its head, with what shows it
instead. Parts: mm cpu kvm dma vtd (the usual), calls, stacks, all.

Examples:
  shootdown record > record.sh; sudo sh record.sh ./my-test
  shootdown record --kernel linux-6.1 --arch arm64 | ssh board sh -s -- ./my-test
  shootdown record --form bpftrace --with mm,kvm > record.bt
  shootdown record --check
  shootdown record --check --kernel linux-5.15 --arch arm64 --kallsyms kallsyms.txt

Exit status: 0 printed, or with --check all of it is offered; 1 something is not;
2 usage or input error; 3 with --check: nothing could be read.`;

interface Options extends CommonOptions {
  readonly kernel?: string;
  readonly arch?: string;
  readonly form: RecordForm;
  readonly with?: readonly string[];
  readonly check?: boolean;
  readonly kallsyms?: string;
  readonly btf?: string;
}

export function register(command: Command): void {
  command
    .option("--kernel <kernel>", "the kernel to record (default: the running one)")
    .option("--arch <arch>", "arm64 or x86 (default: this machine's)")
    .addOption(new Option("--form <form>", "what records").choices(RECORD_FORMS).default("tracefs"))
    .option("--with <parts>", "what to record, with commas (repeatable)", collect)
    .option("--check", "say which of it the kernel offers")
    .option("--kallsyms <file>", "symbols of the kernel to record (default: of the running one)")
    .option("--btf <file>", "its types, or none (default: of the running one)");
  addCommon(command, ["text", "ndjson"]).addHelpText("after", EXAMPLES).action(record);
}

function record(options: Options): void {
  const sources = new Sources(options);
  const result = openRecord({
    kernel: options.kernel ?? release(),
    arch: options.arch ?? arch(),
    parts: options.with?.flatMap((names) => names.split(",")),
    files: {
      kallsyms: sources.text(options.kallsyms, "/proc/kallsyms"),
      blacklist: sources.text(undefined, "/sys/kernel/debug/kprobes/blacklist"),
      events: sources.text(undefined, "/sys/kernel/tracing/available_events"),
    },
    btf: sources.bytes(options.btf, "/sys/kernel/btf/vmlinux"),
  });
  const problems = [...sources.problems, ...(result.ok ? [] : result.problems)];
  if (problems.length > 0 || !result.ok) {
    reportAll(problems, options.format);
    process.exitCode = USAGE;
    return;
  }
  if (options.format === "ndjson") {
    const offers = options.check === true ? result.offers : undefined;
    const lines = recordNdjson(result.plan, offers);
    const all = [...lines, recordSummary(result.plan, offers)];
    out(all.map((line) => `${JSON.stringify(line)}\n`).join(""));
  } else
    out(
      linesOf(result, options, sources)
        .map((line) => `${line}\n`)
        .join(""),
    );
  if (options.check === true) process.exitCode = offersStatus(result.offers);
}

function linesOf(result: RecordResult & { ok: true }, options: Options, sources: RecordSources) {
  if (options.check !== true) return recordLines(result, options.form, sources);
  return offerLines(result.plan, result.offers, sources, {
    paint: paintFor(options.color, process.stdout),
    quiet: options.quiet === true,
  });
}

/** Files of a kernel: those named, and the running kernel's where that one is to be recorded. */
class Sources implements RecordSources {
  readonly read: string[] = [];
  readonly unread: string[] = [];
  readonly problems: ReturnType<typeof problem>[] = [];
  readonly #running: boolean;

  constructor({ kernel, arch: machine }: Options) {
    this.#running = kernel === undefined && machine === undefined;
  }

  text(named: string | undefined, usual: string): string | undefined {
    const bytes = this.bytes(named, usual);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1");
  }

  bytes(named: string | undefined, usual: string): Uint8Array | undefined {
    if (named === "none" || (named === undefined && !this.#running)) return undefined;
    const path = named ?? usual;
    try {
      const bytes = contents(path);
      if (bytes.length === 0) throw new Error("it is empty");
      this.read.push(path);
      return bytes;
    } catch (error) {
      if (named !== undefined) this.problems.push(problem(explain(error), { file: path }));
      else this.unread.push(`${path}: ${explain(error)}`);
      return undefined;
    }
  }
}

/** The largest of these files by far: symbols of a kernel with many modules. */
const MAX_BYTES = 1 << 28;

function contents(path: string): Uint8Array {
  const bytes = path === "-" ? readFileSync(0) : readAll(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
}

/** Files of /proc and /sys say that they have no bytes. */
function readAll(path: string): Uint8Array {
  const file = openSync(path, "r");
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; total <= MAX_BYTES; ) {
      const chunk = Buffer.allocUnsafe(1 << 20);
      const count = readSync(file, chunk);
      if (count === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, count));
      total += count;
    }
    throw new Error("the file is too large");
  } finally {
    closeSync(file);
  }
}
