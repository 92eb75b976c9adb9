// SPDX-License-Identifier: Apache-2.0
// Several threads find what one finds.

import { afterAll, describe, expect, test } from "vitest";
import { nodeHelpers } from "../../../../../test/support/helpers.ts";
import { asking, graph, grid } from "../../../../../test/support/units.ts";
import type { StepUnit } from "../../engine/compiled/unit.ts";
import { instantiate } from "../../engine/target/wasm.ts";
import type { FastOptions } from "./explore.ts";
import { Exploration, exploreFast } from "./explore.ts";
import { ALL, CHUNK, CODE, chunkBytes, RUNNING } from "./plan.ts";
import type { HelperStart, Team } from "./team.ts";
import { helperEnded } from "./team.ts";

const OPTIONS: FastOptions = { states_max: 1e9, bytes_max: 2 ** 30, target: "wasm" };
const { spawn, ended } = await nodeHelpers();

afterAll(ended);

/** Indices of signals of the first helper: that it is there, its calls, how its last run ended. */
const READY_OF_FIRST_HELPER = 1 * 3 + 2;
const CALLS_OF_FIRST_HELPER = 1 * 3 + 3;
const CODE_OF_FIRST_HELPER = 1 * 3 + 4;

const zero = (unit: StepUnit): Int32Array => new Int32Array(unit.words);

/** What threads must agree about; they may take a little more memory. */
function explore(unit: StepUnit, count: number, more: Partial<FastOptions> = {}) {
  const helpers = count === 0 ? {} : { helpers: { count, spawn, after: 0 } };
  const outcome = exploreFast(unit, zero(unit), { ...OPTIONS, ...more, ...helpers });
  return { ...outcome, bytes: 0 };
}

describe("as many states, steps and levels", () => {
  const cases = [1, 3, 8, 9, 17].flatMap((words) => [
    { words, nodes: 150_000, degree: 3, free: 0, ends: 0 },
    { words, nodes: 100_000, degree: 2, free: 2, ends: 5 },
  ]);
  test.each(cases)("in $words words with $free free steps", (c) => {
    const unit = graph(c);
    const ends = [0, 0, 0];
    const look = (n: number) => ({
      onEnd: () => {
        ends[n]!++;
        return false;
      },
    });
    const alone = explore(unit, 0, look(0));
    expect(alone.exhaustive).toBe(true);
    for (const count of [1, 2]) {
      expect(explore(unit, count, look(count))).toEqual(alone);
      expect(ends[count]).toBe(ends[0]);
    }
  });
});

test.each([0, 2])("chunks that stayed empty are passed over, with %s free steps", (free) => {
  const unit = graph({ nodes: 20_000, words: 3, degree: 2, free, ends: 0 });
  const alone = explore(unit, 0);
  const helpers = { count: 1, spawn: () => {} };
  const options = { ...OPTIONS, helpers, states_max: 50_000 };
  const search = new Exploration(unit, zero(unit), options, { origins: false, shards: 1 });
  const { store } = search;
  const take = store.take.bind(store);
  // A thread begins a chunk for a state, and another thread is first to store it.
  store.take = (list) => {
    const chunks = take(list);
    if (chunks.head === 0) return chunks;
    const empty = store.all(ALL.used);
    store.setAll(ALL.used, empty + chunkBytes(store.plan));
    if (store.all(ALL.used) > store.all(ALL.limit)) expect(store.growPool()).toBeUndefined();
    store.words[store.at(empty) + CHUNK.next / 4] = 0;
    store.words[store.at(empty) + CHUNK.until / 4] = empty + CHUNK.records;
    return store.join(chunks, { head: empty + 1, tail: empty + 1 });
  };
  expect({ ...search.run(), bytes: 0 }).toEqual(alone);
});

