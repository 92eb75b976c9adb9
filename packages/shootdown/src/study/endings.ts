// SPDX-License-Identifier: Apache-2.0
// How the runs of a scenario end: what page tables and pages are then, and what is wrong with them.
//
// Programs that never end are cut short: of a loop of accesses one round is left, or nothing where
// nobody handles their faults.

import { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import { wordLayout } from "../engine/word.ts";
import { dueRules } from "../explore/due.ts";
import { VisitedSet } from "../explore/visited.ts";
import { DISCIPLINE } from "../kernel/discipline.ts";
import type { Expr, Scenario, Statement } from "../litmus/ast.ts";
import { AT_REST } from "../litmus/at-rest.ts";
import type { World } from "../litmus/world.ts";
import { desc } from "../vocabulary/descriptor.ts";
import { page_life, pmd, pte_table, reg, table_life } from "../vocabulary/state.ts";
import { StepWatch } from "./step-rules.ts";

/** Asked of every ending. */
export const GENERAL: readonly string[] = [
  ...DISCIPLINE.map(({ name }) => name),
  ...AT_REST.keys(),
];

/** The scenario with programs that end, and the general properties as its condition. */
export function ending(scenario: Scenario): Scenario {
  const { span } = scenario.condition;
  const parts = GENERAL.map(
    (text): Expr => ({ kind: "atom", property: { text, span }, args: [], span }),
  );
  const bodies = scenario.bodies.map((b) => ({ ...b, statements: ended(b.statements) }));
  const expr: Expr = { kind: "or", parts, span };
  return { ...scenario, bodies, condition: { quantifier: "exists", expr, span } };
}

/** Stores that the scenario makes itself, and after which it does nothing, are left out too. */
function ended(statements: readonly Statement[]): readonly Statement[] {
  const all = statements.flatMap(cut);
  const last = all.findLastIndex((s) => s.kind !== "verb" || s.verb.text !== "set_pte");
  return all.slice(0, last + 1);
}

function cut(s: Statement): readonly Statement[] {
  if (s.kind === "loop") return s.body.flatMap(cut).filter((inner) => !tries(inner));
  return says(s, "retried") ? [] : [s];
}

const tries = (s: Statement): boolean => says(s, "unhandled");
const says = (s: Statement, word: string): boolean =>
  s.kind === "verb" && s.args.some((a) => a.kind === "name" && a.name.text === word);

export interface Endings {
  /** What page tables, pages and registers are in the end. */
  readonly outcomes: ReadonlySet<string>;
  readonly violated: ReadonlySet<string>;
  /** Statements that are run, as `routine:step`. */
  readonly reached: ReadonlySet<string>;
  readonly states: number;
}

/** Every ending of a program; why there is none if the program is too large, or breaks. */
export function endingsOf(
  program: Program,
  world: World,
  states_max: number,
): Endings | "large" | "broken" {
  try {
    return found(program, world, states_max);
  } catch {
    return "broken";
  }
}

function found(program: Program, world: World, states_max: number): Endings | "large" {
  const machine = new PackedMachine(program, { semantics: "window" });
  const { words } = machine;
  const visited = new VisitedSet(words);
  const due = dueRules(machine);
  const outcomes = new Set<string>();
  const violated = new Set<string>();
  const reached = new Set<string>();
  const watch = new StepWatch(machine, world);
  machine.trace = (origin) => {
    reached.add(`${origin.routine}:${origin.step}`);
    watch.traced(origin);
  };
  visited.add(machine.initial());
  for (let id = 0; id < visited.count; id++) {
    if (visited.count > states_max) return "large";
    let moves = false;
    machine.load(visited.arena, id * words);
    watch.from();
    for (const t of machine.transitions) {
      if (t.free) continue;
      machine.successors(t, visited.arena, id * words, () => {
        if (t.kind === "thread" || t.kind === "effect") moves = true;
        const rule = watch.broken();
        if (rule) violated.add(rule);
        visited.add(machine.state);
      });
    }
    if (moves || due(visited.arena, id * words)) continue;
    machine.load(visited.arena, id * words);
    outcomes.add(outcomeOf(machine, world));
    for (const [n, name] of program.observers.entries()) {
      if (machine.violated(n)) violated.add(name);
    }
    for (const [name, { holds }] of AT_REST) if (holds(machine, world)) violated.add(name);
  }
  return { outcomes, violated, reached, states: visited.count };
}

/** What a state shows; frames that were handed out have the numbers of their first appearance. */
function outcomeOf(m: PackedMachine, world: World): string {
  const { domain, mms, frames } = world;
  const layout = wordLayout(desc, domain);
  const fresh = new Map<number, number>();
  const frame = (n: number): string => {
    if (n < frames.size) return `${n}`;
    if (!fresh.has(n)) fresh.set(n, fresh.size);
    return `f${fresh.get(n)}`;
  };
  const entryText = (e: number): string => {
    if (e === 0) return "-";
    const flags = ["valid", "kind", "AF", "RDONLY", "DBM", "DIRTY"].map((f) => layout.get(e, f));
    return `${flags.join("")}:${frame(layout.get(e, "pfn"))}`;
  };
  const perTable = domain.limits["PTRS_PER_PTE"]!;
  const parts: string[] = [];
  for (const mm of mms.keys()) {
    for (let region = 0; region < domain.sizes["region"]!; region++) {
      const upper = m.field(pmd.decl.name, [mm, region]) ?? 0;
      if (layout.get(upper, "valid") === 0 || layout.get(upper, "table") === 0) {
        parts.push(entryText(upper));
        continue;
      }
      const next = layout.get(upper, "next");
      for (let n = 0; n < perTable; n++) {
        const va = region * perTable + n;
        parts.push(entryText(m.field(pte_table.decl.name, [next, va]) ?? 0));
      }
    }
  }
  for (let n = 0; n < frames.size; n++) parts.push(`${m.field(page_life.decl.name, [n])}`);
  for (const [n] of fresh) parts.push(`${m.field(page_life.decl.name, [n])}`);
  for (let n = 0; n < domain.sizes["table"]!; n++) {
    parts.push(`${m.field(table_life.decl.name, [n])}`);
  }
  for (let agent = 0; agent < (domain.sizes["agent"] ?? 0); agent++) {
    for (const r of world.registers.keys()) {
      const value = m.field(reg.decl.name, [agent, r]) ?? 0;
      parts.push(value < 2 ? `${value}` : frame(value - 2));
    }
  }
  return parts.join(" ");
}
