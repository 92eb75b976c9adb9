// SPDX-License-Identifier: Apache-2.0
// Text of lowered code: canonical, for the content hash, and readable, for debugging.

import { hashText } from "../base/hash.ts";
import type { KeyPattern, Node } from "../ir/expr.ts";
import type { Code, Instr, Program } from "./program.ts";

const infix: Readonly<Record<string, string>> = {
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  and: "&&",
  or: "||",
  add: "+",
  sub: "-",
  div: "/",
  mul: "*",
};

/** How registers are called: by number, or in the order in which a program mentions them. */
let registerName = (reg: number): string => `r${reg}`;

/** An expression as text; equal texts mean equal expressions. */
export function nodeText(n: Node | KeyPattern): string {
  switch (n.k) {
    case "any":
      return "*";
    case "in":
      return `in ${nodeText(n.range)}`;
    case "const":
      return `${n.value}`;
    case "named":
    case "local":
      return n.name;
    case "reg":
      return registerName(n.reg);
    case "knob":
      return `${n.knob}=${n.is}`;
    case "limit":
      return n.name;
    case "varies":
      return `${n.written ? "changes" : "varies"}(${n.field.name})`;
    case "read":
      return `${n.field.name}[${n.index.map(nodeText).join()}]`;
    case "apply":
      return nodeText(n.body);
    case "get":
      return `${nodeText(n.arg)}.${n.field}`;
    case "with":
      return `${nodeText(n.arg)}{${n.set.map(([f, e]) => `${f}:${nodeText(e)}`).join()}}`;
    case "outstanding": {
      const where = n.where.map(([f, e]) => `${f}:${nodeText(e)}`).join();
      return `outstanding(${n.set.name}[${n.index.map(nodeText).join()}]{${where}})`;
    }
    case "op": {
      const sign = infix[n.op];
      const args = n.args.map(nodeText);
      return sign ? `(${args[0]} ${sign} ${args[1]})` : `${n.op}(${args.join()})`;
    }
  }
}

const at = (name: string, index: readonly (Node | KeyPattern)[]) =>
  `${name}[${index.map(nodeText).join()}]`;
const record = (pairs: readonly (readonly [string, Node])[]) =>
  `{${pairs.map(([n, e]) => `${n}:${nodeText(e)}`).join()}}`;

const reg = (i: { readonly reg: number }) => registerName(i.reg);
const pair = (a: Node, b: Node) => `${nodeText(a)} ${nodeText(b)}`;
const whereText = (cond: Node | undefined) => (cond ? ` where ${nodeText(cond)}` : "");

/** One instruction as text, without its origin. */
export function instrText(i: Instr): string {
  const joined = i.joined ? "+ " : i.first ? "^ " : "";
  switch (i.op) {
    case "let":
      return `${joined}${registerName(i.reg)} := ${nodeText(i.value)}`;
    case "store":
      return `${joined}${at(i.field.name, i.index)} := ${nodeText(i.value)}`;
    case "xchg":
      return `${joined}${reg(i)} := xchg ${at(i.field.name, i.index)} ${nodeText(i.value)}`;
    case "cas":
      return `${joined}${reg(i)} := cas ${at(i.field.name, i.index)} ${pair(i.expect, i.value)}`;
    case "branch":
      return `${joined}unless ${nodeText(i.cond)} goto ${i.to}`;
    case "jump":
      return `${joined}goto ${i.to}`;
    case "each":
      return `${joined}each ${registerName(i.reg)} in ${nodeText(i.over)} else ${i.to}`;
    case "next":
      return `${joined}next ${registerName(i.reg)} + ${nodeText(i.stride)} goto ${i.to}`;
    case "await":
      return `${joined}await ${nodeText(i.cond)}`;
    case "retry":
      return `${joined}retry ${nodeText(i.permitted)}`;
    case "choose":
      return `${joined}${reg(i)} := choose ${i.sort.name}${whereText(i.where)}`;
    case "either":
      return `${joined}either ${i.to.join()}`;
    case "lookup":
      return `${joined}${reg(i)} := ${i.walks ? "lookup" : "pick"} ${at(i.cell.name, i.index)}`;
    case "insert":
      return `${joined}insert ${at(i.cell.name, i.index)} ${nodeText(i.value)}`;
    case "clear":
      return `${joined}clear ${at(i.cell.name, i.index)}${whereText(i.where?.cond)}`;
    case "post":
      return `${joined}post ${at(i.set.name, i.index)} ${record(i.entry)}`;
    case "emit":
      return `${joined}emit ${i.event.name} ${record(i.args)}`;
    case "yield":
      return `${joined}yield ${nodeText(i.value)}`;
    case "yieldHeld":
      return `${joined}yield all of ${at(i.cell.name, i.index)}`;
    case "violate":
      return `${joined}violate ${i.observer}`;
    case "grow":
      return `${joined}grow ${registerName(i.reg)} ${nodeText(i.by)}`;
    case "halt":
      return `${joined}halt`;
  }
}

