// SPDX-License-Identifier: Apache-2.0
// Findings that are alike: the first few in full as they come, the others as a list of lines.
import { printable } from "../base/diagnostic.ts";
import type { Finding } from "../trace/finding.ts";
import { breakWords } from "./columns.ts";
import { findingLines, MAIL_WIDTH, shortSentence } from "./trace-finding.ts";

/** Findings of a group that are printed in full. */
const SHOWN = 3;
/** Groups that are told apart; what is in none of them is printed in full. */
const MAX_GROUPS = 1024;
/** Lines that are remembered of all groups. */
const MAX_LINES = 65_536;
const INDENT = 4;

interface Group {
  readonly file: string;
  readonly first: Finding;
  shown: number;
  more: number;
  readonly lines: number[];
  /** Kept while it is the only one that is not shown. */
  only: Finding | undefined;
}

export class FindingGroups {
  readonly #groups = new Map<string, Group>();
  #remembered = 0;

  /** The lines to print now; none if the finding is one of many. */
  add(file: string, finding: Finding): string[] {
    const key = keyOf(file, finding);
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= MAX_GROUPS) return findingLines(file, finding);
      group = { file, first: finding, shown: 0, more: 0, lines: [], only: undefined };
      this.#groups.set(key, group);
    }
    if (group.shown < SHOWN) {
      group.shown++;
      return findingLines(file, finding);
    }
    group.more++;
    group.only = group.more === 1 ? finding : undefined;
    if (this.#remembered < MAX_LINES) {
      this.#remembered++;
      group.lines.push(finding.line);
    }
    return [];
  }

  /** What was not printed yet, group by group. */
  rest(): string[] {
    return [...this.#groups.values()].flatMap((group) => {
      if (group.only !== undefined) return findingLines(group.file, group.only);
      return group.more === 0 ? [] : listed(group);
    });
  }
}

/** Alike: the same class, operation, caller and reason. */
function keyOf(file: string, finding: Finding): string {
  const { class: found, operation, change, caller, rule, device } = finding;
  return [file, found, operation, change, caller, rule, device].join("\u0000");
}

function listed({ file, first, more, lines }: Group): string[] {
  const { class: found, caller } = first;
  const by = caller === undefined ? "" : `, called by ${caller}`;
  const like = `${more} more like line ${first.line}`;
  const head = `${file}: ${found}: ${like}: ${shortSentence(first)}${by}`;
  const left = more - lines.length;
  const words = ["lines", ...lines.map(String), ...(left > 0 ? [`and ${left} more (--all)`] : [])];
  return [...broken(printable(head).split(" "), 0), ...broken(words, INDENT)];
}

function broken(words: readonly string[], indent: number): string[] {
  const lines = breakWords(words, MAIL_WIDTH - INDENT);
  return lines.map((line, at) => " ".repeat(at === 0 ? indent : INDENT) + line);
}
