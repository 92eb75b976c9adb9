// SPDX-License-Identifier: Apache-2.0
// Printing: routines, rules, cells, pending sets and observers as C-like text with step numbers.
//
//   /* file.c: function(); rules: A1; kernels 6.1..6.6, shown at 6.1; abstracts: errors */
//   bool routine(mm, page p)
//   {
//     1     old = READ pte(mm, p);         the number that origins, witnesses and --drop use
//   }

import type { KeyPattern, Node, Sorts } from "./expr.ts";
import { inVersions } from "./kernel.ts";
import type {
  CellDecl,
  Definition,
  ObserverDecl,
  PendingDecl,
  RuleDecl,
  Source,
} from "./machine.ts";
import { expression, list, Names, pairs, place, printExpr } from "./print-expr.ts";
import type { AnySort } from "./sort.ts";
import { numberSteps } from "./steps.ts";
import type { Stmt } from "./stmt.ts";

export { printExpr };

const COLUMNS = 100;
const TAB = "    ";

/** A routine as this version has it. */
export function printDefinition(def: Definition, version: string): string {
  const { source, kernels } = def;
  const notes = sourceNotes(source, def.name);
  if (kernels !== undefined) notes.push(`kernels ${kernels}, shown at ${version}`);
  notes.push(...readNotes(source, version));
  if (def.abstracts.length > 0) notes.push(`abstracts: ${def.abstracts.join(", ")}`);
  const result = def.result?.name ?? "void";
  const head = `${result} ${def.name}(${parameters(def.params)})`;
  const names = new Names([...Object.keys(def.params), ...Object.keys(def.locals)]);
  return text(comment(notes), head, ...body(def.body(), def.locals, version, names));
}

/** A rule: its guard is step 1. */
export function printRule(decl: RuleDecl, version: string): string {
  const guard: Stmt = { k: "await", cond: decl.when.node };
  const names = new Names([...Object.keys(decl.params), ...Object.keys(decl.locals)]);
  const head = `rule ${decl.name}(${parameters(decl.params)})`;
  const lines = body([guard, ...decl.body()], decl.locals, version, names);
  return text(comment(sourceNotes(decl.source)), head, ...lines);
}

/** A cell: what it holds, keeps and is filled with. */
export function printCell(decl: CellDecl, version: string): string {
  const names = new Names([...Object.keys(decl.keys), ...Object.keys(decl.locals)]);
  const traits = [
    `cell ${decl.name}(${parameters(decl.keys)}) of ${decl.value.name}`,
    decl.evicts ? "evicts at any time" : "never evicts",
    ...(decl.ways === undefined ? [] : [`${decl.ways} at a time`]),
  ];
  const admits = decl.admits ? [`${TAB}admits entry if (${printExpr(decl.admits.node)})`] : [];
  const fill = decl.fill
    ? [`${TAB}fills with`, ...body(decl.fill(), decl.locals, version, names)]
    : [`${TAB}holds what is inserted`];
  return text(comment(sourceNotes(decl.source)), traits.join(", "), ...admits, ...fill);
}

/** A pending set: its entries, their order, and what one does when it takes effect. */
export function printPending(decl: PendingDecl, version: string): string {
  const names = new Names(Object.keys({ ...decl.keys, ...decl.entry, ...decl.locals }));
  const head = `pending ${decl.name}(${parameters(decl.keys)}), at most ${decl.capacity} of`;
  const order = decl.order.map(([a, b]) => `${a} before ${b}`).join(", ");
  const by = decl.orderBy === undefined ? "" : ` by ${decl.orderBy}`;
  return text(
    comment(sourceNotes(decl.source)),
    head,
    `${TAB}{ ${parameters(decl.entry)} }`,
    `${TAB}${order ? `in order${by}: ${order}` : "in any order"}`,
    ...(decl.ready ? [`${TAB}ready if (${printExpr(decl.ready.node)})`] : []),
    `${TAB}takes effect`,
    ...body(decl.effect(), decl.locals, version, names),
  );
}

/** A property: what it does at each event that it watches. */
export function printObserver(decl: ObserverDecl, version: string): string {
  const rules = decl.on.flatMap(({ event, body: stmts, locals }) => {
    const names = new Names(Object.keys({ ...event.params, ...locals }));
    const head = `on ${event.name}(${parameters(event.params)})`;
    return [head, ...body(stmts(), locals, version, names)];
  });
  return text(comment([decl.describes]), `observer ${decl.name}`, ...rules);
}

