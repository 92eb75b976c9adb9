// SPDX-License-Identifier: Apache-2.0
// Lowering for the open executor: nothing is enumerated, and nothing is left out.
//
// Keys of cells and sets and parameters of rules are registers of one piece of code. What no thread
// of now can notice is kept, because threads may come later.

import type { Expr, FieldDecl, Node } from "../ir/expr.ts";
import { unsetKnob } from "../ir/expr.ts";
import type { CellDecl, PendingDecl, RuleDecl } from "../ir/machine.ts";
import type { AnySort } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import { operands, visitNode } from "./flow.ts";
import { fold } from "./fold.ts";
import type { InlineContext } from "./inline.ts";
import { inline } from "./inline.ts";
import type {
  EffectCode,
  KeyedCode,
  OpenCell,
  OpenPending,
  OpenProgram,
  OpenRule,
} from "./open-program.ts";
import type { Domain, System, Thread, ThreadSpec } from "./program.ts";
import { sizeOf } from "./program.ts";
import { tidy } from "./tidy.ts";
import { rootsOf, writtenFields } from "./written.ts";

/** Arguments of a rule are listed, to be tried one by one, up to this many. */
export const RULE_ARGS_MAX = 4096;

type Bodies = readonly (readonly Stmt[])[];
type Sorts = Readonly<Record<string, AnySort>>;

/** A thread whose parameters are registers: `parameters` has their numbers, by name. */
export interface Routine {
  readonly thread: Thread;
  readonly parameters: ReadonlyMap<string, number>;
}

export interface RoutineSpec extends ThreadSpec {
  readonly parameters: Sorts;
}

/**
 * Lowers a system. `later`: bodies that threads may be spawned with; what they write varies.
 * Throws on a mistake in a routine or rule.
 */
export function lowerOpen(system: System, later: Bodies = []): OpenProgram {
  const { machine, domain, initial, entries, observers } = system;
  const context = contextOf(system, later);
  const threads = system.threads.map((t) => lowerWith(context, { ...t, parameters: {} }).thread);
  const never = (e: Expr<"bool"> | undefined, parameters: Sorts = {}): boolean => {
    const env = Object.entries(parameters).map(([name, sort]): [string, Node] => {
      return [name, { k: "local", name, sort }];
    });
    const known = e && fold(e.node, new Map(env), context.scope);
    return known?.k === "const" && !known.value;
  };
  const rules = machine.rules
    .filter((r) => !never(r.when, r.params))
    .map((r) => ruleOf(r, context));
  const cells = machine.cells.filter((c) => !never(c.exists)).map((c) => cellOf(c, context));
  const pending = machine.pending.map((p) => pendingOf(p, context));
  const { fields } = context;
  return {
    ...{ domain, initial, entries, threads },
    fields: [...fields.values()],
    ...{ rules, cells, pending },
    observers: observers.map((o) => o.name),
  };
}

/**
 * Lowers one more thread of a system, such as a call of a routine, to be spawned at run time.
 * `later`: what the system was lowered with, the body of this thread among it.
 */
export function lowerRoutine(system: System, spec: RoutineSpec, later: Bodies = []): Routine {
  return lowerWith(contextOf(system, [...later, spec.body]), spec);
}

/** What inlining needs, and the fields that the code so far has named. */
interface OpenContext extends InlineContext {
  readonly fields: Map<string, FieldDecl>;
}

function contextOf(system: System, later: Bodies): OpenContext {
  const { machine, kernel, domain, knobs, observers } = system;
  const definitions = new Map(machine.definitions.map((d) => [d.name, d]));
  const find = (name: string) => kernel.routines.get(name) ?? definitions.get(name);
  const written = writtenFields([...rootsOf(system), ...later], find, kernel.version);
  const begins = new Set(
    system.initial.flatMap((i) => (i.value === i.field.initial ? [] : [i.field.name])),
  );
  let registers = 0;
  return {
    fields: new Map(system.initial.map((i) => [i.field.name, i.field])),
    version: () => kernel.version,
    find,
    observers: () => observers,
    scope: {
      domain,
      knob: (name) => {
        const value = knobs[name] ?? unsetKnob(name);
        if (value === undefined) throw new Error(`knob ${name} has no value`);
        return value;
      },
      constantField: () => undefined,
      varies: ({ name }, writes) => written.has(name) || (!writes && begins.has(name)),
    },
    newRegister: () => registers++,
  };
}

