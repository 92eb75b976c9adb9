// SPDX-License-Identifier: Apache-2.0
// What the page begins with, made when it is built: drawn before a Worker has started.

import type { HeldView, StagedStep, WhyPart } from "shootdown";
import type { Checked, Configuration, HangsOn, Parsed, Seen, Walked } from "./engine.ts";
import { Engine } from "./engine.ts";

/** A scenario that has been searched, its witness, and the position at which that is opened. */
export interface First {
  readonly scenario: string;
  readonly text: string;
  readonly configuration: Configuration;
  readonly parsed: Parsed;
  readonly checked: Checked;
  readonly walked: Walked;
  readonly steps: readonly StagedStep[];
  readonly at: number;
  readonly seen: Seen;
  readonly hangs: HangsOn;
  /** Why each of its stale entries is there. */
  readonly reasons: readonly Reason[];
}

/** Why an entry is there. */
export interface Reason extends Pick<HeldView, "instance" | "value"> {
  readonly parts: readonly WhyPart[];
}

/** The bug that explains what this is about. */
export const FIRST = {
  scenario: "permission-upgrade/upgrade.litmus",
  configuration: {
    machine: "arm64+smmuv3",
    kernel: "linux-6.1",
    set: { hafdbs: "no", httu: "no" },
  },
} as const;

/** The same calls that the page makes of its Worker. */
export function makeFirst(text: string): First {
  const { scenario, configuration } = FIRST;
  const engine = new Engine();
  const parsed = engine.parse(text);
  const checked = engine.check(text, configuration);
  const { run, witness } = checked;
  if (run === null || witness === null) throw new Error(`${scenario} has no witness`);
  const walked = engine.open("first", { text, configuration, witness });
  const steps = engine.steps("first", 0, walked.length);
  const at = walked.repeats_from ?? walked.length;
  const seen = engine.at("first", at);
  const stale = seen.view.caches.flatMap((c) => c.entries.filter((e) => e.stale));
  const reasons = stale.map(({ instance, value }): Reason => {
    return { instance, value, parts: engine.why("first", at, { instance, value }) ?? [] };
  });
  // A build does not depend on how fast it was.
  const timeless = { ...checked, run: { ...run, seconds: 0 } };
  return {
    ...{ scenario, text, configuration, parsed, checked: timeless },
    ...{ walked, steps, at, seen, reasons, hangs: engine.hangsOn(text, configuration) },
  };
}
