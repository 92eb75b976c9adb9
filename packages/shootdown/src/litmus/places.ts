// SPDX-License-Identifier: Apache-2.0
// The initial state of each page of each mm, with every default filled in.
//
//   vma A:x writable;               what the kernel would allow
//   map A:x -> P read-only;         what the page-table entry says now
//
// Defaults, in this order:
//   vma          words of `vma`; else of `map`; else writable, anonymous, private
//   exclusive    a private anonymous page, not the zero page, that is mapped once
//   writable     if the vma is, and the mapping is a shared one or the page exclusive
//   dirty        if writable
//   young        yes

import { quote } from "../base/diagnostic.ts";
import type { Span } from "../base/span.ts";
import type { MapItem, Name, Scenario, VaRange, VmaAttributes } from "./ast.ts";
import { checkFiles } from "./check-files.ts";
import { Diagnostics } from "./codes.ts";
import { type Symbols, symbolsOf } from "./symbols.ts";
import { STANDARD_DICTIONARY } from "./words.ts";

export interface InitialVma {
  readonly writable: boolean;
  readonly backing: "anonymous" | "file";
  readonly sharing: "private" | "shared-mapping";
}

export interface InitialPte {
  readonly page: string;
  readonly writable: boolean;
  readonly dirty: boolean;
  readonly young: boolean;
  /** Private and mapped nowhere else, so that a write needs no copy. */
  readonly exclusive: boolean;
  /** An entry for every ASID; one of a contiguous group. */
  readonly global: boolean;
  readonly contiguous: boolean;
  /** A piece of a block in place of the page table. */
  readonly huge: boolean;
}

export interface InitialPlace {
  readonly mm: string;
  readonly va: string;
  readonly vma: InitialVma;
  /** Absent if nothing is mapped. */
  readonly pte?: InitialPte;
  /** The page that the file has there, if the cache holds one. */
  readonly cached?: string;
  /** Places of one number have a page table to themselves. */
  readonly ownTable?: number;
}

interface Draft {
  readonly mm: string;
  readonly va: string;
  readonly first: Span;
  vma?: { readonly attributes: VmaAttributes; readonly span: Span };
  map?: MapItem;
  none?: Span;
  ownTable?: { readonly number: number; readonly span: Span };
}

/** The places of a scenario that `parseScenario` accepted: by mm, then by address. */
export function placesOf(scenario: Scenario): InitialPlace[] {
  const out = new Diagnostics();
  const symbols = symbolsOf(scenario, STANDARD_DICTIONARY, out);
  return resolvePlaces(scenario, symbols, out);
}

/** The same, with the contradictions among the declarations reported to `out`. */
export function resolvePlaces(
  scenario: Scenario,
  symbols: Symbols,
  out: Diagnostics,
): InitialPlace[] {
  const drafts = draftPlaces(scenario, symbols, out);
  const zero = new Set<string>();
  for (const item of scenario.items) {
    if (item.kind !== "page" || item.attributes.content === undefined) continue;
    for (const name of item.names) zero.add(name.text);
  }
  const uses = new Map<string, MapItem[]>();
  for (const { map } of drafts.values()) {
    if (map === undefined) continue;
    const list = uses.get(map.page.text);
    if (list === undefined) uses.set(map.page.text, [map]);
    else list.push(map);
  }
  const places: InitialPlace[] = [];
  const mapped: { place: InitialPlace; map: MapItem }[] = [];
  for (const mm of symbols.names.keys()) {
    for (const va of symbols.addresses) {
      const draft = drafts.get(`${mm}:${va}`);
      if (draft === undefined) continue;
      const place = finish(draft, zero, uses, out);
      places.push(place);
      if (draft.map) mapped.push({ place, map: draft.map });
    }
  }
  checkFiles(mapped, zero, out);
  checkCached(scenario, symbols, drafts, out);
  return places;
}

/** The names of a range, both ends included; reports a range that runs backwards. */
export function expandRange(range: VaRange, symbols: Symbols, out: Diagnostics): string[] {
  const from = symbols.addressIndex.get(range.from.text);
  const to = symbols.addressIndex.get((range.to ?? range.from).text);
  if (from === undefined || to === undefined) return [];
  if (from > to) {
    const order = `the order is ${symbols.addresses.slice(to, from + 1).join(", ")}`;
    const hint = "a 'va' declaration at the start fixes another order";
    out.report("L023", range.span, "the range runs backwards", order, hint);
  }
  return symbols.addresses.slice(from, to + 1);
}

