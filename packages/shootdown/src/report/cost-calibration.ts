// SPDX-License-Identifier: Apache-2.0
// What a calibration found: each quantity with its sweep, and how far each sample is from the fit.
//
//   tlbi_cores: flush_ns = dsb_base_ns + dsb_per_cpu_ns x cpus
//     dsb_base_ns      261.7 (250 to 273)
//     at 8         310 ns   fitted 310 ns    0.0 %

import type { Calibration, Fit } from "../cost/calibrate.ts";
import type { Profile } from "../cost/profile.ts";
import { type Paint, pad, plain } from "./columns.ts";

/** A residual of more than this share says that the law does not hold. */
const DOUBTFUL = 0.1;

export function calibrationLines({ fits, profile }: Calibration, paint: Paint = plain): string[] {
  return fits.flatMap((fit) => fitLines(fit, profile, paint));
}

function fitLines(
  { program, law, quantities, residuals, exact }: Fit,
  profile: Profile,
  paint: Paint,
): string[] {
  const names = quantities.map((name) => {
    const { value, low, high } = profile.quantities[name]!;
    return `  ${pad(name, 22)} ${value} (${low} to ${high})`;
  });
  const rows = residuals.map(({ point, fitted }) => {
    const share = fitted / point.ns - 1;
    const text =
      `  at ${pad(String(point.x), 6)} ${ns(point.ns).padStart(12)}  fitted ` +
      `${ns(fitted).padStart(12)}  ${(100 * share).toFixed(1).padStart(6)} %` +
      `  ${point.file}:${point.line}`;
    return Math.abs(share) > DOUBTFUL ? paint("bad", text) : text;
  });
  const few = "  as many samples as unknowns: nothing says how good this is";
  return [
    `${paint("strong", program)}: ${law}`,
    ...names,
    ...rows,
    ...(exact ? [paint("unsure", few)] : []),
  ];
}

const ns = (value: number): string => `${Number(value.toPrecision(4))} ns`;
