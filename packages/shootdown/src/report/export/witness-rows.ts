// SPDX-License-Identifier: Apache-2.0
// A run in a timeline: a millisecond a step, a lane for whoever makes it, an arrow from the step
// that sent something to the one by which it takes effect.
import { CMDQ, IOMMU, type Message, type Staged } from "../../study/lanes.ts";
import type { ShownStep } from "../shown.ts";
import type { Lane, Timeline } from "./timeline.ts";

/** No model has a time of its own; a step is as long as one can click. */
const STEP_NS = 1_000_000;
/** Of that, how long its mark is. */
const MARK_NS = 900_000;

/**
 * Writes the steps of a run. `lanes`: all lanes from left to right, CPUs before the IOMMU and
 * devices after it; `repeats_from`: how many steps there are before those that repeat.
 */
export function writeWitness(
  steps: readonly (ShownStep & Staged)[],
  lanes: readonly string[],
  out: Timeline,
  repeats_from?: number,
): void {
  const flows = new Flows();
  for (const [n, step] of steps.entries()) {
    const lane = laneOf(step.lane, lanes);
    const from_ns = n * STEP_NS;
    const repeats = repeats_from !== undefined && n >= repeats_from ? { repeats: "for ever" } : {};
    const details = {
      step: step.n,
      at: step.where,
      statement: step.statement,
      ...Object.fromEntries(step.changed.map((c, i) => [`changed ${i + 1}`, c])),
      ...repeats,
    };
    const name = step.events.join(", ") || step.changed[0] || step.statement || step.agent;
    out.span(lane, { name, from_ns, to_ns: from_ns + MARK_NS, details });
    for (const message of step.sent) {
      const flow = { id: flows.sent(message), end: "from" } as const;
      const sent = { step: step.n, set: message.set, entry: message.text };
      out.instant(lane, { name: `sent ${message.text}`, at_ns: from_ns, details: sent, flow });
    }
    const id = step.landed ? flows.landed(step.landed) : undefined;
    if (step.landed && id !== undefined) {
      const flow = { id, end: "to" } as const;
      const landed = { step: step.n, set: step.landed.set };
      const what = `takes effect: ${step.landed.text}`;
      out.instant(lane, { name: what, at_ns: from_ns, details: landed, flow });
    }
  }
  out.finish();
}

function laneOf(name: string, lanes: readonly string[]): Lane {
  const iommu = name === IOMMU || name === CMDQ;
  const isBefore = lanes.indexOf(name) < lanes.indexOf(IOMMU);
  const group = iommu ? "IOMMU" : isBefore || !lanes.includes(IOMMU) ? "CPUs" : "devices";
  return { key: name, group, name, row: "" };
}

/** Messages on their way: of equal ones in a set the first sent is the first to take effect. */
class Flows {
  private count = 0;
  private readonly waiting = new Map<string, number[]>();

  sent({ set, text }: Message): number {
    const id = ++this.count;
    const key = `${set} ${text}`;
    this.waiting.set(key, [...(this.waiting.get(key) ?? []), id]);
    return id;
  }

  landed({ set, text }: Message): number | undefined {
    return this.waiting.get(`${set} ${text}`)?.shift();
  }
}
