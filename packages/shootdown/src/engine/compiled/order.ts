// SPDX-License-Identifier: Apache-2.0
// The order of a pending set's entries as compiled code.

import { orderMatrix } from "../packed.ts";
import type { Ex } from "../target/code.ts";
import { bin, num } from "../target/code.ts";
import { and, or } from "./expr.ts";

/** Whether an earlier entry keeps a later one from taking effect, as code. */
export function waits(
  decl: Parameters<typeof orderMatrix>[0],
  kinds: number,
  kind: (entry: Ex) => Ex,
): (earlier: Ex, later: Ex) => Ex {
  if (decl.order.length === 0) return () => num(0);
  const before = orderMatrix(decl);
  const known = decl.orderBy ? decl.entry[decl.orderBy]!.values!.length : 1;
  const count = Math.min(kinds, known);
  const pairs = Array.from({ length: count * count }, (_, n) => [
    Math.floor(n / count),
    n % count,
  ]).filter(([a, b]) => before(a!, b!));
  if (pairs.length === count * count) return () => num(1);
  return (earlier, later) => {
    let any: Ex = num(0);
    for (const [a, b] of pairs) {
      const both = and(bin("eq", kind(earlier), num(a!)), bin("eq", kind(later), num(b!)));
      any = or(any, both);
    }
    return any;
  };
}
