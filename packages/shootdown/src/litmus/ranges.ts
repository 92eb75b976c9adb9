// SPDX-License-Identifier: Apache-2.0
// Arguments that name pages, as ranges of the model: `x`, `x..y`, `A:x`, `A:x..y`.

import type { Expr } from "../ir/expr.ts";
import { constant } from "../ir/expr.ts";
import { Range, t } from "../vocabulary/sorts.ts";
import type { Arg } from "./ast.ts";
import type { World } from "./world.ts";

export function pagesOf(arg: Arg, world: Pick<World, "vaOf">): Expr<"range"> {
  const [from, to] = endsOf(arg);
  const va = (name: string, plus: number) => constant(t.va, world.vaOf.get(name)! + plus);
  return Range.make(va(from, 0), va(to, 1));
}

function endsOf(arg: Arg): readonly [string, string] {
  if (arg.kind === "range") return [arg.from.text, arg.to.text];
  const one = arg.kind === "place" ? arg.va : arg.kind === "name" ? arg.name : undefined;
  return [one?.text ?? "", one?.text ?? ""];
}
