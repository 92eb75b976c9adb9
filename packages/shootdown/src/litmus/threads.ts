// SPDX-License-Identifier: Apache-2.0
// What the statements of a scenario do: each calls a routine of the kernel or of hardware.

import type { ThreadSpec } from "../engine/program.ts";
import { ttbr0 } from "../hardware/arm64/tlb.ts";
import type { Expr, Sorts } from "../ir/expr.ts";
import { constant, member, TRUE } from "../ir/expr.ts";
import { bool } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import { await_, call, loop, set } from "../ir/stmt.ts";
import { enter_lazy_tlb, switch_mm } from "../kernel/arch/x86/mm/tlb.ts";
import { dup_mmap } from "../kernel/fork.ts";
import { DEFINITIONS } from "../kernel/kernels.ts";
import { behavior, do_madvise } from "../kernel/mm/madvise.ts";
import { do_madvise_pageout } from "../kernel/mm/madvise-pageout.ts";
import { do_munmap, exit_mmap } from "../kernel/mm/mmap.ts";
import { do_mprotect_pkey } from "../kernel/mm/mprotect.ts";
import { do_mprotect_none } from "../kernel/mm/mprotect-none.ts";
import { mremap_to } from "../kernel/mm/mremap.ts";
import { architectureOf } from "../vocabulary/architecture.ts";
import { device_goes_on } from "../vocabulary/iommu.ts";
import {
  cpu_access,
  cpu_any,
  cpu_any_try,
  device_access,
  device_any,
  device_any_retry,
  device_any_try,
  eret,
} from "../vocabulary/primitives.ts";
import { shadow_access } from "../vocabulary/shadow.ts";
import { Range, t } from "../vocabulary/sorts.ts";
import { signal } from "../vocabulary/state.ts";
import { invlpg, take_interrupt } from "../vocabulary/x86.ts";
import type { Body, CallStatement, Scenario, Statement, VerbStatement } from "./ast.ts";
import { ownParams, written } from "./dictionary.ts";
import type { Runs } from "./instructions.ts";
import { instruction, requestOf, tryOf, wordOf } from "./instructions.ts";
import { pagesOf } from "./ranges.ts";
import type { BoundDevice, World } from "./world.ts";

/** The programs of a scenario, CPUs first, in the order of the file. */
export function threadsOf(scenario: Scenario, world: World): ThreadSpec[] {
  const signals = signalsOf(scenario);
  const bodies = [...scenario.bodies].sort(
    (a, b) => agentNumber(a.agent.text, world) - agentNumber(b.agent.text, world),
  );
  return bodies.map((b) => {
    const own = runner(b, world);
    const verb = (s: VerbStatement): readonly Stmt[] => {
      const of = signal(constant(t.signal, Math.max(0, signals.indexOf(signalName(s)))));
      if (s.verb.text === "signal") return [set(of, TRUE)];
      return s.verb.text === "await" ? [await_(of)] : own(s);
    };
    const run: Runner = { verb, call: (s) => called(s, b, world, paramsOf(s, scenario)) };
    const late = isDevice(b, world) && goesOn(b.statements) ? [set(device_goes_on(), TRUE)] : [];
    return { name: b.agent.text, locals: {}, body: [...late, ...block(b.statements, run)] };
  });
}

/** Beside the programs: what each CPU does when an interrupt comes, on machines that have some. */
export function interruptsOf(
  world: World,
  knobs: Readonly<Record<string, string>>,
): readonly ThreadSpec[] {
  if (architectureOf(knobs) !== "x86" || world.cpus.length < 2) return [];
  return world.cpus.map(({ name }, n) => ({
    name: `${name}.irq`,
    locals: {},
    body: [loop(call(take_interrupt, { cpu: constant(t.cpu, n) }))],
  }));
}

function agentNumber(name: string, world: World): number {
  return world.domain.names["agent"]!.indexOf(name);
}

const isDevice = (body: Body, world: World) =>
  world.devices.some((d) => d.name === body.agent.text);

