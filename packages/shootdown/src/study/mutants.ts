// SPDX-License-Identifier: Apache-2.0
// Mutants of a routine: one statement dropped, moved, swapped with the next one, or weakened.
//
//   drop     the statement is gone; of an exchange the store is     drop  flush_tlb_page:2
//   swap     it and the next one change places
//   earlier  it is the first of its block; later: the last
//   local    a broadcast TLBI or a DSB for all reaches this CPU alone
//   leaf     a TLBI that removes table pointers too removes leaves alone
//   narrow   a range is its first page
//
// What a routine emits is not the kernel's: it says where a property begins to hold. Nor are flags
// that say what occurs in a scenario, and the branches that ask for them.

import type { Expr, Node } from "../ir/expr.ts";
import { constant, expr } from "../ir/expr.ts";
import type { Kernel, Overlay } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { printDefinition, printStmt } from "../ir/print.ts";
import { nested, numberSteps } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import { dsb_op, tlbi_op } from "../vocabulary/events.ts";
import { Range, range } from "../vocabulary/sorts.ts";
import { given, onlyValueOf, reads, withoutStore } from "./drop.ts";
import { asksForFeature, raisesFlag } from "./features.ts";

export const MUTANT_KINDS = [
  ...(["drop", "swap", "earlier", "later", "local", "leaf", "narrow"] as const),
];
export type MutantKind = (typeof MUTANT_KINDS)[number];

export interface Mutant {
  readonly routine: string;
  readonly step: number;
  readonly kind: MutantKind;
  /** The statement as text. */
  readonly statement: string;
  /** Steps inside the statement, or its own if it has none inside. */
  readonly inside: readonly number[];
  readonly overlay: Overlay;
}

/** A statement in its block. */
interface Place {
  readonly block: readonly Stmt[];
  readonly at: number;
}

/** All mutants of a routine of a kernel, in the order of its steps. */
export function mutantsOf(kernel: Kernel, routine: string): readonly Mutant[] {
  const definition = kernel.routines.get(routine);
  if (!definition) return [];
  const body = definition.body();
  const steps = numberSteps(body, kernel.version);
  const all = [...steps.keys()];
  const places = placesOf(body);
  const mutants: Mutant[] = [];
  for (const [s, step] of steps) {
    if (said(s) || raisesFlag(s, kernel)) continue;
    const place = places.get(s)!;
    const within = stepsWithin(s, steps);
    const inside = within.length > 0 ? within : [step];
    const add = (kind: MutantKind, edit: (block: readonly Stmt[]) => readonly Stmt[]) => {
      const overlay = editedBlock(routine, place.block, edit);
      mutants.push({ routine, step, kind, statement: printStmt(s), inside, overlay });
    };
    const at = (replacement: readonly Stmt[]) => (block: readonly Stmt[]) =>
      block.flatMap((other) => (other === s ? replacement : [other]));
    const kept = withoutStore(s);
    // Without a feature: what is inside, each of which has its own.
    const feature = s.k === "when" && asksForFeature(s.cond);
    const droppable = !ends(s) && !feature;
    if (droppable && (kept.length > 0 || onlyValueOf(s, all) === undefined)) add("drop", at(kept));
    moves(s, place, add);
    for (const [kind, weaker] of weakened(s)) add(kind, at([weaker]));
  }
  // At this version the edit may be one of what is not there.
  const text = (d: Definition) => printDefinition(d, kernel.version);
  const before = text(definition);
  return mutants.filter((m) => text(m.overlay(kernel).routines.get(routine)!) !== before);
}

/** Every statement with the block that it stands in. */
function placesOf(body: readonly Stmt[]): ReadonlyMap<Stmt, Place> {
  const places = new Map<Stmt, Place>();
  const visit = (block: readonly Stmt[]) => {
    for (const [at, s] of block.entries()) {
      if (!places.has(s)) places.set(s, { block, at });
      nested(s).forEach(visit);
    }
  };
  visit(body);
  return places;
}

/** Whether a statement is there for what it emits alone. */
function said(s: Stmt): boolean {
  if (s.k === "emit") return true;
  const inner = nested(s).flat();
  const finds = (o: Stmt) => o.k === "set" && o.to.k === "local";
  return inner.some(said) && inner.every((o) => said(o) || finds(o) || findsWithin(o));
}

/** An `if` or a loop that only gives locals values. */
const findsWithin = (s: Stmt): boolean =>
  nested(s).length > 0 &&
  nested(s)
    .flat()
    .every((o) => (o.k === "set" && o.to.k === "local") || findsWithin(o));

const stepsWithin = (s: Stmt, steps: ReadonlyMap<Stmt, number>): number[] =>
  nested(s).flatMap((block) =>
    block.flatMap((o) => [...(steps.has(o) ? [steps.get(o)!] : []), ...stepsWithin(o, steps)]),
  );

const ends = ({ k }: Stmt): boolean => k === "return" || k === "break" || k === "continue";

/** Whether anything inside a statement ends its block: then its place means more than an order. */
function leaves(s: Stmt): boolean {
  return ends(s) || nested(s).some((block) => block.some(leaves));
}

