// SPDX-License-Identifier: Apache-2.0
// The programs of a herd test: columns, labels, instructions.
//
//    P0              | P1          | P1.F           ;
//    STR X2,[X1]     | L0:         | ADR X9,L1      ;
//    DSB ISH         | LDR W4,[X3] | ERET           ;

import { quote } from "../../base/diagnostic.ts";
import type { Span } from "../../base/span.ts";
import { suggestion } from "../../base/suggest.ts";
import type { Instruction, Operand } from "./ast.ts";
import { attempt, Mistake, Scan, type Source, spanOf, unsupported } from "./scan.ts";
import { readNumber } from "./values.ts";

/** One column. */
export interface Column {
  readonly thread: number;
  readonly handler: boolean;
  readonly instructions: Instruction[];
  readonly labels: Map<string, number>;
  readonly span: Span;
}

const HEADING = /P([0-9]{1,3})(\.F)?/y;
const LABEL = /([A-Za-z_][\w.$]*)\s*:/y;
const MNEMONIC = /[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z0-9]+)?/y;
const REGISTER = /([XWxw])([0-9]{1,2})(?![\w.])/y;
const ZERO = /([XWxw])[Zz][Rr](?!\w)/y;
const OTHER_REGISTER = /(?:SP|WSP|[VQDSBHZvqdsbhz][0-9]{1,2})(?:\.[0-9]*[BHSDbhsd])?(?!\w)/y;
const SHIFT = /(?:LSL|LSR|ASR|ROR|[SU]XT[BHWX])(?:\s*#?\s*([0-9]+))?(?!\w)/iy;
const WORD = /[A-Za-z_.][\w.$]*/y;
const LAST_REGISTER = 30;
const ZERO_REGISTER = 31;

/** Instructions whose last operand is a label of the same thread. */
const BRANCH = /^(?:B|BL|B\..*|CBN?Z|TBN?Z)$/;

/** The columns, in the order of the file; without any, something was reported. */
export function readCode(source: Source, from: number, end: number): Column[] {
  const rows = rowsOf(source, from, end);
  const [heading, ...body] = rows;
  const columns =
    heading === undefined ? undefined : attempt(source, () => headings(source, heading));
  if (columns === undefined || columns.length === 0) {
    const at = spanOf(source, from, from);
    if (heading === undefined) source.out.report("H002", at, "expected the threads as 'P0 | P1 ;'");
    return [];
  }
  for (const row of body) {
    attempt(source, () => readRow(source, row, columns));
    if (source.out.full) break;
  }
  if (source.out.count === 0) checkTargets(source, columns);
  return columns;
}

/** Stretches between bars, of each stretch between semicolons; rows without text are left out. */
function rowsOf({ text }: Source, from: number, end: number): [number, number][][] {
  const rows: [number, number][][] = [];
  let row: [number, number][] = [];
  let start = from;
  for (let at = from; at <= end; at++) {
    const char = at === end ? ";" : text[at];
    if (char !== ";" && char !== "|") continue;
    row.push([start, at]);
    start = at + 1;
    if (char === "|") continue;
    if (row.some(([a, b]) => text.slice(a, b).trim() !== "")) rows.push(row);
    row = [];
  }
  return rows;
}

function headings(source: Source, row: readonly [number, number][]): Column[] {
  const columns: Column[] = [];
  for (const [from, end] of row) {
    const scan = new Scan(source, from, end);
    const match = scan.need(HEADING, "the name of a thread as 'P0'");
    if (!scan.atEnd()) throw scan.expected("'|' or ';' after the name of a thread");
    const thread = Number(match[1]);
    const handler = match[2] !== undefined;
    if (columns.some((c) => c.thread === thread && c.handler === handler)) {
      throw scan.mistake("H007", match, `${quote(match[0])} has two columns`);
    }
    const span = scan.span(match.index, match.index + match[0].length);
    columns.push({ thread, handler, instructions: [], labels: new Map(), span });
  }
  const threads = columns.filter((c) => !c.handler).map((c) => c.thread);
  threads.forEach((thread, i) => {
    if (thread !== i) throw new Mistake("H005", columns[0]!.span, `there is no column 'P${i}'`);
  });
  const lost = columns.find((c) => c.handler && !threads.includes(c.thread));
  if (lost) throw new Mistake("H005", lost.span, `there is no column 'P${lost.thread}'`);
  return columns;
}

function readRow(source: Source, row: readonly [number, number][], columns: Column[]): void {
  if (row.length !== columns.length) {
    const [from, end] = [row[0]![0], row.at(-1)![1]];
    const scan = new Scan(source, from, end);
    const line = source.text.slice(scan.at, end).trimEnd().split("\n")[0]!;
    const message = `this row has ${row.length} columns; the first one has ${columns.length}`;
    throw new Mistake("H006", scan.span(scan.at, scan.at + line.length), message);
  }
  row.forEach(([from, end], i) => {
    const scan = new Scan(source, from, end);
    attempt(source, () => readCell(scan, columns[i]!));
  });
}

function readCell(scan: Scan, column: Column): void {
  for (let m = scan.take(LABEL); m !== undefined; m = scan.take(LABEL)) {
    const label = m[1]!;
    if (column.labels.has(label)) throw scan.mistake("H007", m, `two labels ${quote(label)}`);
    column.labels.set(label, column.instructions.length);
  }
  if (!scan.atEnd()) column.instructions.push(readInstruction(scan));
}

function readInstruction(scan: Scan): Instruction {
  const start = scan.at;
  const mnemonic = scan.need(MNEMONIC, "an instruction")[0].toUpperCase();
  const operands: Operand[] = [];
  if (!scan.atEnd()) {
    do operands.push(readOperand(scan));
    while (scan.eat(","));
  }
  if (!scan.atEnd()) throw scan.expected("',' or the end of the instruction");
  const text = scan.source.text.slice(start, scan.end).trim().replace(/\s+/g, " ");
  return { mnemonic, operands, text, span: scan.span(start, start + text.length) };
}

function readOperand(scan: Scan): Operand {
  const register = readRegister(scan);
  if (register) return register;
  if (scan.sees("[")) return readMemory(scan);
  const hash = scan.eat("#");
  if (hash && scan.take(/:/y)) {
    unsupported(scan.source, "relocations");
    return { k: "word", text: scan.rest() };
  }
  const value = readNumber(scan);
  if (value !== undefined) return { k: "imm", value };
  if (hash) throw scan.expected("a number after '#'");
  const other = scan.take(OTHER_REGISTER);
  if (other) unsupported(scan.source, `register ${other[0].toUpperCase()}`);
  const text = other?.[0] ?? scan.take(SHIFT)?.[0] ?? scan.take(WORD)?.[0];
  if (text !== undefined) return { k: "word", text };
  if (!scan.sees("{")) throw scan.expected("an operand");
  unsupported(scan.source, "lists of registers");
  return { k: "word", text: scan.rest() };
}

function readRegister(scan: Scan): (Operand & { readonly k: "reg" }) | undefined {
  const bits = (letter: string) => (letter.toUpperCase() === "W" ? 32 : 64);
  const zero = scan.take(ZERO);
  if (zero) return { k: "reg", number: ZERO_REGISTER, bits: bits(zero[1]!) };
  const match = scan.look(REGISTER);
  if (!match) return undefined;
  const number = Number(match[2]);
  if (number > LAST_REGISTER) {
    throw scan.mistake("H003", match, `unknown register ${quote(match[0])}`, "they end with X30");
  }
  scan.take(REGISTER);
  return { k: "reg", number, bits: bits(match[1]!) };
}

/** `[X1]`, `[X1,#8]`, `[X1,W2,SXTW #2]`. */
function readMemory(scan: Scan): Operand {
  scan.expect("[");
  const register = readRegister(scan);
  if (register === undefined) {
    if (!scan.take(OTHER_REGISTER)) throw scan.expected("a register");
    unsupported(scan.source, "register SP");
  }
  const base = register?.number ?? ZERO_REGISTER;
  const offset = scan.eat(",") ? readOperand(scan) : undefined;
  const extend = offset && scan.eat(",") ? scan.need(SHIFT, "a shift as 'SXTW'")[0] : undefined;
  scan.expect("]");
  if (scan.eat("!") || (scan.sees(",") && !scan.atEnd())) {
    unsupported(scan.source, "addressing that writes the base register");
  }
  return {
    ...{ k: "mem", base },
    ...(offset ? { offset } : {}),
    ...(extend === undefined
      ? {}
      : { extend: extend.toUpperCase().replace(/\s*#?\s*(?=\d)/, " #") }),
  };
}

/** Every branch goes somewhere: a label of its thread or of its handler. */
function checkTargets(source: Source, columns: readonly Column[]): void {
  const labelsOf = (thread?: number) =>
    columns
      .filter((c) => thread === undefined || c.thread === thread)
      .flatMap((c) => [...c.labels.keys()]);
  for (const { thread, instructions } of columns) {
    for (const { mnemonic, operands, span, text } of instructions) {
      const target = operands.at(-1);
      const known = BRANCH.test(mnemonic) ? labelsOf(thread) : labelsOf();
      if (!(BRANCH.test(mnemonic) || mnemonic === "ADR") || target?.k !== "word") continue;
      if (known.includes(target.text)) continue;
      const at = text.lastIndexOf(target.text);
      const where = { ...span, col: span.col + at, offset: span.offset + at };
      const message = `no label ${quote(target.text)} in P${thread}`;
      source.out.report("H004", where, message, suggestion(target.text, known));
    }
  }
}