/** Whether something that tells when it happened follows an access, which may be in flight. */
function goesOn(statements: readonly Statement[]): boolean {
  const isAccess = (s: Statement) =>
    s.kind === "verb" && ["load", "store", "access"].includes(s.verb.text);
  const first = statements.findIndex((s) => isAccess(s) || s.kind === "loop");
  return statements
    .slice(first + 1)
    .some((s) => first >= 0 && s.kind === "verb" && (s.verb.text === "signal" || s.into));
}

interface Runner {
  verb(s: VerbStatement): readonly Stmt[];
  call(s: CallStatement): readonly Stmt[];
}

/** The names of a scenario's signals, in order of appearance. */
export function signalsOf(scenario: Scenario): string[] {
  const names = new Set<string>();
  const visit = (statements: readonly Statement[]): void => {
    for (const s of statements) {
      if (s.kind === "loop") visit(s.body);
      else if (s.kind === "verb" && (s.verb.text === "signal" || s.verb.text === "await")) {
        names.add(signalName(s));
      }
    }
  };
  for (const b of scenario.bodies) visit(b.statements);
  return [...names];
}

function signalName(s: VerbStatement): string {
  const arg = s.args[0];
  return arg?.kind === "name" ? arg.name.text : "";
}

function block(statements: readonly Statement[], run: Runner): Stmt[] {
  return statements.flatMap((s) => {
    if (s.kind === "loop") return [loop(...block(s.body, run))];
    return s.kind === "call" ? run.call(s) : run.verb(s);
  });
}

/** The parameters of a routine: of the scenario's own kernel, or of Linux. */
function paramsOf(s: CallStatement, scenario: Scenario): Sorts {
  const name = s.routine.text;
  const params = ownParams(scenario).get(name) ?? DEFINITIONS.find((d) => d.name === name)?.params;
  if (!params) throw new Error(`${name} passed the check of names`);
  return params;
}

/** A routine called directly, and the return of its CPU from the kernel. */
function called(s: CallStatement, body: Body, world: World, params: Sorts): readonly Stmt[] {
  const cpu = world.cpus.findIndex((c) => c.name === body.agent.text);
  return [routineCall(s, body, world, params), call(eret, { cpu: constant(t.cpu, cpu) })];
}

/** `try_to_unmap_one(A, x);`: the arguments in the order of the parameters, the CPU left out. */
function routineCall(s: CallStatement, body: Body, world: World, params: Sorts): Stmt {
  const cpu = world.cpus.findIndex((c) => c.name === body.agent.text);
  const node = (e: Expr<string>) => e.node;
  const given = written(params).map(([name, sort], i) => {
    const arg = s.args[i]!;
    const text = arg.kind === "name" ? arg.name.text : "";
    const numbers: Readonly<Record<string, number>> = {
      mm: world.mms.indexOf(text),
      va: world.vaOf.get(text) ?? 0,
      pfn: world.frames.get(text) ?? 0,
      pgoff: world.pgoffs.get(text) ?? world.pgoffs.size,
      dev: world.devices.findIndex((d) => d.name === text),
      bool: text === "yes" ? 1 : 0,
      int: arg.kind === "number" ? arg.value : 0,
    };
    if (sort === t.range) return [name, node(pagesOf(arg, world))] as const;
    return [name, node(constant(sort, numbers[sort.name]!))] as const;
  });
  const own = Object.entries(params)
    .filter(([, sort]) => sort === t.cpu || sort === t.agent)
    // The CPUs are the first agents.
    .map(([name, sort]) => [name, node(constant(sort, cpu))] as const);
  return { k: "call", callee: s.routine.text, args: [...own, ...given] };
}

/** The statements of an agent. `ttbr0 B;` changes the mm of those that follow. */
function runner(body: Body, world: World): (s: VerbStatement) => readonly Stmt[] {
  const device = world.devices.find((d) => d.name === body.agent.text);
  const agent = constant(t.agent, agentNumber(body.agent.text, world));
  const at = world.cpus.findIndex((c) => c.name === body.agent.text);
  const cpu = constant(t.cpu, Math.max(0, at));
  let number = device?.mm ?? (body.mm ? world.mms.indexOf(body.mm.text) : 0);
  if (device) {
    const by: Runs = { cpu, agent, mm: number, world };
    const dev = constant(t.dev, device.dev);
    return (s) => [requestOf(s, dev, world) ?? deviceStatement(s, by, device)];
  }
  return (s) => {
    const word = s.args[0]?.kind === "name" ? s.args[0].name.text : "";
    // What follows runs in another mm.
    if (s.verb.text === "switch" || s.verb.text === "ttbr0") number = world.mms.indexOf(word);
    const mm = constant(t.mm, number);
    switch (s.verb.text) {
      case "ttbr0":
        return [set(ttbr0(cpu), mm)];
      case "switch":
        return [call(switch_mm, { cpu, mm })];
      case "lazy":
        return [call(enter_lazy_tlb, { cpu, mm })];
      case "invlpg":
        return [call(invlpg, { cpu, va: pageOf(s, world) })];
      default:
        return cpuStatement(s, { cpu, agent, mm: number, world });
    }
  };
}

