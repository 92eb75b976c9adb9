// SPDX-License-Identifier: Apache-2.0
// Logs of casemate, a checker of pKVM's page tables: one s-expression a line.
//
//   (mem-write (id 7) (tid 0) (mem-order release) (address 0x40001018) (value 0x0) (src "t.c:12"))
//   (barrier (id 8) (tid 0) dsb (kind ishst) (src "t.c:13"))
//   (tlbi (id 9) (tid 0) vae2is (addr 0x3000) (level 3) (src "t.c:14"))
//   (sysreg-write (id 1) (tid 0) (sysreg ttbr0_el2) (value 0x40000000) (src "t.c:3"))
//   (hint (id 2) (tid 0) (kind set_root_lock) (location 0x40000000) (value 0x1000) (src "t.c:4"))
//   ! BBM invalid unclean->valid               casemate's own verdict, where its output was kept
//
// The order of the parts is free: a part in brackets is found by its name.
import type { ByteSource, ImportResult } from "./bytes.ts";
import type { Damage } from "./ftrace.ts";
import { headLines, type LogSummary, readLog } from "./log-lines.ts";
import { parseWord, type Word64 } from "./word64.ts";

/** One line: an operation, what stands in brackets by name, and what stands alone. */
export interface Step {
  readonly line: number;
  readonly op: string;
  /** The log's own number of it; the line where it has none. */
  readonly id: number;
  readonly tid: number;
  readonly src: string;
  /** Words outside of brackets: "dsb", "vae2is". */
  readonly words: readonly string[];
  text(key: string): string | undefined;
  word(key: string): Word64 | undefined;
}

export interface CasemateSink {
  step(step: Step): void;
  /** The verdict that casemate wrote into its output. */
  verdict(text: string): void;
  damaged(damage: Damage): void;
}

/** Brackets inside brackets; a log needs two. */
const MAX_DEPTH = 8;
/** Parts of one line. */
const MAX_PARTS = 64;

/** What a line may begin with. */
const OPERATIONS =
  /^\((?:mem-(?:write|read|init|set)|barrier|tlbi|sysreg-write|hint|(?:un|try)?lock)[\s)]/;

export function isCasemate(head: Uint8Array): boolean {
  const first = headLines(head, 100).find((line) => !/^\s*[;#]/.test(line));
  return first !== undefined && OPERATIONS.test(first.trimStart());
}

export function readCasemate(
  source: ByteSource,
  sink: CasemateSink,
): Promise<ImportResult<LogSummary>> {
  return readLog(source, {
    line(text, line) {
      const trimmed = text.trim();
      if (/^[;#]/.test(trimmed)) return true;
      if (trimmed.startsWith("!")) {
        sink.verdict(trimmed.slice(1).trim());
        return true;
      }
      const parts = parse(trimmed);
      const step = parts === undefined ? undefined : stepOf(parts, line);
      if (step !== undefined) sink.step(step);
      return step !== undefined;
    },
    damaged: (damage) => sink.damaged(damage),
  });
}

/** The parts of a list: words, and `(key value ...)` flattened to its words. */
type Part = string | readonly string[];

/** One list and nothing else; undefined for anything else, however it is nested. */
function parse(text: string): readonly Part[] | undefined {
  if (!text.startsWith("(")) return undefined;
  const parts: Part[] = [];
  let inner: string[] | undefined;
  let depth = 1;
  const token = /\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))/y;
  token.lastIndex = 1;
  for (;;) {
    const found = token.exec(text);
    if (found === null) return undefined;
    const [, bracket, quoted, bare] = found;
    if (bracket === "(") {
      if (++depth > MAX_DEPTH) return undefined;
      if (depth === 2) inner = [];
    } else if (bracket === ")") {
      depth--;
      if (depth === 1 && inner !== undefined) {
        parts.push(inner);
        inner = undefined;
      }
      if (depth === 0) return text.slice(token.lastIndex).trim() === "" ? parts : undefined;
    } else (inner ?? parts).push(quoted ?? bare ?? "");
    if (parts.length > MAX_PARTS || (inner?.length ?? 0) > MAX_PARTS) return undefined;
  }
}

function stepOf(parts: readonly Part[], line: number): Step | undefined {
  const [op, ...rest] = parts;
  if (typeof op !== "string") return undefined;
  const named = new Map<string, string>();
  const words: string[] = [];
  for (const part of rest) {
    if (typeof part === "string") words.push(part);
    else if (part[0] !== undefined) named.set(part[0], part[1] ?? "");
  }
  const number = (key: string): number | undefined => {
    const text = named.get(key);
    return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  };
  const tid = number("tid");
  if (tid === undefined) return undefined;
  return {
    line,
    op,
    id: number("id") ?? line,
    tid,
    src: named.get("src") ?? "",
    words,
    text: (key) => named.get(key),
    word: (key) => {
      const text = named.get(key);
      return text === undefined ? undefined : parseWord(text);
    },
  };
}
