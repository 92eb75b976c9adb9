// SPDX-License-Identifier: Apache-2.0
// Operands that may be absent: the page of a request, the CPU that a command is for.
//
//   numbers   a value of the sort; 0 where there is none: as compact as can be
//   sets      a bit for each value; none where there is none: no value is special, so that pages
//             and CPUs are only compared, and states that differ in their numbers alone are alike

import type { Expr, FieldFn, Place } from "../../packages/shootdown/src/ir/expr.ts";
import { constant, eq, FALSE, field, TRUE } from "../../packages/shootdown/src/ir/expr.ts";
import type { AnySort, Ty } from "../../packages/shootdown/src/ir/sort.ts";
import { bool } from "../../packages/shootdown/src/ir/sort.ts";
import type { Stmt } from "../../packages/shootdown/src/ir/stmt.ts";
import { forall, set } from "../../packages/shootdown/src/ir/stmt.ts";

export type Encoding = "numbers" | "sets";

/** One operand: `put` where there is none. */
export interface Operand<S extends string> {
  readonly put: (value: Expr<S>) => Stmt;
  readonly drop: Stmt;
  readonly is: (value: Expr<S>) => Expr<"bool">;
  readonly copy: (from: Operand<S>) => Stmt;
  readonly place: (value: Expr<S>) => Place<string>;
}

/** Operands of a sort, one for each index. */
export function operands<const I extends readonly AnySort[], S extends string>(
  encoding: Encoding,
  name: string,
  index: I,
  sort: Ty<S>,
): (...at: readonly Expr<string>[]) => Operand<S> {
  type Fn = (...at: readonly Expr<string>[]) => Place<string>;
  if (encoding === "numbers") {
    const number = field(name, index, sort) as FieldFn<I, S> & Fn;
    return (...at) => {
      const place = number(...at) as Place<S>;
      const put = (value: Expr<S>) => set(place, value as Expr<NoInfer<S>>);
      return {
        put,
        drop: put(constant(sort, 0)),
        is: (value) => eq(place as Expr<S>, value as Expr<NoInfer<S>>),
        copy: (from) => put(from.place(constant(sort, 0)) as unknown as Expr<S>),
        place: () => place,
      };
    };
  }
  const bits = field(name, [...index, sort], bool) as unknown as Fn;
  return (...at) => {
    const bit = (value: Expr<S>) => bits(...at, value) as Place<"bool">;
    return {
      put: (value) => set(bit(value), TRUE),
      drop: forall(sort, (v) => [set(bit(v), FALSE)]),
      is: bit,
      copy: (from) => forall(sort, (v) => [set(bit(v), from.place(v) as Place<"bool">)]),
      place: bit,
    };
  };
}