/** Whether somebody handles the fault of an `access`. */
export const isHandled = (s: VerbStatement) => s.args.length === 1;
const isWrite = (s: VerbStatement) => constant(bool, s.verb.text === "store" ? 1 : 0);
const pageOf = (s: VerbStatement, world: World) => Range.lo(pagesOf(s.args[0]!, world));

function deviceStatement(s: VerbStatement, by: Runs, device: BoundDevice): Stmt {
  const { agent, world } = by;
  const dev = constant(t.dev, device.dev);
  const worker = constant(t.cpu, device.worker);
  const mm = constant(t.mm, by.mm);
  if (device.tables) {
    const what = { va: pageOf(s, world), write: isWrite(s) };
    return call(shadow_access, { dev, agent, mm, worker, ...what });
  }
  if (s.into) return tryOf(s, by, device.dev);
  if (s.verb.text === "access") {
    const any = { dev, agent, mm, range: pagesOf(s.args[0]!, world) };
    if (isHandled(s)) return call(device_any, { ...any, worker });
    return call(wordOf(s.args[1]) === "retried" ? device_any_retry : device_any_try, any);
  }
  const what = { va: pageOf(s, world), write: isWrite(s) };
  return call(device_access, { dev, agent, mm, worker, ...what });
}

function cpuStatement(s: VerbStatement, by: Runs): readonly Stmt[] {
  const { cpu, agent, world } = by;
  const mm = constant(t.mm, by.mm);
  const range = () => pagesOf(s.args[0]!, world);
  // A system call ends with the return to user space.
  const returning = (stmt: Stmt) => [stmt, call(eret, { cpu })];
  if (s.into) return [tryOf(s, by, undefined)];
  switch (s.verb.text) {
    case "load":
    case "store":
      return [call(cpu_access, { cpu, agent, mm, va: pageOf(s, world), write: isWrite(s) })];
    case "access": {
      const any = { cpu, agent, mm, range: range() };
      return [isHandled(s) ? call(cpu_any, any) : call(cpu_any_try, any)];
    }
    case "munmap":
      return returning(call(do_munmap, { cpu, mm, range: range() }));
    case "mprotect": {
      const word = s.args[1]?.kind === "name" ? s.args[1].name.text : "";
      if (word === "none") return returning(call(do_mprotect_none, { cpu, mm, range: range() }));
      const writable = constant(bool, word === "read-write" ? 1 : 0);
      return returning(call(do_mprotect_pkey, { cpu, mm, range: range(), writable }));
    }
    case "madvise": {
      const word = s.args[1]?.kind === "name" ? s.args[1].name.text : "";
      if (word === "PAGEOUT")
        return returning(call(do_madvise_pageout, { cpu, mm, range: range() }));
      const advice = member(behavior, behavior.values.find((a) => a === word) ?? "DONTNEED");
      return returning(call(do_madvise, { cpu, mm, range: range(), behavior: advice }));
    }
    case "mremap": {
      const to = Range.lo(pagesOf(s.args[1]!, world));
      const by_table = constant(bool, s.args[2] ? 1 : 0);
      return returning(call(mremap_to, { cpu, mm, range: range(), to, by_table }));
    }
    case "fork":
      return returning(call(dup_mmap, { cpu, mm }));
    case "exit":
      return [call(exit_mmap, { cpu, mm })];
    default: {
      const known = instruction(s, by);
      if (!known) throw new Error(`no meaning of ${s.verb.text}`);
      return known;
    }
  }
}
