// SPDX-License-Identifier: Apache-2.0
// Where the calls for secondary TLBs stand: the placements that were proposed in 2023.
//
//   generic-calls   beside each upgrade, in mm/            flush-calls   in the flush functions
//   tlb-notifier    beside each change of an entry         flush-layer   around the flush functions

import type { Expr } from "../../ir/expr.ts";
import { expr, local } from "../../ir/expr.ts";
import type { Kernel, Overlay } from "../../ir/kernel.ts";
import { compareVersions, rewrite } from "../../ir/kernel.ts";
import type { Definition } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { when } from "../../ir/stmt.ts";
import { pagesOf } from "../../vocabulary/blocks.ts";
import { Range, t, WHOLE_MM } from "../../vocabulary/sorts.ts";
import { mmu_notifier_invalidate_range } from "../mm/mmu_notifier.ts";
import type { NamedOverlay } from "../overlays.ts";

type Call = Extract<Stmt, { k: "call" }>;
type Edit = (s: Stmt, d: Definition) => readonly Stmt[] | undefined;

/** The range callback by its name before and since 6.6. */
const CALLBACKS: readonly string[] = [
  mmu_notifier_invalidate_range.name,
  "mmu_notifier_arch_invalidate_secondary_tlbs",
];

const isCallback = (s: Stmt): s is Call => s.k === "call" && CALLBACKS.includes(s.callee);

/** Applies an edit to all routines; those that it does not touch stay as they are. */
const everywhere =
  (edit: (base: Kernel) => Edit): Overlay =>
  (base) => {
    const of = edit(base);
    const routines = new Map<string, Definition>();
    for (const [name, d] of base.routines) {
      let touched = false;
      const body = rewrite(d.body(), (s) => {
        const to = of(s, d);
        touched ||= to !== undefined;
        return to;
      });
      routines.set(name, touched ? { ...d, body: () => body } : d);
    }
    return { ...base, routines };
  };

/** The call of this version's range callback, in a routine with a CPU. */
const notifying =
  (base: Kernel) =>
  (cpu: Expr<"cpu">, mm: Expr<"mm">, range: Expr<"range">): Stmt => {
    const args = [
      ["cpu", cpu.node],
      ["mm", mm.node],
      ["range", range.node],
    ] as const;
    return { k: "call", callee: CALLBACKS.find((name) => base.routines.has(name))!, args };
  };

const arg = <S extends string>(s: Call, name: string): Expr<S> =>
  expr(s.args.find(([n]) => n === name)![1]);

/** No routine calls the range callback. */
const withoutCalls = everywhere(() => (s, d) => {
  // The end of a range calls the callback of its own file: it goes too.
  return isCallback(s) && !CALLBACKS.includes(d.name) ? [] : undefined;
});

/** The second of three options: generic code calls, after each upgrade that changed an entry. */
const genericCalls = everywhere((base) => (s, d) => {
  if (s.k !== "call" || s.into === undefined || !/set_access_flags$/.test(s.callee)) return;
  if (!/^(mm|kernel)\//.test(d.source.file)) return;
  const range = s.args.some(([n]) => n === "va")
    ? Range.one(arg<"va">(s, "va"))
    : pagesOf(arg<"region">(s, "region"));
  const changed = local(s.into, t.bool);
  return [s, when(changed, notifying(base)(arg(s, "cpu"), arg(s, "mm"), range))];
});

/** Atomic changes of entries, which take something away or add to it; plain stores fill them. */
const CHANGES: readonly string[] = ["xchg_desc", "cmpxchg_desc", "xchg_pmd", "cmpxchg_pmd"];

/** The third: a notifier of its own for each change of an entry, where it changes. */
const tlbNotifier: Overlay = (base) =>
  everywhere((k) => (s) => {
    if (s.k !== "call" || !CHANGES.includes(s.callee)) return;
    const range = s.callee.endsWith("desc")
      ? Range.one(arg<"va">(s, "va"))
      : pagesOf(arg<"region">(s, "region"));
    const now = notifying(k)(arg(s, "cpu"), arg(s, "mm"), range);
    return [s, s.callee.startsWith("cmpxchg") ? when(local(s.into!, t.bool), now) : now];
  })(withoutCalls(base));

const isFlush = (d: Definition): boolean => d.source.file.endsWith("asm/tlbflush.h");

/** The newest version whose flush functions are taken. */
const PATCHED = "6.12";

/** What was merged: flush functions call as those of 6.12 do, and nobody else. */
const flushCalls: Overlay = (base) => {
  const patched = everywhere((k) => (s, d) => {
    if (s.k !== "since" || !isFlush(d)) return;
    if (compareVersions(s.version, PATCHED) > 0) return;
    const callee = CALLBACKS.find((name) => k.routines.has(name))!;
    let calls = false;
    const then = rewrite(s.then, (inner) => {
      if (!isCallback(inner)) return undefined;
      calls = true;
      return [{ ...inner, callee }];
    });
    return calls ? then : undefined;
  });
  const outside = everywhere(() => (s, d) => {
    return isCallback(s) && !CALLBACKS.includes(d.name) && !isFlush(d) ? [] : undefined;
  });
  return patched(outside(base));
};

/** Entry points that the rest of the kernel would see of a layer, and what each is about. */
const LAYER: ReadonlyMap<string, "mm" | "va" | "range"> = new Map([
  ["flush_tlb_mm", "mm"],
  ["flush_tlb_page", "va"],
  ["local_flush_tlb_page", "va"],
  ["__flush_tlb_range", "range"],
  ["arch_tlbbatch_add_pending", "va"],
]);

/** One layer: each flush of an architecture, DSB and all, and behind it the secondary TLBs. */
const flushLayer: Overlay = (base) => {
  const bare = withoutCalls(base);
  const routines = new Map(bare.routines);
  for (const [name, of] of LAYER) {
    const d = routines.get(name);
    if (!d) continue;
    const range = {
      mm: WHOLE_MM,
      va: Range.one(local("va", t.va)),
      range: local("range", t.range),
    }[of];
    const after = notifying(base)(local("cpu", t.cpu), local("mm", t.mm), range);
    routines.set(name, { ...d, body: () => [...d.body(), after] });
  }
  return { ...bare, routines };
};

export const PLACEMENT_OVERLAYS: readonly NamedOverlay[] = [
  {
    name: "generic-calls",
    describes: "generic code calls the range callback after each upgrade, on any architecture",
    overlay: genericCalls,
  },
  {
    name: "tlb-notifier",
    describes: "a callback for each change of an entry, where it changes, and none elsewhere",
    overlay: tlbNotifier,
  },
  {
    name: "flush-calls",
    describes: "flush functions call the range callback as in 6.12, and nobody else does",
    overlay: flushCalls,
  },
  {
    name: "flush-layer",
    describes: "one layer over the architecture's flushes calls the range callback after each",
    overlay: flushLayer,
  },
];
