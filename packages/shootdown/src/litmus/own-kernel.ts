// SPDX-License-Identifier: Apache-2.0
// The kernel of a run: one of Linux by name, with the `kernel { ... }` blocks of the scenario.
//
//   linux-6.12 ── unnamed blocks ── +buggy, +btm-on ... ──► kernel
//                                   blocks and overlays, in the order of the name

import type { Diagnostic } from "../base/diagnostic.ts";
import { quote } from "../base/diagnostic.ts";
import type { Span } from "../base/span.ts";
import { suggestion } from "../base/suggest.ts";
import { MACHINES } from "../hardware/machines.ts";
import type { FieldDecl } from "../ir/expr.ts";
import { compareVersions, type Kernel } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import { editRoutine } from "../ir/text/edit.ts";
import type { Callee, Environment } from "../ir/text/environment.ts";
import { calleeOf, resolveField, resolveRoutine } from "../ir/text/resolve.ts";
import { paramText, sameSort } from "../ir/text/scope.ts";
import type { EditSyntax, Ident, MemberSyntax, RoutineSyntax } from "../ir/text/syntax.ts";
import { type KernelName, kernelNamed, overlaid } from "../kernel/kernels.ts";
import { OVERLAYS } from "../kernel/overlays.ts";
import type { Architecture } from "../vocabulary/architecture.ts";
import type { KernelBlock, Scenario } from "./ast.ts";
import { Diagnostics } from "./codes.ts";
import { reporterOf } from "./kernel-blocks.ts";
import { kernelEnvironment } from "./kernel-environment.ts";
import { nestingProblem } from "./kernel-size.ts";

export type OwnKernel =
  | KernelName
  /** The blocks do not fit this kernel. */
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

const made = new WeakMap<Scenario, Map<string, OwnKernel>>();

/** A kernel by its name, as a scenario has it. */
export function kernelOf(
  scenario: Scenario | undefined,
  name: string,
  architecture: Architecture,
): OwnKernel {
  if (scenario === undefined || scenario.kernels.length === 0) {
    return kernelNamed(name, architecture);
  }
  let known = made.get(scenario);
  if (!known) made.set(scenario, (known = new Map()));
  const key = `${architecture} ${name}`;
  let kernel = known.get(key);
  if (!kernel) known.set(key, (kernel = build(scenario, name, architecture)));
  return kernel;
}

/** Names of blocks, each once. */
export const blockNames = (scenario: Scenario): readonly string[] => [
  ...new Set(scenario.kernels.flatMap((b) => b.name?.text ?? [])),
];

function build(scenario: Scenario, name: string, architecture: Architecture): OwnKernel {
  const [base = "", ...parts] = name.split("+");
  const found = kernelNamed(base, architecture);
  if (!found.ok) return found;
  const names = blockNames(scenario);
  const taken = scenario.kernels.find((b) => OVERLAYS.some((o) => o.name === b.name?.text));
  if (taken?.name) {
    const out = new Diagnostics();
    out.report("L014", taken.name.span, `${quote(taken.name.text)} is an overlay already`);
    return { ok: false, diagnostics: out.sorted() };
  }
  const known = [...names, ...OVERLAYS.map((o) => o.name)];
  let kernel: Kernel = { ...found.kernel, name };
  const steps = [undefined, ...parts];
  for (const [at, part] of steps.entries()) {
    const wrong = { ok: false, unknown: part ?? "", known } as const;
    if (at > 0 && steps.indexOf(part) < at) return { ...wrong, why: "is named twice" };
    if (part !== undefined && !names.includes(part)) {
      const overlay = OVERLAYS.find((o) => o.name === part)?.overlay;
      if (overlay === undefined) return wrong;
      const after = overlaid(kernel, overlay, name);
      if (after === undefined) {
        return { ...wrong, why: `changes what ${base} on ${architecture} does not have` };
      }
      kernel = after;
      continue;
    }
    const all = scenario.kernels.filter((b) => b.name?.text === part);
    const blocks = all.filter((b) => isFor(b, kernel.version));
    if (part !== undefined && blocks.length === 0) return { ...wrong, why: `is not for ${base}` };
    for (const block of blocks) {
      const next = withBlock(kernel, block, architecture);
      if (!("routines" in next)) return { ok: false, diagnostics: next };
      kernel = next;
    }
  }
  return { ok: true, kernel };
}

