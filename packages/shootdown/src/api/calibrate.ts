// SPDX-License-Identifier: Apache-2.0
// Calibration: from what the programs of docs/calibrate print to a profile of one's own.

import { calibrate, profileText } from "../cost/calibrate.ts";
import type { Profile } from "../cost/profile.ts";
import type { Paint } from "../report/columns.ts";
import { calibrationLines } from "../report/cost-calibration.ts";
import type { Problem } from "../report/result.ts";
import { problemAt } from "./problem.ts";

export type Calibrated =
  | {
      readonly ok: true;
      /** The profile as JSON, which `--profile` takes. */
      readonly text: string;
      /** Each fit with its residuals, for people. */
      readonly report: (paint?: Paint) => readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** `base` gives what was not measured. */
export function calibrateProfile(
  inputs: readonly { readonly file: string; readonly text: string }[],
  base: Profile,
  name = "mine",
): Calibrated {
  const read = calibrate(inputs, base, name);
  if (!read.ok) return { ok: false, problems: [problemAt(read.diagnostic, read.source)] };
  const { calibration } = read;
  return {
    ok: true,
    text: profileText(calibration.profile),
    report: (paint) => calibrationLines(calibration, paint),
  };
}
