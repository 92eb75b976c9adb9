// SPDX-License-Identifier: Apache-2.0
// The report of `shootdown cost --export html=FILE`: gathered while the comparison is printed,
// written at its end.

import { createHash } from "node:crypto";
import { openSync } from "node:fs";
import {
  COST_STYLE,
  type CostPlan,
  costHtml,
  type Placement,
  type Plot,
  type Problem,
  plotsOf,
  problem,
  type Workload,
} from "../api/index.ts";
import { type ExportTarget, OutputFile } from "./export-files.ts";
import { explain } from "./files.ts";
import { reportPolicy } from "./policy.ts";

export const COST_EXPORTS = ["html"] as const;

type Planned = CostPlan & { readonly ok: true };

export class CostExport {
  private readonly file: OutputFile;
  private readonly workloads: { readonly workload: Workload; readonly sides: Placement[] }[] = [];

  private constructor(path: string) {
    this.file = new OutputFile(path, openSync(path, "w"));
  }

  /** @returns what is wrong if the file cannot be written. */
  static open({ path }: ExportTarget<"html">): CostExport | Problem {
    try {
      return new CostExport(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return problem(explain(error), { file: path });
    }
  }

  add(workload: Workload, side: Placement): void {
    const last = this.workloads.at(-1);
    if (last?.workload === workload) last.sides.push(side);
    else this.workloads.push({ workload, sides: [side] });
  }

  /** Runs what the plots need and writes the document; whether all of it was written. */
  write({ kernels, profiles }: Planned, progress: (profile: string) => void): boolean {
    const { workloads, file } = this;
    const plots = profiles.flatMap((profile): Plot[] => {
      progress(`plots of ${profile.name}`);
      return [...plotsOf(kernels, profile)];
    });
    progress("");
    const hash = createHash("sha256").update(COST_STYLE).digest("base64");
    const report = { kernels, profiles, workloads, plots, version: __SHOOTDOWN_VERSION__ };
    file.write(new TextEncoder().encode(costHtml(report, reportPolicy(hash))));
    return file.close();
  }
}
