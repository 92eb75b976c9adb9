// SPDX-License-Identifier: Apache-2.0
// The keys of the page; none of them works while somebody types.

import type { Store } from "../model/store.ts";

export const KEYS: readonly (readonly [string, string])[] = [
  ["j, ↓", "one step on"],
  ["k, ↑", "one step back"],
  ["]", "the next step of the same program"],
  ["[", "the step before of the same program"],
  ["Home, End", "the beginning, the end"],
  ["v", "what the run shows: the violation, or where it repeats"],
  ["d", "beside another run: the next step at which the two differ"],
  ["o", "beside another run: the state and source of the other"],
  ["s, n, c", "state, next steps, source"],
  ["1 to 9", "with next steps shown: take one of them"],
  ["w", "back to the run that was found"],
  ["r", "run"],
  ["/", "search the scenarios"],
  ["?", "this help"],
];

/** Further than any run. */
const END = 1 << 30;

interface Hooks {
  readonly search: () => void;
  readonly help: () => void;
  readonly panel: (name: "state" | "next" | "source") => void;
}

export function keysOf(store: Store, hooks: Hooks): (event: KeyboardEvent) => void {
  const move = (by: number) => store.step(by);
  const actions: Readonly<Record<string, () => void>> = {
    ...{ j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1) },
    "]": () => store.move(sameAgent(store, 1)),
    "[": () => store.move(sameAgent(store, -1)),
    Home: () => store.move(0),
    End: () => store.step(END),
    PageDown: () => move(20),
    PageUp: () => move(-20),
    v: () => store.jump(),
    d: () => store.toRow(store.compare.next()),
    o: () => store.compare.turn(),
    s: () => hooks.panel("state"),
    n: () => hooks.panel("next"),
    c: () => hooks.panel("source"),
    w: () => void store.whole(),
    r: () => void store.run(),
    "/": hooks.search,
    "?": hooks.help,
  };
  return (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target instanceof HTMLElement && target.closest("input, textarea, .cm-editor")) {
      if (event.key === "Escape" && !event.defaultPrevented) target.blur();
      return;
    }
    const isShown = document.querySelector(".moves") !== null;
    const digit = isShown && /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : -1;
    const moves = store.seen.peek()?.seen.moves ?? [];
    const action =
      digit >= 0 && digit < moves.length ? () => void store.take(digit) : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };
}

/** The nearest position after or before, at which the agent of the cursor's step has moved. */
function sameAgent(store: Store, way: 1 | -1): number {
  const cursor = store.cursor.peek();
  const agent = store.steps.get(Math.max(0, cursor - 1))?.agent;
  const length = store.walk.peek()?.length ?? 0;
  for (let at = cursor + way; at >= 1 && at <= length; at += way) {
    const step = store.steps.get(at - 1);
    if (!step || step.agent === agent) return at;
  }
  return cursor;
}
