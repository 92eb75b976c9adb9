// SPDX-License-Identifier: Apache-2.0
// What is the model's own in a routine: flags that say what occurs in a scenario, and branches that
// ask for them. Machinery costs nothing where a feature does not occur; a kernel has no such thing.

import type { FieldDecl, Node } from "../ir/expr.ts";
import type { Kernel } from "../ir/kernel.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";

/** Whether a condition is decided by what occurs in a scenario alone. */
export function asksForFeature(cond: Node): boolean {
  switch (cond.k) {
    case "varies":
    case "knob":
      return true;
    case "op":
      return cond.args.length > 0 && cond.args.every((a) => asksForFeature(a) || a.k === "const");
    case "apply":
      return asksForFeature(cond.body);
    default:
      return false;
  }
}

const flags = new WeakMap<Kernel, ReadonlySet<FieldDecl>>();

/** Fields that routines ask about and never read: to write one says that something occurs. */
export function flagsOf(kernel: Kernel): ReadonlySet<FieldDecl> {
  let known = flags.get(kernel);
  if (!known) {
    const [asked, read] = [new Set<FieldDecl>(), new Set<FieldDecl>()];
    for (const { body } of kernel.routines.values()) {
      for (const s of body()) collect(s, asked, read);
    }
    known = new Set([...asked].filter((f) => f.index.length === 0 && !read.has(f)));
    flags.set(kernel, known);
  }
  return known;
}

/** Whether a statement only says that something occurs. */
export function raisesFlag(s: Stmt, kernel: Kernel): boolean {
  return s.k === "set" && s.to.k === "read" && flagsOf(kernel).has(s.to.field);
}

function collect(s: Stmt, asked: Set<FieldDecl>, read: Set<FieldDecl>): void {
  const visit = (part: unknown): void => {
    if (typeof part !== "object" || part === null) return;
    if (Array.isArray(part)) return part.forEach(visit);
    const node = part as Partial<Node>;
    if (node.k === "varies" && node.field) return void asked.add(node.field as FieldDecl);
    if (node.k === "read" && node.field) read.add(node.field as FieldDecl);
    Object.values(part).forEach(visit);
  };
  const inner = nested(s);
  for (const [key, value] of Object.entries(s)) {
    // What is stored to is not read.
    if (key === "to" && s.k === "set" && s.to.k === "read") s.to.index.forEach(visit);
    else if (!inner.includes(value as readonly Stmt[]) && key !== "branches") visit(value);
  }
  for (const block of inner) for (const o of block) collect(o, asked, read);
}
