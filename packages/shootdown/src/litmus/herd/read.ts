// SPDX-License-Identifier: Apache-2.0
// The reader of litmus tests in herd's AArch64 language with page-table entries.
//
//   AArch64 MP+shoot                  head: name, then lines of text, KEY=VALUE or comment
//   TTHM=P1:HA
//   { pte_x=(valid:0); 0:X1=x; }      initial.ts
//    P0          | P1          ;      code.ts
//    STR W0,[X1] | LDR W2,[X3] ;
//   locations [x;]                    condition.ts
//   exists (1:X2=1 /\ fault(P0,x))

import { type Diagnostic, quote } from "../../base/diagnostic.ts";
import { suggestion } from "../../base/suggest.ts";
import { Diagnostics } from "../codes.ts";
import { readSource, textOf } from "../source.ts";
import type { HerdTest, Thread } from "./ast.ts";
import { type Column, readCode } from "./code.ts";
import type { HerdCode } from "./codes.ts";
import { readQuestion } from "./condition.ts";
import { type Head, readHead } from "./head.ts";
import { type Initial, readInitial } from "./initial.ts";
import { Scan, type Source, spanOf, withoutComments } from "./scan.ts";
import { shownFaults, shownLocations } from "./shown.ts";

export type HerdResult =
  | { readonly ok: true; readonly test: HerdTest }
  | {
      readonly ok: false;
      /** One or more, in the order of the text. */
      readonly diagnostics: readonly Diagnostic[];
      /** What their spans count in, for `formatDiagnostic`. */
      readonly text: string;
    };

/** The line on which programs end. */
const QUESTION = /(?:^|;)[^\S\n]*(locations|filter|observed|exists|forall|final|~\s*exists)\b/gm;

/** Never throws, whatever the input. */
export function readHerdTest(
  input: Uint8Array | string,
  options: { readonly file?: string } = {},
): HerdResult {
  const file = options.file ?? "<litmus>";
  const out = new Diagnostics<HerdCode>();
  const text = readSource(input, file, out);
  const test = text === undefined ? undefined : readText(text, file, out);
  if (test !== undefined && out.count === 0) return { ok: true, test };
  if (out.count === 0) throw new Error("a file was rejected without a diagnostic");
  return { ok: false, diagnostics: out.sorted(), text: text ?? textOf(input) };
}

function readText(
  original: string,
  file: string,
  out: Diagnostics<HerdCode>,
): HerdTest | undefined {
  const lines = [0, ...[...original.matchAll(/\n/g)].map((m) => m.index + 1)];
  const blank: Source = { text: original, file, lines, out, unsupported: undefined };
  const text = withoutComments(original, (at) =>
    out.report("H009", spanOf(blank, at, at + 2), "this comment has no end"),
  );
  if (text === undefined) return undefined;
  const source: Source = { ...blank, text };
  const head = readHead(source);
  if (head === undefined) return undefined;
  const end = closingBrace(text, head.end);
  if (end === undefined) {
    const brace = spanOf(source, head.end, head.end + 1);
    out.report("H002", brace, "the initial state has no '}'");
    return undefined;
  }
  const initial = readInitial(source, head.end + 1, end);
  QUESTION.lastIndex = end + 1;
  const asked = QUESTION.exec(text);
  const codeEnd = asked ? asked.index + asked[0].length - asked[1]!.length : text.length;
  if (!asked) missingQuestion(source, end + 1);
  const columns = out.count > 0 && !asked ? [] : readCode(source, end + 1, codeEnd);
  return columns.length === 0 ? undefined : assemble(source, { head, initial, columns, codeEnd });
}

/** The offset of the brace that closes the one at `open`; arrays have braces inside. */
function closingBrace(text: string, open: number): number | undefined {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return undefined;
}

/** A test may ask nothing; what looks like a question with a mistyped first word is a mistake. */
function missingQuestion(source: Source, from: number): void {
  const start = Math.max(from, source.text.lastIndexOf(";") + 1);
  const scan = new Scan(source, start, source.text.length);
  const match = scan.look(/([~\w]+)[^;|]*=/y);
  if (!match) return;
  const word = match[1]!;
  const span = scan.span(match.index, match.index + word.length);
  const note = suggestion(word, ["exists", "forall", "~exists", "locations"]);
  source.out.report("H003", span, `expected a condition, found ${quote(word)}`, note);
}

interface Parts {
  readonly head: Head;
  readonly initial: Initial;
  readonly columns: readonly Column[];
  readonly codeEnd: number;
}

function assemble(source: Source, { head, initial, columns, codeEnd }: Parts): HerdTest {
  const main = columns.filter((c) => !c.handler);
  const labels = (thread: number) =>
    columns.filter((c) => c.thread === thread).flatMap((c) => [...c.labels.keys()]);
  const stretch = [codeEnd, source.text.length] as const;
  const programs = { threads: main.length, labels };
  const question = readQuestion(source, stretch, initial.mention, programs);
  const threadOf = ({ thread, instructions, labels }: Column): Thread => {
    const { HA, HD, el0 } = head;
    const feature = (of: ReadonlySet<number | "all">) => of.has("all") || of.has(thread);
    return { instructions, labels, HA: feature(HA), HD: feature(HD), el0: feature(el0) };
  };
  const threads = main.map((column) => {
    const handler = columns.find((c) => c.handler && c.thread === column.thread);
    return { ...threadOf(column), ...(handler ? { handler: threadOf(handler) } : {}) };
  });
  const { data, ptes, registers } = initial;
  const { quantifier, condition, locations, faults } = question;
  return {
    ...{ name: head.name, threads, variants: head.variants, data, ptes, registers },
    ...{ shown: shownLocations(locations), shownFaults: shownFaults(faults) },
    ...{ quantifier, condition },
    ...(source.unsupported === undefined ? {} : { unsupported: source.unsupported }),
  };
}
