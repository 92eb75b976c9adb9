// SPDX-License-Identifier: Apache-2.0
// Least squares: a line through points, and the closed queue of dma_map_benchmark.

import type { Point } from "./samples.ts";

export interface Estimate {
  readonly value: number;
  /** Twice its standard error; nothing is known of it from as many points as there are values. */
  readonly error: number;
}

export interface Residual {
  readonly point: Point;
  readonly fitted: number;
}

export interface Line {
  readonly base: Estimate;
  readonly slope: Estimate;
}

/** y = base + slope x. With one point, or one x alone, there is no slope. */
export function line(points: readonly { readonly x: number; readonly ns: number }[]): Line {
  const n = points.length;
  const meanX = points.reduce((sum, p) => sum + p.x, 0) / n;
  const meanY = points.reduce((sum, p) => sum + p.ns, 0) / n;
  const sxx = points.reduce((sum, p) => sum + (p.x - meanX) ** 2, 0);
  const sxy = points.reduce((sum, p) => sum + (p.x - meanX) * (p.ns - meanY), 0);
  const slope = sxx === 0 ? 0 : sxy / sxx;
  const base = meanY - slope * meanX;
  const squares = points.reduce((sum, p) => sum + (p.ns - base - slope * p.x) ** 2, 0);
  const variance = n > 2 ? squares / (n - 2) : 0;
  return {
    base: { value: base, error: 2 * Math.sqrt(variance * (1 / n + (sxx && meanX ** 2 / sxx))) },
    slope: { value: slope, error: sxx === 0 ? 0 : 2 * Math.sqrt(variance / sxx) },
  };
}

export interface Queue {
  /** CPU work of a map and an unmap. */
  readonly work: Estimate;
  /** Service of one submission, and what each CPU adds. */
  readonly service: Estimate;
  readonly perCpu: Estimate;
  readonly at: (cpus: number) => number;
}

/**
 * N CPUs that each work and then use one queue: a round takes work + service(N) until the queue is
 * never free, and N service(N) from then on; service(N) = base + slope N. From which point on it is
 * saturated is tried out: the split with the least relative residuals.
 */
export function queue(points: readonly Point[]): Queue {
  const sorted = [...points].sort((a, b) => a.x - b.x);
  let best: { queue: Queue; misfit: number } | undefined;
  for (let split = 0; split <= sorted.length - 2; split++) {
    const saturated = sorted.slice(split).map(({ x, ns }) => ({ x, ns: ns / x }));
    const { base, slope } = line(saturated);
    if (slope.value < 0 || base.value < 0) continue;
    const service = (n: number) => base.value + slope.value * n;
    const works = sorted.slice(0, split).map(({ x, ns }) => Math.max(0, ns - service(x)));
    const work = mean(works);
    const at = (n: number) => Math.max(work.value + service(n), n * service(n));
    const misfit = sorted.reduce((sum, { x, ns }) => sum + (at(x) / ns - 1) ** 2, 0);
    const found = { work, service: base, perCpu: slope, at };
    // A split that is not better has fewer points on the line.
    if (best === undefined || misfit < best.misfit * 0.999) best = { queue: found, misfit };
  }
  if (best !== undefined) return best.queue;
  const value = mean(sorted.map(({ ns }) => ns));
  const nothing = { value: 0, error: 0 };
  return { work: value, service: nothing, perCpu: nothing, at: () => value.value };
}

/** Cost of one, where each point is of so many. */
export function each(points: readonly Point[]): Estimate {
  return mean(points.map(({ x, ns }) => ns / x));
}

function mean(values: readonly number[]): Estimate {
  if (values.length === 0) return { value: 0, error: 0 };
  const value = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - value) ** 2, 0);
  const n = values.length;
  return { value, error: n > 1 ? 2 * Math.sqrt(squares / (n - 1) / n) : 0 };
}
