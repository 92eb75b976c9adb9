// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from "vitest";
import type { ClockAct } from "./clock-program.ts";
import { submissions } from "./clock-program.ts";
import { DEFAULT_FEATURES, type Features, type Profile, quantity } from "./profile.ts";
import { profileNamed } from "./profiles.ts";
import { QUANTITY_INDEX, QUANTITY_NAMES, type QuantityName } from "./quantities.ts";
import { Timeline } from "./timeline.ts";
import { decidedBy, difference, timed, timeOf } from "./timing.ts";

const MACHINE: Features = { ...DEFAULT_FEATURES, cpus: 8, iommu: "smmuv3" };
const ALL = Number.POSITIVE_INFINITY;

/** How often each quantity is spent by one run, if nobody waits; what is not is left out. */
function spent(acts: readonly ClockAct[], features: Partial<Features> = {}) {
  const timeline = new Timeline();
  timeline.add(0, 0, 0, 0);
  const { amounts } = timed(timeline, [{ acts }], bench({}, features));
  const named = QUANTITY_NAMES.map((name) => [name, amounts[QUANTITY_INDEX[name]]!] as const);
  return Object.fromEntries(named.filter(([, n]) => n !== 0));
}

/** A profile of these values alone. */
function bench(values: Partial<Record<QuantityName, number>>, features: Partial<Features>) {
  const known = Object.entries(values).map(([name, value]) => [name, quantity("A", value, "")]);
  const profile: Profile = {
    ...{ name: "bench", title: "", machine: "arm64+smmuv3+ats" },
    ...{ features: { ...MACHINE, ...features }, quantities: Object.fromEntries(known) },
  };
  return profile;
}

/** Each of some CPUs runs it once, from 0. */
function once(acts: readonly ClockAct[], cpus: number, profile: Profile) {
  const timeline = new Timeline();
  for (let cpu = 0; cpu < cpus; cpu++) timeline.add(cpu, 0, 0, 0);
  return timed(timeline, [{ acts }], profile).outcomes.mid;
}

const flush = (instructions = 1): ClockAct[] => [
  { act: "tlbi", op: "VALE1IS", broadcast: true, instructions, lo: 0, hi: instructions },
  { act: "dsb", completes: true },
];
const list = (op: string, hi: number, devices = 1, sync = true): ClockAct => {
  return { act: "cmdlist", op, sync, devices, lo: 0, hi };
};
const remote = (hi: number): ClockAct => ({ act: "flush", own: false, lo: 0, hi });
const IPI: ClockAct = { act: "ipi" };

describe("what is spent", () => {
  test("an erratum takes one TLBI and one completion more each time", () => {
    const once = { tlbi_broadcast_ns: 4, dsb_base_ns: 1, dsb_per_cpu_ns: 8 };
    expect(spent(flush(4))).toEqual(once);
    const twice = { tlbi_broadcast_ns: 5, dsb_base_ns: 2, dsb_per_cpu_ns: 16 };
    expect(spent(flush(4), { repeat_tlbi: true })).toEqual(twice);
    expect(spent([{ act: "dsb", completes: false }], { repeat_tlbi: true })).toEqual({
      dsb_local_ns: 1,
    });
  });

  test("64 commands are handed over at a time, each of which may trap, at each SMMU", () => {
    expect([0, 1, 64, 65, 128, 129].map(submissions)).toEqual([1, 1, 1, 2, 2, 3]);
    const features = { trapped: true, smmus: 2 };
    expect(spent([list("CMD_TLBI_NH_VA", 65)], features)).toEqual({
      ...{ cmd_build_ns: 2 * 66, cmd_ns: 2 * 65, cmd_sync_ns: 2, trap_ns: 4 },
    });
    // At once: the CPU writes all of them, and waits for one.
    expect(spent([list("CMD_TLBI_NH_VA", 65)], { ...features, smmu_order: "overlapped" })).toEqual({
      ...{ cmd_build_ns: 2 * 66, cmd_ns: 65, cmd_sync_ns: 1, trap_ns: 4 },
    });
    expect(spent([list("CMD_TLBI_NH_VA", 65, 1, false)])).toEqual({ cmd_build_ns: 65 });
  });

  test("invalidations of devices trap as well, a list at each SMMU that has some", () => {
    const traps = (devices: number, features: Partial<Features>) =>
      spent([list("CMD_ATC_INV", 1, devices)], { trapped: true, ...features })["trap_ns"];
    expect(traps(4, { smmus: 2 })).toBe(2);
    expect(traps(1, { smmus: 2 })).toBe(1);
    expect(traps(4, { smmus: 2, smmu_order: "overlapped" })).toBe(2);
    expect(traps(4, { trapped: false })).toBeUndefined();
    const profile = bench({ trap_ns: 1000, cmd_build_ns: 10 }, { trapped: true });
    expect(once([list("CMD_ATC_INV", 1, 3)], 1, profile).makespan_ns).toBe(1000 + 4 * 10);
  });

  test("INVLPGB from two further CPUs on, for eight pages each", () => {
    const broadcast = (targets: number, pages: number) =>
      spent([...Array(targets).fill(IPI), remote(pages)], { iommu: "none", invlpgb: true });
    expect(broadcast(1, 1)).toEqual({ ipi_first_ns: 1 });
    expect(broadcast(2, 8)).toEqual({ invlpgb_ns: 1, tlbsync_ns: 1 });
    expect(broadcast(2, 9)).toEqual({ invlpgb_ns: 2, tlbsync_ns: 1 });
    expect(broadcast(5, ALL)).toEqual({ invlpgb_ns: 1, tlbsync_ns: 1 });
  });

  test("without an IOMMU nobody is told", () => {
    const acts: ClockAct[] = [
      ...[{ act: "notifier", lo: 0, hi: 1 } as const, { act: "fault", device: true } as const],
      list("CMD_ATC_INV", 1),
    ];
    expect(spent(acts, { iommu: "none" })).toEqual({});
    expect(spent(acts)).toMatchObject({ notifier_ns: 1, device_fault_ns: 1, cmd_sync_ns: 1 });
  });
});

