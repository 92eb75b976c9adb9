// SPDX-License-Identifier: Apache-2.0
// Published results on broadcast invalidation: V5, V6, V7, V8, V10.

import type { ClockAct } from "../clock-program.ts";
import { Timeline } from "../timeline.ts";
import { timed, timeOf } from "../timing.ts";
import { loop, machine, rate, work } from "./loop.ts";
import { type Cell, judged, near, type Validation } from "./result.ts";
import type { Routines } from "./routines.ts";

/** The same routine where its TLBIs are for this CPU alone. */
const localOnly = (acts: readonly ClockAct[]): ClockAct[] =>
  acts.map((act) => {
    if (act.act === "tlbi") return { ...act, broadcast: false };
    return act.act === "dsb" ? { ...act, completes: false } : act;
  });

const ALL = Number.POSITIVE_INFINITY;

/** 10,000 x 256 pages swapped out by one thread; seconds without batching. */
const SWAP_PAGES = 2.56e6;
const SWAP = [
  { profile: "snapdragon-888", cpus: 8, seconds: 14.69, saved: 6, band: [4, 8], fitted: true },
  { profile: "kunpeng-920", cpus: 96, seconds: 13.46, saved: 12.5, band: [9, 16], fitted: true },
  { profile: "snapdragon-888", cpus: 4, seconds: 14.69, saved: 0, band: [-2, 2], fitted: false },
] as const;

export function v5(routines: Routines): Validation {
  // SWAP_CLUSTER_MAX pages are unmapped before try_to_unmap_flush().
  const batch = 32;
  const [one, many] = [routines.unmap(false, batch), routines.unmap(true, batch)];
  const cells = SWAP.map(({ profile, cpus, seconds, saved, band, fitted }): Cell => {
    const of = machine(profile, { cpus });
    const time = (acts: readonly ClockAct[]) => timeOf(loop(of, 1, 1, acts)).mid;
    const simulated = ((time(one) - time(many)) * (SWAP_PAGES / batch)) / (1e7 * seconds);
    const label = `${cpus} CPUs`;
    return { label, ...(saved > 0 ? { published: saved } : {}), simulated, band, fitted };
  });
  return judged({
    ...{ id: "V5", title: "Unmapping in batches, Arm", cells, known_outside: true },
    source:
      "[PATCH v11 4/4] arm64: support batched/deferred tlb shootdown during page " +
      "reclamation/migration, Song, Yang, 2023-07-17",
    ...{ profile: "snapdragon-888, kunpeng-920", unit: "% of the time saved" },
    note:
      "completion against CPUs was fitted on the flush shares of the same two machines; what " +
      "batching saves is predicted. At 4 CPUs the mail sees no gain, and the line through two " +
      "larger machines does not go to nothing there: a small part without a mesh is not modelled",
  });
}

/** mprotect-threaded: 32 processes, 10,000 rounds each. */
const ARCANGELI = { cpus: 32, rounds: 10_000, local_s: 0.13941, broadcast_s: 2.1696 };

export function v6(routines: Routines): Validation {
  const flush = routines.protect();
  const { cpus, rounds, local_s, broadcast_s } = ARCANGELI;
  const profile = machine("ampere-32");
  const own = (1e9 * local_s) / rounds;
  const seconds = (acts: readonly ClockAct[]) => {
    const alone = timeOf(loop(profile, 1, 1, localOnly([...flush, ...flush]))).mid;
    const some = 50;
    const all = [work(Math.max(0, own - alone)), ...acts, ...acts];
    return rounds / (rate(loop(profile, cpus, some, all), cpus, some) / cpus);
  };
  const [broadcast, local] = [seconds(flush), seconds(localOnly(flush))];
  return judged({
    ...{ id: "V6", title: "mprotect in 32 processes: broadcast against local" },
    source: "[PATCH 3/3] arm64: tlb: skip tlbi broadcast, Arcangeli, 2020-02-24",
    ...{ profile: "ampere-32", unit: "s; ratio" },
    cells: [
      near("local", local_s, local, 0.1, true),
      near("broadcast", broadcast_s, broadcast, 0.25, true),
      {
        label: "ratio",
        ...{ published: 15.6, simulated: broadcast / local, band: [10, 20], fitted: true },
      },
    ],
    note: "the DVM server was fitted on this very table, with two flushes a round assumed",
  });
}

/** stress-ng tlb-shootdown: how much more without broadcast; the first row gives the work. */
const ROBERTS = [
  { threads: 1, more: 0.98, band: [0.9, 1.1] },
  { threads: 4, more: 1.22, band: [1, 1.6] },
  { threads: 8, more: 2.32, band: [1, 10] },
  { threads: 16, more: 2.96, band: [1, 10] },
  { threads: 32, more: 9.62, band: [5, Number.POSITIVE_INFINITY] },
  { threads: 64, more: 5.45, band: [5, Number.POSITIVE_INFINITY] },
  { threads: 128, more: 6.28, band: [5, Number.POSITIVE_INFINITY] },
] as const;
const ROBERTS_OP_NS = 1e9 / 9109;
/** Flushes of one operation of stress-ng: not in the mail. */
const ROBERTS_FLUSHES = 10;

