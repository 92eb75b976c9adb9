// SPDX-License-Identifier: Apache-2.0
// The initial state of a scenario: `{`, declarations that each end with `;`, and `}`.
//
//   { mm A; page P; map A:x -> P read-only; vma A:x writable; device D in A cached x; }

import { quote } from "../base/diagnostic.ts";
import { joinSpans, type Span } from "../base/span.ts";
import { suggestion } from "../base/suggest.ts";
import type { Attributes, Item, Name, NumberLiteral, Place, PlaceRange, VaRange } from "./ast.ts";
import type { Lexer } from "./lexer.ts";
import {
  CPU_NAME,
  DEVICE_ATTRIBUTES,
  MAP_ATTRIBUTES,
  PAGE_ATTRIBUTES,
  RESERVED,
  VMA_ATTRIBUTES,
} from "./words.ts";

type Groups = Record<string, readonly string[]>;

/** Reads what follows the keyword; undefined after a reported error. */
type ItemReader = (lexer: Lexer, keyword: Name) => Item | undefined;

/** Numbers in a scenario are small; more digits are a slip. */
export const MAX_NUMBER = 65535;

const READERS: ReadonlyMap<string, ItemReader> = new Map<string, ItemReader>([
  ["mm", readMm],
  ["page", readPage],
  ["frame", readPage],
  ["va", readVa],
  ["map", readMap],
  ["vma", readVma],
  ["none", readNone],
  ["own-table", readOwnTable],
  ["device", readDevice],
  ["free-frames", readFreeFrames],
]);

/** The next token is the `{`, if there is one. */
export function readItems(lexer: Lexer): Item[] {
  const items: Item[] = [];
  if (!lexer.expect("{", " and the initial state")) {
    while (!lexer.atEnd() && !lexer.at("{", ...READERS.keys())) lexer.advance();
    lexer.eat("{");
  }
  while (!lexer.atEnd() && !lexer.at("}") && !beyondItems(lexer)) {
    const item = readItem(lexer);
    if (item === undefined) lexer.recover();
    else items.push(item);
  }
  lexer.expect("}", " after the initial state");
  return items;
}

/** A name that is declared here: not a reserved word. */
export function readNewName(lexer: Lexer, what: string): Name | undefined {
  const name = lexer.word(what);
  if (name === undefined) return undefined;
  if (RESERVED.includes(name.text)) {
    lexer.report("L025", name.span, `${quote(name.text)} is a word of the language, not a name`);
  } else if (CPU_NAME.test(name.text)) {
    const hint = "CPUs need no declaration: a program 'CPU0(A) { ... }' is enough";
    lexer.report("L025", name.span, `${quote(name.text)} is the name of a CPU`, hint);
  }
  return name;
}

/** A decimal number of at most MAX_NUMBER. */
export function readNumber(lexer: Lexer): NumberLiteral | undefined {
  const { kind, text, span } = lexer.token;
  if (kind !== "number") {
    lexer.unexpected("a number");
    return undefined;
  }
  lexer.advance();
  const value = text.length > 12 ? Number.POSITIVE_INFINITY : Number(text);
  if (value > MAX_NUMBER) {
    lexer.report("L026", span, `${quote(text)} is too large; the limit is ${MAX_NUMBER}`);
    return { kind: "number", value: 0, span };
  }
  return { kind: "number", value, span };
}

/** `to` behind `..`, after `from`; undefined after an error, null if there is none. */
export function readRangeEnd(lexer: Lexer): Name | undefined | null {
  return lexer.eat("..") ? lexer.word("the last address of the range") : null;
}

/** `MM:VA`, after the mm has been read. */
export function readPlaceAfter(lexer: Lexer, mm: Name): Place | undefined {
  if (!lexer.expect(":", ` and an address after the mm ${quote(mm.text)}`)) return undefined;
  const va = lexer.word("an address");
  return va && { kind: "place", mm, va, span: joinSpans(mm.span, va.span) };
}

/** At something that cannot be a declaration: a '}' is missing. */
function beyondItems(lexer: Lexer): boolean {
  return lexer.at("exists", "forall", "~") || CPU_NAME.test(lexer.token.text);
}

function readItem(lexer: Lexer): Item | undefined {
  const keyword = lexer.token;
  const reader = keyword.kind === "word" ? READERS.get(keyword.text) : undefined;
  if (reader === undefined) {
    if (keyword.kind !== "word") lexer.unexpected("a declaration such as 'mm A;'");
    else {
      const hint = suggestion(keyword.text, READERS.keys());
      lexer.report("L017", keyword.span, `unknown declaration ${quote(keyword.text)}`, hint);
    }
    return undefined;
  }
  lexer.advance();
  const item = reader(lexer, keyword);
  if (item === undefined || !lexer.expect(";", ` after '${keyword.text}'`)) return undefined;
  return item;
}

function readMm(lexer: Lexer, keyword: Name): Item | undefined {
  const names = readNames(lexer, "the name of an mm");
  return names && { kind: "mm", names, span: since(keyword, lexer) };
}

/** In a condition `A:x = none`, `CPU0:r0 = fault`: a page of that name could not be meant. */
const NO_PAGE: readonly string[] = ["none", "fault"];

