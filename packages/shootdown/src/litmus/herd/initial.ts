// SPDX-License-Identifier: Apache-2.0
// The initial state of a herd test, `{ int x=1; pte_x=(oa:PA(y), valid:0); 0:X1=PTE(x); }`.

import { quote } from "../../base/diagnostic.ts";
import type { Descriptor, HerdTest, Location, Value } from "./ast.ts";
import { attempt, Mistake, Scan, type Source, unsupported } from "./scan.ts";
import { type Mention, readDescriptor, readLocation, readValue } from "./values.ts";

type Register = HerdTest["registers"][number];

/** Fills up while the file is read: code and condition mention locations too. */
export class Initial {
  readonly data = new Map<string, Value>();
  readonly ptes = new Map<string, Descriptor>();
  readonly registers: Register[] = [];

  /** A location that nobody gives a value has 0. */
  readonly mention: Mention = (name) => {
    if (!this.data.has(name)) this.data.set(name, { k: "int", value: 0n });
  };
}

/** A type before a location; the name behind it makes it one. */
const TYPE =
  /(?:(?:const|volatile|unsigned|signed)\s+)*[A-Za-z_]\w*(?:\s*\*+\s*|\s+)(?=[A-Za-z_0-9[*])/y;

export function readInitial(source: Source, from: number, end: number): Initial {
  const initial = new Initial();
  const said = new Map<string, string>();
  for (const [start, stop] of pieces(source.text, from, end)) {
    const scan = new Scan(source, start, stop);
    if (!scan.atEnd()) attempt(source, () => readItem(scan, initial, said));
  }
  return initial;
}

/** Between semicolons. */
function pieces(text: string, from: number, end: number): [number, number][] {
  const result: [number, number][] = [];
  for (let at = from; at < end; ) {
    const semicolon = text.indexOf(";", at);
    const stop = semicolon < 0 || semicolon > end ? end : semicolon;
    result.push([at, stop]);
    at = stop + 1;
  }
  return result;
}

function readItem(scan: Scan, initial: Initial, said: Map<string, string>): void {
  const start = scan.at;
  scan.take(TYPE);
  const location = readLocation(scan, initial.mention);
  const key = JSON.stringify(location);
  const text = scan.source.text.slice(start, scan.at).trim();
  if (scan.atEnd()) return;
  scan.expect("=");
  const value = scan.source.text.slice(scan.at, scan.end).replace(/\s+/g, "");
  assign(scan, location, initial);
  if (!scan.atEnd()) throw scan.expected("';'");
  const before = said.get(key);
  if (before !== undefined && before !== value) {
    const span = scan.span(start, start + text.length);
    throw new Mistake("H007", span, `${quote(text)} has two initial values`);
  }
  said.set(key, value);
}

function assign(scan: Scan, location: Location, initial: Initial): void {
  const { mention, ptes, data, registers } = initial;
  if (location.k === "pte") {
    if (scan.sees("(")) ptes.set(location.name, readDescriptor(scan, location.name, mention));
    else {
      readValue(scan, mention);
      unsupported(scan.source, "an entry that is not written as a descriptor");
    }
    return;
  }
  const value = readValue(scan, mention);
  if (location.k === "data") data.set(location.name, value);
  else registers.push({ thread: location.thread, number: location.number, value });
}
