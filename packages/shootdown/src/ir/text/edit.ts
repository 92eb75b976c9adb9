// SPDX-License-Identifier: Apache-2.0
// Edits of a routine: statements named by number, label or text are dropped, replaced or moved, and
// others put before and behind them.
//
//   edits ──► statements of the routine as it stands ──► all changed at once
//
// All edits name the routine as `show` prints it without them: no edit renumbers for the next.

import { quote } from "../../base/diagnostic.ts";
import { suggestion } from "../../base/suggest.ts";
import { inVersions, rewrite } from "../kernel.ts";
import type { Definition } from "../machine.ts";
import { printHead } from "../print.ts";
import { Names } from "../print-expr.ts";
import type { AnySort } from "../sort.ts";
import { nested, numberSteps } from "../steps.ts";
import type { Stmt } from "../stmt.ts";
import { checkBody } from "./check-body.ts";
import type { Environment } from "./environment.ts";
import type { Reporter } from "./lexer.ts";
import { Resolver, type Surroundings } from "./resolve.ts";
import type { Local } from "./scope.ts";
import type { EditSyntax, Ident, StmtSyntax, TargetSyntax } from "./syntax.ts";

/** A statement as an edit can name it. */
interface Place {
  readonly stmt: Stmt;
  readonly step: number | undefined;
  readonly text: string;
  readonly around: Surroundings;
  /** Those that it stands in. */
  readonly inside: readonly Stmt[];
}

interface Change {
  readonly before: Stmt[];
  readonly after: Stmt[];
  /** What stands in its place; absent: itself. */
  instead?: readonly Stmt[];
}

/** The routine with all edits made; undefined after a reported error. */
export function editRoutine(
  env: Environment,
  out: Reporter,
  old: Definition,
  version: string,
  { routine, edits }: { readonly routine: Ident; readonly edits: readonly EditSyntax[] },
): Definition | undefined {
  const editor = new Editor(env, out, old, version);
  for (const edit of edits) editor.edit(edit);
  if (editor.failed) return undefined;
  const body = editor.result();
  const locals = { ...old.locals, ...editor.declared };
  const complain = (message: string) =>
    out.report("body", routine.span, `${quote(old.name)} with these edits: ${message}`);
  if (!checkBody(body, old.result, Object.keys(locals), complain)) return undefined;
  const stray = strayIn(body, new Set(Object.keys({ ...old.params, ...locals })), false);
  if (stray !== undefined) {
    complain(stray);
    return undefined;
  }
  return { ...old, locals, body: () => body };
}

class Editor {
  readonly declared: Record<string, AnySort> = {};
  failed = false;
  private readonly env: Environment;
  private readonly out: Reporter;
  private readonly old: Definition;
  private readonly places: readonly Place[];
  private readonly changes = new Map<Stmt, Change>();

  constructor(env: Environment, out: Reporter, old: Definition, version: string) {
    this.env = env;
    this.out = out;
    this.old = old;
    this.places = placesOf(old, version);
  }

  edit(e: EditSyntax): void {
    const place = this.find(e.target);
    if (place === undefined) return;
    switch (e.k) {
      case "drop":
        return this.replace(e.target, place, []);
      case "replace": {
        const body = this.resolve(e.body, place);
        return body && this.replace(e.target, place, body);
      }
      case "before":
      case "after": {
        const body = this.resolve(e.body, place);
        if (body) this.changeOf(place.stmt)[e.k].push(...body);
        return;
      }
      case "move": {
        const to = this.find(e.to);
        if (to === undefined) return;
        if (to.stmt === place.stmt || to.inside.includes(place.stmt)) {
          return this.fail(e.to, "a statement cannot be moved into itself");
        }
        this.changeOf(to.stmt)[e.where].push(place.stmt);
        return this.replace(e.target, place, []);
      }
    }
  }

  result(): readonly Stmt[] {
    const change = (s: Stmt): readonly Stmt[] | undefined => {
      const c = this.changes.get(s);
      if (c === undefined) return undefined;
      // A copy, so that it is not found again.
      const inner = c.instead ?? rewrite([{ ...s }], change);
      return [...c.before, ...inner, ...c.after];
    };
    return rewrite(this.old.body(), change);
  }

  private fail(at: TargetSyntax, message: string, ...notes: (string | undefined)[]): void {
    this.failed = true;
    this.out.report("edit", at.span, message, ...notes);
  }

  private changeOf(s: Stmt): Change {
    let change = this.changes.get(s);
    if (change === undefined) this.changes.set(s, (change = { before: [], after: [] }));
    return change;
  }

  private replace(at: TargetSyntax, { stmt }: Place, by: readonly Stmt[]): void {
    const change = this.changeOf(stmt);
    if (change.instead) return this.fail(at, "this statement is dropped, replaced or moved twice");
    // The name stays, for other edits.
    change.instead = stmt.k === "label" ? [{ ...stmt, body: by }] : by;
  }

  private resolve(body: readonly StmtSyntax[], { around }: Place): readonly Stmt[] | undefined {
    const known = Object.entries(this.declared).map(
      ([name, sort]) => [name, { name, sort, kind: "local" } satisfies Local] as const,
    );
    const locals = new Map([...around.locals, ...known]);
    const resolver = new Resolver(this.env, this.out, { ...around, locals });
    const found = resolver.block(body);
    Object.assign(this.declared, resolver.declared);
    if (!resolver.failed) return found;
    this.failed = true;
    return undefined;
  }

