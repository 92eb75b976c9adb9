// SPDX-License-Identifier: Apache-2.0
// Exports of recordings, read back by others: Perfetto's with a protobuf library and the schema,
// the Firefox Profiler's by the rules of Gecko's format.

import { spawnSync } from "node:child_process";
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import protobuf from "protobufjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ByteSink,
  checkRecording,
  type Finding,
  FirefoxTimeline,
  PerfettoTimeline,
  TimelineRecorder,
  together,
} from "../packages/shootdown/src/api/index.ts";
import { root } from "./support/files.ts";

const FIXTURES = join(root, "packages/shootdown/fixtures");
const TRACES = process.env.SHOOTDOWN_TRACES ?? join(root, "../shared/traces");
const present = existsSync(TRACES);

/** Bytes in memory, with parts beside them. */
class Memory implements ByteSink {
  readonly #chunks: Uint8Array[] = [];
  write(bytes: Uint8Array): void {
    this.#chunks.push(bytes.slice());
  }
  part() {
    const part = new Memory();
    return { write: (bytes: Uint8Array) => part.write(bytes), copy: () => this.write(part.bytes) };
  }
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

async function exported(main: string, ...beside: string[]) {
  const [perfetto, firefox] = [new Memory(), new Memory()];
  const recorders = [new PerfettoTimeline(perfetto), new FirefoxTimeline(firefox)].map(
    (timeline) => new TimelineRecorder(timeline),
  );
  const findings: Finding[] = [];
  const fileOf = (path: string) => ({
    name: path.split("/").at(-1)!,
    open: () => createReadStream(path),
  });
  const observe = together(recorders)!;
  const onFinding = (one: Finding) => void findings.push(one);
  const options = { observe, onFinding };
  const result = await checkRecording(fileOf(main), beside.map(fileOf), options);
  if (!result.ok) throw new Error(result.error.message);
  for (const recorder of recorders) recorder.finish();
  return { perfetto: perfetto.bytes, firefox: firefox.bytes, findings, summary: result.summary };
}

const schema = protobuf.loadSync(join(root, "test/support/perfetto.proto"));
const Trace = schema.lookupType("perfetto.protos.Trace");

interface Packet {
  readonly timestamp?: string;
  readonly trackDescriptor?: { uuid: string; name: string; parentUuid?: string };
  readonly trackEvent?: {
    type: string;
    trackUuid: string;
    name?: string;
    flowIds?: string[];
    terminatingFlowIds?: string[];
    debugAnnotations?: { name: string; intValue?: string; stringValue?: string }[];
  };
}

/** Every field is one of the schema: what is written again from it has the same bytes. */
function packetsOf(bytes: Uint8Array): Packet[] {
  const trace = Trace.decode(bytes);
  expect(Trace.encode(trace).finish().length).toBe(bytes.length);
  const plain = Trace.toObject(trace, { longs: String, enums: String });
  return plain.packet as Packet[];
}

/** The spans of each track in the order of their times, as Perfetto puts them together. */
function nest(packets: readonly Packet[]): { depth: number; open: number; wrong: string[] } {
  const order = packets
    .flatMap((packet, index) => (packet.trackEvent === undefined ? [] : [{ packet, index }]))
    .sort((a, b) => Number(a.packet.timestamp) - Number(b.packet.timestamp) || a.index - b.index);
  const stacks = new Map<string, number[]>();
  const wrong: string[] = [];
  let depth = 0;
  for (const { packet, index } of order) {
    const { type, trackUuid } = packet.trackEvent!;
    const stack = stacks.get(trackUuid) ?? [];
    stacks.set(trackUuid, stack);
    if (type === "TYPE_SLICE_BEGIN") stack.push(index);
    // A span is written as two packets, one behind the other.
    if (type === "TYPE_SLICE_END" && stack.pop() !== index - 1) {
      wrong.push(`the end at ${packet.timestamp} is another span's`);
    }
    depth = Math.max(depth, stack.length);
  }
  const open = [...stacks.values()].reduce((sum, stack) => sum + stack.length, 0);
  return { depth, open, wrong };
}

function checkPerfetto(bytes: Uint8Array, findings: readonly Finding[]) {
  const packets = packetsOf(bytes);
  const tracks = new Map<string, { name: string; parentUuid?: string }>();
  for (const { trackDescriptor: track, trackEvent: event } of packets) {
    if (track !== undefined) {
      expect(tracks.has(track.uuid)).toBe(false);
      if (track.parentUuid !== undefined) expect(tracks.has(track.parentUuid)).toBe(true);
      tracks.set(track.uuid, track);
    } else if (!tracks.has(event!.trackUuid)) throw new Error("an event before its track");
  }
  const { depth, open, wrong } = nest(packets);
  expect({ open, wrong }).toEqual({ open: 0, wrong: [] });
  const events = packets.flatMap(({ trackEvent: event, timestamp }) =>
    event === undefined ? [] : [{ ...event, at: Number(timestamp) }],
  );
  const from = new Map(events.flatMap((e) => (e.flowIds ?? []).map((id) => [id, e] as const)));
  const ends = events.filter((event) => (event.terminatingFlowIds ?? []).length > 0);
  expect(ends).toHaveLength(findings.length);
  for (const end of ends) {
    const cause = from.get(end.terminatingFlowIds![0]!);
    expect(cause).toBeDefined();
    expect(end.at).toBeGreaterThan(cause!.at);
  }
  const lineOf = (event: (typeof ends)[number]) =>
    Number(event.debugAnnotations?.find(({ name }) => name === "line")?.intValue);
  const sorted = (lines: number[]) => lines.sort((a, b) => a - b);
  expect(sorted(ends.map(lineOf))).toEqual(sorted(findings.map(({ line }) => line)));
  const names = new Set([...tracks.values()].map(({ name }) => name));
  return { events, ends, names, depth, tracks };
}

interface Table {
  readonly schema: Readonly<Record<string, number>>;
  readonly data: readonly (readonly unknown[])[];
}

/** What the profiler's own reader of version 24 relies on. */
function checkFirefox(bytes: Buffer, findings: readonly Finding[]) {
  const profile = JSON.parse(bytes.toString("utf8"));
  expect(profile.meta).toMatchObject({ version: 24, presymbolicated: true, stackwalk: 1 });
  expect([profile.libs, profile.processes, profile.pausedRanges]).toEqual([[], [], []]);
  const kinds = new Map<string, Set<string>>();
  for (const { name, display, data } of profile.meta.markerSchema) {
    expect(display).toContain("marker-table");
    kinds.set(name, new Set(["type", "stack", ...data.map(({ key }: { key: string }) => key)]));
  }
  const tids = profile.threads.map(({ tid }: { tid: number }) => tid);
  expect(new Set(tids).size).toBe(tids.length);
  let found = 0;
  for (const thread of profile.threads) {
    const { markers, frameTable, stackTable, stringTable, samples, name } = thread;
    expect(markers.schema).toEqual({
      name: 0,
      startTime: 1,
      endTime: 2,
      phase: 3,
      category: 4,
      data: 5,
    });
    for (const table of [markers, frameTable, stackTable, samples] as Table[]) {
      const width = Object.keys(table.schema).length;
      for (const row of table.data) if (row.length !== width) throw new Error(`${name}: ${row}`);
    }
    stackTable.data.forEach(([prefix, frame]: [number | null, number], at: number) => {
      if (prefix !== null && prefix >= at) throw new Error("a stack before its prefix");
      if (stringTable[frameTable.data[frame][0]] === undefined) throw new Error("no such frame");
    });
    for (const [text, start, end, phase, category, data] of markers.data) {
      const of = kinds.get(data.type);
      const extra = Object.keys(data).filter((key) => !of?.has(key));
      const right = phase === 0 ? end === 0 : phase === 1 && end >= start;
      if (!right || extra.length > 0 || stringTable[text] === undefined || start < 0) {
        throw new Error(`${name}: ${stringTable[text]} ${start} ${end} ${phase} ${extra}`);
      }
      expect(profile.meta.categories[category]).toBeDefined();
      if (data.stack !== undefined) {
        const [[index]] = data.stack.samples.data;
        expect([stackTable.data[index] !== undefined, data.stack.tid]).toEqual([true, thread.tid]);
      }
      if (data.type === "finding") found++;
    }
  }
  expect(found).toBe(findings.length);
  return profile;
}

describe("the shipped recordings", () => {
  test("6.1: slices that nest, lanes, and an arrow from each change to its finding", async () => {
    const made = await exported(join(FIXTURES, "6.1-upgrade.trace.txt"));
    expect(made.findings).toHaveLength(8);
    const { events, ends, names, depth } = checkPerfetto(made.perfetto, made.findings);
    for (const lane of ["CPUs", "CPU 0", "address spaces", "mm 0xffff0000409a4f00", "missing"]) {
      expect(names).toContain(lane);
    }
    expect(depth).toBeGreaterThanOrEqual(3);
    const slices = events.filter(({ type }) => type === "TYPE_SLICE_BEGIN").map(({ name }) => name);
    for (const name of ["page fault", "ptep_set_access_flags", "notifier range", "mprotect"]) {
      expect(slices).toContain(name);
    }
    const said = Object.fromEntries(
      ends[0]!.debugAnnotations!.map(({ name, stringValue }) => [name, stringValue]),
    );
    expect(said).toMatchObject({
      ...{ old: "0x6000007ed60fc3", new: "0xe800007ed60f43", caller: "wp_page_reuse" },
      rule: "A3: an entry that only denies may stay",
    });
    const profile = checkFirefox(made.firefox, made.findings);
    const threads = profile.threads.map(({ name }: { name: string }) => name);
    expect(threads).toEqual(expect.arrayContaining(["CPU 0", "findings: missing"]));
  });

  test("an export changes no verdict", async () => {
    const path = join(FIXTURES, "6.12-upgrade.trace.txt");
    const file = { name: "t", open: () => createReadStream(path) };
    const plain = await checkRecording(file, []);
    const made = await exported(path);
    expect(plain.ok && plain.summary).toEqual(made.summary);
  });
});

describe.skipIf(!present)(
  present ? "recordings" : "recordings (skipped: neither SHOOTDOWN_TRACES nor ../shared/traces)",
  () => {
    const at = (folder: string, name: string) =>
      [join(TRACES, folder, name), join(TRACES, folder, `${name}.gz`)].find((p) => existsSync(p))!;

    test.each(["6.1-mm-max", "6.12-mm-max", "6.12-smmu-lazy"])(
      "%s with its logs and stacks",
      async (folder) => {
        const names = ["tlbi.txt", "smmu.txt", "stacks.txt"];
        const made = await exported(at(folder, "trace.txt"), ...names.map((n) => at(folder, n)));
        const { names: lanes } = checkPerfetto(made.perfetto, made.findings);
        for (const lane of ["instructions", "SMMU", "commands", "DMA"])
          expect(lanes).toContain(lane);
        const profile = checkFirefox(made.firefox, made.findings);
        const stacks = profile.threads.some(
          ({ stackTable }: { stackTable: Table }) => stackTable.data.length > 0,
        );
        expect(stacks).toBe(true);
      },
    );

    test.each(["x86-6.12-iommu-strict", "x86-6.1-mm"])("%s: submissions", async (folder) => {
      const made = await exported(at(folder, "trace.txt"));
      const { events, names } = checkPerfetto(made.perfetto, made.findings);
      expect(names).toContain("IOMMU");
      if (folder.includes("iommu")) {
        const begun = events.filter(
          ({ type, name }) => type.endsWith("BEGIN") && name === "qi_submit_sync",
        );
        expect(begun.length).toBeGreaterThan(7000);
      }
      checkFirefox(made.firefox, made.findings);
    });
  },
);

describe("the command line", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "shootdown-test-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args: string[]) => {
    const bin = join(root, "packages/shootdown/bin/shootdown.js");
    const { status, stdout, stderr } = spawnSync("node", [bin, "trace", "-q", ...args], {
      encoding: "utf8",
      env: { ...process.env, TMPDIR: folder },
    });
    return { status, stdout, stderr };
  };
  const OLD = join(FIXTURES, "6.1-upgrade.trace.txt");
  const NEW = join(FIXTURES, "6.12-upgrade.trace.txt");

