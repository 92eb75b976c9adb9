// SPDX-License-Identifier: Apache-2.0
// The lines that tracefs takes in `kprobe_events`, made and read by one grammar.
//
//   definition = ("p" | "r512") ":" GROUP "/" EVENT " " SYMBOL *(" " NAME "=" fetch ":" type)
//   fetch      = "$arg" N | "$retval" | "\" IMMEDIATE | "+" OFFSET "(" fetch ")"

/**
 * Calls of a function whose return is awaited at one time. The kernel's own number (10 on a machine
 * of 4 CPUs) is soon used up by faults that wait for a disk, and what comes then is not recorded.
 */
export const RETURNS_AT_ONCE = 512;

/** The group of all events that the recorder defines. */
export const GROUP = "shootdown";

export type Fetch =
  | { readonly kind: "arg"; readonly index: number }
  | { readonly kind: "retval" }
  | { readonly kind: "immediate"; readonly value: number }
  | { readonly kind: "memory"; readonly offset: number; readonly base: Fetch };

export const TYPES = ["u8", "u16", "u32", "u64", "s32", "s64", "x8", "x16", "x32", "x64"] as const;
export type FieldType = (typeof TYPES)[number];

export interface Field {
  readonly name: string;
  readonly fetch: Fetch;
  readonly type: FieldType;
}

export interface Definition {
  readonly kind: "p" | "r";
  readonly event: string;
  readonly symbol: string;
  readonly fields: readonly Field[];
}

export function definitionText({ kind, event, symbol, fields }: Definition): string {
  const args = fields.map(({ name, fetch, type }) => ` ${name}=${fetchText(fetch)}:${type}`);
  const head = kind === "r" ? `r${RETURNS_AT_ONCE}` : kind;
  return `${head}:${GROUP}/${event} ${symbol}${args.join("")}`;
}

export function fetchText(fetch: Fetch): string {
  switch (fetch.kind) {
    case "arg":
      return `$arg${fetch.index}`;
    case "retval":
      return "$retval";
    case "immediate":
      return `\\${fetch.value}`;
    case "memory":
      return `+${fetch.offset}(${fetchText(fetch.base)})`;
  }
}

const HEAD =
  /^(p|r512):shootdown\/([A-Za-z_]\w{0,62}) ([A-Za-z_][\w.]*)((?: [A-Za-z_]\w{0,30}=\S+)*)$/;

/** The kernel keeps this many arguments of an event (MAX_TRACE_ARGS) and of a function. */
const MAX_FIELDS = 128;
const MAX_ARGUMENT = 8;

/** @returns undefined for what is not a definition, in the grammar above. */
export function parseDefinition(text: string): Definition | undefined {
  const [, kind, event, symbol, rest = ""] = HEAD.exec(text) ?? [];
  if (kind === undefined || event === undefined || symbol === undefined) return undefined;
  const fields: Field[] = [];
  for (const part of rest.split(" ").slice(1)) {
    const field = parseField(part);
    if (field === undefined || fields.some(({ name }) => name === field.name)) return undefined;
    if (field.fetch.kind !== "immediate" && readsReturn(field.fetch) !== (kind !== "p")) {
      return undefined;
    }
    fields.push(field);
  }
  if (fields.length > MAX_FIELDS) return undefined;
  return { kind: kind === "p" ? "p" : "r", event, symbol, fields };
}

function parseField(text: string): Field | undefined {
  const [, name, fetch_text, type_text] = /^(\w+)=(\S+):(\w+)$/.exec(text) ?? [];
  const type = TYPES.find((one) => one === type_text);
  const fetch = fetch_text === undefined ? undefined : parseFetch(fetch_text);
  if (name === undefined || type === undefined || fetch === undefined) return undefined;
  return { name, fetch, type };
}

function parseFetch(text: string): Fetch | undefined {
  if (text === "$retval") return { kind: "retval" };
  const index = Number(/^\$arg(\d)$/.exec(text)?.[1] ?? 0);
  if (index >= 1 && index <= MAX_ARGUMENT) return { kind: "arg", index };
  const value = /^\\(\d{1,9})$/.exec(text)?.[1];
  if (value !== undefined) return { kind: "immediate", value: Number(value) };
  const [, offset, inner] = /^\+(\d{1,5})\((.+)\)$/.exec(text) ?? [];
  const base = inner === undefined ? undefined : parseFetch(inner);
  if (offset === undefined || base === undefined || base.kind === "immediate") return undefined;
  return { kind: "memory", offset: Number(offset), base };
}

function readsReturn(fetch: Fetch): boolean {
  return fetch.kind === "memory" ? readsReturn(fetch.base) : fetch.kind === "retval";
}
