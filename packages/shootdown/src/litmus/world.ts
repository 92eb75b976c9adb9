// SPDX-License-Identifier: Apache-2.0
// The world of a scenario: how many of everything there is, what it is called, how it begins.
//
//   addresses   a page's number is region * PTRS_PER_PTE + place in its table
//   frames      those that the file names, then fresh ones for the allocator
//   CPUs        those with a body, then one worker for each device's faults

import type { Domain, Initial } from "../engine/program.ts";
import { ttbr0 } from "../hardware/arm64/tlb.ts";
import type { FieldDecl } from "../ir/expr.ts";
import { kvm_guest, mirrors_mm } from "../kernel/shadow-state.ts";
import {
  contpte_aligned,
  dev_mm,
  entries_race,
  huge_pages,
  is_zero_page,
  mm_pasid,
  next_free_page,
  PageAnonExclusive,
  page_refs,
  pmd_huge_pte,
  VM_WRITE,
  vma,
  vmas_several,
  zero_pfn,
} from "../kernel/state.ts";
import { dev_pasid } from "../vocabulary/iommu.ts";
import {
  asid_of,
  blocks_linked,
  is_contiguous,
  is_global,
  is_xs,
  life,
  page_life,
  pmd,
  pte_table,
  s2,
  table_life,
} from "../vocabulary/state.ts";
import type { Scenario, VerbStatement } from "./ast.ts";
import { leafValue, tableOf, wordValue } from "./leaf.ts";
import type { InitialPlace } from "./places.ts";
import { placesOf } from "./places.ts";
import { countCalls, countVerbs } from "./symbols.ts";
import { isHandled, signalsOf } from "./threads.ts";
import { initialFiles, pgoffsOf, unnamed } from "./world-files.ts";
import { unmapsSeveral } from "./world-vmas.ts";

/** TLBIs of one PE that one target may owe; a PE waits for room beyond it. */
const TLBI_OUTSTANDING = 2;
/** Entries of the command queue; a CPU waits for room beyond it. */
const CMDQ_ENTRIES = 4;
/** Invalidate Requests that a function may owe an answer to: ITags (P12). */
const ATC_INVALIDATIONS = 2;
/** Writes of one traffic class, and reads, that a device may have in flight. */
const DEVICE_REQUESTS = 2;
/** Page Requests of one device on the link, and entries of the PRI queue: it is soon full. */
const PAGE_REQUESTS = 3;
const PRIQ_ENTRIES = 2;
/** Fresh frames when the scenario does not say: more than this many copies end in a limit. */
const FRESH_FRAMES_MAX = 3;
/** The name of the kernel's own zero page; a scenario's pages have other names. */
const ZERO_PAGE = "(zero page)";
/** TLBIs and commands of a program whose order nothing fixes: there is room for all of them. */
const unwaited = (scenario: Scenario, test: (verb: string) => boolean): number =>
  scenario.bodies.reduce((n, b) => n + countVerbs(b.statements, (s) => test(s.verb.text)), 0);

/** References that a page may have. */
const REFERENCES = 8;

export interface BoundDevice {
  readonly name: string;
  readonly dev: number;
  readonly mm: number;
  readonly agent: number;
  /** CPU number of the worker that handles its faults. */
  readonly worker: number;
  readonly registered: boolean;
  /** Said in the file; absent = as the machine has it. */
  readonly ats: boolean | undefined;
  readonly cached: readonly number[];
  /** It has page tables of its own, kept by KVM or by its driver. */
  readonly tables: "kvm" | "hmm" | undefined;
}

export interface World {
  readonly domain: Domain;
  readonly initial: readonly Initial[];
  readonly devices: readonly BoundDevice[];
  /** CPU number -> name and mm of its body. */
  readonly cpus: readonly { readonly name: string; readonly mm: number | undefined }[];
  readonly vaOf: ReadonlyMap<string, number>;
  readonly mms: readonly string[];
  readonly frames: ReadonlyMap<string, number>;
  /** Pages that a file has at the start, by name: their places in it. */
  readonly pgoffs: ReadonlyMap<string, number>;
  /** Names of registers; each agent has its own of every name. */
  readonly registers: readonly string[];
}

const worlds = new WeakMap<Scenario, World>();

/** Numbers everything that a scenario names; one world for one scenario. */
export function worldOf(scenario: Scenario): World {
  let world = worlds.get(scenario);
  if (!world) worlds.set(scenario, (world = makeWorld(scenario)));
  return world;
}

