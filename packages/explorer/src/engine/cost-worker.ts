// SPDX-License-Identifier: Apache-2.0
// The Worker that compares costs: a workload in, the report's sections out, longer and longer.

import {
  costOf,
  costSections,
  type Placement,
  type Plot,
  planCost,
  plotsOf,
  readWorkload,
  SHIPPED_WORKLOADS,
} from "shootdown";

export interface CostJob {
  /** A shipped program by its name, `synthetic:...`, or a file. */
  readonly workload: string | File;
  /** Where shipped programs are. */
  readonly shipped: string;
  readonly kernels: readonly string[];
  readonly profiles: readonly string[];
  readonly plots: boolean;
}

export type CostNews =
  | { readonly html: string; readonly doing: string }
  | { readonly doing: string }
  | { readonly done: true }
  | { readonly error: string };

const tell = (news: CostNews) => postMessage(news);

addEventListener("message", ({ data }: MessageEvent<CostJob>) => {
  compare(data)
    .then(() => tell({ done: true }))
    .catch((error: unknown) =>
      tell({ error: error instanceof Error ? error.message : `${error}` }),
    );
});

async function* bytesOf(job: CostJob): AsyncGenerator<Uint8Array, void, undefined> {
  const { workload, shipped } = job;
  let stream: ReadableStream<Uint8Array> | null;
  if (typeof workload !== "string") stream = workload.stream();
  else {
    if (workload.startsWith("synthetic:")) return;
    if (!SHIPPED_WORKLOADS.some((w) => w.name === workload)) throw new Error(unknown(workload));
    const response = await fetch(new URL(`${workload}.txt.gz`, shipped));
    if (!response.ok) throw new Error(`${workload}: ${response.statusText}`);
    stream = response.body;
  }
  const reader = stream!.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

const unknown = (name: string) =>
  `${name}: no such workload; shipped are ${SHIPPED_WORKLOADS.map((w) => w.name).join(", ")}`;

async function compare(job: CostJob): Promise<void> {
  const { workload: asked, kernels, profiles, plots } = job;
  const plan = planCost({ kernels, profiles });
  if (!plan.ok) throw new Error(plan.problems.map((p) => p.text).join("\n"));
  const name = typeof asked === "string" ? asked : asked.name;
  tell({ doing: `${name} is read` });
  const read = await readWorkload(name, bytesOf(job));
  if (!read.ok) throw new Error(read.problems.map((p) => p.text).join("\n"));
  const { workload } = read;
  const sides: Placement[] = [];
  const drawn: Plot[] = [];
  const shown = (doing: string) => {
    // What is whole: all kernels of a profile.
    const whole = sides.length - (sides.length % plan.kernels.length);
    const done = [{ workload, sides: sides.slice(0, whole) }];
    const names = new Set(done[0]!.sides.map((s) => s.profile.name));
    const of = plan.profiles.filter((p) => names.has(p.name));
    const report = { ...plan, profiles: of, workloads: done, plots: drawn, version: "" };
    tell({ html: costSections(report), doing });
  };
  const progress = (n: number) => tell({ doing: `${sides.length} runs, ${n} operations` });
  for (const side of costOf(workload, plan, { progress })) {
    sides.push(side);
    if (sides.length % plan.kernels.length === 0) shown(`${side.profile.name} is done`);
  }
  if (!plots) return;
  for (const profile of plan.profiles) {
    tell({ doing: `plots of ${profile.name}` });
    drawn.push(...plotsOf(plan.kernels, profile));
    shown(`plots of ${profile.name} are done`);
  }
}
