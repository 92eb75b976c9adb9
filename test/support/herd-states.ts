// SPDX-License-Identifier: Apache-2.0
// Printed final states read back, to compare the printer and the judge with herd7's own output.

import type {
  Descriptor,
  Fault,
  FaultType,
  FinalState,
  Value,
} from "../../packages/shootdown/src/litmus/herd/ast.ts";
import { DESCRIPTOR_DEFAULTS } from "../../packages/shootdown/src/litmus/herd/ast.ts";

/** The state that herd printed so; what it does not show is not there. */
export function parseState(text: string): FinalState {
  const values = new Map<string, Value>();
  const faults: Fault[] = [];
  for (const [, part = ""] of text.matchAll(/\s*([^;]*);/g)) {
    if (part.startsWith("~")) continue;
    if (part.startsWith("Fault")) faults.push(parseFault(part));
    else
      values.set(part.slice(0, part.indexOf("=")), parseValue(part.slice(part.indexOf("=") + 1)));
  }
  const get = (key: string): Value => {
    const value = values.get(key);
    if (value === undefined) throw new Error(`'${text}' does not show ${key}`);
    return value;
  };
  return {
    faults,
    register: (thread, number) => get(`${thread}:X${number}`),
    data: (name) => get(`[${name}]`),
    pte: (name) => {
      const value = get(`[PTE(${name})]`);
      if (value.k !== "desc") throw new Error(`'${text}' shows a number for an entry`);
      return value.desc;
    },
  };
}

/** The data location, entry or label of `Fault(P0:L0,x,D-MMU:Translation)`. */
function parseFault(text: string): Fault {
  const form = /^Fault\(P(\d+)(?::(\w+))?,(?:PTE\((\w+)\)|(\w+)),(?:D-)?MMU:(\w+)(?:,EL0)?\)$/;
  const match = form.exec(text);
  if (!match) throw new Error(`not a fault: ${text}`);
  const [, thread, label, entry, data, type] = match;
  const location = entry ?? data!;
  return {
    ...{ thread: Number(thread), label, location, pte: entry !== undefined },
    type: type as FaultType,
  };
}

function parseValue(text: string): Value {
  const label = /^label:"P(\d+):(\w+)"$/.exec(text);
  if (label) return { k: "label", thread: Number(label[1]), label: label[2]! };
  if (/^-?\d+$/.test(text)) return { k: "int", value: BigInt(text) };
  if (text.startsWith("(")) return { k: "desc", desc: parseDescriptor(text) };
  const inside = /^(PTE|PA)\((\w+)\)$/.exec(text);
  if (inside) return { k: inside[1] === "PTE" ? "pte" : "pa", name: inside[2]! };
  return { k: "va", name: text };
}

function parseDescriptor(text: string): Descriptor {
  const desc: Record<string, unknown> = { ...DESCRIPTOR_DEFAULTS, oa: undefined };
  for (const [, name = "", value = ""] of text.matchAll(/(\w+):(PA\(\w+\)|\d)/g)) {
    desc[name] = name === "oa" ? value.slice(3, -1) : Number(value);
  }
  return desc as unknown as Descriptor;
}

/** For tests that need no herd: everything has a value. */
export function stateOf(parts: {
  readonly registers?: Readonly<Record<string, Value>>;
  readonly data?: Readonly<Record<string, Value>>;
  readonly ptes?: Readonly<Record<string, Descriptor>>;
  readonly faults?: readonly Fault[];
}): FinalState {
  const zero: Value = { k: "int", value: 0n };
  return {
    faults: parts.faults ?? [],
    register: (thread, number) => parts.registers?.[`${thread}:X${number}`] ?? zero,
    data: (name) => parts.data?.[name] ?? zero,
    pte: (name) => parts.ptes?.[name] ?? { ...DESCRIPTOR_DEFAULTS, oa: name },
  };
}
