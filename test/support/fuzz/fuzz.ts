// SPDX-License-Identifier: Apache-2.0
// Damages recordings at random and checks what must hold of every verdict; the seed decides all.
import { recordedSamples, type Sample, shippedSamples } from "./corpus.ts";
import { type Damaged, damage, numbers } from "./damage.ts";
import { judge } from "./judge.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** Lines to damage, about. */
  readonly lines: number;
  readonly samples?: readonly Sample[];
  /** Called after each input. */
  readonly progress?: (done: FuzzResult) => void;
}

export interface Failure {
  readonly sample: string;
  /** Of this input alone: `--seed N 1` with it damages the same lines. */
  readonly seed: number;
  readonly kinds: readonly string[];
  readonly what: string;
}

export interface FuzzResult {
  inputs: number;
  /** Lines read, and of these damaged. */
  lines: number;
  damaged: number;
  bytes: number;
  /** Of the processor, and the longest for a megabyte. */
  seconds: number;
  slowest_ms_per_mb: number;
  slowest: string;
  readonly statuses: Record<string, number>;
  readonly formats: Record<string, number>;
  /** Inputs whose undamaged form has a finding, and of these those with status 0. */
  violations: number;
  silent: number;
  readonly silent_kinds: Record<string, number>;
  readonly failures: Failure[];
}

/** Failures that are kept. */
const KEPT = 20;
/** Below this many bytes a time says nothing. */
const TIMED_BYTES = 20_000;

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const samples = options.samples ?? [...shippedSamples(), ...recordedSamples()];
  const next = numbers(options.seed);
  const formats = [...new Set(samples.map(({ format }) => format))].map((format) =>
    samples.filter((sample) => sample.format === format),
  );
  const pick = (from: readonly Sample[]) => from[next(from.length)]!;
  const found = new Map<string, boolean>();
  const result: FuzzResult = {
    ...{ inputs: 0, lines: 0, damaged: 0, bytes: 0, seconds: 0, slowest_ms_per_mb: 0, slowest: "" },
    ...{ statuses: {}, formats: {}, violations: 0, silent: 0, silent_kinds: {}, failures: [] },
  };
  while (result.damaged < options.lines) {
    const sample = pick(formats[result.inputs % formats.length]!);
    const other = pick(samples);
    const seed = next(2 ** 32);
    const violates = found.get(sample.name) ?? (await hasFinding(sample));
    found.set(sample.name, violates);
    await one(result, sample, other, seed, violates);
    options.progress?.(result);
  }
  return result;
}

async function hasFinding(sample: Sample): Promise<boolean> {
  const bytes = new TextEncoder().encode(`${sample.lines.join("\n")}\n`);
  const { result, status, wrong } = await judge(bytes);
  if (!result.ok || result.summary.format !== sample.format || wrong.length > 0) {
    const said = result.ok ? result.summary.format : result.error.message;
    throw new Error(`${sample.name} is no sample of ${sample.format}: ${said} ${wrong.join("; ")}`);
  }
  return status === 1;
}

async function one(
  result: FuzzResult,
  sample: Sample,
  other: Sample,
  seed: number,
  violates: boolean,
): Promise<void> {
  const damaged = damage(sample.lines, other.lines, numbers(seed));
  const fail = (what: string) => {
    if (result.failures.length < KEPT) {
      result.failures.push({ sample: sample.name, seed, kinds: damaged.kinds, what });
    }
  };
  result.inputs++;
  result.lines += sample.lines.length;
  result.damaged += damaged.count;
  result.bytes += damaged.bytes.length;
  const begun = process.cpuUsage();
  let status: number;
  try {
    const judged = await judge(damaged.bytes);
    status = judged.status;
    for (const what of judged.wrong) fail(what);
    if (status === 0 && damaged.plain) fail("damage that shows, and status 0");
  } catch (error) {
    status = -1;
    fail(`throws: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  const { user, system } = process.cpuUsage(begun);
  measure(result, sample, damaged, (user + system) / 1000);
  result.statuses[status] = (result.statuses[status] ?? 0) + 1;
  result.formats[sample.format] = (result.formats[sample.format] ?? 0) + 1;
  if (!violates) return;
  result.violations++;
  if (status !== 0) return;
  result.silent++;
  for (const kind of new Set(damaged.kinds)) {
    result.silent_kinds[kind] = (result.silent_kinds[kind] ?? 0) + 1;
  }
}

function measure(result: FuzzResult, sample: Sample, { bytes }: Damaged, ms: number): void {
  result.seconds += ms / 1000;
  const per_mb = (ms * 1e6) / bytes.length;
  if (bytes.length < TIMED_BYTES || per_mb <= result.slowest_ms_per_mb) return;
  result.slowest_ms_per_mb = per_mb;
  result.slowest = sample.name;
}