function draftPlaces(scenario: Scenario, symbols: Symbols, out: Diagnostics): Map<string, Draft> {
  const drafts = new Map<string, Draft>();
  const draftsOf = (mm: Name, range: VaRange): Draft[] =>
    expandRange(range, symbols, out).map((va) => {
      const key = `${mm.text}:${va}`;
      const draft = drafts.get(key) ?? { mm: mm.text, va, first: range.span };
      drafts.set(key, draft);
      return draft;
    });
  const clash = (draft: Draft, at: Span, what: string, first: Span) => {
    const note = { message: "first here", span: first };
    out.report("L019", at, `${draft.mm}:${draft.va} ${what}`, note);
  };
  for (const item of scenario.items) {
    if (out.full) break;
    if (item.kind === "map") {
      const { mm, va, span } = item.place;
      for (const draft of draftsOf(mm, { from: va, span })) {
        if (draft.map !== undefined) clash(draft, span, "is mapped twice", draft.map.place.span);
        else draft.map = item;
      }
    } else if (item.kind === "vma") {
      const { mm, span } = item.pages;
      for (const draft of draftsOf(mm, item.pages)) {
        if (draft.vma !== undefined) clash(draft, span, "lies in two vmas", draft.vma.span);
        else draft.vma = { attributes: item.attributes, span };
      }
    } else if (item.kind === "none") {
      for (const draft of draftsOf(item.pages.mm, item.pages)) draft.none ??= item.pages.span;
    }
  }
  for (const draft of drafts.values()) {
    if (draft.map !== undefined && draft.none !== undefined) {
      clash(draft, draft.none, "is both mapped and 'none'", draft.map.place.span);
    }
  }
  addOwnTables(scenario, symbols, drafts, out);
  addBlocks(scenario, symbols, drafts, out);
  return drafts;
}

function addOwnTables(
  scenario: Scenario,
  symbols: Symbols,
  drafts: Map<string, Draft>,
  out: Diagnostics,
): void {
  let number = 0;
  for (const item of scenario.items) {
    if (out.full) return;
    if (item.kind !== "own-table") continue;
    number++;
    const { mm, span } = item.pages;
    const names = expandRange(item.pages, symbols, out);
    // A block maps all of its table.
    const huge = names.some((va) => drafts.get(`${mm.text}:${va}`)?.map?.attributes.size);
    for (const va of names) {
      const key = `${mm.text}:${va}`;
      if (huge && !drafts.has(key)) drafts.set(key, { mm: mm.text, va, first: span });
      const draft = drafts.get(key);
      if (draft === undefined) {
        out.report("L019", span, `no vma at ${mm.text}:${va}, so no page table`);
      } else if (draft.ownTable !== undefined) {
        const note = { message: "first here", span: draft.ownTable.span };
        out.report("L019", span, `${mm.text}:${va} has two page tables`, note);
      } else draft.ownTable = { number, span };
    }
  }
}

/**
 * A block maps all addresses of a table: the first to the page that is named, the others to those
 * declared behind it. Each gets a `map` of its own here.
 */
function addBlocks(
  scenario: Scenario,
  symbols: Symbols,
  drafts: Map<string, Draft>,
  out: Diagnostics,
): void {
  const pages = scenario.items.flatMap((i) => (i.kind === "page" ? i.names : []));
  const maps = scenario.items.filter((i) => i.kind === "map" && i.attributes.size !== undefined);
  let length: number | undefined;
  for (const item of maps) {
    if (item.kind !== "map" || out.full) return;
    const { mm, va, span } = item.place;
    const tableOf = (name: string) => drafts.get(`${mm.text}:${name}`)?.ownTable?.number;
    const all = symbols.addresses.filter((a) => tableOf(a) === tableOf(va.text));
    const first = pages.findIndex((p) => p.text === item.page.text);
    const wrong = (message: string, ...notes: string[]) =>
      out.report("L019", span, message, ...notes);
    length ??= all.length;
    if (saysTheSame(drafts.get(`${mm.text}:${va.text}`)?.map, item)) continue;
    if (va.text !== all[0]) wrong("a block begins at the first address of its table", `${all[0]}`);
    else if (all.length < 2)
      wrong("a block of one page", "declare more addresses, or leave 'huge' out");
    else if (all.length !== length) wrong("blocks of different sizes");
    else if (pages.length < first + all.length) {
      wrong(`a block of ${all.length} pages`, `declare more pages behind ${item.page.text}`);
    }
    for (const [n, name] of all.entries()) {
      const page = pages[first + n];
      const key = `${mm.text}:${name}`;
      const draft = drafts.get(key) ?? { mm: mm.text, va: name, first: span };
      if (n === 0 || page === undefined) continue;
      const at = { ...item.place, va: { ...va, text: name } };
      const piece = { ...item, place: at, page: { ...item.page, text: page.text } };
      if (draft.none ?? (draft.map && !saysTheSame(piece, draft.map))) {
        wrong(`${key} lies in this block, and is declared apart`);
      }
      draft.map = piece;
      drafts.set(key, draft);
    }
  }
  const tables = new Map<number | undefined, number>();
  for (const a of symbols.addresses) {
    const of = [...drafts.values()].find((d) => d.va === a)?.ownTable?.number;
    tables.set(of, (tables.get(of) ?? 0) + 1);
  }
  const [map] = maps;
  if (map && length !== undefined && [...tables.values()].some((n) => n > length)) {
    out.report("L019", map.span, `a table has more addresses than the ${length} of a block`);
  }
}