function makeWorld(scenario: Scenario): World {
  const places = placesOf(scenario);
  const mms = scenario.items.flatMap((i) => (i.kind === "mm" ? i.names.map((n) => n.text) : []));
  const pages = scenario.items.flatMap((i) =>
    i.kind === "page" ? i.names.map((n) => n.text) : [],
  );
  const addresses = numberAddresses(scenario, places);
  const cpuBodies = scenario.bodies.filter((b) => /^CPU\d+$/.test(b.agent.text));
  const deviceItems = scenario.items.filter((i) => i.kind === "device");
  const cpus = [
    ...cpuBodies.map((b) => ({
      name: b.agent.text,
      mm: b.mm ? mms.indexOf(b.mm.text) : undefined,
    })),
    ...deviceItems.map((d) => ({ name: `${d.name.text}.worker`, mm: undefined })),
  ];
  const devices = deviceItems.map(
    (d, dev): BoundDevice => ({
      name: d.name.text,
      dev,
      mm: mms.indexOf(d.mm.text),
      agent: cpuBodies.length + dev,
      worker: cpuBodies.length + dev,
      registered: d.attributes.notifier?.text !== "unregistered",
      ats: d.attributes.ats && d.attributes.ats.text === "ats",
      tables: d.attributes.tables?.text,
      cached: d.cached
        .flatMap((r) => namesBetween(addresses.order, r.from.text, r.to?.text))
        .map((name) => addresses.of.get(name)!),
    }),
  );
  const fresh = freshFrames(scenario, addresses.perTable);
  const frames = new Map(pages.map((p, i) => [p, i]));
  const registers = registersOf(scenario);
  const pgoffs = pgoffsOf(places);
  const frameNames = [
    ...pages,
    ...Array.from({ length: fresh }, (_, n) => `new#${n}`),
    "(no frame left)",
    ZERO_PAGE,
  ];
  const domain: Domain = {
    sizes: {
      cpu: cpus.length,
      mm: mms.length,
      va: addresses.regions * addresses.perTable,
      region: addresses.regions,
      // Where huge pages come and go: a second one for each region.
      table: mms.length * addresses.regions * (changesTables(scenario, places) ? 2 : 1),
      // The zero page, and one number that means that no frame is left.
      pfn: pages.length + fresh + 2,
      asid: 2 * mms.length,
      pasid: mms.length,
      // Those of places whose page no name says, and one that is nowhere.
      pgoff: pgoffs.size + unnamed(places).length + 1,
      dev: Math.max(1, devices.length),
      agent: cpuBodies.length + devices.length,
      signal: Math.max(1, signalsOf(scenario).length),
      register: Math.max(1, registers.length),
      // Those of pfn, none yet and a fault.
      reached: pages.length + fresh + 4,
      int: REFERENCES,
    },
    names: {
      cpu: cpus.map((c) => c.name),
      mm: mms,
      va: Array.from(
        { length: addresses.regions * addresses.perTable },
        (_, n) => addresses.names.get(n) ?? `page#${n}`,
      ),
      pfn: frameNames,
      register: registers,
      reached: ["none", "fault", ...frameNames],
      dev: devices.map((d) => d.name),
      agent: [...cpuBodies.map((b) => b.agent.text), ...devices.map((d) => d.name)],
      pasid: mms.map((m) => `pasid(${m})`),
      pgoff: [...pgoffs.keys()].map((page) => `index(${page})`),
      asid: [...mms.map((m) => `asid(${m})`), ...mms.map((m) => `smmu-asid(${m})`)],
      table: ["", ",new"].flatMap((which) =>
        mms.flatMap((m) =>
          Array.from({ length: addresses.regions }, (_, r) => `table(${m},${r}${which})`),
        ),
      ),
    },
    limits: limitsOf(scenario, addresses, mms.length),
  };
  const base = { domain, devices, cpus, vaOf: addresses.of, mms, frames, pgoffs, registers };
  return { ...base, initial: initialState(scenario, places, base, addresses) };
}

