// SPDX-License-Identifier: Apache-2.0
// What a condition asks of the fields that `kernel` blocks declare: `pinned(P)`, `users(A, x) = 1`.

import type { PackedMachine } from "../engine/packed.ts";
import type { FieldSyntax } from "../ir/text/syntax.ts";
import type { Arg, AtomExpr, Scenario } from "./ast.ts";
import type { Param, Signature } from "./words.ts";
import type { World } from "./world.ts";

/** Sorts that a scenario has names for. */
const PARAMS: Readonly<Record<string, Param | undefined>> = Object.assign(Object.create(null), {
  mm: "mm",
  va: "va",
  pfn: "page",
  dev: "device",
  cpu: "cpu",
});

export type OwnFields = ReadonlyMap<string, FieldSyntax>;

/** The fields of all blocks by name; of several that have one name, the first. */
export function ownFields(scenario: Scenario): OwnFields {
  const found = new Map<string, FieldSyntax>();
  for (const m of scenario.kernels.flatMap((b) => b.members)) {
    if (m.k === "field" && !found.has(m.name.text)) found.set(m.name.text, m);
  }
  return found;
}

/** How a condition asks for each; null where what it holds or is indexed by has no name. */
export function fieldSignatures(scenario: Scenario): ReadonlyMap<string, Signature | null> {
  const signature = ({ index, sort }: FieldSyntax): Signature | null => {
    const params = index.map((i) => PARAMS[i.text]);
    const into = sort.text === "int" ? "number" : PARAMS[sort.text];
    if (params.some((p) => p === undefined)) return null;
    if (sort.text !== "bool" && into === undefined) return null;
    return { params: params as Param[], ...(into === undefined ? {} : { into }) };
  };
  return new Map([...ownFields(scenario)].map(([name, f]) => [name, signature(f)]));
}

/** Whether a field of the last state holds what a condition says. */
export function fieldTest(
  { property, args, value }: AtomExpr,
  field: FieldSyntax,
  world: World,
): (m: PackedMachine) => boolean {
  const index = args.map((arg, n) => numberOf(arg, field.index[n]!.text, world));
  const wanted = value ? numberOf(value, field.sort.text, world) : 1;
  const begins = beginning(field);
  return (m) => (m.field(property.text, index) ?? begins) === wanted;
}

/** What it begins as, where the kernel of a run does not have it, or never reads or writes it. */
function beginning({ initial }: FieldSyntax): number {
  if (initial?.k === "number") return initial.value;
  return initial?.k === "name" && initial.name === "true" ? 1 : 0;
}

function numberOf(arg: Arg, sort: string, world: World): number {
  if (arg.kind === "number") return arg.value;
  const name = arg.kind === "name" ? arg.name.text : "";
  switch (sort) {
    case "mm":
      return world.mms.indexOf(name);
    case "va":
      return world.vaOf.get(name) ?? -1;
    case "pfn":
      return world.frames.get(name) ?? -1;
    default:
      return world.domain.names[sort]?.indexOf(name) ?? -1;
  }
}
