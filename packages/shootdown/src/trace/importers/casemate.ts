// SPDX-License-Identifier: Apache-2.0
// Logs of casemate, a checker of pKVM's page tables: one s-expression a step.
//
//   (mem-write (id 7) (tid 0) (mem-order release) (address 0x40001018) (value 0x0) (src "t.c:12"))
//   (barrier (id 8) (tid 0) dsb (kind ishst) (src "t.c:13"))
//   (tlbi (id 9) (tid 0) vae2is (addr 0x3000) (level 3) (src "t.c:14"))
//   (sysreg-write (id 1) (tid 0) (sysreg ttbr0_el2) (value 0x40000000) (src "t.c:3"))
//   (hint (id 2) (tid 0) (kind set_root_lock) (location 0x40000000) (value 0x1000) (src "t.c:4"))
//   ! BBM invalid unclean->valid               casemate's own verdict, where its output was kept
//
// The order of the parts is free, for a part in brackets is found by its name; parts that nobody
// asks for are passed over. Capitals, `_` for `-`, bases of numbers, comments, line breaks inside
// of a list, and the clock in front of lines of a kernel's console make no difference.
import type { ByteSource, ImportResult } from "./bytes.ts";
import { type Flaw, headLines, type LogDamage, type LogSummary, readLog } from "./log-lines.ts";
import { Lists, type Part } from "./s-expression.ts";
import { parseWord, toNumber, type Word64 } from "./word64.ts";

/** One step: an operation, what stands in brackets by name, and what stands alone. */
export interface Step {
  readonly line: number;
  /** In lower case, with `-`. */
  readonly op: string;
  /** The log's own number of it; undefined where it has none. */
  readonly id: number | undefined;
  readonly tid: number;
  readonly src: string;
  /** Words outside of brackets, in lower case: "dsb", "vae2is". */
  readonly words: readonly string[];
  /** The value of the first of these names that there is, in lower case. */
  text(...keys: readonly string[]): string | undefined;
  /** The same as a number; undefined also where it is none. */
  word(...keys: readonly string[]): Word64 | undefined;
  /** Whether one of these names has a value that is no number. */
  wrong(...keys: readonly string[]): boolean;
}

export interface CasemateSink {
  step(step: Step): void;
  /** The verdict that casemate wrote into its output. */
  verdict(text: string): void;
  damaged(damage: LogDamage): void;
}

/** What a list that is a step begins with. */
const STEP = new RegExp(
  "^\\(\\s*(?:mem[-_](?:write|read|init|set)|barrier|tlbi|sysreg[-_]write|hint|" +
    "(?:un|try[-_]?)?lock)(?![\\w-])",
  "i",
);
/** The clock of a kernel's log: "<6>[   12.345678] ", "[   12.345678][    T1] ". */
const CONSOLE = /^(?:<\d{1,3}>)?\s*\[\s*\d{1,12}\.\d{6}\](?:\[\s*[CT]?\d+\])?\s*/;
const COMMENT = /^\s*(?:[;#]|$)/;

const HEAD_LINES = 100;

export function isCasemate(head: Uint8Array): boolean {
  const lines = headLines(head, HEAD_LINES)
    .map((line) => line.replace(CONSOLE, ""))
    .filter((line) => !COMMENT.test(line));
  if (lines[0]?.startsWith("!") === true) lines.shift();
  return (
    /^\s*\(\s*[a-z]/i.test(lines[0] ?? "") && lines.some((line) => STEP.test(line.trimStart()))
  );
}

export function readCasemate(
  source: ByteSource,
  sink: CasemateSink,
): Promise<ImportResult<LogSummary>> {
  let wrong: Flaw | undefined;
  const lists = new Lists((list, line) => {
    const step = stepOf(list, line);
    if (typeof step !== "string") sink.step(step);
    else wrong ??= { line, column: 1, why: step };
  });
  return readLog(source, {
    line(text, line) {
      const bare = text.replace(CONSOLE, "");
      const trimmed = bare.trimStart();
      if (COMMENT.test(trimmed)) return true;
      // A step that begins while another has not ended: that one was cut off.
      const cut = lists.open && (STEP.test(trimmed) || trimmed.startsWith("!"));
      wrong = cut ? lists.unended() : undefined;
      if (trimmed.startsWith("!")) {
        sink.verdict(trimmed.slice(1).trim());
        return wrong ?? true;
      }
      const flaw = lists.line(bare, line);
      if (flaw !== undefined) {
        const moved = flaw.line === line ? text.length - bare.length : 0;
        wrong ??= { ...flaw, column: (flaw.column ?? 1) + moved };
      }
      return wrong ?? true;
    },
    end: () => (lists.open ? lists.unended() : undefined),
    damaged: (damage) => sink.damaged(damage),
  });
}

const plain = (name: string): string => name.toLowerCase().replaceAll("_", "-");

/** The words of a part, those of lists inside it included. */
const wordsOf = (part: Part): readonly string[] =>
  typeof part === "string" ? [part] : part.flatMap(wordsOf);

/** A step, or why it is none. */
function stepOf(parts: readonly Part[], line: number): Step | string {
  const [op, ...rest] = parts;
  if (typeof op !== "string") return "a list without an operation";
  const named = new Map<string, string>();
  const words: string[] = [];
  for (const part of rest) {
    const [name, value = ""] = typeof part === "string" ? [] : wordsOf(part);
    if (name === undefined) words.push(...wordsOf(part).map((word) => word.toLowerCase()));
    else {
      const key = plain(name);
      if ((named.get(key) ?? value) !== value) return "a field with two values";
      named.set(key, value);
    }
  }
  const keyOf = (keys: readonly string[]) => keys.find((key) => named.has(key));
  const text = (...keys: readonly string[]) => named.get(keyOf(keys) ?? "");
  const word = (...keys: readonly string[]) => numberOf(text(...keys) ?? "");
  const small = (...keys: readonly string[]) => {
    const value = word(...keys);
    return value === undefined ? undefined : toNumber(value);
  };
  const tid = small("tid", "cpu", "thread");
  if (tid === undefined) return "a step without a thread (tid)";
  return {
    ...{ line, op: plain(op), id: small("id"), tid, src: named.get("src") ?? "", words },
    text: (...keys) => text(...keys)?.toLowerCase(),
    word,
    wrong: (...keys) => keyOf(keys) !== undefined && word(...keys) === undefined,
  };
}

/** Hexadecimal, decimal, binary, octal, with `_` between the digits. */
function numberOf(text: string): Word64 | undefined {
  const bare = text.toLowerCase().replaceAll("_", "").replace(/^#/, "0");
  if (/^0[bo][01]?[0-7]{0,63}$/.test(bare) && bare.length > 2) {
    try {
      return parseWord(String(BigInt(bare)));
    } catch {
      return undefined;
    }
  }
  return parseWord(bare.replace(/^0x0{15,40}(?=[\da-f])/, "0x"));
}
