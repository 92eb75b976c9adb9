// SPDX-License-Identifier: Apache-2.0
// The head of a herd test: its name, what its processors can do, how faults are handled.
//
//   AArch64 LDR-HA+precise
//   "a line of text"
//   TTHM=HA HD          or   TTHM=P1:HA
//   Variant=precise
//   EL0=P0,P2

import { quote } from "../../base/diagnostic.ts";
import { suggestion } from "../../base/suggest.ts";
import { type Source, spanOf } from "./scan.ts";

/** Threads that have a property, or all. */
type Threads = Set<number | "all">;

export interface Head {
  readonly name: string;
  readonly variants: readonly string[];
  readonly HA: ReadonlySet<number | "all">;
  readonly HD: ReadonlySet<number | "all">;
  readonly el0: ReadonlySet<number | "all">;
  /** Offset of the brace that opens the initial state. */
  readonly end: number;
}

const FIRST = /^\s*AArch64(?:[^\S\n]+(\S+))?[^\n]*/;
const PAIR = /^\s*([A-Za-z][\w-]*)\s*=\s*(.*?)\s*$/;
const FEATURE = /^(?:P?(\d{1,3}):)?(HA|HD|SW)$/;
const THREAD = /^P?(\d{1,3})$/;

/** Undefined after a report. */
export function readHead(source: Source): Head | undefined {
  const { text, out } = source;
  const first = FIRST.exec(text);
  if (first?.[1] === undefined) {
    const at = Math.max(0, text.search(/\S/));
    out.report("H001", spanOf(source, at, at + 7), "expected 'AArch64' and the name of the test");
    return undefined;
  }
  const open = text.indexOf("{", first[0].length);
  if (open < 0) {
    const at = text.trimEnd().length;
    out.report("H002", spanOf(source, at, at), "the initial state '{ ... }' is missing");
    return undefined;
  }
  const head = { HA: new Set(), HD: new Set(), el0: new Set() } as Record<
    "HA" | "HD" | "el0",
    Threads
  >;
  const variants: string[] = [];
  for (let at = first[0].length; at < open; ) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 || newline > open ? open : newline;
    readLine(source, at, text.slice(at, end), head, variants);
    at = end + 1;
  }
  return { name: first[1], variants, ...head, end: open };
}

/** A line that is no pair is a description. */
function readLine(
  source: Source,
  offset: number,
  line: string,
  head: Record<"HA" | "HD" | "el0", Threads>,
  variants: string[],
): void {
  const pair = PAIR.exec(line);
  if (!pair) return;
  const key = pair[1]!.toLowerCase();
  if (key === "variant") variants.push(...words(pair[2]!).map((w) => w.toLowerCase()));
  if (key !== "tthm" && key !== "el0") return;
  let from = line.indexOf("=") + 1;
  for (const word of words(pair[2]!)) {
    from = line.indexOf(word, from);
    const at = offset + from;
    const where = spanOf(source, at, at + word.length);
    const feature = key === "tthm" ? FEATURE.exec(word) : THREAD.exec(word);
    if (!feature) {
      const known = key === "tthm" ? suggestion(word, ["HA", "HD"]) : "threads as 'P0'";
      const message = key === "tthm" ? "unknown feature" : "not a thread:";
      source.out.report("H003", where, `${message} ${quote(word)}`, known);
      continue;
    }
    const thread = feature[1] === undefined ? "all" : Number(feature[1]);
    if (key === "el0") head.el0.add(thread);
    else if (feature[2] === "HA" || feature[2] === "HD") head[feature[2]].add(thread);
  }
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== "");
