// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../base/random.ts";
import { simulate } from "./clock.ts";
import { clockProgram } from "./clock-program.ts";
import type { Act, Course } from "./course.ts";
import { DEFAULT_FEATURES, type Profile, quantity, valuesAt } from "./profile.ts";
import { FIVE, PROFILES, profileNamed } from "./profiles.ts";
import type { QuantityName } from "./quantities.ts";
import { Agenda, Server } from "./servers.ts";
import { Timeline } from "./timeline.ts";
import { decidedBy, difference, timed, timeOf } from "./timing.ts";

const course = (...acts: readonly Act[]): Course => ({ acts, steps: 0 });
const all = { lo: 0, hi: Number.POSITIVE_INFINITY };

/** A machine with a queue and nothing else that takes time. */
function bench(given: Partial<Record<QuantityName, number>>, features = {}): Profile {
  const quantities = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, quantity("A", value, "test")]),
  );
  return {
    ...{ name: "bench", title: "bench", machine: "arm64+smmuv3+ats", quantities },
    features: { ...DEFAULT_FEATURES, cpus: 8, iommu: "smmuv3", ...features },
  };
}

/** Every CPU runs the course so often, one after the other, all from 0. */
function closed(cpus: number, rounds: number, index = 0): Timeline {
  const timeline = new Timeline();
  for (let i = 0; i < rounds; i++) for (let c = 0; c < cpus; c++) timeline.add(c, 0, index, i * 8);
  return timeline;
}

const anyAct: fc.Arbitrary<Act> = fc
  .tuple(fc.nat(9), fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 600 }), fc.boolean())
  .map(([kind, lo, n, yes]): Act => {
    const span = { lo, hi: yes && n > 500 ? Number.POSITIVE_INFINITY : lo + n };
    if (kind === 0) return { act: "steps", n };
    if (kind === 1) return yes ? { act: "pte", n } : { act: "fault", device: n > 300 };
    if (kind === 2) return { act: "tlbi", op: "VALE1IS", broadcast: yes, instructions: n, ...span };
    if (kind <= 4) return { act: "dsb", completes: yes };
    if (kind === 5) return { act: "ipi" };
    if (kind === 6) return { act: "flush", own: yes, ...span };
    if (kind === 7) return { act: "notifier", ...span };
    const op = kind === 8 ? "CMD_TLBI_NH_VA" : "CMD_ATC_INV";
    return { act: "cmdlist", devices: 1, op, sync: yes, ...span };
  });

describe("servers", () => {
  test("first come, first served; nothing is lost", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1000), fc.nat(100))), (visits) => {
        const server = new Server(1);
        const sorted = [...visits].sort((a, b) => a[0] - b[0]);
        let last = 0;
        for (const [at, service] of sorted) {
          const done = server.visit(at, service);
          expect(done).toBe(Math.max(at, last) + service);
          last = done;
        }
        expect(server.busy_ns).toBe(visits.reduce((sum, [, service]) => sum + service, 0));
        expect(server.visits).toBe(visits.length);
      }),
    );
  });

  test("the agenda gives the least time first, equal times by number", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 40 }), (given) => {
        const times = Float64Array.from(given);
        const agenda = new Agenda(times);
        for (let i = 0; i < times.length; i++) agenda.push(i);
        const order: number[] = [];
        while (!agenda.empty) order.push(agenda.pop());
        const expected = given.map((_, i) => i).sort((a, b) => given[a]! - given[b]! || a - b);
        expect(order).toEqual(expected);
      }),
    );
  });

  test("sharers are those that came since, and not long ago", () => {
    const server = new Server(3);
    expect([server.sharers(0, 0), server.sharers(1, 10), server.sharers(0, 20)]).toEqual([1, 2, 2]);
    expect(server.sharers(0, 30)).toBe(1);
    expect(server.sharers(2, 1e6)).toBe(1);
  });
});