/** A statement on one line; of one that nests others, only its head. */
export const printStmt = (s: Stmt): string => head(s, new Names([]));

/** The same with the names that loop variables have in a routine. */
export const printHead = (s: Stmt, names: Names): string => head(s, names);

const text = (...lines: readonly string[]): string => `${lines.join("\n")}\n`;

function sourceNotes(source: Source, routine?: string): string[] {
  const called = source.function ?? routine;
  const where =
    called === undefined
      ? source.file
      : `${source.file}: ${called.includes(" ") ? called : `${called}()`}`;
  return source.rules?.length ? [where, `rules: ${source.rules.join(", ")}`] : [where];
}

/** Of a version that was not read: which were, and what it rests on. */
function readNotes({ sha = {}, commits = {} }: Source, version: string): string[] {
  const read = Object.keys(sha);
  if (sha[version] !== undefined || read.length + Object.keys(commits).length === 0) return [];
  const after = Object.entries(commits).map(([from, ids]) => `since ${from}: ${ids}`);
  const where = read.length === 0 ? "not read" : `read at ${read.join(" and ")}`;
  return [[where, ...after].join("; ")];
}

/** One line if it fits, else one a note. */
function comment(notes: readonly string[]): string {
  const line = `/* ${notes.join("; ")} */`;
  if (line.length <= COLUMNS) return line;
  return ["/*", ...notes.flatMap((n) => wrap(n)), " */"].join("\n");
}

function wrap(note: string): string[] {
  const lines: string[] = [];
  for (const word of note.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < COLUMNS) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(`${last === undefined ? " *" : " *  "} ${word}`);
    }
  }
  return lines;
}

/** A parameter that is called as its sort needs no sort. */
const parameters = (sorts: Sorts): string =>
  Object.entries(sorts)
    .map(([name, sort]) => (name === sort.name ? name : `${sort.name} ${name}`))
    .join(", ");

const gutter = (step: number | undefined): string => `${step ?? ""}`.padStart(3);

const numbered = (step: number | undefined, depth: number, line: string): string =>
  `${gutter(step)} ${TAB.repeat(depth)}${line}`;

/** The locals and statements of a body between braces. */
function body(
  stmts: readonly Stmt[],
  locals: Sorts,
  version: string,
  names: Names,
): readonly string[] {
  const bySort = new Map<AnySort, string[]>();
  for (const [name, sort] of Object.entries(locals)) {
    bySort.set(sort, [...(bySort.get(sort) ?? []), name]);
  }
  const declared = [...bySort].map(([sort, all]) => `${sort.name} ${all.join(", ")};`);
  const block = new Block(numberSteps(stmts, version), version, names);
  return [
    "{",
    ...declared.map((line) => numbered(undefined, 1, line)),
    ...(declared.length > 0 ? [""] : []),
    ...block.lines(stmts, 1),
    "}",
  ];
}

class Block {
  private readonly numbers: ReadonlyMap<Stmt, number>;
  private readonly version: string;
  private readonly names: Names;

  constructor(numbers: ReadonlyMap<Stmt, number>, version: string, names: Names) {
    this.numbers = numbers;
    this.version = version;
    this.names = names;
  }

  lines(stmts: readonly Stmt[], depth: number): string[] {
    return this.resolve(stmts).flatMap((s) => this.statement(s, depth));
  }

  /** The statements that this version has. */
  private resolve(stmts: readonly Stmt[]): Stmt[] {
    return stmts.flatMap((s) => {
      if (s.k !== "since") return [s];
      return this.resolve(inVersions(`${s.version}..`, this.version) ? s.then : s.otherwise);
    });
  }

  private statement(s: Stmt, depth: number): string[] {
    const line = (t: string): string => numbered(this.numbers.get(s), depth, t);
    const bare = (t: string): string => numbered(undefined, depth, t);
    switch (s.k) {
      case "when":
        return this.branch(s, depth, "");
      case "loop":
      case "each":
      case "forall":
      case "atomic":
        return [line(`${head(s, this.names)} {`), ...this.lines(s.body, depth + 1), bare("}")];
      case "either":
        return [
          ...s.branches.flatMap((b, n) => [
            n === 0 ? line("either {") : bare("} or {"),
            ...this.lines(b, depth + 1),
          ]),
          bare("}"),
        ];
      case "label":
        return this.labelled(s, depth);
      default:
        return [line(head(s, this.names))];
    }
  }

