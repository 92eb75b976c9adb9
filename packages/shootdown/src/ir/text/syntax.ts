// SPDX-License-Identifier: Apache-2.0
// C-like text as plain data: what it says, a span for every part, no name looked up.

import type { Span } from "../../base/span.ts";

export interface Ident {
  readonly text: string;
  readonly span: Span;
}

export type BinaryOp = "||" | "&&" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/";

export type ExprSyntax = { readonly span: Span } & (
  | { readonly k: "number"; readonly value: number }
  | { readonly k: "name"; readonly name: string }
  /** `f(a, b)`, `context.tlb_gen(mm)`, `*ptep(mm, va)`, `any(pfn where ...)` */
  | CallSyntax
  | { readonly k: "get"; readonly of: ExprSyntax; readonly field: Ident }
  | { readonly k: "not"; readonly of: ExprSyntax }
  | {
      readonly k: "binary";
      readonly op: BinaryOp;
      readonly left: ExprSyntax;
      readonly right: ExprSyntax;
    }
  | {
      readonly k: "conditional";
      readonly cond: ExprSyntax;
      readonly then: ExprSyntax;
      readonly otherwise: ExprSyntax;
    }
  /** `[a, b)` */
  | { readonly k: "range"; readonly lo: ExprSyntax; readonly hi: ExprSyntax }
  /** `{ old, .AF = true }` */
  | {
      readonly k: "with";
      readonly of?: ExprSyntax;
      readonly set: readonly (readonly [Ident, ExprSyntax])[];
    }
  /** As a key: every value, or those in a range. */
  | { readonly k: "any" }
  | { readonly k: "in"; readonly range: ExprSyntax }
);

export interface CallSyntax {
  readonly k: "call";
  readonly name: Ident;
  readonly args: readonly ArgSyntax[];
  readonly where?: ExprSyntax;
  readonly span: Span;
}

/** `va` or `entry: mk_pte(frame)` */
export interface ArgSyntax {
  readonly name?: Ident;
  readonly value: ExprSyntax;
}

export type StmtSyntax = { readonly span: Span } & (
  | {
      readonly k: "declare";
      readonly sort: Ident;
      readonly names: readonly { readonly name: Ident; readonly value?: ExprSyntax }[];
    }
  | { readonly k: "assign"; readonly to: ExprSyntax; readonly value: ExprSyntax }
  | { readonly k: "call"; readonly call: CallSyntax }
  | {
      readonly k: "if";
      readonly cond: ExprSyntax;
      readonly then: readonly StmtSyntax[];
      readonly otherwise: readonly StmtSyntax[];
    }
  | { readonly k: "loop" | "atomic"; readonly body: readonly StmtSyntax[] }
  | { readonly k: "while"; readonly cond: ExprSyntax; readonly body: readonly StmtSyntax[] }
  | {
      readonly k: "each";
      readonly name: Ident;
      readonly over: ExprSyntax;
      readonly stride?: ExprSyntax;
      readonly body: readonly StmtSyntax[];
    }
  | {
      readonly k: "forall";
      readonly name: Ident;
      readonly sort: Ident;
      readonly body: readonly StmtSyntax[];
    }
  | { readonly k: "either"; readonly branches: readonly (readonly StmtSyntax[])[] }
  | { readonly k: "break" | "continue" }
  | { readonly k: "return"; readonly value?: ExprSyntax }
  | { readonly k: "label"; readonly name: Ident; readonly body: readonly StmtSyntax[] }
  | {
      readonly k: "since";
      readonly version: string;
      readonly then: readonly StmtSyntax[];
      readonly otherwise: readonly StmtSyntax[];
    }
);

/** `desc orig`; a parameter that is called as its sort needs no sort. */
export interface ParamSyntax {
  readonly sort: Ident;
  readonly name: Ident;
}

/** `void wp_page_reuse(cpu, mm, va, desc orig) { ... }` */
export interface RoutineSyntax {
  readonly k: "routine";
  /** Absent: void. */
  readonly result: Ident | undefined;
  readonly name: Ident;
  readonly params: readonly ParamSyntax[];
  readonly body: readonly StmtSyntax[];
  readonly span: Span;
}

/** `bool unlocked(mm) = true;` */
export interface FieldSyntax {
  readonly k: "field";
  readonly sort: Ident;
  readonly name: Ident;
  readonly index: readonly Ident[];
  readonly initial?: ExprSyntax;
  readonly span: Span;
}

/** A statement of a routine: its number, its label or its text. */
export interface TargetSyntax {
  readonly by: "step" | "label" | "text";
  readonly text: string;
  readonly span: Span;
}

export type EditSyntax = { readonly span: Span; readonly target: TargetSyntax } & (
  | { readonly k: "drop" }
  | { readonly k: "before" | "after" | "replace"; readonly body: readonly StmtSyntax[] }
  | { readonly k: "move"; readonly where: "before" | "after"; readonly to: TargetSyntax }
);

/** `in ROUTINE: drop 12;`, `in ROUTINE { ... }` */
export interface EditsSyntax {
  readonly k: "edits";
  readonly routine: Ident;
  readonly edits: readonly EditSyntax[];
  readonly span: Span;
}

export type MemberSyntax = RoutineSyntax | FieldSyntax | EditsSyntax;
