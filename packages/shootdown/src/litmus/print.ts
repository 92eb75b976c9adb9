// SPDX-License-Identifier: Apache-2.0
// The canonical text of a scenario: the same for all files that say the same, for links and hashes.
//
// Order is kept where it means something (declarations, programs, statements). Attributes stand in
// the order of their groups, comments other than the head are gone, `frame` is written `page`.
// Reading the text again gives the same scenario.

import { printMember } from "../ir/text/print-syntax.ts";
import type {
  Arg,
  AtomExpr,
  Body,
  Expectation,
  Expr,
  Item,
  KernelBlock,
  Name,
  Scenario,
  Statement,
} from "./ast.ts";
import { looksLikeKey } from "./head.ts";
import {
  DEVICE_ATTRIBUTES,
  LABEL_KEYS,
  MAP_ATTRIBUTES,
  PAGE_ATTRIBUTES,
  VMA_ATTRIBUTES,
} from "./words.ts";

export interface PrintOptions {
  /** Without, only what is run is printed: no name, no intent, no expectations. Default true. */
  readonly head?: boolean;
}

/** Columns of the head comment; mail readers wrap at about this. */
const COMMENT_WIDTH = 75;

export function printScenario(scenario: Scenario, options: PrintOptions = {}): string {
  const blocks = [
    ["{", ...scenario.items.map((item) => `  ${printItem(item)};`), "}"],
    ...scenario.kernels.map(printKernel),
    ...scenario.bodies.map(printBody),
    [`${scenario.condition.quantifier} (${printExpr(scenario.condition.expr)})`],
  ];
  if (options.head !== false) blocks.unshift([`MM ${scenario.name.text}`], printHead(scenario));
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** `stuck(D)`, `users(A, x) = 1` */
export function printAtom({ property, args, value }: AtomExpr): string {
  const of = args.length === 0 ? "" : `(${printArgs(args, ", ")})`;
  return property.text + of + (value ? ` = ${printArg(value)}` : "");
}

/** `A:x = P /\ ~stuck(D)` */
export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case "atom":
      return printAtom(expr);
    case "equal":
      return `${printArg(expr.left)} = ${printArg(expr.right)}`;
    case "not":
      return `~${printOperand(expr.of)}`;
    case "and":
      return expr.parts.map(printOperand).join(" /\\ ");
    case "or":
      return expr.parts.map(printOperandOfOr).join(" \\/ ");
  }
}

/** One statement on one line, without the `;`. */
export function printStatement(statement: Statement): string {
  switch (statement.kind) {
    case "verb": {
      const args = statement.args.length === 0 ? "" : ` ${printArgs(statement.args, " ")}`;
      const into = statement.into === undefined ? "" : ` -> ${statement.into.text}`;
      return statement.verb.text + args + into;
    }
    case "call":
      return `${statement.routine.text}(${printArgs(statement.args, ", ")})`;
    case "loop":
      return `loop { ${statement.body.map((inner) => `${printStatement(inner)}; `).join("")}}`;
  }
}

function printHead({ intent, expectations, labels }: Scenario): string[] {
  const ids = LABEL_KEYS.flatMap((key) => {
    const names = labels[key] ?? [];
    return names.length === 0 ? [] : [`${key}: ${printNames(names)}`];
  });
  const blocks = [...intent.paragraphs.map(wrap), expectations.map(printExpectation), ids].filter(
    (block) => block.length > 0,
  );
  const lines = blocks.flatMap((block, i) => (i === 0 ? block : ["", ...block]));
  return ["(*", ...lines.map((line) => (line === "" ? " *" : ` * ${line}`)), " *)"];
}

function printExpectation({ observation, machine, kernel, set }: Expectation): string {
  const fields = [
    `Result: ${observation.text.padEnd("Sometimes".length)}`,
    machine && `machine=${machine.text}`,
    kernel && `kernel=${kernel.text}`,
    ...set.map(({ knob, value }) => `set=${knob.text}=${value.text}`),
  ];
  return fields
    .filter((field) => field !== undefined)
    .join("  ")
    .trimEnd();
}

