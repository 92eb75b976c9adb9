// SPDX-License-Identifier: Apache-2.0
// Plays steps on the concrete machine, one after the other, and tells what each of them did.

import { describeState, showValue } from "../engine/describe.ts";
import type { PackedMachine, Transition } from "../engine/packed.ts";
import type { Origin } from "../engine/program.ts";
import type { Stmt } from "../ir/stmt.ts";
import { eventNamed } from "../vocabulary/events.ts";
import { formatValue } from "./format.ts";

/** One transition of a schedule: which one, and the choices in it. */
export interface WitnessStep {
  /** Kind and name of the transition; `slot` is the place of an outstanding entry. */
  readonly kind: Transition["kind"];
  readonly name: string;
  readonly slot: number;
  /** Alternatives by number, cell entries by value. */
  readonly choices: readonly number[];
}

/** An event with its values as text. */
export interface NamedEvent {
  readonly event: string;
  readonly args: Readonly<Record<string, string>>;
}

/** A step as one reads it. */
export interface WitnessRow {
  /** From 1; fills and evictions have no number of their own. */
  readonly n: number;
  readonly agent: string;
  readonly kind: Transition["kind"];
  /** Statements that ran: routine and step number. */
  readonly where: readonly { readonly routine: string; readonly step: number }[];
  readonly origins: readonly Origin[];
  readonly events: readonly NamedEvent[];
  /** Variables that changed: name, before, after. */
  readonly changed: readonly {
    readonly name: string;
    readonly from: string;
    readonly to: string;
  }[];
}

/** The witness does not fit the program or cannot be followed. */
export class WitnessMismatch extends Error {}

/** Takes steps one after the other, from a state on. */
export class Player {
  state: Int32Array;
  private readonly machine: PackedMachine;
  private seen: ReadonlyMap<string, string>;
  private count: number;

  /** Begins in a state, after so many numbered steps; `seen`: what that state shows, if known. */
  constructor(
    machine: PackedMachine,
    from: Int32Array = machine.initial(),
    count = 0,
    seen?: ReadonlyMap<string, string>,
  ) {
    this.machine = machine;
    this.state = from;
    this.count = count;
    this.seen = seen ?? shownOf(machine, from);
  }

  /** Number of the transition that a step means. Throws WitnessMismatch. */
  find(step: WitnessStep): number {
    return transitionOf(this.machine, step);
  }

  play(step: WitnessStep): WitnessRow {
    const { machine } = this;
    const t = machine.transitions[this.find(step)]!;
    const events: NamedEvent[] = [];
    const origins: Origin[] = [];
    machine.log = ({ event, args }) => events.push(this.named(event, args));
    machine.trace = (o) => origins.push(o);
    const ran = machine.replay(t, step.choices, this.state);
    machine.log = undefined;
    machine.trace = undefined;
    if (!ran) throw new WitnessMismatch(`${step.kind} ${step.name} cannot happen here`);
    this.state = machine.state.slice();
    const now = shownOf(machine, this.state);
    const changed = [...now].flatMap(([name, to]) => {
      const from = this.seen.get(name) ?? "";
      return from === to ? [] : [{ name, from, to }];
    });
    this.seen = now;
    if (!t.free) this.count++;
    const where = distinct(origins);
    return { n: this.count, agent: t.name, kind: t.kind, where, origins, events, changed };
  }

  private named(event: string, args: Readonly<Record<string, number>>): NamedEvent {
    const { domain } = this.machine.program;
    const params = eventNamed(event)?.params ?? {};
    const shown = Object.entries(args).map(([name, value]) => {
      const sort = params[name];
      return [name, sort ? showValue(sort, value, domain, formatValue) : `${value}`] as const;
    });
    return { event, args: Object.fromEntries(shown) };
  }
}

/** What a state shows, by the names of its variables. */
export function shownOf(machine: PackedMachine, state: Int32Array): ReadonlyMap<string, string> {
  machine.load(state, 0);
  return describeState(machine, formatValue);
}

/** Whether a step has a statement that others can notice, or that waits for them. */
export const isShared = ({ origins }: Pick<WitnessRow, "origins">): boolean =>
  origins.some((o) => o.stmt && sharedAccess(o.stmt));

/** The statement that a step is about: one that others can notice, or else its first. */
export const toldOrigin = ({ origins }: Pick<WitnessRow, "origins">): Origin | undefined =>
  origins.find((o) => o.stmt && sharedAccess(o.stmt)) ?? origins[0];

/** Whether other agents can notice the statement, or it waits for them. */
function sharedAccess(s: Stmt): boolean {
  switch (s.k) {
    case "set":
      return s.to.k !== "local" || s.value.k === "read";
    case "xchg":
    case "cas":
    case "await":
    case "retry":
    case "lookup":
    case "insert":
    case "clear":
    case "post":
      return true;
    default:
      return false;
  }
}

const numbers = new WeakMap<PackedMachine, ReadonlyMap<string, number>>();
const key = ({ kind, name, slot }: Omit<WitnessStep, "choices">) => `${kind} ${slot} ${name}`;

/** Number of the transition that a step means. Throws WitnessMismatch. */
export function transitionOf(machine: PackedMachine, step: WitnessStep): number {
  let known = numbers.get(machine);
  if (!known) {
    known = new Map(machine.transitions.map((t, n) => [key(t), n]));
    if (known.size < machine.transitions.length) throw new Error("two transitions with one name");
    numbers.set(machine, known);
  }
  const n = known.get(key(step));
  if (n === undefined) throw new WitnessMismatch(`there is no ${step.kind} ${step.name}`);
  return n;
}

function distinct(origins: readonly Origin[]): WitnessRow["where"] {
  const seen = new Set<string>();
  return origins.flatMap(({ routine, step }) => {
    const key = `${routine}:${step}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ routine, step }];
  });
}
