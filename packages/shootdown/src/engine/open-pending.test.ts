// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import type { PendingDecl } from "../ir/machine.ts";
import { PendingGroup } from "./open-pending.ts";
import type { EffectCode } from "./open-program.ts";
import { Journal } from "./open-value.ts";

test("what is posted and removed in a step that fails is as it was", () => {
  const journal = new Journal();
  const decl = { name: "queue", entry: { n: {} }, order: [] } as unknown as PendingDecl;
  const group = new PendingGroup({ decl, capacity: 4, at: () => ({}) as EffectCode }, journal);
  const undone = (change: () => void) => {
    const mark = journal.mark();
    change();
    journal.rollback(mark);
    journal.close(mark);
  };
  undone(() => group.post([0], [7]));
  expect([group.busy, group.keys()]).toEqual([false, []]);
  group.post([1], [5]);
  group.post([0], [6]);
  undone(() => {
    group.remove([0], 0);
    group.remove([1], 0);
    expect(group.busy).toBe(false);
  });
  expect([group.busy, group.keys(), group.entries([1])]).toEqual([true, [[0], [1]], [[5]]]);
});