/** A `map` of another address of a block, which adds nothing to what the first one said. */
const saysTheSame = (known: MapItem | undefined, item: MapItem): boolean =>
  known !== undefined &&
  known !== item &&
  known.page.text === item.page.text &&
  JSON.stringify(words(known)) === JSON.stringify(words(item));

const words = ({ attributes }: MapItem) =>
  Object.entries(attributes)
    .map(([group, name]) => `${group} ${name.text}`)
    .sort();

function finish(
  draft: Draft,
  zero: ReadonlySet<string>,
  uses: ReadonlyMap<string, MapItem[]>,
  out: Diagnostics,
): InitialPlace {
  const { mm, va, map } = draft;
  const vma = finishVma(draft, out);
  const found = map && finishPte(map, vma, zero.has(map.page.text), uses, out);
  const pte = map?.attributes.presence === undefined ? found : undefined;
  const isCached = map !== undefined && vma.backing === "file" && !found?.exclusive;
  return {
    mm,
    va,
    vma,
    ...(pte === undefined ? {} : { pte }),
    ...(isCached ? { cached: map.page.text } : {}),
    ...(draft.ownTable === undefined ? {} : { ownTable: draft.ownTable.number }),
  };
}

function finishVma({ vma, map }: Draft, out: Diagnostics): InitialVma {
  const said = vma?.attributes ?? {};
  const mapped = map?.attributes ?? {};
  for (const group of ["backing", "sharing"] as const) {
    const [a, b] = [said[group], mapped[group]];
    if (a === undefined || b === undefined || a.text === b.text) continue;
    const note = { message: "the vma says otherwise", span: a.span };
    out.report("L019", b.span, `'${b.text}' in a vma that is ${quote(a.text)}`, note);
  }
  const permission = said.permission ?? (vma === undefined ? mapped.permission : undefined);
  const sharing = (said.sharing ?? mapped.sharing)?.text ?? "private";
  const isShared = sharing === "shared-mapping";
  return {
    writable: permission?.text !== "read-only",
    backing: (said.backing ?? mapped.backing)?.text ?? (isShared ? "file" : "anonymous"),
    sharing,
  };
}

function finishPte(
  map: MapItem,
  vma: InitialVma,
  isZero: boolean,
  uses: ReadonlyMap<string, MapItem[]>,
  out: Diagnostics,
): InitialPte {
  const { permission, dirtiness, age, ownership } = map.attributes;
  const users = uses.get(map.page.text) ?? [map];
  const isPrivate = vma.sharing === "private";
  const own = isPrivate && vma.backing === "anonymous" && users.length === 1 && !isZero;
  const exclusive = ownership === undefined ? own : ownership.text === "exclusive";
  const mayWrite = vma.writable && (!isPrivate || exclusive) && !isZero;
  const writable = permission === undefined ? mayWrite : permission.text === "writable";
  const dirty = dirtiness === undefined ? writable : dirtiness.text === "dirty";

  const impossible = (at: Name | undefined, message: string, why: string, other?: Span) =>
    out.report(
      "L019",
      at?.span ?? map.place.span,
      message,
      other === undefined ? why : { message: why, span: other },
    );
  const another = users.find((other) => other !== map);
  if (exclusive && isZero) impossible(ownership, "the zero page is nobody's", "leave it out");
  else if (exclusive && !isPrivate) {
    impossible(
      ownership,
      "'exclusive' in a shared mapping",
      "only a private page can be exclusive",
    );
  } else if (exclusive && another !== undefined) {
    const message = `${quote(map.page.text)} is exclusive but mapped elsewhere`;
    impossible(ownership, message, "also mapped here", another.place.span);
  }
  if (writable && !vma.writable) {
    impossible(permission, "a writable page in a read-only vma", "leave 'writable' out");
  } else if (writable && isZero) {
    impossible(permission, "the zero page is never writable", "leave 'writable' out");
  } else if (writable && isPrivate && !exclusive) {
    const why = "the kernel lets a write through only where no copy is needed: 'exclusive'";
    impossible(permission, "a private page that is writable but not exclusive", why);
  } else if (dirty && isZero)
    impossible(dirtiness, "the zero page is never dirty", "leave 'dirty' out");
  return {
    page: map.page.text,
    ...{ writable, dirty, young: age?.text !== "old", exclusive },
    global: map.attributes.scope !== undefined,
    contiguous: map.attributes.group !== undefined,
    huge: map.attributes.size !== undefined,
  };
}

/** What a device holds at the start was filled from the page table. */
function checkCached(
  scenario: Scenario,
  symbols: Symbols,
  drafts: ReadonlyMap<string, Draft>,
  out: Diagnostics,
): void {
  for (const item of scenario.items) {
    if (item.kind !== "device") continue;
    for (const range of item.cached) {
      if (out.full) return;
      for (const va of expandRange(range, symbols, out)) {
        const map = drafts.get(`${item.mm.text}:${va}`)?.map;
        if (map !== undefined && map.attributes.presence === undefined) continue;
        const place = `${item.mm.text}:${va}`;
        out.report("L019", range.span, `nothing is mapped at ${place}, so nothing is cached`);
      }
    }
  }
}