function readPage(lexer: Lexer, keyword: Name): Item | undefined {
  const names = readNames(lexer, "the name of a page");
  if (names === undefined) return undefined;
  for (const { text, span } of names.filter((n) => NO_PAGE.includes(n.text))) {
    lexer.report("L025", span, `${quote(text)} is what stands where no page is, not a page`);
  }
  const attributes = readAttributes(lexer, PAGE_ATTRIBUTES);
  return { kind: "page", names, attributes, span: since(keyword, lexer) };
}

function readVa(lexer: Lexer, keyword: Name): Item | undefined {
  const names = readNames(lexer, "the name of an address");
  return names && { kind: "va", names, span: since(keyword, lexer) };
}

function readMap(lexer: Lexer, keyword: Name): Item | undefined {
  const mm = lexer.word("a place such as 'A:x'");
  const place = mm && readPlaceAfter(lexer, mm);
  if (place === undefined || !lexer.expect("->", " and the page that is mapped")) return undefined;
  const page = lexer.word("the name of a page");
  if (page === undefined) return undefined;
  const attributes = readAttributes(lexer, MAP_ATTRIBUTES);
  return { kind: "map", place, page, attributes, span: since(keyword, lexer) };
}

function readVma(lexer: Lexer, keyword: Name): Item | undefined {
  const pages = readPlaceRange(lexer);
  if (pages === undefined) return undefined;
  const attributes = readAttributes(lexer, VMA_ATTRIBUTES);
  return { kind: "vma", pages, attributes, span: since(keyword, lexer) };
}

function readNone(lexer: Lexer, keyword: Name): Item | undefined {
  const pages = readPlaceRange(lexer);
  return pages && { kind: "none", pages, span: since(keyword, lexer) };
}

function readOwnTable(lexer: Lexer, keyword: Name): Item | undefined {
  const pages = readPlaceRange(lexer);
  return pages && { kind: "own-table", pages, span: since(keyword, lexer) };
}

function readDevice(lexer: Lexer, keyword: Name): Item | undefined {
  const name = readNewName(lexer, "the name of a device");
  if (name === undefined || !lexer.expect("in", " and the mm of the device")) return undefined;
  const mm = lexer.word("the name of an mm");
  if (mm === undefined) return undefined;
  const cached: VaRange[] = [];
  const readCached = () => {
    do {
      const range = readVaRange(lexer);
      if (range === undefined) return false;
      cached.push(range);
    } while (lexer.eat(","));
    return true;
  };
  const clauses = new Map([["cached", readCached]]);
  const attributes = readAttributes(lexer, DEVICE_ATTRIBUTES, clauses);
  return { kind: "device", name, mm, attributes, cached, span: since(keyword, lexer) };
}

function readFreeFrames(lexer: Lexer, keyword: Name): Item | undefined {
  const count = readNumber(lexer);
  return count && { kind: "free-frames", count, span: since(keyword, lexer) };
}

function readNames(lexer: Lexer, what: string): Name[] | undefined {
  const names: Name[] = [];
  do {
    const name = readNewName(lexer, what);
    if (name === undefined) return undefined;
    names.push(name);
  } while (lexer.eat(","));
  return names;
}

function readVaRange(lexer: Lexer): VaRange | undefined {
  const from = lexer.word("an address");
  const to = from && readRangeEnd(lexer);
  if (from === undefined || to === undefined) return undefined;
  return to === null
    ? { from, span: from.span }
    : { from, to, span: joinSpans(from.span, to.span) };
}

function readPlaceRange(lexer: Lexer): PlaceRange | undefined {
  const mm = lexer.word("a place such as 'A:x'");
  const place = mm && readPlaceAfter(lexer, mm);
  const to = place && readRangeEnd(lexer);
  if (place === undefined || to === undefined) return undefined;
  const first = { mm: place.mm, from: place.va, span: place.span };
  return to === null ? first : { ...first, to, span: joinSpans(place.span, to.span) };
}

/**
 * The words up to the next mark, at most one of each group. A clause is a word with something
 * behind it, read by its function, which says whether it succeeded.
 */
function readAttributes<G extends Groups>(
  lexer: Lexer,
  groups: G,
  clauses: ReadonlyMap<string, () => boolean> = new Map(),
): Attributes<G> {
  const found: Record<string, Name> = {};
  while (lexer.token.kind === "word") {
    const { text, span } = lexer.token;
    const clause = clauses.get(text);
    const group = Object.keys(groups).find((key) => groups[key]!.includes(text));
    if (clause === undefined && group === undefined) {
      // On a new line it is rather the next declaration, and a ';' is missing.
      if (span.line > lexer.previous.span.line) break;
      const hint = suggestion(text, [...Object.values(groups).flat(), ...clauses.keys()]);
      lexer.report("L018", span, `unknown attribute ${quote(text)}`, hint);
    }
    lexer.advance();
    if (clause !== undefined) {
      if (!clause()) break;
    } else if (group !== undefined) {
      const other = found[group];
      if (other === undefined) found[group] = { text, span };
      else {
        const why = other.text === text ? "stands twice" : `excludes '${other.text}'`;
        lexer.report("L016", span, `'${text}' ${why}`);
      }
    }
  }
  return found as Attributes<G>;
}

/** From the keyword to the last token that was read. */
function since(keyword: Name, lexer: Lexer): Span {
  return joinSpans(keyword.span, lexer.previous.span);
}