/** Thresholds of the kernel and room in queues, such that both sides of each are reached. */
function limitsOf(scenario: Scenario, { regions, perTable }: Addresses, mms: number) {
  const tlbis = unwaited(scenario, (verb) => verb === "tlbi");
  const commands = unwaited(scenario, (verb) => verb.startsWith("CMD_"));
  return {
    VA_START: 0,
    TASK_SIZE: regions * perTable,
    PTRS_PER_PTE: perTable,
    PTRS_PER_PTE_MINUS_1: perTable - 1,
    CMDQ_MAX_TLBI_OPS: perTable,
    MAX_TLBI_OPS: perTable,
    MAX_TLBI_OPS_TABLES: perTable * perTable,
    MAX_TLBI_RANGE_PAGES: regions * perTable,
    CPU_ASIDS: mms,
    SPARE_TABLES: mms * regions,
    TLBI_OUTSTANDING: Math.max(TLBI_OUTSTANDING, tlbis),
    CMDQ_ENTRIES: Math.max(CMDQ_ENTRIES, commands),
    ATC_INVALIDATIONS,
    // x86: page by page below, all at once above.
    TLB_SINGLE_PAGE_FLUSH_CEILING: perTable - 1,
    IPIS: 2,
    STORE_BUFFER: 1,
    DEVICE_REQUESTS,
    PAGE_REQUESTS,
    PRIQ_ENTRIES,
  };
}

/** Routines of the kernel that give a table back, and those that take frames in a row. */
const HUGE_ROUTINES = /^(collapse_huge_page|retract_page_tables)$/;
const callsOf = (scenario: Scenario, names: RegExp): number =>
  scenario.bodies.reduce((n, b) => n + countCalls(b.statements, (c) => names.test(c)), 0);
const changesTables = (scenario: Scenario, places: readonly InitialPlace[]): boolean =>
  places.some((p) => p.pte?.huge) || callsOf(scenario, HUGE_ROUTINES) > 0;

export interface Addresses {
  readonly of: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
  readonly order: readonly string[];
  readonly regions: number;
  readonly perTable: number;
}

/**
 * Pages that share a table get one region. A table has room for one page more than is named, so
 * that no named range is as long as a table: thresholds of the kernel are a table's length. Pages
 * of the first table lie at its end, those of others at the start: two tables' pages adjoin.
 */
function numberAddresses(scenario: Scenario, places: readonly InitialPlace[]): Addresses {
  const order: string[] = [];
  const note = (name: string) => {
    if (!order.includes(name)) order.push(name);
  };
  for (const i of scenario.items) if (i.kind === "va") for (const n of i.names) note(n.text);
  for (const p of places) note(p.va);
  const tableOf = (name: string) => places.find((p) => p.va === name)?.ownTable ?? -1;
  const groups: { table: number; names: string[] }[] = [];
  for (const name of order) {
    const table = tableOf(name);
    const group = groups.find((g) => g.table === table);
    if (group) group.names.push(name);
    else groups.push({ table, names: [name] });
  }
  // A block is as long as a table: then every named range may be, and no page has no name.
  const block = groups.find((g) => places.some((p) => p.pte?.huge && p.va === g.names[0]));
  const perTable = block ? block.names.length : 1 + Math.max(1, order.length);
  const of = new Map<string, number>();
  const names = new Map<number, string>();
  for (const [r, g] of groups.entries()) {
    const first =
      r * perTable + (r === 0 && groups.length > 1 && !block ? perTable - g.names.length : 0);
    for (const [i, name] of g.names.entries()) {
      of.set(name, first + i);
      names.set(first + i, name);
    }
  }
  return { of, names, order, regions: Math.max(1, groups.length), perTable };
}

function namesBetween(order: readonly string[], from: string, to: string | undefined): string[] {
  const a = order.indexOf(from);
  return order.slice(a, (to === undefined ? a : order.indexOf(to)) + 1);
}

/** One for each access that may copy, up to a limit. */
function freshFrames(scenario: Scenario, perTable: number): number {
  const said = scenario.items.find((i) => i.kind === "free-frames");
  if (said) return said.count.value;
  const copies = (s: VerbStatement) =>
    ((s.verb.text === "store" || s.verb.text === "load") && s.into === undefined) ||
    (s.verb.text === "access" && isHandled(s));
  const accesses = scenario.bodies.reduce((n, b) => n + countVerbs(b.statements, copies), 0);
  const rows = perTable * callsOf(scenario, /^collapse_huge_page$/);
  const moved = callsOf(scenario, /^(migrate_pages|migrate_vma|uprobe_write_opcode)$/);
  return Math.min(FRESH_FRAMES_MAX, accesses) + moved + rows;
}