/** Whether `first` may come after `second`: neither gives the other a value. */
function independent(first: Stmt, second: Stmt): boolean {
  const locals = (s: Stmt): string[] => [
    ...[given(s) ?? []].flat(),
    ...(s.k === "grow" ? [s.range] : []),
    ...nested(s).flatMap((block) => block.flatMap(locals)),
  ];
  const uses = (s: Stmt, names: readonly string[]) => names.some((n) => reads(s, n));
  const [a, b] = [locals(first), locals(second)];
  return !uses(second, a) && !uses(first, b) && !a.some((n) => b.includes(n));
}

function moves(
  s: Stmt,
  { block, at }: Place,
  add: (kind: MutantKind, edit: (block: readonly Stmt[]) => readonly Stmt[]) => void,
): void {
  if (leaves(s) || s.k === "set") return;
  const others = (from: number, to: number) => block.slice(from, to);
  const free = (list: readonly Stmt[]) => list.every((o) => !leaves(o) && independent(s, o));
  const without = (list: readonly Stmt[]) => list.filter((o) => o !== s);
  const next = block[at + 1];
  if (next && !said(next) && free([next])) {
    add("swap", (list) => list.flatMap((o) => (o === s ? [next] : o === next ? [s] : [o])));
  }
  if (at > 1 && free(others(0, at))) add("earlier", (list) => [s, ...without(list)]);
  const rest = others(at + 1, block.length);
  const last = rest.at(-1);
  const moved = last && ends(last) ? rest.slice(0, -1) : rest;
  if (moved.length > 1 && free(moved)) {
    const tail = rest.slice(moved.length);
    add("later", (list) => [...without(list).filter((o) => !tail.includes(o)), s, ...tail]);
  }
}

/** The weaker forms of a call. */
function weakened(s: Stmt): [MutantKind, Stmt][] {
  if (s.k !== "call") return [];
  const found: [MutantKind, Stmt][] = [];
  const replace = (kind: MutantKind, edit: (node: Node) => Node | undefined) => {
    let changed = false;
    const args = s.args.map(([name, node]) => {
      const weaker = edit(node);
      changed ||= weaker !== undefined;
      return [name, weaker ?? node] as const;
    });
    if (changed) found.push([kind, { ...s, args }]);
  };
  replace("local", (node) => named(node, tlbi_op, LOCAL) ?? named(node, dsb_op, LOCAL));
  replace("leaf", (node) => named(node, tlbi_op, LEAF));
  replace("narrow", (node) => {
    if (!("sort" in node) || node.sort !== range || isOne(node)) return undefined;
    const whole: Expr<"range"> = expr(node);
    return Range.one(Range.lo(whole)).node;
  });
  return found;
}

const isOne = (node: Node): boolean =>
  node.k === "op" && node.op === "range" && node.args[1]?.k === "op" && node.args[1].op === "add";

const LOCAL: Readonly<Record<string, string>> = {
  ...{ VAE1IS: "VAE1", VALE1IS: "VALE1", VAAE1IS: "VAAE1", VAALE1IS: "VAALE1" },
  ...{ ASIDE1IS: "ASIDE1", VMALLE1IS: "VMALLE1", ISH: "NSH", ISHST: "NSHST" },
};
const LEAF: Readonly<Record<string, string>> = {
  ...{ VAE1IS: "VALE1IS", VAAE1IS: "VAALE1IS", VAE1: "VALE1" },
};

/** A constant of an enumeration by its weaker name. */
function named(
  node: Node,
  sort: typeof tlbi_op | typeof dsb_op,
  names: Readonly<Record<string, string>>,
): Node | undefined {
  if (node.k !== "const" || node.sort !== sort) return undefined;
  const values: readonly string[] = sort.values;
  const weaker = names[values[node.value] ?? ""];
  return weaker === undefined ? undefined : constant(sort, values.indexOf(weaker)).node;
}

/** The kernel with one block of one routine edited. */
function editedBlock(
  routine: string,
  block: readonly Stmt[],
  edit: (block: readonly Stmt[]) => readonly Stmt[],
): Overlay {
  return (base) => {
    const old = base.routines.get(routine);
    if (!old) return base;
    let made: readonly Stmt[] | undefined;
    const body: Definition["body"] = () => (made ??= inBlock(old.body(), block, edit));
    return { ...base, routines: new Map([...base.routines, [routine, { ...old, body }]]) };
  };
}

/** Edits one block, which is known by its first statement: a block stands in one place. */
function inBlock(
  all: readonly Stmt[],
  block: readonly Stmt[],
  edit: (block: readonly Stmt[]) => readonly Stmt[],
): readonly Stmt[] {
  if (all === block) return edit(all);
  return all.flatMap((s) => {
    const deeper = nested(s);
    if (deeper.length === 0) return [s];
    return rewriteInner(s, (inner) => inBlock(inner, block, edit));
  });
}

/** A statement with each of its blocks edited. */
function rewriteInner(s: Stmt, edit: (block: readonly Stmt[]) => readonly Stmt[]): Stmt[] {
  switch (s.k) {
    case "when":
    case "since":
      return [{ ...s, then: edit(s.then), otherwise: edit(s.otherwise) }];
    case "loop":
    case "each":
    case "forall":
    case "atomic":
    case "label":
      return [{ ...s, body: edit(s.body) }];
    case "either":
      return [{ ...s, branches: s.branches.map(edit) }];
    default:
      return [s];
  }
}
