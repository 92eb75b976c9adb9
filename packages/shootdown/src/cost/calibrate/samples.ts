// SPDX-License-Identifier: Apache-2.0
// Reads what the calibration programs print (docs/calibrate): a file is one program's output, or
// several after each other.
//
//   tlbi_cores  cpus 8 flush_ns 312.4
//   ipi_targets targets 1 ipi_ns 775.0
//   sva_touch   faults 512 first_ns 6375000 warm_ns 1076000
//   dma mapping benchmark: threads:8 seconds:20 node:0 dir:BIDIRECTIONAL granule: 1
//   average map latency(us):1.9 standard deviation:0.3
//   average unmap latency(us):1.6 standard deviation:0.2

import { type Diagnostic, quote } from "../../base/diagnostic.ts";
import { suggestion } from "../../base/suggest.ts";

export interface Samples {
  /** Completion of a broadcast TLBI against CPUs that are online. */
  readonly tlbi: Point[];
  /** An interrupt to so many CPUs until all have answered. */
  readonly ipi: Point[];
  /** Map and unmap of a page together against threads. */
  readonly dma: Point[];
  /** What so many faults of a device's first touch cost more than none. */
  readonly faults: Point[];
}

export interface Point {
  readonly x: number;
  readonly ns: number;
  readonly file: string;
  readonly line: number;
}

export type SamplesRead =
  | { readonly ok: true; readonly samples: Samples }
  | { readonly ok: false; readonly diagnostic: Diagnostic };

/** Names of the columns of a program's lines. */
const PROGRAMS = {
  tlbi_cores: ["cpus", "flush_ns"],
  ipi_targets: ["targets", "ipi_ns"],
  sva_touch: ["faults", "first_ns", "warm_ns"],
} as const;
type Program = keyof typeof PROGRAMS;

const BENCHMARK = /^dma mapping benchmark: threads:(\S+) /;
const LATENCY = /^average (map|unmap) latency\(us\):(\S+) /;

/** More is no time that was measured: an hour. */
const LARGEST = 3.6e12;

export function readSamples(file: string, text: string): SamplesRead {
  try {
    return { ok: true, samples: new Reader(file, text).read() };
  } catch (error) {
    if (error instanceof Stop) return { ok: false, diagnostic: error.diagnostic };
    throw error;
  }
}

export const noSamples = (): Samples => ({ tlbi: [], ipi: [], dma: [], faults: [] });

class Stop extends Error {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.diagnostic = diagnostic;
  }
}

class Reader {
  private readonly file: string;
  private readonly samples = noSamples();
  private line = 0;
  private start = 0;
  private text = "";
  private readonly all: string;
  /** A run of dma_map_benchmark of which a latency is still to come. */
  private benchmark: { threads: number; line: number; map?: number } | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.all = text;
  }

  read(): Samples {
    for (const text of this.all.split("\n")) {
      this.line++;
      this.text = text.replace(/\r$/, "");
      if (this.text.trim() !== "" && !this.text.startsWith("#")) this.row();
      this.start += text.length + 1;
    }
    const { tlbi, ipi, dma, faults } = this.samples;
    if (this.benchmark) this.stop("", "a latency of dma_map_benchmark is missing");
    if (tlbi.length + ipi.length + dma.length + faults.length === 0) {
      this.stop(
        "",
        "no sample in it",
        `known: ${Object.keys(PROGRAMS).join(", ")}, dma_map_benchmark`,
      );
    }
    return this.samples;
  }

  private row(): void {
    const benchmark = BENCHMARK.exec(this.text);
    if (benchmark) {
      if (this.benchmark) this.stop(this.text, "a latency of the run before is missing");
      this.benchmark = { threads: this.count(benchmark[1]!), line: this.line };
      return;
    }
    const latency = LATENCY.exec(this.text);
    if (latency) return this.latency(latency[1]!, latency[2]!);
    const [program = "", ...words] = this.text.trim().split(/\s+/);
    const columns = PROGRAMS[program as Program];
    if (columns === undefined || !Object.hasOwn(PROGRAMS, program)) {
      const near = suggestion(program, Object.keys(PROGRAMS));
      this.stop(program, `unknown program ${quote(program)}`, near);
    }
    this.sample(program as Program, this.columns(columns, words));
  }

  private sample(program: Program, [x, first, warm]: readonly string[]): void {
    const ns = this.time(first!);
    if (program === "tlbi_cores") this.add("tlbi", this.count(x!), ns);
    else if (program === "ipi_targets") this.add("ipi", this.count(x!), ns);
    else if (this.time(warm!) > ns) this.stop(first!, "the first touch is faster than the second");
    else this.add("faults", this.count(x!), ns - this.time(warm!));
  }

  private latency(which: string, us: string): void {
    const { benchmark } = this;
    if (benchmark === undefined || (which === "map") !== (benchmark.map === undefined)) {
      return this.stop(which, `a latency of ${which} where none is due`);
    }
    const ns = 1000 * this.time(us);
    if (which === "map") {
      benchmark.map = ns;
      return;
    }
    this.add("dma", benchmark.threads, benchmark.map! + ns);
    this.benchmark = undefined;
  }

  private columns(names: readonly string[], words: readonly string[]): string[] {
    return names.map((name, i) => {
      const found = words[2 * i];
      if (found === undefined) this.stop("", `'${name}' is missing`);
      if (found !== name) this.stop(found, `expected '${name}', found ${quote(found)}`);
      const value = words[2 * i + 1];
      if (value === undefined) this.stop(found, `'${name}' has no value`);
      return value;
    });
  }

  private count(word: string): number {
    if (/^[0-9]+$/.test(word) && Number(word) >= 1 && Number(word) <= 1e6) return Number(word);
    return this.stop(word, `expected a number from 1 to 1000000, found ${quote(word)}`);
  }

  private time(word: string): number {
    const value = Number(word);
    if (/^[0-9.]+(e[+-]?[0-9]+)?$/i.test(word) && value > 0 && value <= LARGEST) return value;
    const what = word.startsWith("-") ? "a time cannot be negative" : "expected a time";
    return this.stop(word, `${what}, found ${quote(word)}`);
  }

  private add(kind: keyof Samples, x: number, ns: number): void {
    this.samples[kind].push({ x, ns, file: this.file, line: this.line });
  }

  private stop(word: string, message: string, note?: string): never {
    const col = Math.max(0, this.text.indexOf(word));
    const offset = Math.min(this.start + col, this.all.length);
    const end = Math.min(offset + word.length, this.all.length);
    const span = { file: this.file, line: this.line, col: col + 1, offset, end };
    const notes = note === undefined ? [] : [{ message: note }];
    throw new Stop({ code: "P006", span, message, notes });
  }
}
