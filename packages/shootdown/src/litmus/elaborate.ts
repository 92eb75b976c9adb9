// SPDX-License-Identifier: Apache-2.0
// Elaboration: a parsed scenario, a machine and a kernel become a system that can be lowered.

import type { PackedMachine } from "../engine/packed.ts";
import type { Initial, System, ThreadSpec } from "../engine/program.ts";
import { wordLayout } from "../engine/word.ts";
import { machineOf } from "../hardware/machines.ts";
import { smmu_block_tlb, smmu_tlb } from "../hardware/smmuv3/tlb.ts";
import type { FieldDecl } from "../ir/expr.ts";
import type { Kernel } from "../ir/kernel.ts";
import { DISCIPLINE } from "../kernel/discipline.ts";
import type { Architecture } from "../vocabulary/architecture.ts";
import { architectureOf } from "../vocabulary/architecture.ts";
import { desc } from "../vocabulary/descriptor.ts";
import { cd_asid } from "../vocabulary/iommu.ts";
import { OBSERVERS } from "../vocabulary/properties.ts";
import { pmd, pte_table, reg } from "../vocabulary/state.ts";
import type {
  AtomExpr,
  EqualExpr,
  Expr,
  Place,
  Scenario,
  Statement,
  VerbStatement,
} from "./ast.ts";
import { AT_REST } from "./at-rest.ts";
import { boot } from "./boot.ts";
import { fieldTest, type OwnFields, ownFields } from "./own-fields.ts";
import { placesOf } from "./places.ts";
import { printAtom } from "./print.ts";
import { countVerbs } from "./symbols.ts";
import { interruptsOf, threadsOf } from "./threads.ts";
import type { World } from "./world.ts";

/** What the condition asks of runs, in terms of a packed machine. */
export interface Condition {
  readonly latched?: (m: PackedMachine) => boolean;
  /** `latched` holds just where one of these has been violated. */
  readonly observers?: readonly string[];
  readonly final?: (m: PackedMachine) => boolean;
  /** Thread that may be stuck. */
  readonly stuck?: number;
  /** Who may wait for ever: threads, and whatever is outstanding. */
  readonly waits?: { readonly threads: readonly number[]; readonly entries: boolean };
  /** The condition as one writes it, for reports. */
  readonly property: string;
}

/** The system of a scenario for one machine, kernel and choice of all knobs. */
export function elaborate(
  scenario: Scenario,
  world: World,
  kernel: Kernel,
  knobs: Readonly<Record<string, string>>,
  initial: readonly Initial[] = boot(world, kernel, knobs),
): System {
  const at = (name: string, index: number) =>
    initial.findLast((i) => i.field.name === name && i.index[0] === index)?.value ?? 0;
  const entries = world.devices.flatMap((d) =>
    d.cached.flatMap((va) => {
      const asid = at(cd_asid.decl.name, d.mm);
      const region = Math.floor(va / world.domain.limits["PTRS_PER_PTE"]!);
      const block = blockAt(initial, world, d.mm, region);
      const value = block ?? entryAt(initial, world, d.mm, va);
      // Rule A1: what would fault is not cached.
      if (!mayBeCached(value, world)) return [];
      if (block) return [{ cell: smmu_block_tlb.decl, index: [asid, region], value }];
      return [{ cell: smmu_tlb.decl, index: [asid, va], value }];
    }),
  );
  const asked = atoms(scenario.condition.expr);
  const names = new Set([...asked].flatMap((name) => [name, AT_REST.get(name)?.observer ?? name]));
  return {
    machine: machineOf(knobs),
    kernel,
    domain: world.domain,
    knobs,
    threads: agentsOf(scenario, world, knobs),
    observers: [...OBSERVERS.values(), ...DISCIPLINE].filter((o) => names.has(o.name)),
    initial: dedupe(initial),
    entries,
    watched: watchedFields(scenario.condition.expr, world, kernel),
  };
}

/** Made once for a world and an architecture, so that lowerings know them again. */
const agents = new WeakMap<World, Map<Architecture, readonly ThreadSpec[]>>();

function agentsOf(
  scenario: Scenario,
  world: World,
  knobs: Readonly<Record<string, string>>,
): readonly ThreadSpec[] {
  let known = agents.get(world);
  if (!known) agents.set(world, (known = new Map()));
  const architecture = architectureOf(knobs);
  let threads = known.get(architecture);
  if (!threads) {
    threads = [...threadsOf(scenario, world), ...interruptsOf(world, knobs)];
    known.set(architecture, threads);
  }
  return threads;
}

