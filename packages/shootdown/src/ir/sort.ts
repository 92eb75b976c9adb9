// SPDX-License-Identifier: Apache-2.0
// Sorts: what kinds of values a program handles. A domain later says how many of each there are.

/** One bit field of a word sort, least significant first. */
export interface WordField {
  readonly name: string;
  readonly sort: AnySort;
  /** Name of the earlier field whose bits this one shares. */
  readonly overlay?: string;
}

/**
 * A sort. `symbol` sorts are only compared for equality; `ordered` ones are numbers 0..size-1 of a
 * domain; an `enumeration` names its values; a `range` is a pair of ordered values, end exclusive;
 * a `word` is a record of bit fields.
 */
export interface Ty<N extends string> {
  readonly name: N;
  readonly kind: "bool" | "symbol" | "ordered" | "enumeration" | "range" | "word";
  /** Value names of an enumeration, in order. */
  readonly values?: readonly string[];
  /** Element sort of a range. */
  readonly element?: AnySort;
  /** Fields of a word. */
  readonly fields?: readonly WordField[];
}

export type AnySort = Ty<string>;

export const symbol = <const N extends string>(name: N): Ty<N> => ({ name, kind: "symbol" });
export const ordered = <const N extends string>(name: N): Ty<N> => ({ name, kind: "ordered" });
export const rangeOf = <const N extends string>(name: N, element: AnySort): Ty<N> => ({
  name,
  kind: "range",
  element,
});

export const word = <const N extends string>(name: N, fields: readonly WordField[]): Ty<N> => ({
  name,
  kind: "word",
  fields,
});

export interface Enumeration<N extends string, V extends string> extends Ty<N> {
  readonly values: readonly V[];
}

export const enumeration = <const N extends string, const V extends string>(
  name: N,
  values: readonly V[],
): Enumeration<N, V> => ({ name, kind: "enumeration", values });

/** The two sorts that the IR itself needs. */
export const bool: Ty<"bool"> = { name: "bool", kind: "bool" };
/** Small non-negative integers (counters, reference counts); the domain bounds them. */
export const int: Ty<"int"> = { name: "int", kind: "ordered" };
