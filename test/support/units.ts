// SPDX-License-Identifier: Apache-2.0
// Units made by hand, to test and to time what stores states; and a search of them that does it
// the plain way.

import type { StepUnit } from "../../packages/shootdown/src/engine/compiled/unit.ts";
import type { Ex, Fn, St } from "../../packages/shootdown/src/engine/target/code.ts";
import {
  bin,
  FnBuilder,
  iff,
  load,
  local,
  num,
  set,
  store,
} from "../../packages/shootdown/src/engine/target/code.ts";
import { instantiate, memoryFor } from "../../packages/shootdown/src/engine/target/wasm.ts";

const BASE = 64;
const MARK = { word: 0, shift: 31, mask: 1 };

const unit = (words: number, functions: readonly Fn[], successors_max: number): StepUnit => ({
  words,
  mark: MARK,
  functions,
  imports: [],
  expand: "expand",
  free: functions.some((f) => f.name === "free") ? "free" : undefined,
  successors_max,
  base: BASE,
  data: new Int32Array(4),
});

const [SRC, OUT] = [0, 1];
const at = (n: number): Ex => load(local(SRC), n * 4);

/** Copies the state to `out`, with some words set, and moves on. */
function emit(words: number, changed: ReadonlyMap<number, Ex>): St[] {
  return [
    ...Array.from({ length: words }, (_, n) => store(local(OUT), n * 4, changed.get(n) ?? at(n))),
    set(OUT, bin("add", local(OUT), num(words * 4))),
  ];
}

const header = (f: FnBuilder): { readonly first: number; readonly set: St } => {
  const first = f.fresh();
  return { first, set: set(first, local(OUT)) };
};

/**
 * Counters of 4 bits from 0 to `top`, spread over the words; a step adds one to any of them. With
 * `back`, a step takes one away too, so that every state has as many successors.
 */
export function grid(counters: number, top: number, words: number, back = false): StepUnit {
  const f = new FnBuilder("expand", 2);
  const start = header(f);
  const steps = Array.from({ length: counters }, (_, c) => {
    const word = c % words;
    const shift = Math.floor(c / words) * 4;
    const value = bin("and", bin("shr_u", at(word), num(shift)), num(15));
    const one = num(1 << shift);
    const up = iff(
      bin("lt_u", value, num(top)),
      emit(words, new Map([[word, bin("add", at(word), one)]])),
    );
    const down = iff(value, emit(words, new Map([[word, bin("sub", at(word), one)]])));
    return back ? [up, down] : [up];
  }).flat();
  const functions = [
    f.done(
      true,
      [
        start.set,
        ...steps,
        store(local(start.first), -4, local(OUT)),
        { k: "return", value: local(OUT) },
      ],
      true,
    ),
  ];
  return unit(words, functions, counters * 2);
}

export interface GraphOptions {
  readonly nodes: number;
  readonly words: number;
  /** Steps from every node that does not end a run. */
  readonly degree: number;
  /** Free steps of every third node. */
  readonly free: number;
  /** Every such node ends runs; 0, none does. */
  readonly ends: number;
}

/** A random graph: word 0 is the node, every other word depends on it. */
export function graph({ nodes, words, degree, free, ends }: GraphOptions): StepUnit {
  const go = (to: number): St[] => {
    const others = Array.from({ length: words - 1 }, (_, n) => [
      n + 1,
      bin("mul", bin("add", local(to), num(n)), num(0x9e3779b1)),
    ]);
    return emit(words, new Map<number, Ex>([[0, local(to)], ...(others as [number, Ex][])]));
  };
  const target = (n: number, salt: number): Ex => {
    const mixed = bin("mul", bin("xor", at(0), num(salt * 77)), num(0x85ebca77 + 2 * n));
    return bin("rem_u", bin("shr_u", mixed, num(3)), num(nodes));
  };
  const list = (name: string, count: number, salt: number, when: Ex, moves: boolean): Fn => {
    const f = new FnBuilder(name, 2);
    const start = header(f);
    const to = f.fresh();
    const steps = Array.from({ length: count }, (_, n) => [set(to, target(n, salt)), ...go(to)]);
    const tell = moves ? [store(local(start.first), -4, local(OUT))] : [];
    const body = [start.set, iff(when, steps.flat()), ...tell];
    return f.done(true, [...body, { k: "return", value: local(OUT) }], true);
  };
  const goesOn = ends === 0 ? num(1) : bin("rem_u", at(0), num(ends));
  const third = bin("eq", bin("rem_u", at(0), num(3)), num(0));
  const functions = [list("expand", degree, 1, goesOn, true)];
  if (free > 0) functions.push(list("free", free, 2, third, false));
  return unit(words, functions, Math.max(degree, free));
}

