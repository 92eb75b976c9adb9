// SPDX-License-Identifier: Apache-2.0
// Equalities of a condition: places of page tables, or registers of agents.

import { quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";
import type { EqualExpr, Place } from "./ast.ts";
import type { Diagnostics } from "./codes.ts";
import { expectKind, type Symbols } from "./symbols.ts";

/** `A:x` and pages, or `CPU0:r0`, pages and `fault`: both sides of one kind. */
export function checkEqual({ left, right }: EqualExpr, symbols: Symbols, out: Diagnostics): void {
  const isRegister = checkSide(left, symbols, out);
  if (right.kind === "name") {
    const words = isRegister ? ["none", "fault"] : ["none"];
    if (!words.includes(right.name.text)) expectKind(symbols, right.name, ["page"], out);
  } else if (checkSide(right, symbols, out) !== isRegister) {
    out.report("L015", right.span, "a place of a page table and a register are not compared");
  }
}

/** Whether one side of an equality is a register: it belongs to a CPU or device. */
function checkSide(side: Place, symbols: Symbols, out: Diagnostics): boolean {
  const owner = symbols.names.get(side.mm.text)?.kind;
  if (owner !== "cpu" && owner !== "device") {
    checkPlace(side, symbols, out);
    return false;
  }
  const own = symbols.registers.get(side.mm.text) ?? new Set();
  if (own.has(side.va.text)) return true;
  const message = `no statement of ${quote(side.mm.text)} writes ${quote(side.va.text)}`;
  out.report("L013", side.va.span, message, suggestion(side.va.text, own));
  return true;
}

export function checkPlace(place: Place, symbols: Symbols, out: Diagnostics): void {
  expectKind(symbols, place.mm, ["mm"], out);
  expectKind(symbols, place.va, ["va"], out);
}
