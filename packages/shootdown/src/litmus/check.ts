// SPDX-License-Identifier: Apache-2.0
// The checks of a scenario that need its own names and a dictionary, and no hardware and no kernel.
//
//   names        each is declared, once, and of the right kind
//   initial      no place is mapped twice, no writable page in a read-only vma, ... (places.ts)
//   statements   known, run by an agent that can, with arguments of the right kinds
//   results      no two Result lines for one run
//   labels       ids of rules, freedoms, exceptions and failures that exist

import { type Diagnostic, quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";
import type {
  Arg,
  AtomExpr,
  Body,
  DeviceItem,
  Expectation,
  Expr,
  Name,
  Scenario,
  Statement,
} from "./ast.ts";
import { checkEqual, checkPlace } from "./check-equal.ts";
import { checkInstruction } from "./check-instructions.ts";
import { checkSwitches } from "./check-switches.ts";
import { Diagnostics } from "./codes.ts";
import { expandRange, resolvePlaces } from "./places.ts";
import { expectKind, kindWords, type SymbolKind, type Symbols, symbolsOf } from "./symbols.ts";
import { CPU_NAME, type Dictionary, LABEL_KEYS, type Param, type Signature } from "./words.ts";

/** Where a check looks names up and reports. */
interface Context {
  readonly symbols: Symbols;
  readonly dictionary: Dictionary;
  readonly out: Diagnostics;
  /** The program that is being checked. */
  readonly body?: Body;
  /** Where fields of `kernel` blocks may be named. */
  readonly scenario?: Scenario;
}

/** The forms of argument that each parameter takes; `range` is one without an mm. */
const SHAPES: Record<Extract<Param, string> | "word", readonly string[]> = {
  mm: ["name"],
  page: ["name"],
  va: ["name"],
  device: ["name"],
  cpu: ["name"],
  agent: ["name"],
  signal: ["name"],
  awaited: ["name"],
  word: ["name"],
  place: ["place"],
  places: ["place", "places"],
  pages: ["name", "range"],
  spot: ["name", "place"],
  spots: ["name", "range", "place", "places"],
  scope: ["name", "range", "place", "places"],
  frame: ["name"],
  upper: ["name"],
  register: ["name"],
  number: ["number"],
  any: ["name", "place", "places", "range", "number"],
};

/** In the order of the text; empty if nothing is wrong. */
export function checkScenario(scenario: Scenario, dictionary: Dictionary): Diagnostic[] {
  const out = new Diagnostics();
  const symbols = symbolsOf(scenario, dictionary, out);
  const context: Context = { symbols, dictionary: withOwn(scenario, dictionary), out };
  checkResults(scenario.expectations, out);
  checkLabels(scenario, dictionary, out);
  checkItems(scenario, context);
  if (out.count === 0) resolvePlaces(scenario, symbols, out);
  for (const body of scenario.bodies) {
    if (out.full) break;
    checkBody(body, context);
  }
  if (!out.full) checkExpr(scenario.condition.expr, { ...context, scenario });
  return out.sorted();
}

/** The dictionary with the routines of the scenario's own kernel. */
function withOwn(scenario: Scenario, dictionary: Dictionary): Dictionary {
  const { own, routines } = dictionary;
  if (own === undefined || routines === undefined || scenario.kernels.length === 0) {
    return dictionary;
  }
  const all = new Map(routines);
  for (const [name, signature] of own(scenario)) {
    if (signature) all.set(name, signature);
    else all.delete(name);
  }
  return { ...dictionary, routines: all };
}

function checkResults(expectations: readonly Expectation[], out: Diagnostics): void {
  const seen = new Map<string, Expectation>();
  for (const expectation of expectations) {
    const { machine, kernel, set, observation, span } = expectation;
    const knobs = set.map(({ knob, value }) => `${knob.text}=${value.text}`).sort();
    const run = [machine?.text ?? "", kernel?.text ?? "", ...knobs].join(" ");
    const first = seen.get(run);
    if (first === undefined) {
      seen.set(run, expectation);
      continue;
    }
    const same = first.observation.text === observation.text;
    const message = same ? "this run stands in another line" : "another line contradicts this one";
    out.report("L029", span, message, { message: "the other line", span: first.span });
  }
}

/** What each kind of label names. */
const LABELLED = { Rules: "rule", Cells: "cell", Silent: "exception", Bug: "failure" } as const;

function checkLabels({ labels }: Scenario, dictionary: Dictionary, out: Diagnostics): void {
  for (const key of LABEL_KEYS) {
    const known = dictionary.labels?.[key];
    if (known === undefined) continue;
    for (const { text, span } of labels[key] ?? []) {
      if (known.includes(text)) continue;
      const hint = suggestion(text, known) ?? `ids are ${known[0]} to ${known.at(-1)}`;
      out.report("L031", span, `unknown ${LABELLED[key]} ${quote(text)}`, hint);
    }
  }
}

function checkItems(scenario: Scenario, { symbols, out }: Context): void {
  let freeFrames: Name["span"] | undefined;
  const check = (name: Name | undefined, kind: SymbolKind) => {
    if (name !== undefined) expectKind(symbols, name, [kind], out);
  };
  for (const item of scenario.items) {
    if (out.full) return;
    switch (item.kind) {
      case "map":
        check(item.place.mm, "mm");
        check(item.page, "page");
        break;
      case "own-table":
        check(item.pages.from, "va");
        check(item.pages.to, "va");
        check(item.pages.mm, "mm");
        break;
      case "vma":
      case "none":
        check(item.pages.mm, "mm");
        break;
      case "device":
        check(item.mm, "mm");
        checkTables(item, out);
        for (const range of item.cached) {
          check(range.from, "va");
          check(range.to, "va");
        }
        break;
      case "free-frames":
        if (freeFrames !== undefined) {
          const note = { message: "first here", span: freeFrames };
          out.report("L019", item.span, "'free-frames' stands twice", note);
        }
        freeFrames = item.span;
        break;
      default:
        break;
    }
  }
}

/** A device with page tables of its own has nothing in an IOMMU. */
function checkTables({ attributes, cached }: DeviceItem, out: Diagnostics): void {
  const { tables, ats, notifier } = attributes;
  if (!tables) return;
  for (const other of [ats, notifier]) {
    if (other) out.report("L016", other.span, `'${other.text}' excludes '${tables.text}'`);
  }
  if (cached[0]) out.report("L016", cached[0].span, `'cached' excludes '${tables.text}'`);
}

function checkBody(body: Body, context: Context): void {
  const { symbols, out } = context;
  if (CPU_NAME.test(body.agent.text)) {
    if (body.mm !== undefined) expectKind(symbols, body.mm, ["mm"], out);
  } else if (expectKind(symbols, body.agent, ["device"], out) && body.mm !== undefined) {
    const hint = `write ${quote(body.agent.text)} alone`;
    out.report("L021", body.mm.span, "a device uses the mm of its declaration", hint);
  }
  checkStatements(body.statements, body, { ...context, body });
  checkSwitches(body, context.dictionary, out);
}

function checkStatements(statements: readonly Statement[], body: Body, context: Context): void {
  const { dictionary, out } = context;
  for (const statement of statements) {
    if (out.full) return;
    if (statement.kind === "loop") {
      checkStatements(statement.body, body, context);
      continue;
    }
    const isCall = statement.kind === "call";
    const name = isCall ? statement.routine : statement.verb;
    const table = isCall ? dictionary.routines : dictionary.verbs;
    const signature = table?.get(name.text);
    if (signature === undefined) {
      if (table !== undefined) unknownStatement(name, isCall, dictionary, out);
      continue;
    }
    const before = out.count;
    checkAgent(name, signature, body, out);
    checkArguments(name, statement.args, signature, context);
    if (isCall) continue;
    checkInto(name, statement.into, signature, context);
    if (out.count === before) checkInstruction(statement, body, context.symbols, out);
  }
}

function unknownStatement(
  name: Name,
  isCall: boolean,
  { verbs, routines }: Dictionary,
  out: Diagnostics,
): void {
  const other = isCall ? verbs : routines;
  const form = isCall ? `'${name.text} ...;' without parentheses` : `'${name.text}(...)'`;
  const hint = other?.has(name.text)
    ? `write ${form}`
    : suggestion(name.text, (isCall ? routines : verbs)?.keys() ?? []);
  if (isCall) out.report("L012", name.span, `unknown routine ${quote(name.text)}`, hint);
  else out.report("L020", name.span, `unknown statement ${quote(name.text)}`, hint);
}

function checkAgent(name: Name, signature: Signature, body: Body, out: Diagnostics): void {
  const isCpu = CPU_NAME.test(body.agent.text);
  const actual = !isCpu ? "device" : body.mm === undefined ? "thread" : "user";
  const allowed = {
    cpu: ["thread", "user"],
    user: ["user"],
    device: ["device"],
    "user-or-device": ["user", "device"],
  };
  if (signature.by === undefined || allowed[signature.by].includes(actual)) return;
  const agent = quote(body.agent.text);
  const message =
    actual === "device"
      ? `a device cannot run ${quote(name.text)}`
      : actual === "user"
        ? `only a device can run ${quote(name.text)}`
        : `${agent} runs no mm, which ${quote(name.text)} needs`;
  const hint = actual === "thread" ? `write '${body.agent.text}(A)', A being an mm` : undefined;
  out.report("L028", name.span, message, hint);
}

function checkArguments(
  name: Name,
  args: readonly Arg[],
  signature: Signature,
  context: Context,
): void {
  const { params, optional = 0 } = signature;
  const few = args.length < params.length - optional;
  if (few || args.length > params.length) {
    const forms = params.map(paramWords).join(", ") || "no argument";
    const extra = args[params.length];
    const newLine = extra !== undefined && extra.span.line > name.span.line;
    const hint = newLine ? "a ';' may be missing" : undefined;
    const message = `${quote(name.text)} takes ${forms}`;
    context.out.report("L021", few ? name.span : extra!.span, message, hint);
    return;
  }
  args.forEach((arg, i) => {
    checkArg(arg, params[i]!, name, context);
  });
  checkGroups(args, signature, context.out);
}

/** Words that exclude each other, or stand twice. */
function checkGroups(args: readonly Arg[], { groups = [] }: Signature, out: Diagnostics): void {
  for (const group of groups) {
    const words = args.filter((a) => a.kind === "name" && group.includes(a.name.text));
    const [first, second] = words;
    if (first === undefined || second === undefined) continue;
    const note = { message: "first here", span: first.span };
    out.report("L016", second.span, `only one of ${paramWords(group)} may stand`, note);
  }
}

function checkInto(
  verb: Name,
  into: Name | undefined,
  signature: Signature,
  context: Context,
): void {
  if (into === undefined) return;
  if (signature.into === undefined) {
    context.out.report("L021", into.span, `nothing can follow '->' in ${quote(verb.text)}`);
  } else {
    checkArg({ kind: "name", name: into, span: into.span }, signature.into, verb, context);
  }
}

function checkArg(arg: Arg, param: Param, of: Name, context: Context): void {
  const { symbols, out } = context;
  if (arg.kind === "place") checkPlace(arg, context.symbols, context.out);
  if (arg.kind === "range") {
    if (arg.mm !== undefined) expectKind(symbols, arg.mm, ["mm"], out);
    const known = [arg.from, arg.to].map((name) => expectKind(symbols, name, ["va"], out));
    if (known.every(Boolean)) expandRange(arg, symbols, out);
  }
  if (param === "any") return;
  const shape = arg.kind === "range" && arg.mm !== undefined ? "places" : arg.kind;
  if (!SHAPES[typeof param === "string" ? param : "word"].includes(shape)) {
    out.report("L021", arg.span, `expected ${paramWords(param)} for ${quote(of.text)}`);
  } else if (arg.kind === "name") {
    checkNameArg(arg.name, param, of, context);
  } else if (shape === "range" && (param === "spots" || param === "scope")) {
    if (arg.kind === "range") checkOwner(arg.from, of, context);
  }
}

function checkNameArg(name: Name, param: Param, of: Name, context: Context): void {
  const { symbols, out } = context;
  if (typeof param !== "string") {
    if (param.includes(name.text)) return;
    const message = `expected ${paramWords(param)} for ${quote(of.text)}`;
    out.report("L021", name.span, message, suggestion(name.text, param));
  } else if (param === "awaited") {
    if (symbols.signals.has(name.text)) return;
    const hint = suggestion(name.text, symbols.signals);
    out.report("L013", name.span, `no statement signals ${quote(name.text)}`, hint);
  } else if (param === "register") {
    const other = symbols.names.get(name.text);
    if (other === undefined) return;
    const message = `${quote(name.text)} is ${kindWords(other.kind)}, not a register`;
    out.report("L015", name.span, message, { message: "declared here", span: other.name.span });
  } else if (param === "upper" && name.text === "table") {
    return;
  } else if (param === "frame" || param === "upper") {
    if (name.text !== "none") expectKind(symbols, name, ["page"], out);
  } else if (param === "spot" || param === "spots" || param === "scope") {
    checkSpot(name, param, of, context);
  } else if (param === "agent") {
    expectKind(symbols, name, ["cpu", "device"], out);
  } else if (param === "pages") {
    expectKind(symbols, name, ["va"], out);
  } else if (param === "mm" || param === "page" || param === "va") {
    expectKind(symbols, name, [param], out);
  } else if (param === "device" || param === "cpu") {
    expectKind(symbols, name, [param], out);
  }
}

/** An address alone is one of the mm that the CPU runs. */
function checkSpot(name: Name, param: Param, of: Name, context: Context): void {
  const isMm = param === "scope" && context.symbols.names.get(name.text)?.kind === "mm";
  if (!isMm && expectKind(context.symbols, name, ["va"], context.out))
    checkOwner(name, of, context);
}

/** `name` begins an argument without an mm. */
function checkOwner(name: Name, of: Name, { body, out }: Context): void {
  if (body?.mm !== undefined) return;
  const hint = `write 'A:${name.text}', A being an mm`;
  const message = `${quote(body?.agent.text ?? "")} runs no mm, which ${quote(of.text)} needs`;
  out.report("L028", name.span, message, hint);
}

function paramWords(param: Param): string {
  if (typeof param !== "string") return param.map((word) => `'${word}'`).join(" or ");
  const words: Record<Extract<Param, string>, string> = {
    mm: "an mm",
    page: "a page",
    va: "an address",
    device: "a device",
    cpu: "a CPU",
    agent: "a CPU or a device",
    place: "a place such as 'A:x'",
    places: "a place or range such as 'A:x..y'",
    pages: "an address or a range such as 'x..y'",
    spot: "an address or a place such as 'A:x'",
    spots: "an address or a range such as 'x..y' or 'A:x..y'",
    scope: "an address, a range such as 'x..y' or 'A:x..y', or an mm",
    frame: "a page or 'none'",
    upper: "a page, 'none' or 'table'",
    register: "the name of a register",
    number: "a number",
    signal: "the name of a signal",
    awaited: "the name of a signal",
    any: "an argument",
  };
  return words[param];
}

function checkExpr(expr: Expr, context: Context): void {
  const { out } = context;
  if (out.full) return;
  switch (expr.kind) {
    case "not":
      checkExpr(expr.of, context);
      return;
    case "and":
    case "or":
      for (const part of expr.parts) checkExpr(part, context);
      return;
    case "equal":
      checkEqual(expr, context.symbols, context.out);
      return;
    case "atom":
      checkAtom(expr, context);
  }
}

/** A property; or a field of a `kernel` block, with what it must hold. */
function checkAtom({ property, args, value, span }: AtomExpr, context: Context): void {
  const { dictionary, out, scenario } = context;
  const { text } = property;
  const known = dictionary.properties;
  const field = scenario && dictionary.fields?.(scenario).get(text);
  const signature = field ?? known?.get(text);
  if (field === null) {
    out.report("L021", property.span, `${quote(text)} holds or is of what has no name here`);
  } else if (signature === undefined && value && !field) {
    const hint = known && suggestion(text, known.keys());
    out.report("L008", span, `expected a place such as 'A:x' before '='`, hint);
  } else if (signature === undefined && known) {
    const hint = suggestion(text, known.keys());
    out.report("L022", property.span, `unknown property ${quote(text)}`, hint);
  } else if (signature === undefined) {
    for (const arg of args) checkArg(arg, "any", property, context);
  } else {
    checkArguments(property, args, signature, context);
    const { into } = field ?? {};
    if (value && into) checkArg(value, into, property, context);
    else if (value) out.report("L021", value.span, `${quote(text)} holds or does not: no '='`);
    else if (into) out.report("L021", span, `${quote(text)} is compared: '${text}... = 1'`);
  }
}