/** Lines of a paragraph; only the first may begin with a word that has a meaning there. */
function wrap(paragraph: string): string[] {
  const lines: string[] = [];
  for (const word of paragraph.split(" ")) {
    const last = lines.at(-1);
    const fits = last !== undefined && last.length + word.length < COMMENT_WIDTH - " * ".length;
    if (last === undefined || !(fits || looksLikeKey(word))) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function printItem(item: Item): string {
  switch (item.kind) {
    case "mm":
    case "va":
      return `${item.kind} ${printNames(item.names)}`;
    case "page":
      return `page ${printNames(item.names)}${printAttributes(item.attributes, PAGE_ATTRIBUTES)}`;
    case "map": {
      const attributes = printAttributes(item.attributes, MAP_ATTRIBUTES);
      return `map ${printArg(item.place)} -> ${item.page.text}${attributes}`;
    }
    case "vma":
      return `vma ${printRange(item.pages)}${printAttributes(item.attributes, VMA_ATTRIBUTES)}`;
    case "none":
    case "own-table":
      return `${item.kind} ${printRange(item.pages)}`;
    case "device": {
      const attributes = printAttributes(item.attributes, DEVICE_ATTRIBUTES);
      const cached = item.cached.map((range) => printRange(range)).join(", ");
      const clause = cached === "" ? "" : ` cached ${cached}`;
      return `device ${item.name.text} in ${item.mm.text}${attributes}${clause}`;
    }
    case "free-frames":
      return `free-frames ${item.count.value}`;
  }
}

function printKernel({ name, versions, members }: KernelBlock): string[] {
  const scope = versions ? [versions.word, printNames(versions.names)] : [];
  const head = ["kernel", ...(name ? [name.text] : []), ...scope].join(" ");
  const lines = members.flatMap((m, i) => [...(i > 0 ? [""] : []), ...printMember(m, "  ")]);
  return [`${head} {`, ...lines, "}"];
}

function printBody(body: Body): string[] {
  const mm = body.mm === undefined ? "" : `(${body.mm.text})`;
  return [`${body.agent.text}${mm} {`, ...printLines(body.statements, "  "), "}"];
}

function printLines(statements: readonly Statement[], indent: string): string[] {
  return statements.flatMap((statement) =>
    statement.kind === "loop"
      ? [`${indent}loop {`, ...printLines(statement.body, `${indent}  `), `${indent}}`]
      : [`${indent}${printStatement(statement)};`],
  );
}

/** An operand of `/\` or `~`. */
function printOperand(expr: Expr): string {
  const open = expr.kind === "and" || expr.kind === "or";
  return open ? `(${printExpr(expr)})` : printExpr(expr);
}

function printOperandOfOr(expr: Expr): string {
  return expr.kind === "or" ? `(${printExpr(expr)})` : printExpr(expr);
}

function printArgs(args: readonly Arg[], separator: string): string {
  return args.map(printArg).join(separator);
}

function printArg(arg: Arg): string {
  switch (arg.kind) {
    case "name":
      return arg.name.text;
    case "place":
      return `${arg.mm.text}:${arg.va.text}`;
    case "range":
      return printRange(arg);
    case "number":
      return String(arg.value);
  }
}

function printRange(range: {
  readonly mm?: Name;
  readonly from: Name;
  readonly to?: Name;
}): string {
  const mm = range.mm === undefined ? "" : `${range.mm.text}:`;
  return `${mm}${range.from.text}${range.to === undefined ? "" : `..${range.to.text}`}`;
}

function printNames(names: readonly Name[]): string {
  return names.map((name) => name.text).join(", ");
}

function printAttributes(
  attributes: Readonly<Record<string, Name | undefined>>,
  groups: Readonly<Record<string, readonly string[]>>,
): string {
  const words = Object.keys(groups).flatMap((group) => attributes[group]?.text ?? []);
  return words.map((word) => ` ${word}`).join("");
}