interface Bound {
  readonly env: Map<string, Node>;
  readonly registers: Map<number, AnySort>;
  readonly numbers: readonly number[];
}

/** A register for each name. */
function bind(context: InlineContext, sorts: Sorts): Bound {
  const env = new Map<string, Node>();
  const registers = new Map<number, AnySort>();
  const numbers = Object.entries(sorts).map(([name, sort]) => {
    const reg = context.newRegister();
    env.set(name, { k: "reg", reg, sort });
    registers.set(reg, sort);
    return reg;
  });
  return { env, registers, numbers };
}

function codeOf(
  context: OpenContext,
  name: string,
  body: readonly Stmt[],
  bound: Bound,
  locals: Sorts,
): KeyedCode {
  const code = inline(context, name, body, bound.env, locals);
  const instrs = tidy(code.instrs);
  for (const i of instrs) {
    if ("field" in i) context.fields.set(i.field.name, i.field);
    for (const node of operands(i)) visitNode(node, (n) => noteField(n, context));
  }
  return {
    instrs,
    registers: new Map([...bound.registers, ...code.registers]),
    given: bound.numbers,
  };
}

function noteField(n: Node, context: OpenContext): void {
  if (n.k === "read") context.fields.set(n.field.name, n.field);
}

function lowerWith(context: OpenContext, spec: RoutineSpec): Routine {
  const bound = bind(context, spec.parameters);
  const code = codeOf(context, spec.name, spec.body, bound, spec.locals);
  const names = Object.keys(spec.parameters);
  return {
    thread: { name: spec.name, instrs: code.instrs, registers: code.registers },
    parameters: new Map(names.map((name, i) => [name, bound.numbers[i]!])),
  };
}

function listedArgs(sorts: Sorts, domain: Domain): number[][] | undefined {
  const sizes = Object.values(sorts).map((s) => sizeOf(s, domain));
  if (sizes.reduce((a, b) => a * b, 1) > RULE_ARGS_MAX) return undefined;
  return sizes.reduce<number[][]>(
    (done, size) => done.flatMap((d) => Array.from({ length: size }, (_, i) => [...d, i])),
    [[]],
  );
}

function ruleOf(decl: RuleDecl, context: OpenContext): OpenRule {
  const guard: Stmt = { k: "await", cond: decl.when.node };
  const body: Stmt[] = [{ k: "atomic", body: [guard, ...decl.body()] }];
  const code = codeOf(context, decl.name, body, bind(context, decl.params), decl.locals);
  return { decl, listed: listedArgs(decl.params, context.scope.domain), at: () => code };
}

function cellOf(decl: CellDecl, context: OpenContext): OpenCell {
  const fill =
    decl.fill && codeOf(context, decl.name, decl.fill(), bind(context, decl.keys), decl.locals);
  let admits: OpenCell["admits"];
  if (decl.admits) {
    const reg = context.newRegister();
    const env = new Map<string, Node>([["entry", { k: "reg", reg, sort: decl.value }]]);
    admits = { reg, cond: fold(decl.admits.node, env, context.scope) };
  }
  return { decl, admits, listed: undefined, exists: () => true, fill: () => fill };
}

function pendingOf(decl: PendingDecl, context: OpenContext): OpenPending {
  const { domain } = context.scope;
  const capacity = domain.limits[decl.capacity];
  if (capacity === undefined) throw new Error(`the domain has no limit ${decl.capacity}`);
  const keys = bind(context, decl.keys);
  const fields = bind(context, decl.entry);
  const bound: Bound = {
    env: new Map([...keys.env, ...fields.env]),
    registers: new Map([...keys.registers, ...fields.registers]),
    numbers: keys.numbers,
  };
  const code = codeOf(context, decl.name, decl.effect(), bound, decl.locals);
  const ready = decl.ready && fold(decl.ready.node, bound.env, context.scope);
  if (ready) visitNode(ready, (n) => noteField(n, context));
  const effect: EffectCode = { ...code, entry: fields.numbers, ready };
  return { decl, capacity, at: () => effect };
}