  test("several at once, and the status is that of the verdict", () => {
    const [a, b] = [join(folder, "a.pftrace"), join(folder, "b.json")];
    const { status, stderr } = run("--export", `perfetto=${a}`, "--export", `firefox=${b}`, NEW);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(packetsOf(readFileSync(a)).length).toBeGreaterThan(400);
    expect(JSON.parse(readFileSync(b, "utf8")).threads.length).toBeGreaterThan(2);
    // The parts of the profile are gone.
    expect(readdirSync(folder).sort()).toEqual(["a.pftrace", "b.json"]);
  });

  test.each([
    ["pprof=x", "expected perfetto=FILE or firefox=FILE at character 1"],
    ["perfetto", "expected perfetto=FILE or firefox=FILE at character 1"],
    ["perfetto=", "expected a file at character 10"],
    ["firefox=-", "expected a file: stdout has the findings, at character 9"],
    [`firefox=${NEW}`, "expected a file that is not read, at character 9"],
  ])("--export %s is refused, with the place", (value, said) => {
    const { status, stdout, stderr } = run("--export", value, NEW);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(said);
  });

  test("twice the same file, several recordings, a file that cannot be written", () => {
    const path = join(folder, "same");
    const twice = run("--export", `perfetto=${path}`, "--export", `firefox=${path}`, NEW);
    expect([twice.status, twice.stderr]).toEqual([2, expect.stringContaining("another file")]);
    const both = run("--export", `perfetto=${path}`, NEW, OLD);
    expect([both.status, both.stderr]).toEqual([2, expect.stringContaining("one recording")]);
    const nowhere = run("--export", `perfetto=${folder}/no/where`, NEW);
    expect([nowhere.status, nowhere.stderr]).toEqual([2, expect.stringContaining("no such file")]);
  });

  test.skipIf(!existsSync("/dev/full"))(
    "a full device: said, status 2, findings all the same",
    () => {
      const args = ["--export", "perfetto=/dev/full", OLD];
      const { status, stdout, stderr } = run(...args);
      expect(status).toBe(2);
      expect(stdout).toContain("missing");
      expect(stderr).toMatch(
        /\/dev\/full: error: no space left on the device; the export is not complete/,
      );
    },
  );
});