describe("a helper that ends", () => {
  const cases = [0, 2].flatMap((free) =>
    // In the midst of a chunk; between two; before it has begun.
    [100, 256, 0].flatMap((most) =>
      [1, 4, 9].flatMap((calls) =>
        [RUNNING, CODE.halted].map((code) => ({ free, most, calls, code })),
      ),
    ),
  );
  test.each(cases)("free $free, $most states, call $calls, code $code", (c) => {
    const unit = graph({ nodes: 60_000, words: 3, degree: 2, free: c.free, ends: 0 });
    let play = (_: boolean): void => {};
    let ended = 0;
    const spawn = (start: HelperStart) => {
      const signals = new Int32Array(start.signals);
      const run = instantiate(start.module, start.memory);
      Atomics.store(signals, READY_OF_FIRST_HELPER, 1);
      play = (ends) => {
        if (ends && c.most > 0) run[signals[0] === 1 ? "run_free" : "run"]!(start.own, c.most);
        Atomics.store(signals, CODE_OF_FIRST_HELPER, ends ? c.code : CODE.done);
        if (ends) helperEnded(start);
      };
    };
    const helpers = { count: 1, spawn, after: 0 };
    const options = { ...OPTIONS, helpers };
    const search = new Exploration(unit, zero(unit), options, { origins: false, shards: 1 });
    // The helper is played by the first thread, as soon as it is called.
    const { team } = search as unknown as { readonly team: Team };
    const call = team.call.bind(team);
    let calls = 0;
    team.call = (mode) => {
      call(mode);
      if (!team.busy) return;
      if (++calls === c.calls) ended++;
      play(calls === c.calls);
    };
    const outcome = search.run();
    expect({ ended, calls }).toEqual({ ended: 1, calls: c.calls });
    expect({ ...outcome, bytes: 0 }).toEqual(explore(unit, 0));
  });
});

test("and the same is found", () => {
  const unit = grid(6, 7, 2);
  const latches = [{ word: 0, mask: 0x440 }];
  const alone = explore(unit, 0, { latches, goesOn: () => true });
  expect(alone).toMatchObject({ found: 4, states: 8 ** 6 });
  expect(explore(unit, 2, { latches, goesOn: () => true })).toEqual(alone);
  const first = explore(unit, 0, { latches: [{ word: 0, mask: 0x400 }] });
  expect(explore(unit, 2, { latches: [{ word: 0, mask: 0x400 }] })).toEqual(first);
});

test("what is imported is called by the first thread, while the others stand still", () => {
  const unit = asking(200_000, 3);
  const run = (count: number) => {
    const asked = new Set<number>();
    let signals = new Int32Array(new SharedArrayBuffer(64));
    const watched = (start: HelperStart) => {
      signals = new Int32Array(start.signals);
      spawn(start);
    };
    let early = 0;
    const ask = (n: number) => {
      asked.add(n);
      // The second signal counts those that are through; before the first call there are none.
      const through = Atomics.load(signals, 1);
      if (through !== 0 && through !== count) early++;
      if (through === 0 && Atomics.load(signals, CALLS_OF_FIRST_HELPER) !== 0) early++;
      return n * 7;
    };
    const helpers = count === 0 ? {} : { helpers: { count, spawn: watched, after: 0 } };
    const outcome = exploreFast(unit, zero(unit), {
      ...OPTIONS,
      ...helpers,
      imports: () => ({ ask }),
    });
    expect(early).toBe(0);
    return { ...outcome, bytes: 0, asked: [...asked].toSorted((a, b) => a - b) };
  };
  const alone = run(0);
  expect(alone.asked.length).toBeGreaterThan(10);
  for (const count of [1, 2]) expect(run(count)).toEqual(alone);
});

test("an exception of an import ends the search and its helpers", async () => {
  const ask = (n: number) => {
    if (n > 100_000) throw new Error(`too far`);
    return n * 7;
  };
  expect(() => explore(asking(200_000, 3), 2, { imports: () => ({ ask }) })).toThrow("too far");
  const progress = ({ states }: { readonly states: number }) => {
    if (states > 50_000) throw new Error("stopped");
  };
  expect(() => explore(grid(6, 7, 3), 2, { progress })).toThrow("stopped");
  await ended();
});

test("limits: as many states as are allowed, and no more memory", () => {
  const unit = grid(6, 7, 3);
  for (const states_max of [100_000, 3000, 8 ** 6]) {
    const { states, limit } = explore(unit, 2, { states_max });
    expect(states).toBe(states_max);
    expect(limit).toBe(states_max === 8 ** 6 ? undefined : `--max-states ${states_max}`);
  }
  const bytes_max = 2 ** 21;
  const { exhaustive, limit, states } = explore(unit, 2, { bytes_max });
  expect({ exhaustive, limit }).toEqual({ exhaustive: false, limit: `--max-memory ${bytes_max}` });
  expect(states * 12).toBeGreaterThan(0.7 * bytes_max);
});
