// SPDX-License-Identifier: Apache-2.0
// Statements and routines with their names looked up: syntax in, definitions out.

import { quote } from "../../base/diagnostic.ts";
import type { Span } from "../../base/span.ts";
import { suggestion } from "../../base/suggest.ts";
import type { FieldDecl, Node, Sorts } from "../expr.ts";
import type { AnySort } from "../sort.ts";
import { bool } from "../sort.ts";
import type { Stmt } from "../stmt.ts";
import { checkBody } from "./check-body.ts";
import type { Callee, Environment } from "./environment.ts";
import type { Reporter } from "./lexer.ts";
import { newName, resolvePairs, sortNamed } from "./resolve-call.ts";
import { resolveExpr } from "./resolve-expr.ts";
import { PRIMITIVES, primitiveCalled, primitiveInto, storable } from "./resolve-primitive.ts";
import { article, type Local, type Scope, sameSort } from "./scope.ts";
import type {
  CallSyntax,
  ExprSyntax,
  FieldSyntax,
  Ident,
  RoutineSyntax,
  StmtSyntax,
} from "./syntax.ts";

/** What a caller must know of a routine; undefined after a reported error. */
export function calleeOf(env: Environment, out: Reporter, r: RoutineSyntax): Callee | undefined {
  const params: Record<string, AnySort> = {};
  const result = r.result && sortNamed({ env, out }, r.result);
  if (r.result && !result) return undefined;
  for (const { sort, name } of r.params) {
    const found = sortNamed({ env, out }, sort);
    if (!found) return undefined;
    if (Object.hasOwn(params, name.text)) {
      out.report("twice", name.span, `${quote(name.text)} stands twice`);
      return undefined;
    }
    if (!newName({ env, out }, name)) return undefined;
    params[name.text] = found;
  }
  return { params, result };
}

/** A field that a text declares; undefined after a reported error. */
export function resolveField(
  env: Environment,
  out: Reporter,
  { name, sort, index, initial }: FieldSyntax,
): FieldDecl | undefined {
  const value = sortNamed({ env, out }, sort);
  const keys = index.map((i) => sortNamed({ env, out }, i));
  if (value === undefined || keys.some((k) => k === undefined)) return undefined;
  const { text, span } = name;
  if (!newName({ env, out }, name)) return undefined;
  const scope: Scope = { env, out, locals: new Map(), expr: resolveExpr };
  const begins = initial ? resolveExpr(scope, initial, value) : undefined;
  if (initial && begins?.k !== "const") {
    if (begins) out.report("kind", initial.span, "a field begins with a plain value");
    return undefined;
  }
  const at = begins?.k === "const" ? begins.value : 0;
  const decl: FieldDecl = {
    ...{ kind: "field", name: text, index: keys as AnySort[], value, initial: at },
  };
  const old = env.fields.get(text);
  // What a text adds may come to the kernel later; declared alike, it is that.
  if (old && sameField(old, decl)) return old;
  if (old || env.macros.has(text) || env.routines.has(text) || env.sorts.has(text)) {
    out.report("twice", span, `${quote(text)} is another name already`);
    return undefined;
  }
  return decl;
}

const sameField = (a: FieldDecl, b: FieldDecl): boolean =>
  a.initial === b.initial &&
  sameSort(a.value, b.value) &&
  a.index.length === b.index.length &&
  a.index.every((s, i) => sameSort(s, b.index[i]!));

/** A body with the locals that it declares; undefined after a reported error. */
export function resolveRoutine(
  env: Environment,
  out: Reporter,
  r: RoutineSyntax,
  { params, result }: Callee,
): { readonly locals: Sorts; readonly body: readonly Stmt[] } | undefined {
  const locals = new Map<string, Local>();
  for (const [name, sort] of Object.entries(params)) {
    locals.set(name, { name, sort, kind: "parameter" });
  }
  const resolver = new Resolver(env, out, { locals, result, inLoop: false });
  const body = resolver.block(r.body);
  if (resolver.failed) return undefined;
  const fine = checkBody(body, result, Object.keys(resolver.declared), (message) =>
    out.report("body", r.name.span, `${quote(r.name.text)}: ${message}`),
  );
  return fine ? { locals: resolver.declared, body } : undefined;
}

/** What a statement is put into. */
export interface Surroundings {
  readonly locals: ReadonlyMap<string, Local>;
  readonly result: AnySort | undefined;
  readonly inLoop: boolean;
}

let elements = 0;

export class Resolver {
  readonly declared: Record<string, AnySort> = {};
  failed = false;
  readonly #env: Environment;
  readonly #out: Reporter;
  readonly #result: AnySort | undefined;
  #scope: Scope;
  #inLoop: boolean;