function isFor({ versions }: KernelBlock, version: string): boolean {
  if (versions === undefined) return true;
  return versions.names.some(({ text }) => {
    const order = compareVersions(version, text.replace("linux-", ""));
    return order === 0 || (versions.word === "since" && order > 0);
  });
}

/** A kernel with the routines, fields and edits of a block; or what is wrong with them. */
function withBlock(
  kernel: Kernel,
  block: KernelBlock,
  architecture: Architecture,
): Kernel | readonly Diagnostic[] {
  const out = new Diagnostics();
  const after = new BlockReader(kernel, block, architecture, out).kernel();
  return after && out.count === 0 ? after : out.sorted();
}

class BlockReader {
  private readonly base: Kernel;
  private readonly block: KernelBlock;
  private readonly architecture: Architecture;
  private readonly out: Diagnostics;
  private env: Environment;
  private readonly fields: FieldDecl[];

  constructor(base: Kernel, block: KernelBlock, architecture: Architecture, out: Diagnostics) {
    this.base = base;
    this.block = block;
    this.architecture = architecture;
    this.out = out;
    this.env = kernelEnvironment(base, architecture);
    this.fields = [...(base.fields ?? [])];
    this.know(this.fields);
  }

  kernel(): Kernel | undefined {
    const { out, base, block, architecture } = this;
    for (const m of block.members) if (m.k === "field") this.declareField(m);
    const routines = this.ownRoutines();
    if (out.count > 0) return undefined;
    const added = new Map<string, Definition>();
    for (const [syntax, callee] of routines) {
      const made = resolveRoutine(this.env, reporterOf(out), syntax, callee);
      if (made) added.set(syntax.name.text, this.definition(syntax, callee, made));
    }
    for (const [name, edits] of this.editsByRoutine()) {
      const edited = this.edited(name, edits);
      if (edited) added.set(name, edited);
    }
    const kernel: Kernel = {
      ...base,
      routines: new Map([...base.routines, ...added]),
      fields: this.fields,
    };
    if (out.count > 0) return undefined;
    const own = [...added.keys()];
    const all = [...MACHINES[architecture].definitions, ...kernel.routines.values()];
    const problem = nestingProblem(all, own);
    if (problem) out.report("L033", this.spanOf(problem.routine), problem.message);
    const known = new Set(all.map((d) => d.name));
    for (const [name, d] of added) {
      const before = callsOf(base.routines.get(name)?.body() ?? []);
      // What generic code calls may be of another architecture, behind a condition.
      const call = callsOf(d.body()).find((c) => !known.has(c) && !before.includes(c));
      if (call === undefined) continue;
      const message = `linux-${base.version} on ${architecture} has no routine ${quote(call)}`;
      out.report("L012", this.spanOf(name), message);
    }
    return kernel;
  }

  private know(fields: readonly FieldDecl[]): void {
    const { env } = this;
    const named = fields.map((f) => [f.name, f] as const);
    const stored = new Set([...env.stored, ...fields.map((f) => f.name)]);
    this.env = { ...env, fields: new Map([...env.fields, ...named]), stored };
  }

  private declareField(m: MemberSyntax & { readonly k: "field" }): void {
    const decl = resolveField(this.env, reporterOf(this.out), m);
    if (decl === undefined) return;
    this.fields.push(decl);
    this.know([decl]);
  }

  /** The routines of the block with what callers must know; all of them before the first body. */
  private ownRoutines(): [RoutineSyntax, Callee][] {
    const { out, env } = this;
    const found: [RoutineSyntax, Callee][] = [];
    const seen = new Set<string>();
    for (const m of this.block.members) {
      if (m.k !== "routine") continue;
      const callee = calleeOf(env, reporterOf(out), m);
      if (callee === undefined || !this.mayBe(m.name, callee, seen)) continue;
      seen.add(m.name.text);
      found.push([m, callee]);
    }
    const routines = new Map([
      ...env.routines,
      ...found.map(([m, callee]) => [m.name.text, callee] as const),
    ]);
    this.env = { ...this.env, routines };
    return found;
  }