/** The page-table entry of a page at the start. */
function entryAt(initial: System["initial"], world: World, mm: number, va: number): number {
  const { domain } = world;
  const table = mm * domain.sizes["region"]! + Math.floor(va / domain.limits["PTRS_PER_PTE"]!);
  const found = initial.find(
    (i) => i.field === pte_table.decl && i.index[0] === table && i.index[1] === va,
  );
  return found?.value ?? 0;
}

/** The block that maps a region at the start. */
function blockAt(initial: System["initial"], world: World, mm: number, region: number) {
  const layout = wordLayout(desc, world.domain);
  const value = initial.findLast(
    (i) => i.field === pmd.decl && i.index[0] === mm && i.index[1] === region,
  )?.value;
  const block = value !== undefined && layout.get(value, "valid") === 1;
  return block && layout.get(value, "table") === 0 ? value : undefined;
}

function mayBeCached(value: number, world: World): boolean {
  const layout = wordLayout(desc, world.domain);
  return layout.get(value, "valid") === 1 && layout.get(value, "AF") === 1;
}

const deduped = new WeakMap<readonly Initial[], readonly Initial[]>();

/** The last value given to an element is the one that it has. */
function dedupe(initial: readonly Initial[]): readonly Initial[] {
  let known = deduped.get(initial);
  if (!known) {
    const last = new Map(initial.map((i) => [`${i.field.name}[${i.index.join()}]`, i]));
    deduped.set(initial, (known = [...last.values()]));
  }
  return known;
}

function atoms(e: Expr): ReadonlySet<string> {
  switch (e.kind) {
    case "atom":
      return new Set([e.property.text]);
    case "not":
      return atoms(e.of);
    case "equal":
      return new Set();
    default:
      return new Set(e.parts.flatMap((p) => [...atoms(p)]));
  }
}

/** What a condition looks at in the states in which runs end. */
function watchedFields(e: Expr, world: World, kernel: Kernel): readonly FieldDecl[] {
  switch (e.kind) {
    case "atom":
      if (e.property.text in FLAGS) return [pmd.decl, pte_table.decl];
      if (AT_REST.has(e.property.text)) return AT_REST.get(e.property.text)!.fields;
      return kernel.fields?.filter((f) => f.name === e.property.text) ?? [];
    case "equal":
      return agentOf(e.left, world) < 0 ? [pmd.decl, pte_table.decl] : [reg.decl];
    case "not":
      return watchedFields(e.of, world, kernel);
    default:
      return [...new Set(e.parts.flatMap((p) => watchedFields(p, world, kernel)))];
  }
}

/** A condition that this version cannot decide: why. */
export interface Unsupported {
  readonly span: Expr["span"];
  readonly why: string;
}

/** What the model does not have: the first such thing in a scenario. */
function beyondTheModel(scenario: Scenario): Unsupported | undefined {
  for (const item of scenario.items) {
    if (item.kind !== "map" && item.kind !== "vma") continue;
    const { backing, sharing } = item.attributes;
    if (backing?.text === "anonymous" && sharing?.text === "shared-mapping") {
      return { span: sharing.span, why: "shared memory without a file is not modelled" };
    }
  }
  const ofFile = placesOf(scenario).find((p) => p.pte?.huge && p.vma.backing === "file");
  if (ofFile) {
    const map = scenario.items.find((i) => i.kind === "map" && i.attributes.size);
    return { span: map!.span, why: "huge pages of files are not modelled" };
  }
  const exits = scenario.bodies.find((b) =>
    b.statements.some((s) => s.kind === "verb" && s.verb.text === "exit"),
  );
  const other = scenario.bodies.find((b) => b !== exits && b.mm?.text === exits?.mm?.text && b.mm);
  if (exits && other) {
    const why = `exit is the last user's: ${other.agent.text} runs the same mm`;
    return { span: other.agent.span, why };
  }
  const loop = scenario.bodies.flatMap((b) => b.statements).find((s) => s.kind === "loop");
  if (loop && countVerbs(loop.body, (s) => s.verb.text === "ttbr0") > 0) {
    return { span: loop.span, why: "ttbr0 in a loop is not modelled" };
  }
  const shared = sharedContext(scenario) ?? ownTables(scenario);
  if (shared) return shared;
  const { expr } = scenario.condition;
  if (loop && expr.kind === "atom" && expr.property.text === "stuck") {
    return { span: loop.span, why: "stuck(...) cannot be decided beside a loop" };
  }
  return undefined;
}