export function v7(routines: Routines): Validation {
  const flush = routines.protect();
  const profile = machine("n1-server");
  const alone = ROBERTS_FLUSHES * timeOf(loop(profile, 1, 1, flush)).mid;
  const op = (acts: readonly ClockAct[]) => {
    const each = (ROBERTS_OP_NS - alone) / ROBERTS_FLUSHES;
    return Array(ROBERTS_FLUSHES)
      .fill([work(each), ...acts])
      .flat() as ClockAct[];
  };
  const cells = ROBERTS.map(({ threads, more, band }): Cell => {
    // More threads than CPUs take turns.
    const cpus = Math.min(threads, profile.features.cpus);
    const of = (acts: readonly ClockAct[]) => rate(loop(profile, cpus, 20, op(acts)), cpus, 20);
    const simulated = of(localOnly(flush)) / of(flush);
    return { label: `${threads} threads`, published: more, simulated, band, fitted: false };
  });
  return judged({
    ...{ id: "V7", title: "stress-ng tlb-shootdown: no broadcast where one CPU alone is", cells },
    source:
      "[RFC PATCH v1 0/2] Don't broadcast TLBI if mm was only active on local CPU, Roberts, " +
      "2025-08-29",
    ...{ profile: "n1-server", unit: "rounds a second, local / broadcast" },
    note:
      "the shape is compared, not the height: ten flushes an operation are assumed, and what " +
      "else limits the local case from 32 threads on is not modelled",
  });
}

export function v8(routines: Routines): Validation {
  const timing = loop(machine("thunderx2"), 1, 200, routines.protect());
  const { bystander_ns, makespan_ns } = timing.outcomes.mid;
  const simulated = (100 * bystander_ns) / (makespan_ns * 255);
  return judged({
    ...{ id: "V8", title: "A bystander of one looping sender" },
    source: "Re: [PATCH 2/2] arm64: tlb: skip tlbi broadcast, Qi Fuli, 2020-02-12",
    ...{ profile: "thunderx2", unit: "% slower" },
    cells: [{ label: "Himeno", published: 25.2, simulated, band: [20, 30], fitted: true }],
    note: "the tax itself is this figure; what is simulated is how much of the time it is due",
  });
}

/** Of a page or a block, without its flush: the ranged rows, where flushes are few. */
const KVM_WORK = { page: 14.39e9 / 2 ** 25, block: 0.1e9 / 2 ** 16 };

export function v10(): Validation {
  const profile = machine("vhe-host");
  // __kvm_tlb_flush_vmid_ipa(), arch/arm64/kvm/hyp/vhe/tlb.c: stage 2, then all of stage 1.
  const one: ClockAct[] = [
    { act: "dsb", completes: false },
    { act: "tlbi", op: "IPAS2E1IS", broadcast: true, instructions: 1, lo: 0, hi: 1 },
    { act: "dsb", completes: true },
    { act: "tlbi", op: "VMALLE1IS", broadcast: true, instructions: 1, lo: 0, hi: ALL },
    { act: "dsb", completes: true },
  ];
  const unmap = (entries: number, own: number, ranged: boolean) => {
    const timeline = new Timeline();
    timeline.add(0, 0, 0, 0, entries);
    timeline.add(0, 0, 1, 0);
    const entry = [work(own), ...(ranged ? [] : one)];
    const courses = [{ acts: entry }, { acts: ranged ? one : [] }];
    return timeOf(timed(timeline, courses, profile)).mid;
  };
  const ratio = (entries: number, own: number) =>
    unmap(entries, own, false) / unmap(entries, own, true);
  const some = 2 ** 14;
  return judged({
    ...{ id: "V10", title: "KVM stage 2: range TLBI against one a page" },
    source: "[PATCH v6 00/11] KVM: arm64: Add support for FEAT_TLBIRANGE, 2023-07-15",
    ...{ profile: "vhe-host", unit: "ratio" },
    cells: [
      {
        label: "4 KB pages",
        ...{ published: 4.5, simulated: ratio(some, KVM_WORK.page), band: [4, 4.6], fitted: true },
      },
      {
        label: "2 MB blocks",
        ...{ published: 2.8, simulated: ratio(some, KVM_WORK.block), band: [1.8, 2.9] },
        fitted: true,
      },
      {
        label: "four times the pages",
        ...{ simulated: unmap(4 * some, 429, false) / unmap(some, 429, false) },
        ...{ band: [3.9, 4.1], fitted: false },
      },
    ],
    note:
      "the work of a page and of a block is fitted on the ranged rows; 64 CPUs are assumed, as " +
      "the mail does not say (58 to 79 are in the band); two completions each, as VHE code has",
  });
}
