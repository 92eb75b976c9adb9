// SPDX-License-Identifier: Apache-2.0
// Single instructions: arguments that fit one by one and mean nothing together.
//
//   tlbi VALE1IS;          no address          tlbi ASIDE1IS x;      one that it would not look at
//   set_pte x none old;    no page to be old   CPU0 { tlbi ASIDE1IS; }    no mm, so no ASID

import { quote } from "../base/diagnostic.ts";
import type { Arg, Body, VerbStatement } from "./ast.ts";
import type { Diagnostics } from "./codes.ts";
import type { Symbols } from "./symbols.ts";
import { CPU_NAME, TLBI_BY_VA } from "./words.ts";

/** To be called for statements whose arguments are right one by one. */
export function checkInstruction(
  s: VerbStatement,
  body: Body,
  symbols: Symbols,
  out: Diagnostics,
): void {
  const verb = s.verb.text;
  if (verb === "set_pte") {
    const word = s.args[2];
    if (wordOf(s.args[1]) === "none" && word !== undefined) {
      out.report("L021", word.span, "an invalid descriptor has no attributes");
    }
  } else if (verb === "tlbi") {
    checkTlbi(s, body, symbols, out);
  } else if (verb === "access") {
    const word = s.args[1];
    if (word === undefined || wordOf(word) !== "retried" || !CPU_NAME.test(body.agent.text)) return;
    out.report("L021", word.span, "only an access of a device can be 'retried'");
  } else if (verb === "CMD_TLBI_NH_ASID" && s.args.length === 0) {
    needsMm(s, body, out);
  }
}

function checkTlbi(s: VerbStatement, body: Body, symbols: Symbols, out: Diagnostics): void {
  const op = wordOf(s.args[0]) ?? "";
  const scope = s.args[1];
  const isMm = symbols.names.get(wordOf(scope) ?? "")?.kind === "mm";
  const ofAll = op.startsWith("VMALL") || op.startsWith("IPAS2");
  const byVa = TLBI_BY_VA.some((name) => name === op);
  if (byVa && (scope === undefined || isMm)) {
    const at = scope?.span ?? s.span;
    out.report("L021", at, `${quote(op)} takes an address or a range such as 'x..y'`);
  } else if (!byVa && scope !== undefined && (!isMm || ofAll)) {
    const takes = ofAll ? "nothing" : "nothing, or an mm";
    out.report("L021", scope.span, `${quote(op)} takes ${takes}`);
  } else if (scope === undefined && !ofAll) {
    needsMm(s, body, out);
  }
}

/** An instruction that names no mm is about the one that the CPU runs. */
function needsMm(s: VerbStatement, body: Body, out: Diagnostics): void {
  if (body.mm !== undefined) return;
  const message = `${quote(body.agent.text)} runs no mm, which ${quote(s.verb.text)} needs`;
  out.report("L028", s.span, message, "name an mm behind it");
}

const wordOf = (arg: Arg | undefined): string | undefined =>
  arg?.kind === "name" ? arg.name.text : undefined;
