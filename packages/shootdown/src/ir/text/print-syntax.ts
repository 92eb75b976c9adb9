// SPDX-License-Identifier: Apache-2.0
// The canonical form of C-like text: one layout for all texts that say the same.

import type {
  ArgSyntax,
  BinaryOp,
  EditSyntax,
  ExprSyntax,
  MemberSyntax,
  ParamSyntax,
  StmtSyntax,
  TargetSyntax,
} from "./syntax.ts";

const TAB = "  ";

const PRECEDENCE: Readonly<Record<BinaryOp, number>> = {
  ...{ "||": 3, "&&": 4, "==": 8, "!=": 8, "<": 9, "<=": 9, ">": 9, ">=": 9 },
  ...{ "+": 11, "-": 11, "*": 12, "/": 12 },
};
const CONDITIONAL = 2;
const UNARY = 14;
const POSTFIX = 15;

/** Lines of a routine, a field, or edits of a routine. */
export function printMember(member: MemberSyntax, indent: string): string[] {
  switch (member.k) {
    case "field": {
      const index = member.index.map((i) => i.text).join(", ");
      const initial = member.initial ? ` = ${printExprSyntax(member.initial)}` : "";
      return [`${indent}${member.sort.text} ${member.name.text}(${index})${initial};`];
    }
    case "routine": {
      const params = member.params.map(printParam).join(", ");
      const head = `${member.result?.text ?? "void"} ${member.name.text}(${params})`;
      return [`${indent}${head} {`, ...printStatements(member.body, indent + TAB), `${indent}}`];
    }
    case "edits": {
      const head = `${indent}in ${member.routine.text}`;
      const [only] = member.edits;
      if (member.edits.length === 1 && only) {
        const [first, ...rest] = printEdit(only, indent);
        return [`${head}: ${first!.trimStart()}`, ...rest];
      }
      const edits = member.edits.flatMap((e) => printEdit(e, indent + TAB));
      return [`${head} {`, ...edits, `${indent}}`];
    }
  }
}

const printParam = ({ sort, name }: ParamSyntax): string =>
  sort.text === name.text ? name.text : `${sort.text} ${name.text}`;

const printTarget = ({ by, text }: TargetSyntax): string => (by === "text" ? `"${text}"` : text);

function printEdit(edit: EditSyntax, indent: string): string[] {
  const what = `${indent}${edit.k} ${printTarget(edit.target)}`;
  switch (edit.k) {
    case "drop":
      return [`${what};`];
    case "move":
      return [`${what} ${edit.where} ${printTarget(edit.to)};`];
    default:
      return [`${what} {`, ...printStatements(edit.body, indent + TAB), `${indent}}`];
  }
}

const printStatements = (body: readonly StmtSyntax[], indent: string): string[] =>
  body.flatMap((s) => printStatement(s, indent));

function printStatement(s: StmtSyntax, indent: string): string[] {
  const e = printExprSyntax;
  const block = (head: string, body: readonly StmtSyntax[]): string[] => [
    `${indent}${head} {`,
    ...printStatements(body, indent + TAB),
    `${indent}}`,
  ];
  switch (s.k) {
    case "declare": {
      const names = s.names.map(({ name, value }) => name.text + (value ? ` = ${e(value)}` : ""));
      return [`${indent}${s.sort.text} ${names.join(", ")};`];
    }
    case "assign":
      return [`${indent}${e(s.to)} = ${e(s.value)};`];
    case "call":
      return [`${indent}${e(s.call)};`];
    case "if":
      return printIf(s, indent);
    case "loop":
      return block("for (;;)", s.body);
    case "atomic":
      return block("atomic", s.body);
    case "while":
      return block(`while (${e(s.cond)})`, s.body);
    case "each":
      return block(
        `for_each(${s.name.text}, ${e(s.over)}${s.stride ? `, ${e(s.stride)}` : ""})`,
        s.body,
      );
    case "forall":
      return block(`for_all(${s.name.text}, ${s.sort.text})`, s.body);
    case "either": {
      const [first = [], ...rest] = s.branches;
      const more = rest.flatMap((b) => [`${indent}} or {`, ...printStatements(b, indent + TAB)]);
      return [...block("either", first).slice(0, -1), ...more, `${indent}}`];
    }
    case "break":
    case "continue":
      return [`${indent}${s.k};`];
    case "return":
      return [`${indent}return${s.value ? ` ${e(s.value)}` : ""};`];
    case "label":
      return block(`${s.name.text}:`, s.body);
    case "since": {
      const then = block(`since ${s.version}`, s.then);
      return s.otherwise.length === 0 ? then : joined(then, block("else", s.otherwise), indent);
    }
  }
}

/** `} else {` on one line. */
const joined = (then: readonly string[], rest: readonly string[], indent: string): string[] => [
  ...then.slice(0, -1),
  `${indent}} ${rest[0]!.trimStart()}`,
  ...rest.slice(1),
];

function printIf(s: StmtSyntax & { readonly k: "if" }, indent: string): string[] {
  const head = `${indent}if (${printExprSyntax(s.cond)}) {`;
  const then = [head, ...printStatements(s.then, indent + TAB), `${indent}}`];
  const [only] = s.otherwise;
  if (only === undefined) return then;
  if (s.otherwise.length === 1 && only.k === "if") {
    const [first = "", ...more] = printIf(only, indent);
    return joined(then, [`else ${first.trimStart()}`, ...more], indent);
  }
  const rest = printStatements(s.otherwise, indent + TAB);
  return joined(then, [`${indent}else {`, ...rest, `${indent}}`], indent);
}

const printArg = ({ name, value }: ArgSyntax): string =>
  name ? `${name.text}: ${printExprSyntax(value)}` : printExprSyntax(value);

/** `outer` is the weakest precedence that needs no parentheses. */
export function printExprSyntax(e: ExprSyntax, outer = 0): string {
  const p = printExprSyntax;
  const wrapped = (precedence: number, text: string): string =>
    precedence < outer ? `(${text})` : text;
  switch (e.k) {
    case "number":
      return `${e.value}`;
    case "name":
      return e.name;
    case "any":
      return "*";
    case "in":
      return `in ${p(e.range, CONDITIONAL + 1)}`;
    case "get":
      return `${p(e.of, POSTFIX)}.${e.field.text}`;
    case "not":
      return `!${p(e.of, UNARY)}`;
    case "range":
      return `[${p(e.lo)}, ${p(e.hi)})`;
    case "call": {
      const where = e.where ? ` where ${p(e.where)}` : "";
      return `${e.name.text}(${e.args.map(printArg).join(", ")}${where})`;
    }
    case "with": {
      const set = e.set.map(([name, value]) => `.${name.text} = ${p(value)}`);
      return `{ ${[...(e.of ? [p(e.of)] : []), ...set].join(", ")} }`;
    }
    case "conditional": {
      const { cond, then, otherwise } = e;
      return wrapped(CONDITIONAL, `${p(cond, 3)} ? ${p(then)} : ${p(otherwise, CONDITIONAL)}`);
    }
    case "binary": {
      const own = PRECEDENCE[e.op];
      const compares = own === 8 || own === 9;
      const left = p(e.left, compares ? own + 1 : own);
      return wrapped(own, `${left} ${e.op} ${p(e.right, own + 1)}`);
    }
  }
}
