// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { calibrate } from "../cost/calibrate.ts";
import { profileNamed } from "../cost/profiles.ts";
import { calibrationLines } from "./cost-calibration.ts";

test("a calibration: quantities, and the residual of each sample", () => {
  const text = [8, 16, 32].map((n) => `tlbi_cores cpus ${n} flush_ns ${n === 16 ? 500 : 9 * n}\n`);
  const read = calibrate([{ file: "t.txt", text: text.join("") }], profileNamed("grace")!, "mine");
  if (!read.ok) throw new Error(read.diagnostic.message);
  const lines = calibrationLines(read.calibration, (tone, line) => `${tone}:${line}`);
  expect(lines[0]).toContain("tlbi_cores: flush_ns = dsb_base_ns + dsb_per_cpu_ns x cpus");
  expect(lines[1]).toMatch(/^ {2}dsb_base_ns +\d+(\.\d+)? \(/);
  expect(lines.filter((line) => line.includes("t.txt:"))).toHaveLength(3);
  expect(lines.some((line) => line.startsWith("bad:"))).toBe(true);
});