  constructor(env: Environment, out: Reporter, around: Surroundings) {
    this.#env = env;
    this.#out = out;
    this.#result = around.result;
    this.#inLoop = around.inLoop;
    this.#scope = { env, out, locals: new Map(around.locals), expr: resolveExpr };
  }

  block(statements: readonly StmtSyntax[]): Stmt[] {
    return statements.flatMap((s) => {
      if (this.#out.full) return [];
      const before = this.#scope;
      const found = this.#statement(s);
      if (found === undefined) this.failed = true;
      // Locals last to the end of the routine, elements of loops to the end of the loop.
      if (s.k === "each" || s.k === "forall") {
        const kept = [...this.#scope.locals].filter(([, l]) => l.kind !== "element");
        const outer = [...before.locals].filter(([, l]) => l.kind === "element");
        this.#scope = { ...before, locals: new Map([...kept, ...outer]) };
      }
      return found ?? [];
    });
  }

  #expr(e: ExprSyntax, wanted?: AnySort): Node | undefined {
    return resolveExpr(this.#scope, e, wanted);
  }

  #fail(span: Span, message: string, ...notes: (string | undefined)[]): undefined {
    this.#out.report("kind", span, message, ...notes);
    return undefined;
  }

  #statement(s: StmtSyntax): readonly Stmt[] | undefined {
    switch (s.k) {
      case "declare":
        return this.#declare(s);
      case "assign":
        return this.#assign(s.to, s.value);
      case "call":
        return this.#call(s.call);
      case "if": {
        const cond = this.#expr(s.cond, bool);
        const [then, otherwise] = [this.block(s.then), this.block(s.otherwise)];
        return cond && [{ k: "when", cond, then, otherwise }];
      }
      case "loop":
        return [{ k: "loop", body: this.#looped(s.body) }];
      case "while": {
        // Properties of waiting know waits; a CPU that spins only runs.
        if (s.body.length === 0) {
          return this.#fail(
            s.span,
            "a loop with nothing in it is no wait",
            "'wait_until(...);' is",
          );
        }
        const cond = this.#expr(s.cond, bool);
        const body = this.#looped(s.body);
        if (cond === undefined) return undefined;
        const not: Node = { k: "op", op: "not", args: [cond], sort: bool };
        const leave: Stmt = { k: "when", cond: not, then: [{ k: "break" }], otherwise: [] };
        return [{ k: "loop", body: [leave, ...body] }];
      }
      case "each":
        return this.#each(s);
      case "forall": {
        const sort = sortNamed(this.#scope, s.sort);
        const name = sort && this.#element(s.name, sort);
        if (sort === undefined || name === undefined) return undefined;
        return [{ k: "forall", name, sort, body: this.#looped(s.body, false) }];
      }
      case "atomic":
        return [{ k: "atomic", body: this.block(s.body) }];
      case "either":
        return [{ k: "either", branches: s.branches.map((b) => this.block(b)) }];
      case "break":
      case "continue":
        if (!this.#inLoop) {
          const hint = "'for_all' is no loop and cannot be left";
          return this.#fail(s.span, `${quote(s.k)} stands in no loop`, hint);
        }
        return [{ k: s.k }];
      case "return":
        return this.#return(s);
      case "label":
        return [{ k: "label", name: s.name.text, body: this.block(s.body) }];
      case "since": {
        const { version, then, otherwise } = s;
        return [{ k: "since", version, then: this.block(then), otherwise: this.block(otherwise) }];
      }
    }
  }

  /** `for_all` is all at once, and no loop: nothing in it can leave it or the one around. */
  #looped(body: readonly StmtSyntax[], inLoop = true): Stmt[] {
    const outside = this.#inLoop;
    this.#inLoop = inLoop;
    const found = this.block(body);
    this.#inLoop = outside;
    return found;
  }

  #each(s: StmtSyntax & { readonly k: "each" }): readonly Stmt[] | undefined {
    const over = this.#expr(s.over);
    if (over === undefined) return undefined;
    const sort = over.sort.element;
    if (sort === undefined) {
      return this.#fail(s.over.span, `this is ${article(over.sort)}, not a range`);
    }
    const stride = s.stride ? this.#expr(s.stride, this.#env.sorts.get("int")) : null;
    const name = stride === undefined ? undefined : this.#element(s.name, sort);
    if (stride === undefined || name === undefined) return undefined;
    const body = this.#looped(s.body);
    const base: Stmt = { k: "each", name, sort, over, body };
    return [stride === null ? base : { ...base, stride }];
  }

  /** An element may have the name of one that is gone; it is told apart by a number. */
  #element(name: Ident, sort: AnySort): string | undefined {
    const other = this.#scope.locals.get(name.text);
    if (other !== undefined && other.kind !== "element") {
      this.#out.report("twice", name.span, `${quote(name.text)} is ${what(other)} already`);
      return undefined;
    }
    if (!newName(this.#scope, name)) return undefined;
    const own = `${name.text}#t${elements++}`;
    this.#enter(name.text, { name: own, sort, kind: "element" });
    return own;
  }

  #enter(name: string, local: Local): void {
    this.#scope = { ...this.#scope, locals: new Map([...this.#scope.locals, [name, local]]) };
  }

  #declare(s: StmtSyntax & { readonly k: "declare" }): readonly Stmt[] | undefined {
    const sort = sortNamed(this.#scope, s.sort);
    if (sort === undefined) return undefined;
    const given: Stmt[] = [];
    for (const { name, value } of s.names) {
      const other = this.#scope.locals.get(name.text);
      if (other !== undefined) {
        this.#out.report("twice", name.span, `${quote(name.text)} is ${what(other)} already`);
        return undefined;
      }
      if (!newName(this.#scope, name)) return undefined;
      this.declared[name.text] = sort;
      this.#enter(name.text, { name: name.text, sort, kind: "local" });
      if (value === undefined) continue;
      const to: ExprSyntax = { k: "name", name: name.text, span: name.span };
      // The names behind a mistake are declared all the same.
      const set = this.#assign(to, value);
      if (set === undefined) this.failed = true;
      else given.push(...set);
    }
    return given;
  }

  #return(s: StmtSyntax & { readonly k: "return" }): readonly Stmt[] | undefined {
    if (s.value === undefined) {
      if (this.#result === undefined) return [{ k: "return" }];
      return this.#fail(s.span, `${article(this.#result)} must be returned`);
    }
    if (this.#result === undefined) return this.#fail(s.value.span, "this routine has no result");
    const value = this.#expr(s.value, this.#result);
    return value && [{ k: "return", value }];
  }

  /** `place = value;`, where a local may also take the result of a call. */
  #assign(to: ExprSyntax, value: ExprSyntax): readonly Stmt[] | undefined {
    const local = to.k === "name" ? this.#scope.locals.get(to.name) : undefined;
    if (local && local.kind !== "local") {
      return this.#fail(
        to.span,
        `${quote(local.name.split("#")[0]!)} is ${what(local)}: it keeps its value`,
      );
    }
    if (value.k === "call") {
      const into = primitiveInto(value.name.text);
      const callee = this.#env.routines.get(value.name.text);
      if (into || callee) {
        if (!local) return this.#fail(to.span, "the result of a call goes into a local");
        return into
          ? into(this.#scope, value, local)
          : this.#callRoutine(value, callee!, { local, span: to.span });
      }
    }
    const place = this.#expr(to);
    if (place === undefined || !(local || storable(this.#scope, to, place))) return undefined;
    const node = this.#expr(value, place.sort);
    return node && [{ k: "set", to: place, value: node }];
  }

  #callRoutine(
    e: CallSyntax,
    callee: Callee,
    into?: { readonly local: Local; readonly span: Span },
  ): readonly Stmt[] | undefined {
    const args = resolvePairs(this.#scope, e, e.args, callee.params);
    if (args === undefined) return undefined;
    const call = { k: "call", callee: e.name.text, args } as const;
    if (into === undefined) return [call];
    if (callee.result === undefined) {
      return this.#fail(e.span, `${quote(e.name.text)} has no result`);
    }
    if (!sameSort(callee.result, into.local.sort)) {
      const kinds = `${article(callee.result)}, not ${article(into.local.sort)}`;
      return this.#fail(into.span, `the result of ${quote(e.name.text)} is ${kinds}`);
    }
    return [{ ...call, into: into.local.name }];
  }

  #call(e: CallSyntax): readonly Stmt[] | undefined {
    const { text, span } = e.name;
    const primitive = primitiveCalled(text);
    if (primitive) return primitive(this.#scope, e);
    const callee = this.#env.routines.get(text);
    if (callee) return this.#callRoutine(e, callee);
    if (primitiveInto(text)) {
      return this.#fail(span, `${quote(text)} gives a result: 'x = ${text}(...);'`);
    }
    if (this.#env.macros.has(text) || this.#env.fields.has(text)) {
      return this.#fail(span, `${quote(text)} is a value: as a statement it does nothing`);
    }
    const known = [...this.#env.routines.keys(), ...PRIMITIVES()];
    this.#out.report("routine", span, `unknown routine ${quote(text)}`, suggestion(text, known));
    return undefined;
  }
}

const what = (local: Local): string =>
  local.kind === "local" ? "a local" : local.kind === "parameter" ? "a parameter" : "an element";
