// SPDX-License-Identifier: Apache-2.0
// Context switches: what a program may do between `lazy` and `switch`, and where these may stand.

import { quote } from "../base/diagnostic.ts";
import type { Body, Statement } from "./ast.ts";
import type { Diagnostics } from "./codes.ts";
import type { Dictionary } from "./words.ts";

/** Its program does not run while a CPU is lazy; in a loop nobody knows which mm runs. */
export function checkSwitches(body: Body, dictionary: Dictionary, out: Diagnostics): void {
  const agent = quote(body.agent.text);
  let lazy = false;
  const visit = (statements: readonly Statement[], inLoop: boolean): void => {
    for (const s of statements) {
      if (out.full) return;
      if (s.kind === "loop") visit(s.body, true);
      if (s.kind !== "verb") continue;
      const verb = s.verb.text;
      const switches = verb === "lazy" || verb === "switch";
      const by = dictionary.verbs.get(verb)?.by ?? "";
      if (switches && inLoop) {
        out.report("L028", s.verb.span, `${quote(verb)} cannot stand in a loop`);
      } else if (lazy && !switches && by.startsWith("user")) {
        const message = `${agent} is lazy and runs no program that could ${quote(verb)}`;
        out.report(
          "L028",
          s.verb.span,
          message,
          `write 'switch ${body.mm?.text ?? "A"};' before it`,
        );
      }
      if (switches) lazy = verb === "lazy";
    }
  };
  visit(body.statements, false);
}
