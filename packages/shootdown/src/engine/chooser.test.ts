// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { Chooser } from "./chooser.ts";

/** All runs of a step, each as what it returned. */
function runs<T>(step: (c: Chooser) => T): T[] {
  const chooser = new Chooser();
  const found: T[] = [];
  chooser.start();
  do found.push(step(chooser));
  while (chooser.advance());
  return found;
}

test("a step without a choice runs once", () => {
  expect(runs((c) => c.taken())).toEqual([[]]);
});

test("every combination, in lexicographic order", () => {
  expect(runs((c) => [c.choose(2), c.choose(1), c.choose(3)])).toEqual([
    [0, 0, 0],
    [0, 0, 1],
    [0, 0, 2],
    [1, 0, 0],
    [1, 0, 1],
    [1, 0, 2],
  ]);
});

test("a later choice may depend on an earlier one", () => {
  const step = (c: Chooser) => {
    const first = c.choose(3);
    if (first === 1) return [first];
    return [first, c.choose(first + 1)];
  };
  expect(runs(step)).toEqual([[0, 0], [1], [2, 0], [2, 1], [2, 2]]);
});

test("a run that ends early is not tried with choices that it did not make", () => {
  const step = (c: Chooser) => {
    const taken = [c.choose(2)];
    if (taken[0] === 0) return taken;
    taken.push(c.choose(2), c.choose(2));
    return taken;
  };
  expect(runs(step)).toEqual([[0], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]]);
});

test("choices that were taken can be replayed", () => {
  const chooser = new Chooser();
  chooser.start([1, 2]);
  expect([chooser.choose(2), chooser.choose(3), chooser.choose(4)]).toEqual([1, 2, 0]);
  expect(chooser.taken()).toEqual([1, 2, 0]);
  expect(chooser.advance()).toBe(true);
  expect([chooser.choose(2), chooser.choose(3), chooser.choose(4)]).toEqual([1, 2, 1]);
});

test("a step with absurdly many choices is a mistake", () => {
  const chooser = new Chooser();
  chooser.start([1 << 16]);
  chooser.choose(1 << 20);
  expect(() => chooser.advance()).toThrow("too many choices");
});