/** What a guest or a mirroring device does: it reads and writes, and its faults are handled. */
function ownTables(scenario: Scenario): Unsupported | undefined {
  const own = scenario.items.flatMap((i) =>
    i.kind === "device" && i.attributes.tables ? [i.name.text] : [],
  );
  const plain = ["load", "store", "signal", "await"];
  for (const { agent, statements } of scenario.bodies) {
    const isOwn = own.includes(agent.text);
    const wrong = verbsOf(statements).find(
      (s) =>
        (isOwn && (s.into !== undefined || !plain.includes(s.verb.text))) ||
        s.args.some((a) => a.kind === "name" && own.includes(a.name.text)),
    );
    if (!wrong) continue;
    const why = `${wrong.verb.text} is not modelled for a device with page tables of its own`;
    return { span: wrong.span, why };
  }
  return undefined;
}

const verbsOf = (statements: readonly Statement[]): readonly VerbStatement[] =>
  statements.flatMap((s) => {
    if (s.kind === "loop") return verbsOf(s.body);
    return s.kind === "verb" ? [s] : [];
  });

/** A context descriptor belongs to an mm here: of two devices in one, each would have its own. */
function sharedContext(scenario: Scenario): Unsupported | undefined {
  const devices = scenario.items.filter((i) => i.kind === "device");
  const twice = devices.some((d, n) => devices.slice(0, n).some((e) => e.mm.text === d.mm.text));
  const verbs = scenario.bodies.flatMap((b) => b.statements).filter((s) => s.kind === "verb");
  const sets = verbs.find((s) => s.verb.text.startsWith("set_cd"));
  if (!twice || !sets) return undefined;
  const why = `${sets.verb.text} is not modelled where two devices use one mm`;
  return { span: sets.span, why };
}

/** Reads a condition; `stuck` must stand alone. */
export function conditionOf(scenario: Scenario, world: World): Condition | Unsupported {
  const beyond = beyondTheModel(scenario);
  if (beyond) return beyond;
  const { expr } = scenario.condition;
  if (expr.kind === "atom" && expr.property.text === "stuck") {
    const arg = expr.args[0];
    const device = arg?.kind === "name" ? arg.name.text : "";
    const stuck = threadsOf(scenario, world).findIndex((t) => t.name === device);
    if (stuck < 0) return { span: expr.span, why: `${device} has no program that could be stuck` };
    return { stuck, property: `stuck(${device})` };
  }
  if (expr.kind === "atom" && expr.property.text === "never_completes") {
    return neverCompletes(scenario, expr, world);
  }
  const wrong = undecided(expr);
  if (wrong) return wrong;
  const own = ownFields(scenario);
  const holds = evaluate(expr, world, own);
  const property = describe(expr);
  if (!monotone(expr, own)) return { final: holds, property };
  const observers = alternatives(expr);
  return observers ? { latched: holds, observers, property } : { latched: holds, property };
}

/** The observers of which one must be violated, if a monotone condition asks for no more. */
function alternatives(e: Expr): string[] | undefined {
  if (e.kind === "atom") return [e.property.text];
  if (e.kind !== "or") return undefined;
  const parts = e.parts.map(alternatives);
  return parts.every((p) => p !== undefined) ? parts.flat() : undefined;
}

/** `never_completes`: of anybody or anything; `never_completes(CPU0)`: of what this agent asks. */
function neverCompletes(
  scenario: Scenario,
  { args, span }: AtomExpr,
  world: World,
): Condition | Unsupported {
  const [arg] = args;
  const names = threadsOf(scenario, world).map((t) => t.name);
  const all = [...names.keys()];
  if (arg?.kind !== "name") {
    return { waits: { threads: all, entries: true }, property: "never_completes" };
  }
  const agent = arg.name.text;
  const threads = all.filter((n) => names[n] === agent);
  if (threads.length === 0) return { span, why: `${agent} has no program that could wait` };
  return { waits: { threads, entries: false }, property: `never_completes(${agent})` };
}

/** Properties that are about runs, not about their last states. */
const OF_RUNS: readonly string[] = ["stuck", "never_completes"];

function undecided(e: Expr): Unsupported | undefined {
  switch (e.kind) {
    case "equal":
      return undefined;
    case "atom":
      return OF_RUNS.includes(e.property.text)
        ? { span: e.span, why: `${e.property.text} must be the whole condition` }
        : undefined;
    case "not":
      return undecided(e.of);
    default:
      return e.parts.map(undecided).find((x) => x);
  }
}

function monotone(e: Expr, own: OwnFields): boolean {
  if (e.kind === "not") return false;
  if (e.kind === "atom") {
    const name = e.property.text;
    return !(name in FLAGS || own.has(name) || AT_REST.has(name));
  }
  return e.kind !== "equal" && e.parts.every((p) => monotone(p, own));
}