describe("what is waited for", () => {
  test("DVM is in use for what a sender still has to issue, and its completion", () => {
    const profile = bench({ tlbi_broadcast_ns: 20, dvm_service_ns: 100 }, { cpus: 1 });
    expect(once(flush(1), 1, profile).busy_ns.dvm).toBe(100);
    expect(once(flush(4), 1, profile).busy_ns.dvm).toBe(3 * 20 + 100);
  });

  test("bystanders are the other CPUs, as long as a completion is pending", () => {
    const of = (cpus: number) =>
      once(flush(), 1, bench({ dsb_base_ns: 100, bystander_share: 0.5 }, { cpus })).bystander_ns;
    expect(of(1)).toBe(0);
    expect(of(3)).toBe(2 * 0.5 * 100);
  });

  test("a device takes 32 invalidations at a time", () => {
    const timeline = new Timeline();
    timeline.add(0, 0, 0, 1);
    const trips = (pages: number) => {
      const profile = bench({ atc_round_trip_ns: 1000 }, { atc_span: "exact" });
      const acts = [list("CMD_ATC_INV", pages)];
      const { amounts } = timed(timeline, [{ acts }], profile);
      return amounts[QUANTITY_INDEX.atc_round_trip_ns];
    };
    // From page 1 on: 1, 2, 4 ... and as many down again.
    expect(trips(2 ** 17 - 2)).toBe(1);
    expect(trips(2 ** 18 - 2)).toBe(2);
  });

  test("who comes to a device waits for it once, in one queue or in several", () => {
    const acts = [list("CMD_ATC_INV", 1)];
    const time = (cpus: number, queues: number) =>
      once(acts, cpus, bench({ atc_round_trip_ns: 1000 }, { queues })).makespan_ns;
    for (const cpus of [1, 2, 5]) {
      expect(time(cpus, 1)).toBe(cpus * 1000);
      expect(time(cpus, 2)).toBe(cpus * 1000);
    }
  });

  test("devices are spread over the IOMMUs: the fullest decides", () => {
    const acts = [list("CMD_ATC_INV", 1, 5)];
    // Three behind the first, two behind the second: commands one after the other.
    const profile = bench({ cmd_ns: 100 }, { smmus: 2, smmu_order: "overlapped" });
    expect(once(acts, 1, profile).makespan_ns).toBe(300);
    const few = bench({ cmd_ns: 100 }, { smmus: 8, smmu_order: "overlapped" });
    expect(once(acts, 1, few).makespan_ns).toBe(100);
  });
});

describe("what decides", () => {
  const grace = profileNamed("grace")!;
  const side = (acts: readonly ClockAct[], times: number) => {
    const timeline = new Timeline();
    timeline.add(0, 0, 0, 0, times);
    return timed(timeline, [{ acts }], grace);
  };

  test("a sign that is the same in all of the sweep is decided, either way", () => {
    const [one, two] = [side(flush(), 1), side(flush(), 2)];
    expect(difference(two, one)).toMatchObject({ undecided: false });
    expect(difference(one, two)).toMatchObject({ undecided: false });
    expect(difference(one, two).interval.high).toBeLessThan(0);
    // Refills against round trips: nobody knows.
    const refill = side([{ act: "spend", quantity: "atc_refill_ns", n: 1 }], 1);
    const trip = side([{ act: "spend", quantity: "atc_round_trip_ns", n: 1 }], 1);
    expect(difference(refill, trip).undecided).toBe(true);
  });

  test("where most of it is waiting, what makes the server slow decides", () => {
    const timeline = new Timeline();
    for (let round = 0; round < 20; round++) {
      for (let cpu = 0; cpu < 64; cpu++) timeline.add(cpu, 0, 0, 0);
    }
    const timing = timed(timeline, [{ acts: flush() }], profileNamed("n1-server")!);
    expect(decidedBy(timing)).toBe("dvm_per_sender_ns");
    const { low, mid, high } = timeOf(timing);
    expect(low < mid && mid < high).toBe(true);
  });
});