export interface PlainOutcome {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly ends: readonly string[];
  /** Steps to the first state that passes. */
  readonly found: number | undefined;
}

/** A graph in which some steps ask an import, and keep its last answer in the tables. */
export function asking(nodes: number, words: number): StepUnit {
  const plain = graph({ nodes, words, degree: 2, free: 0, ends: 0 });
  const f = new FnBuilder("expand", 2);
  const [end, known] = [f.fresh(), f.fresh()];
  const answer: Ex = { k: "call", f: "ask", args: [at(0)] };
  const table = num(BASE);
  const go = [store(local(OUT), 0, bin("rem_u", local(known), num(nodes)))];
  const rest = Array.from({ length: words - 1 }, (_, n) => store(local(OUT), n * 4 + 4, num(n)));
  const body: St[] = [
    set(end, { k: "call", f: "plain", args: [local(SRC), local(OUT)] }),
    iff(bin("eq", bin("rem_u", at(0), num(5000)), num(17)), [
      // The table holds the last node asked for, and the answer.
      iff(bin("ne", load(table), at(0)), [store(table, 4, answer), store(table, 0, at(0))]),
      set(known, load(table, 4)),
      set(OUT, local(end)),
      ...go,
      ...rest,
      set(end, bin("add", local(end), num(words * 4))),
    ]),
    { k: "return", value: local(end) },
  ];
  const functions = [
    { ...plain.functions[0]!, name: "plain", exported: false },
    f.done(true, body, true),
  ];
  const imports = [{ name: "ask", params: 1, result: true }];
  return { ...plain, functions, imports, successors_max: 3 };
}

/** What a function of a unit yields for a state. */
export function successorsOf(unit: StepUnit): (name: string, from: Int32Array) => Int32Array[] {
  const pages = { initial: 16, maximum: 16, shared: false };
  const memory = memoryFor(pages);
  const module = { imports: [], functions: unit.functions, memory: pages };
  const exports = instantiate(module, memory);
  const view = new Int32Array(memory.buffer);
  view.set(unit.data, unit.base / 4);
  const src = 4096;
  const out = src + unit.words * 4 + 64;
  return (name, from) => {
    view.set(from, src / 4);
    const end = exports[name]!(src, out);
    const count = (end - out) / (unit.words * 4);
    return Array.from({ length: count }, (_, n) => {
      const at = out / 4 + n * unit.words;
      return view.slice(at, at + unit.words);
    });
  };
}

/** Breadth first with a map, free steps first in every level. */
export function plainSearch(
  unit: StepUnit,
  initial: Int32Array,
  passes: (state: Int32Array) => boolean,
): PlainOutcome {
  const successors = successorsOf(unit);
  const depths = new Map<string, number>();
  const ends: string[] = [];
  let transitions = 0;
  let found: number | undefined;
  const add = (state: Int32Array, depth: number, to: Int32Array[]): void => {
    const key = state.join();
    if (depths.has(key)) return;
    depths.set(key, depth);
    if (passes(state) && found === undefined) found = depth;
    to.push(state);
  };
  let level: Int32Array[] = [];
  let depth = 0;
  add(initial, 0, level);
  for (; ; depth++) {
    const { free } = unit;
    for (let i = 0; free !== undefined && i < level.length; i++) {
      for (const s of successors(free, level[i]!)) {
        transitions++;
        add(s, depth, level);
      }
    }
    const next: Int32Array[] = [];
    for (const state of level) {
      const all = successors(unit.expand, state);
      if (all.length === 0) ends.push(state.join());
      for (const s of all) {
        transitions++;
        add(s, depth + 1, next);
      }
    }
    if (next.length === 0) break;
    level = next;
  }
  return { states: depths.size, transitions, depth, ends, found };
}
