// SPDX-License-Identifier: Apache-2.0
// What single instructions and commands of a scenario do: `set_pte`, `tlbi`, `dsb`, `CMD_SYNC` ...

import type { Expr } from "../ir/expr.ts";
import { constant, FALSE, member, TRUE } from "../ir/expr.ts";
import type { Enumeration } from "../ir/sort.ts";
import { bool } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import { atomic, call, emit, set } from "../ir/stmt.ts";
import { desc, PTE_NONE, tableDesc } from "../vocabulary/descriptor.ts";
import { command, dsb_op, events, tlbi_op } from "../vocabulary/events.ts";
import { cd_asid } from "../vocabulary/iommu.ts";
import {
  await_prg_response,
  cmdq_insert,
  cmdq_wait,
  cpu_try,
  device_try,
  dma_wmb,
  dsb,
  isb,
  send_page_request,
  send_stop_marker,
  store_pmd,
  store_pte,
  tlbi,
} from "../vocabulary/primitives.ts";
import { t, WHOLE_MM } from "../vocabulary/sorts.ts";
import { asid_of, blocks_linked, life, page_life, s2, table_life } from "../vocabulary/state.ts";
import type { Arg, VerbStatement } from "./ast.ts";
import { leafValue, tableOf } from "./leaf.ts";
import { pagesOf } from "./ranges.ts";
import { configures } from "./smmu-instructions.ts";
import { CMD_BY_VA } from "./smmu-words.ts";
import type { World } from "./world.ts";

/** The agent that runs an instruction. */
export interface Runs {
  readonly cpu: Expr<"cpu">;
  readonly agent: Expr<"agent">;
  /** The number of the mm that it uses. */
  readonly mm: number;
  readonly world: World;
}

/** One try of a load or store, with a register for what it reached. */
export function tryOf(s: VerbStatement, by: Runs, device: number | undefined): Stmt {
  const { agent, world } = by;
  const into = constant(t.register, world.registers.indexOf(s.into!.text));
  const va = constant(t.va, vaOf(s.args[0], world));
  const write = constant(bool, s.verb.text === "store" ? 1 : 0);
  const access = { agent, mm: constant(t.mm, by.mm), va, write, into };
  return device === undefined
    ? call(cpu_try, { cpu: by.cpu, ...access })
    : call(device_try, { dev: constant(t.dev, device), ...access });
}

/** What a device says to the SMMU and waits for, other than accesses; undefined: something else. */
export function requestOf(s: VerbStatement, dev: Expr<"dev">, world: World): Stmt | undefined {
  const words = s.args.map(wordOf);
  const flag = (word: string) => (words.includes(word) ? TRUE : FALSE);
  switch (s.verb.text) {
    case "page_request":
      return call(send_page_request, {
        ...{ dev, va: constant(t.va, vaOf(s.args[0], world)), write: flag("write") },
        last: words.includes("more") ? FALSE : TRUE,
      });
    case "stop_marker":
      return call(send_stop_marker, { dev });
    case "prg_response":
      return call(await_prg_response, { dev });
    default:
      return undefined;
  }
}

/** An instruction of a CPU; undefined: the verb is none. */
export function instruction(s: VerbStatement, by: Runs): readonly Stmt[] | undefined {
  const { cpu, world } = by;
  const verb = s.verb.text;
  const word = wordOf(s.args[0]);
  switch (verb) {
    case "set_pte":
      return [setPte(s, by)];
    case "set_s2": {
      const of = (arg: Arg | undefined) => world.frames.get(wordOf(arg) ?? "") ?? 0;
      const pfn = of(s.args[1]);
      const none = wordOf(s.args[1]) === "none";
      const value = none
        ? PTE_NONE
        : constant(
            desc,
            leafValue(world.domain, { writable: true, dirty: true, young: true, pfn }),
          );
      return [set(s2(constant(t.pfn, of(s.args[0]))), value)];
    }
    case "set_pmd": {
      const { mm, va } = spot(s.args[0], by);
      const table = constant(t.table, tableOf(world.domain, mm, va));
      const what = wordOf(s.args[1]) ?? "";
      const value = upperValue(what, table, world);
      const region = constant(t.region, Math.floor(va / world.domain.limits["PTRS_PER_PTE"]!));
      const linked = world.frames.has(what) ? [set(blocks_linked(), TRUE)] : [];
      return [...linked, call(store_pmd, { cpu, mm: constant(t.mm, mm), region, value })];
    }
    case "tlbi": {
      const scope = s.args[1];
      const named = world.mms.indexOf(wordOf(scope) ?? "");
      const whole = scope === undefined || named >= 0;
      const mm = named >= 0 ? named : scope === undefined ? by.mm : spot(scope, by).mm;
      const range = whole ? WHOLE_MM : pagesOf(scope, world);
      const op = wordAs(tlbi_op, word);
      return [call(tlbi, { cpu, op, asid: asid_of(constant(t.mm, mm)), range })];
    }
    case "dsb":
      return [
        call(dsb, {
          cpu,
          op: wordAs(dsb_op, word),
        }),
      ];
    case "isb":
      return [call(isb, { cpu })];
    case "set_asid": {
      const of = (arg: Arg | undefined) =>
        asid_of(constant(t.mm, world.mms.indexOf(wordOf(arg) ?? "")));
      return [atomic(set(of(s.args[0]), of(s.args[1])))];
    }
    case "free": {
      const frame = constant(t.pfn, world.frames.get(word ?? "") ?? 0);
      const gone = set(page_life(frame), member(life, "freed"));
      return [atomic(gone, emit(events.page_freed, { frame }))];
    }
    case "free_table": {
      const { mm, va } = spot(s.args[0], by);
      const table = constant(t.table, tableOf(world.domain, mm, va));
      const gone = set(table_life(table), member(life, "freed"));
      return [atomic(gone, emit(events.table_freed, { table }))];
    }
    case "rely": {
      const { mm, va } = spot(s.args[0], by);
      const at = { mm: constant(t.mm, mm), va: constant(t.va, va) };
      return [atomic(emit(events.revoked, { ...at, reads: TRUE }))];
    }
    default:
      return verb.startsWith("CMD_") ? queued(s, by) : configures(s, world);
  }
}

