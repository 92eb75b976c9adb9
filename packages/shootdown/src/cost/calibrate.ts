// SPDX-License-Identifier: Apache-2.0
// From the outputs of the calibration programs to a profile of one's own machine.
//
//   tlbi_cores ──line──► dsb_base_ns, dsb_per_cpu_ns      ipi_targets ──► ipi_first_ns, ipi_next_ns
//   dma_map_benchmark ──queue──► dma_work_ns, cmd_sync_ns, cmdq_lock_per_cpu_ns
//   sva_touch ──mean──► device_fault_ns

import type { Diagnostic } from "../base/diagnostic.ts";
import { type Estimate, each, line, queue, type Residual } from "./calibrate/fit.ts";
import { noSamples, type Point, readSamples, type Samples } from "./calibrate/samples.ts";
import { type Profile, type Quantity, quantity } from "./profile.ts";
import type { QuantityName } from "./quantities.ts";

export interface CalibrationInput {
  readonly file: string;
  readonly text: string;
}

export interface Calibration {
  readonly profile: Profile;
  readonly fits: readonly Fit[];
}

/** What one program's samples gave, and how far each is from it. */
export interface Fit {
  readonly program: string;
  /** `flush_ns = dsb_base_ns + dsb_per_cpu_ns x cpus` */
  readonly law: string;
  readonly quantities: readonly QuantityName[];
  readonly residuals: readonly Residual[];
  /** Too few points to know how good it is. */
  readonly exact: boolean;
}

export type CalibrationRead =
  | { readonly ok: true; readonly calibration: Calibration }
  | { readonly ok: false; readonly diagnostic: Diagnostic; readonly source: string };

/** `base` gives what was not measured; `name` is the new profile's. */
export function calibrate(
  inputs: readonly CalibrationInput[],
  base: Profile,
  name: string,
): CalibrationRead {
  const samples = noSamples();
  for (const { file, text } of inputs) {
    const read = readSamples(file, text);
    if (!read.ok) return { ok: false, diagnostic: read.diagnostic, source: text };
    for (const kind of Object.keys(samples) as (keyof Samples)[]) {
      samples[kind].push(...read.samples[kind]);
    }
  }
  const fitted = [tlbi(samples.tlbi), ipi(samples.ipi), dma(samples.dma, base)];
  const all = [...fitted, faults(samples.faults)].filter((f) => f !== undefined);
  const quantities = { ...base.quantities };
  for (const { values } of all) {
    for (const [key, value] of Object.entries(values)) quantities[key as QuantityName] = value;
  }
  const title = `${base.title}, calibrated`;
  return {
    ok: true,
    calibration: { profile: { ...base, name, title, quantities }, fits: all.map((f) => f.fit) },
  };
}

/** The profile as a file that `--profile` takes. */
export const profileText = (profile: Profile): string => `${JSON.stringify(profile, null, 2)}\n`;

interface Fitted {
  readonly fit: Fit;
  readonly values: Partial<Record<QuantityName, Quantity>>;
}

function tlbi(points: readonly Point[]): Fitted | undefined {
  if (points.length === 0) return undefined;
  const { base, slope } = line(points);
  return fitted("tlbi_cores", "flush_ns = dsb_base_ns + dsb_per_cpu_ns x cpus", points, 2, {
    values: { dsb_base_ns: base, dsb_per_cpu_ns: slope },
    at: (n) => base.value + slope.value * n,
  });
}

function ipi(points: readonly Point[]): Fitted | undefined {
  if (points.length === 0) return undefined;
  const { base, slope } = line(points.map((p) => ({ ...p, x: p.x - 1 })));
  const law = "ipi_ns = ipi_first_ns + ipi_next_ns x (targets - 1)";
  return fitted("ipi_targets", law, points, 2, {
    values: { ipi_first_ns: base, ipi_next_ns: slope },
    at: (n) => base.value + slope.value * (n - 1),
  });
}

function dma(points: readonly Point[], profile: Profile): Fitted | undefined {
  if (points.length === 0) return undefined;
  const { work, service, perCpu, at } = queue(points);
  // A submission is one command and its CMD_SYNC; what the command takes is not seen apart.
  const command = Math.min(profile.quantities.cmd_ns?.value ?? 0, service.value);
  const sync = { ...service, value: service.value - command };
  const law = "latency = max(work + s(n), n x s(n)), s(n) = cmd_ns + cmd_sync_ns + k x n";
  return fitted("dma_map_benchmark", law, points, 3, {
    values: { dma_work_ns: work, cmd_sync_ns: sync, cmdq_lock_per_cpu_ns: perCpu },
    at,
  });
}

function faults(points: readonly Point[]): Fitted | undefined {
  if (points.length === 0) return undefined;
  const one = each(points);
  return fitted("sva_touch", "first_ns - warm_ns = device_fault_ns x faults", points, 1, {
    values: { device_fault_ns: one },
    at: (n) => one.value * n,
  });
}

function fitted(
  program: string,
  law: string,
  points: readonly Point[],
  unknowns: number,
  found: {
    readonly values: Partial<Record<QuantityName, Estimate>>;
    readonly at: (x: number) => number;
  },
): Fitted {
  const files = [...new Set(points.map((p) => p.file))].join(", ");
  const source = `${program}, ${points.length} samples of ${files}`;
  const entries = Object.entries(found.values) as [QuantityName, Estimate][];
  const residuals = points.map((point) => ({ point, fitted: found.at(point.x) }));
  const names = entries.map(([name]) => name);
  const exact = points.length <= unknowns;
  const values = entries.map(([name, { value, error }]) => {
    const least = exact ? UNKNOWN_ERROR * value : 0;
    return [name, measured({ value, error: Math.max(error, least) }, source)] as const;
  });
  return {
    fit: { program, law, quantities: names, residuals, exact },
    values: Object.fromEntries(values),
  };
}

function measured({ value, error }: Estimate, source: string): Quantity {
  const rounded = round(Math.max(0, value));
  const [low, high] = [round(Math.max(0, value - error)), round(Math.max(0, value + error))];
  return quantity("M", rounded, source, [Math.min(low, rounded), Math.max(high, rounded)]);
}

/** What is swept where the samples do not say how good they are. */
const UNKNOWN_ERROR = 0.2;

/** To four digits: more is not measured. */
const round = (value: number) => Number(value.toPrecision(4));
