// SPDX-License-Identifier: Apache-2.0
// From the event log of a run to its acts: what the CPU that ran the routine did, in order.
//
// A bulk group is one act with its count; effects (a TLBI applied, a command done) are the
// machine's own and no act.

import type { OpenLogEntry, Pair, Value } from "../engine/open-value.ts";
import { expand } from "../engine/open-value.ts";
import { MAX_DVM_OPS, type TlbiFeatures, tlbiCount } from "../kernel/arch/arm64/asm/tlbi-ranges.ts";
import { BROADCAST, command, dsb_op, events, tlbi_op } from "../vocabulary/events.ts";
import type { Act, Pages } from "./course.ts";

/** Pages of the whole address space: a range of so many is everything. */
const ALL_PAGES = 2 ** 36;

type Args = Readonly<Record<string, Value>>;

interface Logged {
  readonly entry: OpenLogEntry;
  /** Instructions before it. */
  readonly steps: number;
}

/** Where and on what a log was written. */
export interface Origin {
  /** The first page of its operation. */
  readonly base: number;
  /** Agents from this number on are devices. */
  readonly cpus: number;
  readonly tlbi: TlbiFeatures;
}

/** FEAT_TLBIRANGE of a machine `arm64+tlbirange`, and the version of a kernel `linux-6.12+name`. */
export const tlbiFeatures = (machine: string, kernel: string): TlbiFeatures => ({
  rangeTlbi: machine.split("+").includes("tlbirange"),
  version: kernel.replace(/^linux-/, "").split("+")[0]!,
});

/** Acts of a log. */
export function actsOf(log: readonly Logged[], origin: Origin): Act[] {
  const acts: Act[] = [];
  for (const { entry, steps } of log) {
    if (steps > 0) acts.push({ act: "steps", n: steps });
    if ("repeat" in entry && !entry.events.some((e) => PLACED.has(e.event))) {
      const stores = entry.events.filter((e) => STORES.has(e.event)).length;
      if (stores > 0) acts.push({ act: "pte", n: entry.repeat * stores });
    } else {
      for (const e of expand(entry)) acts.push(...actOf(e.event, e.args, origin, acts));
    }
  }
  return batched(acts);
}

const namesOf = (declared: readonly { readonly name: string }[]): ReadonlySet<string> =>
  new Set(declared.map((e) => e.name));

/** Stores to descriptors are alike wherever they happen; of other acts the range matters. */
const STORES = namesOf([
  ...[events.pte_store, events.block_store, events.pmd_clear, events.pmd_populate],
]);
const PLACED = namesOf([
  ...[events.tlbi, events.dsb, events.ipi, events.tlb_flush, events.notifier, events.fault],
  events.cmdq,
]);

function actOf(event: string, args: Args, at: Origin, before: Act[]): readonly Act[] {
  const { base, cpus, tlbi } = at;
  switch (event) {
    case events.pte_store.name:
    case events.block_store.name:
    case events.pmd_clear.name:
    case events.pmd_populate.name:
      return [{ act: "pte", n: 1 }];
    case events.tlbi.name: {
      const op = tlbi_op.values[args["op"] as number]!;
      const broadcast = (BROADCAST as readonly string[]).includes(op);
      const pages = pagesOf(args, base);
      return [
        { act: "tlbi", op, broadcast, instructions: instructions(op, pages, tlbi), ...pages },
      ];
    }
    case events.dsb.name: {
      const op = dsb_op.values[args["op"] as number]!;
      return [{ act: "dsb", completes: op === "ISH" || op === "NSH" }];
    }
    case events.ipi.name:
      return [{ act: "ipi" }];
    case events.tlb_flush.name: {
      const own = args["cpu"] === args["from"];
      const { lo, hi } = args["all"] === 1 ? { lo: 0, hi: Infinity } : pagesOf(args, base);
      return [{ act: "flush", own, lo, hi }];
    }
    case events.notifier.name:
      return [{ act: "notifier", ...pagesOf(args, base) }];
    case events.fault.name:
      return [{ act: "fault", device: (args["agent"] as number) >= cpus }];
    case events.cmdq.name: {
      const op = command.values[args["op"] as number]!;
      if (op === "CMD_SYNC") return synced(before);
      return [{ act: "cmdlist", op, sync: false, devices: 1, ...pagesOf(args, base) }];
    }
    default:
      return [];
  }
}

/** Instructions of a TLBI of a range. */
export function instructions(op: string, { lo, hi }: Pages, features: TlbiFeatures): number {
  if (hi === Infinity || !op.startsWith("VA")) return 1;
  // So many pages are not flushed one by one: what is a range all the same goes by table.
  const stride = hi - lo >= MAX_DVM_OPS ? MAX_DVM_OPS : 1;
  return tlbiCount(hi - lo, { ...features, stride });
}

/** A CMD_SYNC belongs to the list before it. */
function synced(before: Act[]): readonly Act[] {
  const at = before.findLastIndex((a) => a.act !== "steps");
  const last = before[at];
  if (last?.act !== "cmdlist" || last.sync) throw new Error("a CMD_SYNC without a list");
  before[at] = { ...last, sync: true };
  return [];
}

/** arm_smmu_atc_inv_domain(): the commands for all devices are one list, with one CMD_SYNC. */
function batched(acts: readonly Act[]): Act[] {
  const found: Act[] = [];
  for (const a of acts) {
    const at = found.findLastIndex((f) => f.act !== "steps");
    const last = found[at];
    if (a.act === "cmdlist" && last?.act === "cmdlist" && sameAtc(a, last)) {
      found[at] = { ...last, devices: last.devices + 1 };
    } else found.push(a);
  }
  return found;
}

type List = Act & { act: "cmdlist" };
const sameAtc = (a: List, b: List): boolean =>
  a.op === "CMD_ATC_INV" && b.op === a.op && a.lo === b.lo && a.hi === b.hi;

/** The range of an event, from `base`. */
function pagesOf(args: Args, base: number): Pages {
  const { lo, hi } = args["range"] as Pair;
  if (lo >= hi) return { lo: 0, hi: 0 };
  if (lo <= 0 && hi >= ALL_PAGES) return { lo: 0, hi: Infinity };
  return { lo: lo - base, hi: hi - base };
}
