// SPDX-License-Identifier: Apache-2.0
// What initial state and condition are made of: values, descriptors, locations.
//
//   value       5  0x10  x  &x  PTE(x)  pte_x  PA(x)  phy_x  label:"P1:L0"  (oa:PA(x), valid:0)
//   location    0:X1  P0:X1  x  [x]  pte_x  PTE(x)  [PTE(x)]

import { quote } from "../../base/diagnostic.ts";
import { DESCRIPTOR_DEFAULTS, type Descriptor, type Location, type Value } from "./ast.ts";
import { type Scan, unsupported } from "./scan.ts";

/** Who wants to know each data location that is mentioned. */
export type Mention = (name: string) => void;

const NUMBER = /-?(?:0[xX][0-9A-Fa-f]+|[0-9]+)(?![\w])/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const ENTRY = /(?:PTE|TTD)\s*\(/y;
const PHYSICAL = /PA\s*\(/y;
const LABEL = /label\s*:\s*"\s*P?([0-9]+)\s*:\s*([\w.$]+)\s*"/y;
const PLAIN_LABEL = /P?([0-9]+)\s*:\s*([A-Za-z_][\w.$]*)/y;
const INSTRUCTION = /(?:instr\s*:\s*"[^"]*"|instr\s*:)/y;
const REGISTER_LOCATION = /P?([0-9]{1,4})\s*:\s*([A-Za-z][A-Za-z0-9_]*)/y;
const REGISTER = /^([XW])([0-9]{1,2})$/i;
const FIELD = /[A-Za-z][A-Za-z0-9_]*/y;
const ATTRIBUTE = /[A-Za-z0-9_-]+/y;
const BITS = ["valid", "af", "db", "dbm", "el0"] as const;

/** Numbers are those of a 64-bit register. */
const BIGGEST = 1n << 64n;
const LAST_REGISTER = 30;

export function isBit(name: string): name is (typeof BITS)[number] {
  return (BITS as readonly string[]).includes(name);
}

/** Decimal or hexadecimal, with a sign. */
export function readNumber(scan: Scan): bigint | undefined {
  const match = scan.take(NUMBER);
  if (match === undefined) return undefined;
  const text = match[0];
  const value = text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
  if (value < BIGGEST && value >= -BIGGEST / 2n) return value;
  throw scan.mistake("H008", match, `${quote(text)} does not fit 64 bits`);
}

export function readValue(scan: Scan, mention: Mention): Value {
  const value = plainValue(scan, mention);
  const tail = scan.look(/[+[:.]/y);
  if (tail !== undefined) {
    unsupported(scan.source, tail[0] === "[" ? "arrays" : "computed or tagged addresses");
    scan.rest();
  }
  return value;
}

function plainValue(scan: Scan, mention: Mention): Value {
  const label = scan.take(LABEL) ?? scan.take(PLAIN_LABEL);
  if (label) return { k: "label", thread: Number(label[1]), label: label[2]! };
  const number = readNumber(scan);
  if (number !== undefined) return { k: "int", value: number };
  if (scan.sees("(")) return { k: "desc", desc: readDescriptor(scan, undefined, mention) };
  if (scan.sees("{") || scan.look(INSTRUCTION)) {
    unsupported(scan.source, scan.sees("{") ? "arrays" : "instructions as data");
    scan.rest();
    return { k: "int", value: 0n };
  }
  scan.eat("&");
  if (scan.take(ENTRY)) return { k: "pte", name: insideParentheses(scan, mention) };
  if (scan.take(PHYSICAL)) return { k: "pa", name: insideParentheses(scan, mention) };
  return addressOf(scan.need(NAME, "a value")[0], scan, mention);
}

/** `x`, `pte_x`, `phy_x`. */
function addressOf(word: string, scan: Scan, mention: Mention): Value {
  const prefixed = /^(pte|ttd|phy|pa)_(\w+)$/.exec(word);
  const name = prefixed?.[2] ?? word;
  if (prefixed && /^(pte|ttd)_/.test(name)) unsupported(scan.source, "entries of entries");
  mention(name);
  if (!prefixed) return { k: "va", name };
  return { k: prefixed[1] === "pte" || prefixed[1] === "ttd" ? "pte" : "pa", name };
}

function insideParentheses(scan: Scan, mention: Mention): string {
  if (scan.look(ENTRY)) {
    unsupported(scan.source, "entries of entries");
    scan.take(ENTRY);
    const inner = insideParentheses(scan, mention);
    scan.expect(")");
    return inner;
  }
  const name = scan.need(NAME, "the name of a location")[0];
  scan.expect(")");
  mention(name);
  return name;
}

/** `(oa:PA(x), valid:0)`; `oa` where nothing is said. */
export function readDescriptor(scan: Scan, oa: string | undefined, mention: Mention): Descriptor {
  const desc: { -readonly [K in keyof Descriptor]: Descriptor[K] } = { ...DESCRIPTOR_DEFAULTS, oa };
  const said = new Set<string>();
  scan.expect("(");
  do {
    const field = scan.need(FIELD, "a field of a descriptor");
    const name = field[0];
    if (said.has(name)) throw scan.mistake("H007", field, `${quote(name)} is said twice`);
    said.add(name);
    if (!isBit(name) && name !== "oa" && name !== "attrs") {
      throw scan.unknown("field", field, ["oa", ...BITS, "attrs"]);
    }
    scan.expect(":");
    if (name === "oa") desc.oa = readPhysical(scan, mention);
    else if (name === "attrs") desc.attrs = readAttributes(scan);
    else desc[name] = Number(scan.need(/[01](?!\w)/y, "0 or 1")[0]);
  } while (scan.eat(","));
  scan.expect(")", " at the end of the descriptor");
  return desc;
}

function readPhysical(scan: Scan, mention: Mention): string {
  const prefixed = scan.take(/(?:phy|pa)_(\w+)/y);
  if (!prefixed) {
    scan.need(PHYSICAL, "a physical address as 'PA(x)' or 'phy_x'");
    return insideParentheses(scan, mention);
  }
  mention(prefixed[1]!);
  return prefixed[1]!;
}

function readAttributes(scan: Scan): string[] {
  const attrs: string[] = [];
  const list = scan.eat("(");
  do attrs.push(scan.need(ATTRIBUTE, "a memory attribute")[0]);
  while (list && scan.eat(","));
  if (list) scan.expect(")");
  return attrs;
}

export function readLocation(scan: Scan, mention: Mention): Location {
  const register = scan.take(REGISTER_LOCATION);
  if (register) return registerOf(scan, register);
  const bracket = scan.eat("[");
  const location = memoryOf(scan, mention);
  if (bracket) scan.expect("]");
  else if (scan.sees("[")) {
    unsupported(scan.source, "arrays");
    scan.take(/\[[^\]]*\]/y);
  }
  return location;
}

function memoryOf(scan: Scan, mention: Mention): Location {
  if (scan.take(ENTRY)) return { k: "pte", name: insideParentheses(scan, mention) };
  if (scan.take(PHYSICAL)) return { k: "data", name: insideParentheses(scan, mention) };
  const { k, name } = addressOf(scan.need(NAME, "a location")[0], scan, mention) as {
    k: "va" | "pte" | "pa";
    name: string;
  };
  return { k: k === "pte" ? "pte" : "data", name };
}

function registerOf(scan: Scan, match: RegExpExecArray): Location {
  const thread = Number(match[1]);
  const parts = REGISTER.exec(match[2]!);
  const number = Number(parts?.[2]);
  if (parts && number <= LAST_REGISTER) {
    return { k: "reg", thread, number, bits: parts[1]!.toUpperCase() === "W" ? 32 : 64 };
  }
  if (!/^(?:SP|[VQDSBHZP][0-9]+|[A-Z_]+_EL[0-3]|NZCV)$/i.test(match[2]!)) {
    throw scan.mistake("H003", match, `unknown register ${quote(match[2]!)}`);
  }
  unsupported(scan.source, `register ${match[2]!.toUpperCase()}`);
  return { k: "reg", thread, number: 0, bits: 64 };
}
