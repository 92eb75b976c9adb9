// SPDX-License-Identifier: Apache-2.0
// What is asked of the final states of a herd test: `locations [...]`, `exists (...)`.
//
//   condition   =  disjunct { "\/" disjunct }        disjunct  =  atom { "/\" atom }
//   atom        =  ("~" | "not") atom | "(" condition ")" | location "=" value
//               |  "fault" "(" "P0" [":" label] ["," location] ["," type] ")" | "true" | "false"

import { quote } from "../../base/diagnostic.ts";
import { suggestion } from "../../base/suggest.ts";
import type { Condition, FaultPattern, FaultType, HerdTest, Location } from "./ast.ts";
import { attempt, MAX_NESTING, Mistake, Scan, type Source, unsupported } from "./scan.ts";
import { type Mention, readDescriptor, readLocation, readValue } from "./values.ts";

export interface Question {
  readonly quantifier: HerdTest["quantifier"];
  readonly condition: Condition;
  /** In the order of the text, with repetitions. */
  readonly locations: readonly Location[];
  readonly faults: readonly FaultPattern[];
}

/** What the reader of conditions needs to know of the programs. */
export interface Programs {
  readonly threads: number;
  labels(thread: number): readonly string[];
}

const SECTION = /(?:locations|filter|observed|exists|forall|final|~\s*exists)\b/y;
const FAULT = /[Ff]ault\s*\(/y;
const FAULT_THREAD = /P?([0-9]{1,4})/y;
const NAME = /[\w.$]+/y;
const TYPE = /(?:([DI])-)?MMU(?::(\w+))?/y;
const OTHER_TYPE =
  /(?:TagCheck|PacCheck|UndefinedInstruction|Supervisor|SupervisorCall|UndefExc)\b[\w:]*/y;
const FAULT_TYPES: readonly FaultType[] = ["Translation", "AccessFlag", "Permission"];
const REGISTER = /P?[0-9]+\s*:\s*[XWxw][0-9]+(?!\w)/y;
const CONNECTIVE = /=>|<=>/y;

export function readQuestion(
  source: Source,
  stretch: readonly [from: number, end: number],
  mention: Mention,
  programs: Programs,
): Question {
  const reader = new Reader(new Scan(source, ...stretch), mention, programs);
  return attempt(source, () => reader.read()) ?? reader.question();
}

class Reader {
  readonly scan: Scan;
  readonly mention: Mention;
  readonly programs: Programs;
  readonly locations: Location[] = [];
  readonly faults: FaultPattern[] = [];
  quantifier: HerdTest["quantifier"] = "forall";
  condition: Condition = { k: "true" };
  depth = 0;

  constructor(scan: Scan, mention: Mention, programs: Programs) {
    this.scan = scan;
    this.mention = mention;
    this.programs = programs;
  }

  read(): Question {
    const { scan } = this;
    while (!scan.atEnd()) {
      const match = scan.need(SECTION, "'locations', 'exists', 'forall' or '~exists'");
      const word = match[0].replace(/\s+/g, "");
      if (word === "locations") this.#locations();
      else if (word === "filter") {
        this.#condition();
        unsupported(scan.source, "filter");
      } else if (word === "exists" || word === "forall" || word === "~exists") {
        this.quantifier = word;
        this.condition = this.#condition();
        if (!scan.atEnd()) throw scan.expected("the end of the file after the condition");
      } else {
        unsupported(scan.source, `section ${word}`);
        scan.rest();
      }
    }
    return this.question();
  }

  question(): Question {
    const { quantifier, condition, locations, faults } = this;
    return { quantifier, condition, locations, faults };
  }

  /** `[0:X1; x; fault(P0,x);]`; a type may stand at either side of a location. */
  #locations(): void {
    const { scan } = this;
    scan.expect("[");
    while (!scan.eat("]")) {
      if (scan.take(FAULT)) this.#fault();
      else {
        scan.take(/(?:u?int\w*|pteval_t|intptr_t)\s*\**\s*(?=[\w[])/y);
        this.#location();
        scan.take(/(?:u?int\w*|pteval_t|intptr_t)[\s*]*/y);
      }
      if (!scan.eat(";") && !scan.sees("]")) throw scan.expected("';' or ']'");
    }
  }

  #condition(): Condition {
    const left = this.#disjunction();
    const match = this.scan.take(CONNECTIVE);
    if (match === undefined) return left;
    const right = this.#condition();
    const implies = (a: Condition, b: Condition): Condition => ({
      k: "or",
      parts: [{ k: "not", of: a }, b],
    });
    if (match[0] === "=>") return implies(left, right);
    return { k: "and", parts: [implies(left, right), implies(right, left)] };
  }

  #disjunction(): Condition {
    const parts = [this.#conjunction()];
    while (this.scan.eat("\\/")) parts.push(this.#conjunction());
    return parts.length === 1 ? parts[0]! : { k: "or", parts };
  }

  #conjunction(): Condition {
    const parts = [this.#atom()];
    while (this.scan.eat("/\\")) parts.push(this.#atom());
    return parts.length === 1 ? parts[0]! : { k: "and", parts };
  }

  #atom(): Condition {
    const { scan } = this;
    if (++this.depth > MAX_NESTING) {
      const span = scan.span(scan.at, scan.at + 1);
      throw new Mistake("H010", span, `the condition is nested more than ${MAX_NESTING} deep`);
    }
    const condition = this.#inner();
    this.depth--;
    return condition;
  }

  #inner(): Condition {
    const { scan } = this;
    if (scan.eat("~") || scan.take(/not\b/y)) return { k: "not", of: this.#atom() };
    if (scan.eat("(")) {
      const inside = this.#condition();
      scan.expect(")", " that closes the condition");
      return inside;
    }
    if (scan.take(/true\b/y)) return { k: "true" };
    if (scan.take(/false\b/y)) return { k: "not", of: { k: "true" } };
    if (scan.take(FAULT)) return { k: "fault", fault: this.#fault() };
    return this.#equation();
  }

  #equation(): Condition {
    const { scan } = this;
    const left = this.#location();
    const differs = scan.take(/!=|<>/y) !== undefined;
    if (!differs) scan.expect("=", " after the location");
    const equation = this.#right(left);
    return differs ? { k: "not", of: equation } : equation;
  }

  /** A register or a location in brackets on the right is read; a bare name is an address. */
  #right(left: Location): Condition {
    const { scan, mention } = this;
    if (scan.look(REGISTER) || scan.sees("[")) {
      return { k: "same", left, right: this.#location() };
    }
    if (left.k === "pte" && scan.sees("(")) {
      const desc = readDescriptor(scan, left.name, mention);
      return { k: "equal", location: left, value: { k: "desc", desc } };
    }
    return { k: "equal", location: left, value: readValue(scan, mention) };
  }

  #location(): Location {
    const { scan } = this;
    const start = scan.at;
    const location = readLocation(scan, this.mention);
    if (location.k === "reg") this.#thread(location.thread, start);
    this.locations.push(location);
    return location;
  }

  #thread(thread: number, start: number): void {
    const { threads } = this.programs;
    if (thread < threads) return;
    const last = threads === 1 ? "the only thread is P0" : `the last thread is P${threads - 1}`;
    const text = this.scan.source.text.slice(start, this.scan.at).trimEnd();
    const span = this.scan.span(start, start + text.length);
    throw new Mistake("H005", span, `there is no thread P${thread}`, last);
  }

  /** Behind `fault(`. */
  #fault(): FaultPattern {
    const { scan, mention } = this;
    const start = scan.at;
    const thread = Number(scan.need(FAULT_THREAD, "a thread as 'P0'")[1]);
    this.#thread(thread, start);
    const fault: { -readonly [K in keyof FaultPattern]: FaultPattern[K] } = { thread };
    if (scan.eat(":")) fault.label = this.#label(thread);
    while (scan.eat(",")) {
      if (scan.look(TYPE) || scan.look(OTHER_TYPE)) this.#type(fault);
      else if (fault.location === undefined && fault.typeText === undefined) {
        const location = readLocation(scan, mention);
        if (location.k === "reg") throw scan.expected("a location before");
        fault.location = location.name;
        if (location.k === "pte") fault.pte = true;
      } else throw scan.expected("the type of a fault", suggestion("", FAULT_TYPES));
    }
    scan.expect(")");
    this.faults.push(fault);
    return fault;
  }

  #label(thread: number): string {
    const match = this.scan.need(NAME, "a label");
    const known = this.programs.labels(thread);
    if (known.includes(match[0])) return match[0];
    const message = `no label ${quote(match[0])} in P${thread}`;
    throw this.scan.mistake("H004", match, message, suggestion(match[0], known));
  }

  #type(fault: { -readonly [K in keyof FaultPattern]: FaultPattern[K] }): void {
    const { scan } = this;
    const other = scan.take(OTHER_TYPE);
    if (other) return unsupported(scan.source, `faults of type ${other[0]}`);
    const match = scan.need(TYPE, "the type of a fault");
    if (match[1] === "I") unsupported(scan.source, "faults of instruction fetches");
    fault.typeText = match[0];
    const type = FAULT_TYPES.find((t) => t === match[2]);
    if (type !== undefined) fault.type = type;
    else if (match[2] !== undefined) {
      throw scan.unknown(
        "type of fault",
        match,
        FAULT_TYPES.map((t) => `MMU:${t}`),
      );
    }
  }
}