/** Code as numbered lines. */
export const codeText = (code: Code): string =>
  code.instrs.map((i, n) => `${n}  ${instrText(i)}`).join("\n");

/** All code of a program, for people. */
export function programText(p: Omit<Program, "hash">): string {
  const named = (name: string, code: Code): string => `${name}\n${codeText(code)}`;
  const fills = p.cells.flatMap((g) =>
    g.instances.map((c) => (c.fill ? named(`${g.decl.name}[${c.key.join()}]`, c.fill) : "")),
  );
  return [
    ...p.threads.map((t) => named(t.name, t)),
    ...p.rules.map((r) => named(`${r.decl.name}(${r.args.join()})`, r)),
    ...p.pending.map((q) => named(`${q.decl.name}[${q.key.join()}]`, q)),
    ...fills,
  ].join("\n");
}

/** What tells code from other code: a hash of its text, and how its registers are called there. */
interface Digest {
  readonly hash: string;
  readonly names: ReadonlyMap<number, string>;
}

/** Code is in many programs. */
const digests = new WeakMap<readonly Instr[], Digest>();

function digestOf(code: Code): Digest {
  let digest = digests.get(code.instrs);
  if (!digest) {
    const names = new Map<number, string>();
    const appearing = (reg: number): string => {
      let name = names.get(reg);
      if (name === undefined) names.set(reg, (name = `r${names.size}`));
      return name;
    };
    const hash = hashText(naming(appearing, () => codeText(code)));
    digests.set(code.instrs, (digest = { hash, names }));
  }
  return digest;
}

/** What `make` makes, with registers called so. */
function naming<T>(name: (reg: number) => string, make: () => T): T {
  const before = registerName;
  registerName = name;
  try {
    return make();
  } finally {
    registerName = before;
  }
}

/** A program's content hash: programs that are equal but for the names of registers agree. */
export function programHash(p: Omit<Program, "hash">): string {
  const text: string[] = [JSON.stringify([p.domain.sizes, p.domain.limits])];
  for (const initial of [p.initial, ...p.others]) {
    const init = initial.map((i) => `${i.field.name}[${i.index.join()}]=${i.value}`);
    text.push(init.sort().join(";"));
  }
  text.push(p.entries.map((e) => `${e.cell.name}[${e.index.join()}]=${e.value}`).join(";"));
  for (const t of p.threads) text.push(t.name, digestOf(t).hash);
  for (const r of p.rules) text.push(`${r.decl.name}(${r.args.join()})`, digestOf(r).hash);
  for (const q of p.pending) text.push(...pendingText(q));
  for (const g of p.cells) {
    const { admits } = g;
    text.push(`${g.decl.name} ${g.decl.evicts} ${g.decl.ways}`);
    text.push(
      admits
        ? naming(
            (r) => `${r - admits.reg}`,
            () => nodeText(admits.cond),
          )
        : "",
    );
    for (const c of g.instances) text.push(c.key.join(), c.fill ? digestOf(c.fill).hash : "");
  }
  return hashText(text.join("\n"));
}

function pendingText(q: Program["pending"][number]): string[] {
  const { hash, names } = digestOf(q);
  // What only `ready` reads has no name in the code.
  const nameOf = (reg: number): string => names.get(reg) ?? `e${q.entry.indexOf(reg)}`;
  const ready = naming(nameOf, () => (q.ready ? nodeText(q.ready) : ""));
  const entry = q.entry.map(nameOf).join();
  const { name, order } = q.decl;
  return [`${name}[${q.key.join()}]x${q.capacity} ${entry}`, ready, JSON.stringify(order), hash];
}