/** Names of the registers that programs write, in order of appearance. */
function registersOf(scenario: Scenario): string[] {
  const names = new Set<string>();
  for (const b of scenario.bodies) {
    countVerbs(b.statements, (s) => {
      if (s.into && (s.verb.text === "load" || s.verb.text === "store")) names.add(s.into.text);
      return false;
    });
  }
  return [...names];
}

/** Programs that may change page-table entries: a fault that somebody handles does too. */
const changers = (scenario: Scenario): number =>
  scenario.bodies.filter(
    ({ statements }) =>
      countCalls(statements, () => true) > 0 ||
      countVerbs(statements, (s) => s.verb.text !== "access" || isHandled(s)) > 0,
  ).length;

function initialState(
  scenario: Scenario,
  places: readonly InitialPlace[],
  world: Omit<World, "initial">,
  addresses: Addresses,
): Initial[] {
  const { domain, mms, frames } = world;
  const out: Initial[] = [];
  const put = (field: { decl: FieldDecl }, index: readonly number[], value: number) =>
    out.push({ field: field.decl, index, value });
  for (const [m] of mms.entries()) {
    put(asid_of, [m], m);
    put(mm_pasid, [m], m);
  }
  for (const [c, { mm }] of world.cpus.entries()) if (mm !== undefined) put(ttbr0, [c], mm);
  for (const d of world.devices) {
    put(dev_pasid, [d.dev], d.mm);
    if (d.tables === undefined) continue;
    put(d.tables === "kvm" ? kvm_guest : mirrors_mm, [d.dev], 1);
    put(dev_mm, [d.dev], d.mm);
  }
  for (const p of places) {
    const m = mms.indexOf(p.mm);
    const va = addresses.of.get(p.va)!;
    put(vma, [m, va], 1);
    put(VM_WRITE, [m, va], p.vma.writable ? 1 : 0);
    const next = tableOf(domain, m, va);
    const region = Math.floor(va / addresses.perTable);
    put(table_life, [next], life.values.indexOf("used"));
    put(pmd_huge_pte, [m, region], next);
    if (p.pte?.huge) {
      const pfn = frames.get(p.pte.page)! - (va % addresses.perTable);
      put(pmd, [m, region], leafValue(domain, { ...p.pte, pfn }));
      put(blocks_linked, [], 1);
      put(huge_pages, [], 1);
      continue;
    }
    put(pmd, [m, region], wordValue(domain, { valid: 1, table: 1, next }));
    if (!p.pte) continue;
    if (p.pte.global) put(is_global, [va], 1);
    if (p.pte.contiguous) {
      put(is_contiguous, [va], 1);
      put(contpte_aligned, [va], 1);
    }
    const entry = leafValue(domain, { ...p.pte, pfn: frames.get(p.pte.page)! });
    put(pte_table, [next, va], entry);
  }
  for (const [name, frame] of frames) {
    const mapped = places.filter((p) => p.pte?.page === name);
    const exclusive = mapped.some((p) => p.pte!.exclusive);
    const zero = scenario.items.some(
      (i) => i.kind === "page" && i.attributes.content && i.names.some((n) => n.text === name),
    );
    put(page_life, [frame], life.values.indexOf("used"));
    put(PageAnonExclusive, [frame], exclusive ? 1 : 0);
    // A page that is not exclusive is mapped by somebody outside the scenario too.
    const outside = mapped.length === 1 && !exclusive ? 1 : 0;
    // The page cache has a reference.
    const cached = world.pgoffs.has(name);
    put(page_refs, [frame], mapped.length + (cached ? 1 : outside));
    if (zero) put(is_zero_page, [frame], 1);
    const xs = scenario.items.some(
      (i) => i.kind === "page" && i.attributes.access && i.names.some((n) => n.text === name),
    );
    if (xs) put(is_xs, [frame], 1);
    if (unwaited(scenario, (verb) => verb === "set_s2") > 0) {
      const leaf = { writable: true, dirty: true, young: true, pfn: frame };
      put(s2, [frame], leafValue(domain, leaf));
    }
  }
  initialFiles(places, world, addresses, put);
  if (changers(scenario) > 1) put(entries_race, [], 1);
  if (unmapsSeveral(scenario, places, addresses)) put(vmas_several, [], 1);
  put(next_free_page, [], frames.size);
  const zero = domain.sizes["pfn"]! - 1;
  put(zero_pfn, [], zero);
  put(is_zero_page, [zero], 1);
  put(page_life, [zero], life.values.indexOf("used"));
  return out;
}
