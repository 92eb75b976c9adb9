// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import type { Value } from "../engine/open-value.ts";
import { command, dsb_op, events, tlbi_op } from "../vocabulary/events.ts";
import { actsOf, tlbiFeatures } from "./log.ts";

type Logged = Parameters<typeof actsOf>[0][number];

/** An event after so many instructions. */
const event = (of: { readonly name: string }, args: Record<string, Value>, steps = 0): Logged =>
  ({ entry: { event: of.name, args }, steps }) as unknown as Logged;
const tlbi = (lo: number, hi: number, op = "VALE1IS") =>
  event(events.tlbi, { op: tlbi_op.values.indexOf(op as never), range: { lo, hi } });
const cmdq = (op: string, lo = 0, hi = 0) =>
  event(events.cmdq, { op: command.values.indexOf(op as never), range: { lo, hi } });
const SYNC = cmdq("CMD_SYNC");

const acts = (log: readonly Logged[], machine = "arm64", base = 0) =>
  actsOf(log, { base, cpus: 2, tlbi: tlbiFeatures(machine, "linux-6.12+x") });

test("a range is an instruction a page, from 512 pages on one a table, or some by range", () => {
  const instructions = (pages: number, machine?: string) =>
    acts([tlbi(0, pages)], machine).map((a) => a.act === "tlbi" && a.instructions);
  expect(instructions(1)).toEqual([1]);
  expect(instructions(511)).toEqual([511]);
  expect(instructions(512)).toEqual([1]);
  expect(instructions(1024)).toEqual([2]);
  expect(instructions(511, "arm64+tlbirange")).toEqual([3]);
  expect(instructions(2 ** 36)).toEqual([1]);
  expect(acts([tlbi(0, 2 ** 36, "ASIDE1IS")])).toEqual([
    { act: "tlbi", op: "ASIDE1IS", broadcast: true, instructions: 1, lo: 0, hi: Infinity },
  ]);
  expect(acts([tlbi(7, 9)], "arm64", 5)).toMatchObject([{ lo: 2, hi: 4 }]);
  expect(acts([tlbi(7, 9, "VAE1")])).toMatchObject([{ broadcast: false }]);
  expect(tlbiFeatures("arm64+tlbirange", "linux-6.1")).toEqual({ rangeTlbi: true, version: "6.1" });
});

test("ISH and NSH wait for what was invalidated, the barriers of stores do not", () => {
  const completes = dsb_op.values.map((op, n) => {
    const [act] = acts([event(events.dsb, { op: n })]);
    return [op, act?.act === "dsb" && act.completes];
  });
  expect(Object.fromEntries(completes)).toMatchObject({ ISH: true, NSH: true, ISHST: false });
});

test("agents behind the CPUs are devices", () => {
  const device = (agent: number) => acts([event(events.fault, { agent })]);
  expect(device(1)).toEqual([{ act: "fault", device: false }]);
  expect(device(2)).toEqual([{ act: "fault", device: true }]);
});

test("what is for several devices is one list, what is for several ranges is not", () => {
  const inv = (lo: number, hi: number) => [cmdq("CMD_ATC_INV", lo, hi), SYNC];
  const lists = (log: readonly Logged[]) =>
    acts(log).map((a) => (a.act === "cmdlist" ? [a.lo, a.hi, a.devices, a.sync] : a.act));
  expect(lists([...inv(1, 3), ...inv(1, 3), ...inv(1, 3)])).toEqual([[1, 3, 3, true]]);
  expect(lists([...inv(1, 3), ...inv(1, 4)])).toEqual([
    [1, 3, 1, true],
    [1, 4, 1, true],
  ]);
  expect(lists([...inv(1, 3), ...inv(2, 3)])).toHaveLength(2);
  const plain = [cmdq("CMD_TLBI_NH_VA", 1, 3), SYNC];
  expect(lists([...plain, ...plain])).toHaveLength(2);
  expect(lists([cmdq("CMD_TLBI_NH_VA", 1, 3)])).toEqual([[1, 3, 1, false]]);
  expect(() => acts([SYNC])).toThrow("without a list");
  expect(() => acts([...plain, SYNC])).toThrow("without a list");
});

test("a flush of another CPU is not one's own; steps stand where they were", () => {
  const flush = (cpu: number, from: number) =>
    event(events.tlb_flush, { cpu, from, all: 0, range: { lo: 3, hi: 4 } }, 5);
  expect(acts([flush(0, 0), flush(1, 0)])).toEqual([
    ...[
      { act: "steps", n: 5 },
      { act: "flush", own: true, lo: 3, hi: 4 },
    ],
    ...[
      { act: "steps", n: 5 },
      { act: "flush", own: false, lo: 3, hi: 4 },
    ],
  ]);
});
