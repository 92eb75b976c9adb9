// SPDX-License-Identifier: Apache-2.0
// Reads `kernel { ... }` blocks: edits of the kernel in the text that `show` prints.
//
//   kernel buggy for linux-6.1 {
//     in ptep_set_access_flags: drop flush;
//   }
//
// Between the braces the words are those of C: comments are /* */ and //, (* begins an expression.

import { quote } from "../base/diagnostic.ts";
import { joinSpans } from "../base/span.ts";
import { type Mistake, type Reporter, Lexer as TextLexer } from "../ir/text/lexer.ts";
import { readMembers } from "../ir/text/parse-members.ts";
import type { KernelBlock, Name } from "./ast.ts";
import type { Code, Diagnostics } from "./codes.ts";
import { readNewName } from "./items.ts";
import type { Lexer } from "./lexer.ts";

const CODES: Readonly<Record<Mistake, Code>> = {
  form: "L008",
  nesting: "L009",
  number: "L026",
  routine: "L012",
  name: "L013",
  twice: "L014",
  kind: "L015",
  arguments: "L021",
  edit: "L032",
  body: "L033",
};

/** Mistakes in the text of routines, as mistakes of a scenario. */
export const reporterOf = (out: Diagnostics): Reporter => ({
  get full() {
    return out.full;
  },
  report: (mistake, span, message, ...notes) => {
    out.report(CODES[mistake], span, message, ...notes);
    if (mistake === "nesting") out.close();
  },
});

const VERSION = /^linux-[0-9]+(?:\.[0-9]+)*$/;

/** Behind the word `kernel`; undefined after a reported error. */
export function readKernelBlock(lexer: Lexer, keyword: Name): KernelBlock | undefined {
  let name: Name | undefined;
  if (!lexer.at("{", "for", "since")) {
    name = readNewName(lexer, "'{', or the name of the block");
    if (name === undefined) return undefined;
  }
  const scope = readScope(lexer);
  if (scope === undefined) return undefined;
  if (!lexer.at("{")) {
    lexer.unexpected("'{' and routines or edits of routines");
    return undefined;
  }
  const members = lexer.foreign((text, file, from) => {
    const inner = new TextLexer(text, file, reporterOf(lexer.out), from);
    const found = readMembers(inner);
    if (inner.atEnd()) inner.unexpected("'}' after the kernel block");
    return { value: found, to: inner.behind };
  });
  const span = joinSpans(keyword.span, lexer.previous.span);
  return { ...(name ? { name } : {}), ...(scope ?? {}), members, span };
}

/** `for linux-6.1, linux-6.6` or `since linux-6.6`; null: every version. */
function readScope(lexer: Lexer): Pick<KernelBlock, "versions"> | null | undefined {
  const word = lexer.at("for") ? "for" : lexer.at("since") ? "since" : undefined;
  if (word === undefined) return null;
  const names: Name[] = [];
  for (let more = true; more; ) {
    lexer.advanceToHeaderName();
    const { text, span, kind } = lexer.token;
    if (kind !== "word") break;
    for (const part of text.split(",")) {
      if (part === "") continue;
      if (!VERSION.test(part)) {
        lexer.report("L008", span, `expected a kernel such as linux-6.12, found ${quote(part)}`);
        return undefined;
      }
      names.push({ text: part, span });
    }
    more = text.endsWith(",");
  }
  if (lexer.token.kind === "word") lexer.advance();
  if (names.length > 0 && (word === "for" || names.length === 1)) {
    return { versions: { word, names } };
  }
  lexer.unexpected("a kernel such as linux-6.12");
  return undefined;
}