describe("one CPU alone", () => {
  test("its time is the linear sum, at every corner, on every machine", () => {
    const profiles = fc.constantFrom(...PROFILES);
    fc.assert(
      fc.property(
        profiles,
        fc.array(anyAct, { maxLength: 20 }),
        fc.nat(3000),
        (given, acts, at) => {
          // The lock is paid alone too: it is not part of the linear sum.
          const { cmdq_lock_per_cpu_ns: _, ...quantities } = given.quantities;
          const profile = { ...given, quantities };
          const timeline = new Timeline();
          timeline.add(7, 50, 0, at);
          timeline.add(7, 60, 0, at + 5);
          const timing = timed(timeline, [course(...acts)], profile);
          const { mid } = timing.outcomes;
          expect(timeOf(timing).mid).toBeCloseTo(mid.time_ns, 3);
          if (!acts.some((act) => act.act === "cmdlist" && !act.sync)) {
            // Nothing was posted, so nobody waits for what it left behind; DVM may be its own.
            expect(mid.waits_ns.queue).toBeCloseTo(0, 6);
          }
        },
      ),
    );
  });

  test("a repetition goes one page further; alone it is a product", () => {
    const profile = bench({ pte_ns: 3, cmd_sync_ns: 100, atc_per_page_ns: 1 });
    const alone = new Timeline();
    alone.add(0, 0, 0, 0, 2 ** 28);
    expect(timeOf(timed(alone, [course({ act: "pte", n: 2 })], profile)).mid).toBe(6 * 2 ** 28);
    const list = course(
      { act: "pte", n: 1 },
      { act: "cmdlist", op: "CMD_ATC_INV", sync: true, devices: 1, lo: 0, hi: 2 },
    );
    const moving = new Timeline();
    moving.add(0, 0, 0, 0, 4);
    // [0; 1] is covered by 2 pages, [1; 2] by 4, [2; 3] by 2, [3; 4] by 8.
    const timing = timed(moving, [list], profile);
    expect(timing.outcomes.mid.time_ns).toBe(4 * 103 + 2 + 4 + 2 + 8);
    expect(timeOf(timing).mid).toBe(timing.outcomes.mid.time_ns);
  });

  test("the acts of Arm", () => {
    const profile = bench({
      step_ns: 2,
      tlbi_broadcast_ns: 20,
      dsb_base_ns: 100,
      dsb_per_cpu_ns: 1,
    });
    const flush = course(
      { act: "steps", n: 10 },
      { act: "tlbi", op: "VALE1IS", broadcast: true, instructions: 4, lo: 0, hi: 4 },
      { act: "dsb", completes: true },
    );
    expect(timeOf(timed(closed(1, 1), [flush], profile)).mid).toBe(20 + 80 + 108);
    const repeat = bench({ tlbi_broadcast_ns: 20, dsb_base_ns: 100 }, { repeat_tlbi: true });
    expect(timeOf(timed(closed(1, 1), [flush], repeat)).mid).toBe(80 + 100 + 20 + 100);
  });

  test("the acts of x86", () => {
    const given = { ipi_first_ns: 700, ipi_next_ns: 50, invlpg_ns: 100, full_flush_ns: 300 };
    const machine = { ...bench(given, { iommu: "none", cpus: 4 }), machine: "x86" };
    const two = course(
      { act: "ipi" },
      { act: "steps", n: 12 },
      { act: "steps", n: 1 },
      { act: "ipi" },
      { act: "steps", n: 2 },
      { act: "flush", own: true, lo: 0, hi: 3 },
      { act: "flush", own: false, lo: 0, hi: 3 },
      { act: "flush", own: false, lo: 0, hi: 3 },
    );
    const own = course({ act: "flush", own: true, ...all });
    expect(timeOf(timed(closed(1, 1), [two], machine)).mid).toBe(700 + 50 + 200);
    expect(timeOf(timed(closed(1, 1), [own], machine)).mid).toBe(300);
    const quantities = { invlpgb_ns: quantity("A", 9, "t"), tlbsync_ns: quantity("A", 90, "t") };
    const features = { ...machine.features, invlpgb: true };
    const amd = { ...machine, features, quantities };
    expect(timeOf(timed(closed(1, 1), [two], amd)).mid).toBe(9 + 90);
  });

  test("several IOMMUs, one after the other or at once; devices answer together", () => {
    const given = { cmd_ns: 10, cmd_sync_ns: 100, atc_round_trip_ns: 1000, atc_per_page_ns: 1 };
    const lists = (devices: number) =>
      course(
        { act: "cmdlist", devices, op: "CMD_TLBI_NH_VA", sync: true, lo: 0, hi: 3 },
        { act: "cmdlist", devices, op: "CMD_ATC_INV", sync: true, lo: 1, hi: 3 },
      );
    const time = (features: object, devices = 1) =>
      timeOf(timed(closed(1, 1), [lists(devices)], bench(given, features))).mid;
    // Pages 1 and 2 are covered by 0 to 3.
    const once = 30 + 100 + (2 * 10 + 1000 + 4 + 100);
    expect(time({ smmus: 1 }, 2)).toBe(once);
    expect(time({ smmus: 3 }, 6)).toBe(3 * once);
    expect(time({ smmus: 3, smmu_order: "overlapped" }, 6)).toBe(once);
    // Exactly: two commands a device, two pages.
    expect(time({ atc_span: "exact" })).toBe(30 + 100 + (2 * 10 + 1000 + 2 + 100));
  });

  test("what is posted is waited for by the next CMD_SYNC", () => {
    const profile = bench({ cmd_ns: 10, cmd_sync_ns: 100 });
    const lists = course(
      { act: "cmdlist", devices: 1, op: "CMD_TLBI_NH_VA", sync: false, lo: 0, hi: 30 },
      { act: "cmdlist", devices: 1, op: "CMD_TLBI_NH_VA", sync: true, lo: 0, hi: 1 },
    );
    const timing = timed(closed(1, 1), [lists], profile);
    expect(timing.outcomes.mid.time_ns).toBe(300 + 10 + 100);
    expect(timing.outcomes.mid.waits_ns.queue).toBe(300);
  });
});

