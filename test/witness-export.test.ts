// SPDX-License-Identifier: Apache-2.0
// A witness as a trace of Perfetto, read back with a protobuf library and the schema.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";
import { expect, test } from "vitest";
import {
  checkScenario,
  openWitnessWalk,
  PerfettoTimeline,
  writeWitness,
} from "../packages/shootdown/src/api/index.ts";
import { root } from "./support/files.ts";

const schema = protobuf.loadSync(join(root, "test/support/perfetto.proto"));
const Trace = schema.lookupType("perfetto.protos.Trace");

interface Packet {
  readonly timestamp?: number;
  readonly trackDescriptor?: { readonly uuid: number; readonly name: string };
  readonly trackEvent?: {
    readonly type: string;
    readonly name?: string;
    readonly trackUuid: number;
    readonly flowIds?: readonly string[];
    readonly terminatingFlowIds?: readonly string[];
  };
}

test("a lane for whoever acts, a mark for each step, an arrow for what takes effect", () => {
  const text = readFileSync(join(root, "litmus/permission-upgrade/upgrade.litmus"), "utf8");
  const [result] = checkScenario(text, {
    ...{ machines: ["arm64+smmuv3+btm"], kernels: ["linux-6.12+btm-skip+local-upgrade"] },
    ...{ witness: "all", depends_on: false },
  });
  const opened = openWitnessWalk(JSON.stringify(result!.witness));
  if (!opened.ok) throw new Error(opened.problems[0]!.text);
  const { walk } = opened;
  const chunks: Uint8Array[] = [];
  const sink = { write: (bytes: Uint8Array) => void chunks.push(bytes.slice()) };
  const steps = Array.from({ length: walk.length }, (_, n) => walk.staged(n + 1));
  writeWitness(steps, walk.lanes, new PerfettoTimeline(sink), walk.repeats_from);
  const decoded = Trace.decode(Buffer.concat(chunks));
  const { packet } = Trace.toObject(decoded, { longs: String, enums: String }) as {
    packet: readonly Packet[];
  };
  const tracks = new Map(
    packet.flatMap((p) => (p.trackDescriptor ? [[p.trackDescriptor.uuid, p.trackDescriptor]] : [])),
  );
  const events = packet.flatMap((p) => p.trackEvent ?? []);
  const begun = events.filter((e) => e.type === "TYPE_SLICE_BEGIN");
  expect(begun.length).toBe(walk.length);
  expect(begun.map((e) => tracks.get(e.trackUuid)!.name)).toEqual(steps.map((s) => s.lane));
  const sent = events.flatMap((e) => e.flowIds ?? []);
  const landed = events.flatMap((e) => e.terminatingFlowIds ?? []);
  expect(landed.length).toBe(steps.filter((s) => s.landed).length);
  expect(landed.length).toBeGreaterThan(0);
  expect(landed.every((id) => sent.includes(id))).toBe(true);
});