/** `none`, the region's own `table`, or a page: a large one in place of the table. */
function upperValue(word: string, table: Expr<"table">, world: World): Expr<"desc"> {
  if (word === "none") return PTE_NONE;
  if (word === "table") return tableDesc(table);
  const pfn = world.frames.get(word) ?? 0;
  const leaf = { writable: true, dirty: true, young: true, pfn };
  return constant(desc, leafValue(world.domain, leaf));
}

/** `set_pte x P read-only old;`: defaults as in `map` of a writable vma. */
function setPte(s: VerbStatement, by: Runs): Stmt {
  const { world } = by;
  const { mm, va } = spot(s.args[0], by);
  const page = wordOf(s.args[1]) ?? "";
  const words = new Set(s.args.slice(2).map(wordOf));
  const writable = !words.has("read-only");
  const dirty = words.has("dirty") || (writable && !words.has("clean"));
  const pfn = world.frames.get(page) ?? 0;
  const number =
    page === "none"
      ? 0
      : leafValue(world.domain, { writable, dirty, young: !words.has("old"), pfn });
  return call(store_pte, {
    ...{ cpu: by.cpu, mm: constant(t.mm, mm), va: constant(t.va, va) },
    table: constant(t.table, tableOf(world.domain, mm, va)),
    value: constant(desc, number),
  });
}

/** By the third argument of CMD_ATC_INV: the end of the command's name here. */
const ATC_FORMS: Readonly<Record<string, string>> = { "no-pasid": "_SSV0", global: "_G" };

/** A command; `CMD_SYNC` is queued and waited for. */
function queued(s: VerbStatement, by: Runs): readonly Stmt[] {
  const { cpu, world } = by;
  const name = s.verb.text;
  const first = s.args[0];
  const device = world.devices.find((d) => d.name === wordOf(first));
  const named = world.mms.indexOf(wordOf(first) ?? "");
  const byVa = CMD_BY_VA.includes(name);
  const mm = device?.mm ?? (named >= 0 ? named : byVa ? spot(first, by).mm : by.mm);
  const pages = byVa ? first : name === "CMD_ATC_INV" ? s.args[1] : undefined;
  const sync = name === "CMD_SYNC";
  return [
    call(dma_wmb, { cpu }),
    call(cmdq_insert, {
      cpu,
      op: wordAs(command, `${name}${ATC_FORMS[wordOf(s.args[2]) ?? ""] ?? ""}`),
      asid: sync ? constant(t.asid, 0) : cd_asid(constant(t.pasid, mm)),
      dev: constant(t.dev, device?.dev ?? 0),
      range: pages === undefined ? WHOLE_MM : pagesOf(pages, world),
    }),
    ...(sync ? [call(cmdq_wait, { cpu })] : []),
  ];
}

/** The mm and the first page that an argument names. */
function spot(arg: Arg | undefined, { mm, world }: Runs): { mm: number; va: number } {
  const own = arg?.kind === "place" || arg?.kind === "range" ? arg.mm?.text : undefined;
  return { mm: own === undefined ? mm : world.mms.indexOf(own), va: vaOf(arg, world) };
}

function vaOf(arg: Arg | undefined, world: World): number {
  const name = arg?.kind === "place" ? arg.va : arg?.kind === "range" ? arg.from : nameOfArg(arg);
  return world.vaOf.get(name?.text ?? "") ?? 0;
}

const nameOfArg = (arg: Arg | undefined) => (arg?.kind === "name" ? arg.name : undefined);
export const wordOf = (arg: Arg | undefined): string | undefined => nameOfArg(arg)?.text;

/** The value of an enumeration that is spelled like this. */
const wordAs = <N extends string>(sort: Enumeration<N, string>, word: string | undefined) =>
  constant(sort, sort.values.indexOf(word ?? ""));
