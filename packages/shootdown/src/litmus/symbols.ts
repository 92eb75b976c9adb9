// SPDX-License-Identifier: Apache-2.0
// The names that a scenario declares. They share one space: a name means one thing.
//
//   mm A;  page P;  device D in A;     declared once, used before or after
//   va x;  map A:x; vma A:x; none A:x  an address is declared by its first mention, in this order
//   CPU0(A) { ... }                    a CPU is declared by its program

import { quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";
import type { Body, Item, Name, Scenario, Statement, VerbStatement } from "./ast.ts";
import type { Diagnostics } from "./codes.ts";
import { CPU_NAME, type Dictionary } from "./words.ts";

export type SymbolKind = "mm" | "page" | "va" | "device" | "cpu";

export interface Declared {
  readonly kind: SymbolKind;
  readonly name: Name;
}

export interface Symbols {
  /** Every declared name, in the order of declaration. */
  readonly names: ReadonlyMap<string, Declared>;
  /** Addresses in their order; a neighbour in the list is the next page. */
  readonly addresses: readonly string[];
  /** The place of each address in that list. */
  readonly addressIndex: ReadonlyMap<string, number>;
  /** CPUs and devices with a program. */
  readonly bodies: ReadonlyMap<string, Body>;
  /** Names that some statement raises as a signal. */
  readonly signals: ReadonlySet<string>;
  /** Agent -> names of the registers that its program writes. */
  readonly registers: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Names of all kinds together, and the largest number of a CPU. */
export const MAX_NAMES = 256;
export const MAX_CPU = 63;

const KIND_WORDS: Record<SymbolKind, string> = {
  mm: "an mm",
  page: "a page",
  va: "an address",
  device: "a device",
  cpu: "a CPU",
};

/** Collects the names; what is declared twice or too often goes to `out`. */
export function symbolsOf(scenario: Scenario, dictionary: Dictionary, out: Diagnostics): Symbols {
  const names = new Map<string, Declared>();
  for (const item of scenario.items) {
    if (out.full) break;
    declareItem(item, names, out);
  }
  const bodies = new Map<string, Body>();
  for (const body of scenario.bodies) {
    if (out.full) break;
    declareBody(body, names, bodies, out);
  }
  const last = [...names.values()][MAX_NAMES];
  if (last !== undefined) {
    out.report("L026", last.name.span, `more than ${MAX_NAMES} names in one scenario`);
  }
  const addresses = [...names.keys()].filter((name) => names.get(name)?.kind === "va");
  const addressIndex = new Map(addresses.map((name, i) => [name, i]));
  const signals = new Set<string>();
  for (const body of scenario.bodies) collectSignals(body.statements, dictionary, signals);
  const registers = new Map(
    scenario.bodies.map((b) => [b.agent.text, registersOf(b.statements, dictionary)]),
  );
  return { names, addresses, addressIndex, bodies, signals, registers };
}

/** "an mm", "a page" ... */
export function kindWords(kind: SymbolKind): string {
  return KIND_WORDS[kind];
}

/** Whether `name` is declared as one of `kinds`; reports what it is instead. */
export function expectKind(
  symbols: Symbols,
  name: Name,
  kinds: readonly SymbolKind[],
  out: Diagnostics,
): boolean {
  const declared = symbols.names.get(name.text);
  if (declared !== undefined && kinds.includes(declared.kind)) return true;
  const wanted = kinds.map(kindWords).join(" or ");
  if (declared === undefined) {
    const known = [...symbols.names].filter(([, other]) => kinds.includes(other.kind));
    const hint = suggestion(
      name.text,
      known.map(([text]) => text),
    );
    out.report("L013", name.span, `${quote(name.text)} is not declared as ${wanted}`, hint);
    return false;
  }
  const message = `${quote(name.text)} is ${kindWords(declared.kind)}, not ${wanted}`;
  out.report("L015", name.span, message, { message: "declared here", span: declared.name.span });
  return false;
}

function declareItem(item: Item, names: Map<string, Declared>, out: Diagnostics): void {
  switch (item.kind) {
    case "mm":
    case "page":
    case "va":
      for (const name of item.names) declare(name, item.kind, names, out);
      return;
    case "device":
      declare(item.name, "device", names, out);
      return;
    case "map":
      mention(item.place.va, names, out);
      return;
    case "vma":
    case "none":
      mention(item.pages.from, names, out);
      if (item.pages.to !== undefined) mention(item.pages.to, names, out);
      return;
    case "own-table":
    case "free-frames":
      return;
  }
}

function declareBody(
  body: Body,
  names: Map<string, Declared>,
  bodies: Map<string, Body>,
  out: Diagnostics,
): void {
  const { text, span } = body.agent;
  const first = bodies.get(text);
  if (first !== undefined) {
    const note = { message: "the first is here", span: first.agent.span };
    out.report("L024", span, `${quote(text)} has two programs`, note);
    return;
  }
  bodies.set(text, body);
  const number = CPU_NAME.exec(text)?.[1];
  if (number === undefined) return;
  if (Number(number) > MAX_CPU) {
    out.report("L026", span, `CPUs are numbered 0 to ${MAX_CPU}`);
  }
  declare(body.agent, "cpu", names, out);
}

function declare(
  name: Name,
  kind: SymbolKind,
  names: Map<string, Declared>,
  out: Diagnostics,
): void {
  const first = names.get(name.text);
  if (first === undefined) {
    names.set(name.text, { kind, name });
    return;
  }
  const message = `${quote(name.text)} is already ${kindWords(first.kind)}`;
  const hint = kind === "va" && first.kind === "va" ? "'va' comes before other uses" : undefined;
  out.report("L014", name.span, message, { message: "declared here", span: first.name.span }, hint);
}

function mention(name: Name, names: Map<string, Declared>, out: Diagnostics): void {
  if (names.get(name.text)?.kind !== "va") declare(name, "va", names, out);
}

function collectSignals(
  statements: readonly Statement[],
  dictionary: Dictionary,
  into: Set<string>,
): void {
  for (const statement of statements) {
    if (statement.kind === "loop") collectSignals(statement.body, dictionary, into);
    if (statement.kind !== "verb") continue;
    const params = dictionary.verbs.get(statement.verb.text)?.params ?? [];
    params.forEach((param, i) => {
      const arg = statement.args[i];
      if (param === "signal" && arg?.kind === "name") into.add(arg.name.text);
    });
  }
}

/** Names behind `->` of statements that write a register, in order of appearance. */
function registersOf(statements: readonly Statement[], dictionary: Dictionary): Set<string> {
  const found = new Set<string>();
  for (const s of statements) {
    if (s.kind === "loop") for (const r of registersOf(s.body, dictionary)) found.add(r);
    if (s.kind !== "verb" || s.into === undefined) continue;
    if (dictionary.verbs.get(s.verb.text)?.into === "register") found.add(s.into.text);
  }
  return found;
}

/** How many statements of a program pass a test, those of loops included. */
export function countVerbs(
  statements: readonly Statement[],
  test: (s: VerbStatement) => boolean,
): number {
  return statements.reduce((n, s) => {
    if (s.kind === "loop") return n + countVerbs(s.body, test);
    return n + (s.kind === "verb" && test(s) ? 1 : 0);
  }, 0);
}

/** Calls of routines for which this holds, those inside of loops too. */
export function countCalls(
  statements: readonly Statement[],
  test: (routine: string) => boolean,
): number {
  return statements.reduce((n, s) => {
    if (s.kind === "loop") return n + countCalls(s.body, test);
    return n + (s.kind === "call" && test(s.routine.text) ? 1 : 0);
  }, 0);
}