  /** What a label names: one statement, none, or those between its braces. */
  private labelled(s: Stmt & { k: "label" }, depth: number): string[] {
    const outer = (t: string): string => numbered(undefined, depth - 1, t);
    const body = this.lines(s.body, depth);
    const count = this.resolve(s.body).length;
    if (count === 0) return [outer(`${s.name}: ;`)];
    if (count === 1) return [outer(`${s.name}:`), ...body];
    return [outer(`${s.name}: {`), ...body, outer("}")];
  }

  /** Braces as the kernel has them: none if each branch is a single line. */
  private branch(s: Stmt & { k: "when" }, depth: number, before: string): string[] {
    const then = this.lines(s.then, depth + 1);
    const otherwise = this.resolve(s.otherwise);
    const [only] = otherwise;
    const chained = otherwise.length === 1 && only?.k === "when";
    const rest = otherwise.length === 0 || chained ? [] : this.lines(otherwise, depth + 1);
    const braces = then.length !== 1 || rest.length > 1 || chained || before !== "";
    const bare = (t: string): string => numbered(undefined, depth, t);
    const first = `${before}${head(s, this.names)}${braces ? " {" : ""}`;
    const lines = [numbered(this.numbers.get(s), depth, first), ...then];
    if (chained && only) return [...lines, ...this.branch(only, depth, "} else ")];
    if (rest.length > 0) lines.push(bare(braces ? "} else {" : "else"), ...rest);
    return braces ? [...lines, bare("}")] : lines;
  }
}

/** A leaf in full; of the rest what stands before the brace. */
function head(s: Stmt, names: Names): string {
  const e = (n: Node): string => expression(n, 0, names);
  switch (s.k) {
    case "set":
      return `${e(s.to)} = ${s.value.k === "read" ? "READ " : ""}${e(s.value)};`;
    case "xchg":
      return `${s.into} = xchg(${e(s.at)}, ${e(s.value)});`;
    case "cas":
      return `${s.ok} = cmpxchg(${e(s.at)}, ${e(s.expect)}, ${e(s.value)});`;
    case "when":
      return `if (${e(s.cond)})`;
    case "loop":
      return "for (;;)";
    case "break":
    case "continue":
      return `${s.k};`;
    case "return":
      return s.value ? `return ${e(s.value)};` : "return;";
    case "each": {
      const stride = s.stride ? `, ${e(s.stride)}` : "";
      return `for_each(${names.of(s.name)}, ${e(s.over)}${stride})`;
    }
    case "forall":
      return `for_all(${names.of(s.name)}, ${s.sort.name})`;
    case "call":
      return `${s.into === undefined ? "" : `${s.into} = `}${s.callee}(${pairs(s.args, names)});`;
    case "emit":
      return `emit(${list(s.event.name, pairs(s.args, names))});`;
    case "either":
    case "atomic":
      return s.k;
    case "since":
      return `since ${s.version}`;
    case "label":
      return `${s.name}:`;
    default:
      return primitive(s, names);
  }
}

function primitive(s: Stmt, names: Names): string {
  const e = (n: Node): string => expression(n, 0, names);
  const at = (name: string, index: readonly KeyPattern[]): string => place(name, index, names);
  switch (s.k) {
    case "await":
      return `wait_until(${e(s.cond)});`;
    case "retry":
      return `retry_from_here(permitted: ${e(s.permitted)});`;
    case "choose":
      return `${s.into} = any(${s.sort.name}${s.where ? ` where ${e(s.where)}` : ""});`;
    case "lookup":
      return `${s.into} = ${s.walks ? "lookup" : "pick"}(${at(s.cell.name, s.index)});`;
    case "insert":
      return `insert(${at(s.cell.name, s.index)}, ${e(s.value)});`;
    case "clear":
      return `clear(${at(s.cell.name, s.index)}${s.where ? ` where ${e(s.where)}` : ""});`;
    case "post":
      return `post(${list(at(s.set.name, s.index), pairs(s.entry, names))});`;
    case "yield":
      return `yield ${e(s.value)};`;
    case "yieldHeld":
      return `yield all(${at(s.cell.name, s.index)});`;
    case "violate":
      return `violate(${s.observer});`;
    case "grow":
      return `grow(${s.range}, ${e(s.by)});`;
    default:
      throw new Error(`${s.k} has no text`);
  }
}
