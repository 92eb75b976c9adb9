// SPDX-License-Identifier: Apache-2.0
// docs/RECORDINGS.md: how many operations of the recordings the routines agree with.

import type { Compared, Comparison } from "./compare.ts";
import type { Kind } from "./kind.ts";
import { KINDS } from "./routines.ts";
import { STEPS } from "./steps.ts";

export interface Folders {
  readonly names: readonly string[];
  readonly of: (name: string) => Comparison;
}

export const equal = ({ recorded, model }: Compared): boolean => recorded.join() === model.join();

const HEAD = `# Agreement with recordings

Kernels 6.1 and 6.12 were recorded on emulated arm64 machines while a program did one operation of
memory management after the other, and a module listened as a notifier: each TLBI and DSB that a
CPU executed, each call of the notifier, and the functions that change entries. Here every operation
that the program's main thread did on a process with a notifier is set beside the routine of the
model that it is: the same TLBIs by form and range, the same barriers by kind, the same calls of the
notifier by range, in the same order, and the change of the entry where a probe stands at the
function that makes it.

What the CPUs of a folder can do (range TLBI, DBM, E2H, KPTI) is read from its \`dmesg.txt\` and is
given to the model. What an operation finds (which pages are mapped, or PROT_NONE, whether a flush
is owed) follows from those before it, or, where nothing recorded says so, from the recording.

Left out of both: barriers that the recording does not have (a DSB that neither stands before a
TLBI nor waits for one). Where an interrupt came into a flush, the recording may have its barrier in
place of the flush's: it stands for it (*hidden*).

Written by \`npm run recordings\`; \`test/recorded-routines.test.ts\` compares, and
\`test/recorded-operations.txt\` has every operation by line. The recordings are not part of the
repository ([TESTING.md](TESTING.md)).
`;

/** The page. */
export function page({ names, of }: Folders): string {
  const rows = (
    title: string,
    keys: readonly string[],
    cell: (key: string, name: string) => string,
  ): string[] => [
    `| ${[title, ...names].join(" | ")} |`,
    `|${"---|".repeat(names.length + 1)}`,
    ...keys.map((key) => `| ${[key, ...names.map((name) => cell(key, name))].join(" | ")} |`),
  ];
  const left = [...new Set(names.flatMap((name) => [...of(name).left.keys()]))];
  const total: Record<string, (name: string) => number> = {
    operations: (name) => of(name).compared.length + count(of(name).left),
    compared: (name) => of(name).compared.length,
    equal: (name) => of(name).compared.filter(equal).length,
    "of these hidden": (name) => of(name).compared.filter((c) => c.hidden).length,
    "TLBIs of CPU 0 in them": (name) => of(name).tlbis,
  };
  for (const why of left)
    total[`not compared: ${why}`] = (name) => of(name).left.get(why)?.length ?? 0;
  const ofStep = (step: string, name: string): string => {
    const compared = of(name).compared.filter((c) => c.op.step === step);
    const not = [...of(name).left.values()].flat().filter((op) => op.step === step);
    if (compared.length + not.length === 0) return "-";
    return `${compared.filter(equal).length} of ${compared.length + not.length}`;
  };
  const others = STEPS.filter((s) => s.others !== undefined);
  const used = KINDS.filter((k) => names.some((name) => ofKind(of(name), k) > 0));
  return [
    HEAD,
    ...rows("", Object.keys(total), (key, name) => `${total[key]!(name)}`),
    "",
    "## By step",
    "",
    "Equal ones of all. The main thread drives every step alone, but for these:",
    "",
    ...others.map((s) => `- ${s.name}: ${s.others}`),
    "",
    ...rows(
      "step",
      STEPS.map((s) => s.name),
      ofStep,
    ),
    "",
    "## By routine",
    "",
    ...rows(
      "operation",
      used.map((k) => k.name),
      (key, name) => {
        const n = ofKind(of(name), used.find((k) => k.name === key)!);
        return n === 0 ? "-" : `${n}`;
      },
    ),
    "",
  ].join("\n");
}

const ofKind = ({ compared }: Comparison, kind: Kind): number =>
  compared.filter((c) => c.kind === kind).length;

const count = (left: Comparison["left"]): number =>
  [...left.values()].reduce((n, ops) => n + ops.length, 0);
