// SPDX-License-Identifier: Apache-2.0
// A final state as herd7 prints it, so that sets of states compare as strings.
//
//   0:X1=(oa:PA(y), db:0, dbm:1); [x]=0; [PTE(x)]=(oa:PA(x)); Fault(P0:L0,x,D-MMU:Translation);
//   1:X4=0;  ~Fault(P1:L2,y); ~Fault(P1:L1,x);
//
// One blank ends the locations; herd prints it also where no fault was taken.

import {
  DESCRIPTOR_DEFAULTS,
  type Descriptor,
  type Fault,
  type FaultPattern,
  type FinalState,
  type HerdTest,
  type Location,
  type Value,
} from "./ast.ts";
import { matches } from "./judge.ts";
import { compareText } from "./shown.ts";

export function printState(test: HerdTest, state: FinalState): string {
  const locations = test.shown.map((location) => `${printLocation(location, state)};`).join(" ");
  if (test.shownFaults.length === 0) return locations;
  const taken = new Set<string>();
  for (const fault of [...state.faults].sort(compareFaults)) {
    const pattern = test.shownFaults.find((p) => matches(test, p, fault));
    if (pattern) taken.add(`${printFault(test, fault, pattern)};`);
  }
  const not = test.shownFaults
    .filter((pattern) => !state.faults.some((fault) => matches(test, pattern, fault)))
    .map((pattern) => ` ~${printPattern(pattern)};`);
  return `${locations} ${[...taken].join(" ")}${not.join("")}`;
}

/** Each state once, in the order of the text. */
export function printStates(test: HerdTest, states: Iterable<FinalState>): string[] {
  const each = new Set<string>();
  for (const state of states) each.add(printState(test, state));
  return [...each].sort(compareText);
}

export function printValue(value: Value): string {
  switch (value.k) {
    case "int":
      return BigInt.asIntN(64, value.value).toString();
    case "va":
      return value.name;
    case "pte":
      return `PTE(${value.name})`;
    case "pa":
      return `PA(${value.name})`;
    case "label":
      return `label:"P${value.thread}:${value.label}"`;
    case "desc":
      return printDescriptor(value.desc);
  }
}

/** Fields that have their usual value are left out. */
export function printDescriptor(desc: Descriptor): string {
  const fields = desc.oa === undefined ? [] : [`oa:PA(${desc.oa})`];
  for (const name of ["af", "db", "dbm", "valid", "el0"] as const) {
    if (desc[name] !== DESCRIPTOR_DEFAULTS[name]) fields.push(`${name}:${desc[name]}`);
  }
  if (desc.attrs.length > 0) fields.push(`attrs:(${desc.attrs.join(", ")})`);
  return `(${fields.join(", ")})`;
}

function printLocation(location: Location, state: FinalState): string {
  switch (location.k) {
    case "reg": {
      const { thread, number } = location;
      return `${thread}:X${number}=${printValue(state.register(thread, number))}`;
    }
    case "data":
      return `[${location.name}]=${printValue(state.data(location.name))}`;
    case "pte":
      return `[PTE(${location.name})]=${printDescriptor(state.pte(location.name))}`;
  }
}

function printPattern({ thread, label, location, pte, typeText }: FaultPattern): string {
  const parts = [label === undefined ? `P${thread}` : `P${thread}:${label}`];
  if (location !== undefined) parts.push(pte ? `PTE(${location})` : location);
  if (typeText !== undefined) parts.push(typeText);
  return `Fault(${parts.join(",")})`;
}

/** The type is said as the question says it; an unprivileged access to an entry is named so. */
function printFault(test: HerdTest, fault: Fault, { type, typeText }: FaultPattern): string {
  const { thread, label, location, pte } = fault;
  const parts = [label === undefined ? `P${thread}` : `P${thread}:${label}`];
  parts.push(pte ? `PTE(${location})` : location);
  parts.push(type === undefined ? `D-MMU:${fault.type}` : typeText!);
  if (pte && test.threads[thread]!.el0 && fault.type === "Permission") parts.push("EL0");
  return `Fault(${parts.join(",")})`;
}

function compareFaults(a: Fault, b: Fault): number {
  return (
    a.thread - b.thread ||
    compareText(a.label ?? "", b.label ?? "") ||
    Number(a.pte) - Number(b.pte) ||
    compareText(a.location, b.location) ||
    compareText(a.type, b.type)
  );
}