  /** Whether a routine may have this name: new, or the parameters of the one that it replaces. */
  private mayBe(name: Ident, callee: Callee, seen: ReadonlySet<string>): boolean {
    const { text, span } = name;
    const old = this.base.routines.get(text);
    if (seen.has(text)) {
      this.out.report("L014", span, `${quote(text)} stands twice in this block`);
    } else if (old === undefined && this.env.routines.has(text)) {
      this.out.report("L014", span, `${quote(text)} is what the hardware does`);
    } else if (this.env.fields.has(text) || this.env.macros.has(text)) {
      this.out.report("L014", span, `${quote(text)} is the name of a field or an expression`);
    } else if (old && !sameCallee(old, callee)) {
      const form = `${old.result?.name ?? "void"} ${text}(${paramText(old.params)})`;
      this.out.report("L033", span, `its callers know it as '${form}'`);
    } else return true;
    return false;
  }

  private definition(
    { name }: RoutineSyntax,
    { params, result }: Callee,
    made: Pick<Definition, "locals"> & { readonly body: ReturnType<Definition["body"]> },
  ): Definition {
    const old = this.base.routines.get(name.text);
    const { locals, body } = made;
    const abstracts = old ? [`${this.blockText()} replaces it`] : [];
    return {
      ...{ name: name.text, params, result, locals, abstracts, body: () => body },
      source: old ? { file: old.source.file } : { file: this.blockText() },
    };
  }

  private blockText(): string {
    const { name } = this.block;
    return name ? `kernel ${name.text}` : "kernel";
  }

  private editsByRoutine(): Map<string, { routine: Ident; edits: EditSyntax[] }> {
    const found = new Map<string, { routine: Ident; edits: EditSyntax[] }>();
    for (const m of this.block.members) {
      if (m.k !== "edits") continue;
      const one = found.get(m.routine.text) ?? { routine: m.routine, edits: [] };
      one.edits.push(...m.edits);
      found.set(m.routine.text, one);
    }
    return found;
  }

  private edited(
    name: string,
    edits: { readonly routine: Ident; readonly edits: readonly EditSyntax[] },
  ): Definition | undefined {
    const { base, env, out } = this;
    const { span } = edits.routine;
    const old = base.routines.get(name);
    if (old === undefined) {
      const { architecture } = this;
      if (MACHINES[architecture].definitions.some((d) => d.name === name)) {
        const note =
          "edit who calls it, or choose a machine with a fault: shootdown list machines -v";
        out.report("L012", span, `${quote(name)} is what the hardware does`, note);
        return undefined;
      }
      const message = `linux-${base.version} on ${architecture} has no routine ${quote(name)}`;
      out.report("L012", span, message, suggestion(name, base.routines.keys()));
      return undefined;
    }
    if (this.block.members.some((m) => m.k === "routine" && m.name.text === name)) {
      out.report("L033", span, `this block replaces ${quote(name)}: edit its text`);
      return undefined;
    }
    const made = editRoutine(env, reporterOf(out), old, base.version, edits);
    if (made === undefined) return undefined;
    const { sha: _, ...source } = old.source;
    return { ...made, source, abstracts: [...old.abstracts, `edited by ${this.blockText()}`] };
  }

  private spanOf(routine: string): Span {
    const found = this.block.members.find((m) => nameOf(m) === routine);
    return found ? (found.k === "edits" ? found.routine.span : found.name.span) : this.block.span;
  }
}

const callsOf = (stmts: readonly Stmt[]): string[] =>
  stmts.flatMap((s) => [...(s.k === "call" ? [s.callee] : []), ...nested(s).flatMap(callsOf)]);

const nameOf = (m: MemberSyntax): string => (m.k === "edits" ? m.routine.text : m.name.text);

/** Callers name parameters: these and their sorts must be the same, and the result. */
function sameCallee(a: Callee, b: Callee): boolean {
  const [x, y] = [Object.entries(a.params), Object.entries(b.params)];
  const results = a.result && b.result ? sameSort(a.result, b.result) : a.result === b.result;
  return (
    results &&
    x.length === y.length &&
    x.every(([name, sort], i) => name === y[i]![0] && sameSort(sort, y[i]![1]))
  );
}