function evaluate(e: Expr, world: World, own: OwnFields): (m: PackedMachine) => boolean {
  switch (e.kind) {
    case "atom": {
      const name = e.property.text;
      const flag = FLAGS[name];
      const field = own.get(name);
      if (field) return fieldTest(e, field, world);
      const rest = AT_REST.get(name);
      if (rest) return (m) => rest.holds(m, world);
      const place = e.args[0];
      if (flag && place?.kind === "place") {
        return (m) => {
          const entry = leafAt(m, world, place.mm.text, place.va.text);
          return entry !== undefined && flag(wordLayout(desc, world.domain), entry);
        };
      }
      return (m) => m.violated(m.program.observers.indexOf(name));
    }
    case "not": {
      const of = evaluate(e.of, world, own);
      return (m) => !of(m);
    }
    case "and": {
      const parts = e.parts.map((p) => evaluate(p, world, own));
      return (m) => parts.every((p) => p(m));
    }
    case "or": {
      const parts = e.parts.map((p) => evaluate(p, world, own));
      return (m) => parts.some((p) => p(m));
    }
    case "equal":
      return equality(e, world);
  }
}

type DescLayout = ReturnType<typeof wordLayout>;

/** What an entry says at the end: `young(A:x)`, `dirty(A:x)`. */
const FLAGS: Readonly<Record<string, (l: DescLayout, entry: number) => boolean>> = {
  young: (l, entry) => l.get(entry, "AF") === 1,
  dirty: (l, entry) =>
    l.get(entry, "DIRTY") === 1 || (l.get(entry, "DBM") === 1 && l.get(entry, "RDONLY") === 0),
};

/** The valid last-level entry of a page in this state. */
function leafAt(m: PackedMachine, world: World, mm: string, va: string): number | undefined {
  const page = world.vaOf.get(va) ?? 0;
  const own = world.mms.indexOf(mm);
  const layout = wordLayout(desc, world.domain);
  const region = Math.floor(page / world.domain.limits["PTRS_PER_PTE"]!);
  const upper = m.field(pmd.decl.name, [own, region]) ?? 0;
  if (layout.get(upper, "valid") === 0) return undefined;
  if (layout.get(upper, "table") === 0) return upper;
  const entry = m.field(pte_table.decl.name, [layout.get(upper, "next"), page]) ?? 0;
  return layout.get(entry, "valid") === 1 ? entry : undefined;
}

/** The frame that an mm's page table gives a page in this state; -1 if none. */
function frameAt(m: PackedMachine, world: World, mm: string, va: string): number {
  const entry = leafAt(m, world, mm, va);
  return entry === undefined ? -1 : wordLayout(desc, world.domain).get(entry, "pfn");
}

/** The agent whose register this is; -1: a place of a page table. */
const agentOf = (place: Place, world: World): number =>
  world.domain.names["agent"]!.indexOf(place.mm.text);

/** What a register holds in this state: a frame, or one of the numbers below. */
function registerAt(m: PackedMachine, agent: number, register: number): number {
  return (m.field(reg.decl.name, [agent, register]) ?? 0) - FRAMES_FROM;
}

/** Registers hold 0 for none, 1 for a fault, then frames; entries hold -1 for none. */
const FRAMES_FROM = 2;
const WORDS_OF_REGISTERS: Readonly<Record<string, number>> = { none: -2, fault: -1 };

/** `A:x = P`, `A:x = B:x`, `A:x = none`; `CPU0:r0 = fault`, `CPU0:r0 = D:r1`. */
function equality(e: EqualExpr, world: World): (m: PackedMachine) => boolean {
  const { left, right } = e;
  const isRegister = agentOf(left, world) >= 0;
  const side = (place: Place): ((m: PackedMachine) => number) => {
    if (!isRegister) return (m) => frameAt(m, world, place.mm.text, place.va.text);
    const register = world.registers.indexOf(place.va.text);
    return (m) => registerAt(m, agentOf(place, world), register);
  };
  const l = side(left);
  if (right.kind === "place") {
    const r = side(right);
    return (m) => l(m) === r(m);
  }
  const word = isRegister ? WORDS_OF_REGISTERS[right.name.text] : undefined;
  const frame = word ?? world.frames.get(right.name.text) ?? -1;
  return (m) => l(m) === frame;
}

function describe(e: Expr): string {
  switch (e.kind) {
    case "atom": {
      return printAtom(e);
    }
    case "not":
      return `~${describe(e.of)}`;
    case "equal": {
      const { left, right } = e;
      const place = (p: typeof left) => `${p.mm.text}:${p.va.text}`;
      return `${place(left)} = ${right.kind === "place" ? place(right) : right.name.text}`;
    }
    default:
      return e.parts.map(describe).join(e.kind === "and" ? " /\\ " : " \\/ ");
  }
}