describe("many CPUs", () => {
  const sync = course(
    { act: "steps", n: 1000 },
    { act: "cmdlist", devices: 1, op: "CMD_TLBI_NH_ASID", sync: true, ...all },
  );

  test("a closed queue: work and service, until the server is never free", () => {
    // Deterministic work W and service S: N CPUs do min(N / (W + S), 1 / S) rounds a nanosecond.
    for (const cpus of [1, 2, 5, 10, 11, 12, 40]) {
      const profile = bench({ step_ns: 1, cmd_ns: 20, cmd_sync_ns: 80 }, { cpus });
      const rounds = 400;
      const { makespan_ns, busy_ns } = timed(closed(cpus, rounds), [sync], profile).outcomes.mid;
      const rate = (cpus * rounds) / makespan_ns;
      expect(rate / Math.min(cpus / 1100, 1 / 100)).toBeCloseTo(1, 1);
      expect(busy_ns.queue).toBe(cpus * rounds * 100);
      expect(busy_ns.queue).toBeLessThanOrEqual(makespan_ns);
    }
  });

  test("time is the linear sum and the waits; nothing is faster than alone", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FIVE),
        fc.array(fc.array(anyAct, { maxLength: 8 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(),
        (profile, given, cpus, seed) => {
          const random = seededRandom(seed);
          const courses = given.map((acts) => course(...acts));
          const timeline = new Timeline();
          for (let i = 0; i < 60; i++) {
            const [cpu, which] = [random.below(cpus), random.below(courses.length)];
            timeline.add(cpu, i * random.below(500), which, random.below(5000));
          }
          const timing = timed(timeline, courses, profile);
          const { low, mid, high } = timing.outcomes;
          expect(timeOf(timing).mid / Math.max(1, mid.time_ns)).toBeCloseTo(
            mid.time_ns > 0 ? 1 : 0,
            9,
          );
          for (const { waits_ns, busy_ns, makespan_ns } of [low, mid, high]) {
            for (const wait of Object.values(waits_ns)) expect(wait).toBeGreaterThanOrEqual(-1e-3);
            const { smmus, queues } = profile.features;
            expect(busy_ns.queue / (smmus * queues)).toBeLessThan(makespan_ns + 1e9);
          }
        },
      ),
    );
  });

  test("a second CPU that sends is slowed by the first, and bystanders by both", () => {
    const thunder = profileNamed("thunderx2")!;
    const flush = course(
      { act: "tlbi", op: "VALE1IS", broadcast: true, instructions: 1, lo: 0, hi: 1 },
      { act: "dsb", completes: true },
    );
    const one = timed(closed(1, 50), [flush], thunder).outcomes.mid;
    const many = timed(closed(32, 50), [flush], thunder).outcomes.mid;
    expect(one.waits_ns.dvm).toBe(0);
    expect(many.waits_ns.dvm).toBeGreaterThan(many.time_ns / 2);
    expect(many.bystander_ns).toBeGreaterThan(one.bystander_ns);
  });

  test("handlers of one target wait for each other", () => {
    const profile = { ...bench({ ipi_first_ns: 700, ipi_handler_ns: 400 }), machine: "x86" };
    const all3 = course({ act: "ipi" }, { act: "ipi" }, { act: "ipi" });
    const { time_ns, waits_ns } = timed(closed(4, 1), [all3], profile).outcomes.mid;
    expect(waits_ns.ipi).toBeGreaterThan(0);
    expect(time_ns).toBe(4 * 700 + waits_ns.ipi);
  });

  test("many queues of one IOMMU share its CPUs", () => {
    const given = { step_ns: 1, cmd_sync_ns: 1000 };
    const one = timed(closed(8, 100), [sync], bench(given)).outcomes.mid;
    const four = timed(closed(8, 100), [sync], bench(given, { queues: 4 })).outcomes.mid;
    expect(four.makespan_ns).toBeLessThan(one.makespan_ns / 3);
  });
});