  private find(target: TargetSyntax): Place | undefined {
    const found = this.places.filter((p) => names(target, p));
    const [only] = found;
    if (only === undefined) this.missing(target);
    else if (found.some((p) => p.stmt !== only.stmt)) {
      const steps = found.map((p) => p.step).join(", ");
      this.fail(target, `several statements are meant: ${steps}`, "name one by its number");
    } else if (only.inside.some((s) => this.changes.get(s)?.instead)) {
      this.fail(target, "this stands inside a statement that is dropped, replaced or moved");
    } else return only;
    return undefined;
  }

  private missing(target: TargetSyntax): void {
    const { name } = this.old;
    const steps = this.places.flatMap(({ step }) => step ?? []).length;
    const labels = this.places.flatMap(({ stmt }) => (stmt.k === "label" ? [stmt.name] : []));
    const list = labels.map((l) => `'${l}'`).join(", ");
    const has = labels.length === 0 ? `${name} has no labels` : `labels of ${name}: ${list}`;
    const texts = this.places.map((p) => p.text);
    if (target.by === "step") this.fail(target, `${name} has steps 1 to ${steps}`);
    else if (target.by === "label") {
      this.fail(target, `${name} has no label ${quote(target.text)}`, has);
    } else {
      this.fail(target, `no statement of ${name} reads so`, suggestion(target.text, texts));
    }
  }
}

function names(target: TargetSyntax, { stmt, step, text }: Place): boolean {
  switch (target.by) {
    case "step":
      return step !== undefined && `${step}` === target.text;
    case "label":
      return stmt.k === "label" && stmt.name === target.text;
    case "text":
      return step !== undefined && bare(text) === bare(target.text);
  }
}

/** Without what printing may add: spaces, the brace of a block, the last semicolon. */
const bare = (text: string): string => text.replace(/\s+/g, "").replace(/[;{]+$/, "");

/** The statements of a routine in the order of the text. */
function placesOf(def: Definition, version: string): readonly Place[] {
  const body = def.body();
  const steps = numberSteps(body, version);
  const names = new Names([...Object.keys(def.params), ...Object.keys(def.locals)]);
  const found: Place[] = [];
  const locals = new Map<string, Local>();
  for (const [name, sort] of Object.entries(def.params)) {
    locals.set(name, { name, sort, kind: "parameter" });
  }
  for (const [name, sort] of Object.entries(def.locals)) {
    locals.set(name, { name, sort, kind: "local" });
  }
  const visit = (stmts: readonly Stmt[], around: Surroundings, inside: readonly Stmt[]): void => {
    for (const stmt of stmts) {
      if (stmt.k === "since") {
        const now = inVersions(`${stmt.version}..`, version);
        visit(now ? stmt.then : stmt.otherwise, around, [...inside, stmt]);
        continue;
      }
      found.push({ stmt, step: steps.get(stmt), text: printHead(stmt, names), around, inside });
      const within = withElement(around, stmt, names);
      for (const block of nested(stmt)) visit(block, within, [...inside, stmt]);
    }
  };
  visit(body, { locals, result: def.result, inLoop: false }, []);
  return found;
}

/** What is in sight inside a statement. */
function withElement(around: Surroundings, s: Stmt, names: Names): Surroundings {
  if (s.k === "loop") return { ...around, inLoop: true };
  if (s.k !== "each" && s.k !== "forall") return around;
  const element: Local = { name: s.name, sort: s.sort, kind: "element" };
  return {
    ...around,
    // `for_all` cannot be left.
    inLoop: s.k === "each",
    locals: new Map([...around.locals, [names.of(s.name), element]]),
  };
}

/** A name that is not in sight where it stands now, or a jump out of no loop. */
function strayIn(
  stmts: readonly Stmt[],
  known: ReadonlySet<string>,
  inLoop: boolean,
): string | undefined {
  for (const s of stmts) {
    if ((s.k === "break" || s.k === "continue") && !inLoop) return `'${s.k}' stands in no loop`;
    const loops = s.k === "loop" || s.k === "each";
    const within = s.k !== "forall" && (inLoop || loops);
    const inner = s.k === "each" || s.k === "forall" ? new Set([...known, s.name]) : known;
    const stray = [...localsOf(s)].find((name) => !inner.has(name));
    if (stray !== undefined) return `'${stray.split("#")[0]}' is not in sight where it stands`;
    for (const block of nested(s)) {
      const found = strayIn(block, inner, within);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The locals that the expressions of a statement name, not those of statements in it. */
function localsOf(s: Stmt): Set<string> {
  const found = new Set<string>();
  if (s.k === "clear") return found;
  const visit = (part: unknown): void => {
    if (typeof part !== "object" || part === null || "kind" in part) return;
    if ("k" in part && part.k === "local" && "name" in part) found.add(String(part.name));
    for (const [name, inner] of Object.entries(part)) {
      if (!["then", "otherwise", "body", "branches"].includes(name)) visit(inner);
    }
  };
  visit(s);
  return found;
}
