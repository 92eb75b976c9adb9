// SPDX-License-Identifier: Apache-2.0
// What a set of final states says: whether the condition holds in them, and the verdict.

import type {
  Condition,
  Descriptor,
  Fault,
  FaultPattern,
  FinalState,
  HerdTest,
  Location,
  Value,
} from "./ast.ts";

export type Observation = "Never" | "Sometimes" | "Always";
export type Verdict = "Allowed" | "Forbidden" | "Required";

export function holds(test: HerdTest, condition: Condition, state: FinalState): boolean {
  switch (condition.k) {
    case "true":
      return true;
    case "not":
      return !holds(test, condition.of, state);
    case "and":
      return condition.parts.every((part) => holds(test, part, state));
    case "or":
      return condition.parts.some((part) => holds(test, part, state));
    case "equal":
      return equal(valueIn(state, condition.location), condition.value, bitsOf(condition.location));
    case "same": {
      const { left, right } = condition;
      const bits = Math.min(bitsOf(left), bitsOf(right));
      return equal(valueIn(state, left), valueIn(state, right), bits);
    }
    case "fault":
      return state.faults.some((fault) => matches(test, condition.fault, fault));
  }
}

/** Over the condition itself, whatever the quantifier. */
export function observationOf(test: HerdTest, states: Iterable<FinalState>): Observation {
  let some = false;
  let all = true;
  for (const state of states) {
    if (holds(test, test.condition, state)) some = true;
    else all = false;
  }
  if (!some) return "Never";
  return all ? "Always" : "Sometimes";
}

/** As the catalogue's files of kinds put it: `Required` is said of `forall` alone. */
export function verdictOf(test: HerdTest, observation: Observation): Verdict {
  if (observation === "Never") return "Forbidden";
  return test.quantifier === "forall" && observation === "Always" ? "Required" : "Allowed";
}

/** Whether a fault is one that the question means. Two labels may stand before an instruction. */
export function matches(test: HerdTest, pattern: FaultPattern, fault: Fault): boolean {
  const { thread, label, location, pte = false, type } = pattern;
  return (
    thread === fault.thread &&
    (label === undefined || sameLabel(test, thread, label, fault.label)) &&
    (location === undefined || (location === fault.location && pte === fault.pte)) &&
    (type === undefined || type === fault.type)
  );
}

function sameLabel(test: HerdTest, thread: number, a: string, b: string | undefined): boolean {
  if (a === b || b === undefined) return a === b;
  const { labels, handler } = test.threads[thread]!;
  return [labels, handler?.labels].some((at) => at?.has(a) === true && at.get(a) === at.get(b));
}

function valueIn(state: FinalState, location: Location): Value {
  switch (location.k) {
    case "reg":
      return state.register(location.thread, location.number);
    case "data":
      return state.data(location.name);
    case "pte":
      return { k: "desc", desc: state.pte(location.name) };
  }
}

const bitsOf = (location: Location): number => (location.k === "reg" ? location.bits : 64);

function equal(a: Value, b: Value, bits: number): boolean {
  if (a.k === "int") {
    return b.k === "int" && BigInt.asUintN(bits, a.value) === BigInt.asUintN(bits, b.value);
  }
  if (a.k === "desc") return b.k === "desc" && sameDescriptor(a.desc, b.desc);
  if (a.k === "label") return b.k === "label" && a.thread === b.thread && a.label === b.label;
  return a.k === b.k && a.name === (b as typeof a).name;
}

function sameDescriptor(a: Descriptor, b: Descriptor): boolean {
  return (
    a.oa === b.oa &&
    a.valid === b.valid &&
    a.af === b.af &&
    a.db === b.db &&
    a.dbm === b.dbm &&
    a.el0 === b.el0 &&
    [...a.attrs].sort().join() === [...b.attrs].sort().join()
  );
}