describe("intervals", () => {
  const range = (low: number, value: number, high: number) =>
    quantity("A", value, "test", [low, high]);

  test("what both spend does not blur the difference", () => {
    const quantities = { step_ns: range(1, 5, 100), pte_ns: range(1, 2, 3) };
    const profile = { ...bench({}), quantities };
    const a = timed(closed(1, 10), [course({ act: "steps", n: 9 })], profile);
    const more = course({ act: "steps", n: 9 }, { act: "pte", n: 4 });
    const b = timed(closed(1, 10), [more], profile);
    expect(timeOf(a)).toEqual({ low: 90, mid: 450, high: 9000 });
    expect(decidedBy(b)).toBe("step_ns");
    expect(difference(b, a)).toEqual({
      ...{ interval: { low: 40, mid: 80, high: 120 }, undecided: false, decided_by: "pte_ns" },
    });
    const fewer = timed(closed(1, 10), [course({ act: "steps", n: 1 })], profile);
    expect(difference(b, fewer).interval.low).toBe(10 * (8 + 4));
  });

  test("a sign that the sweep changes is undecided", () => {
    const quantities = { step_ns: range(1, 1, 1), pte_ns: range(0, 2, 3) };
    const profile = { ...bench({}), quantities };
    const a = timed(closed(1, 1), [course({ act: "steps", n: 8 })], profile);
    const b = timed(closed(1, 1), [course({ act: "pte", n: 5 })], profile);
    expect(difference(a, b)).toMatchObject({ undecided: true, decided_by: "pte_ns" });
    expect(difference(a, b).interval).toEqual({ low: -7, mid: -2, high: 8 });
    expect(decidedBy(timed(closed(1, 1), [course()], profile))).toBe(undefined);
  });

  test("the same input gives the same outcome", () => {
    const grace = profileNamed("grace")!;
    const one = course({ act: "cmdlist", devices: 1, op: "CMD_ATC_INV", sync: true, lo: 0, hi: 9 });
    const program = clockProgram([one], grace.features);
    const run = () => simulate(closed(5, 20), program, grace.features, valuesAt(grace, "mid"));
    expect(run()).toEqual(run());
  });
});
