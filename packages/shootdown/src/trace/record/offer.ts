// SPDX-License-Identifier: Apache-2.0
// Which lines of a plan a kernel offers, from what it says of itself: its symbols, the functions
// that probes may not enter, its events.

import type { Plan, PlannedProbe } from "./plan.ts";
import type { Arch, Part } from "./probe.ts";

/** Texts of files of the kernel to be recorded; what could not be read is left out. */
export interface KernelFiles {
  /** /proc/kallsyms: "ffffffff81340a00 T ptep_set_access_flags [module]" */
  readonly kallsyms?: string | undefined;
  /** kprobes/blacklist of debugfs: "0xffffffc0-0xffffffd0\tfunction" */
  readonly blacklist?: string | undefined;
  /** available_events of tracefs: "migrate:set_migration_pte" */
  readonly events?: string | undefined;
}

/** Functions of a kernel by name, with how many there are of each. */
export interface Symbols {
  readonly functions: ReadonlyMap<string, number>;
  /** Of a function that the compiler split or specialised: `name.isra.0` and the like. */
  readonly variants: ReadonlyMap<string, string>;
}

export type OfferStatus = "offered" | "absent" | "ambiguous" | "blacklisted" | "unknown";

export interface Offer {
  readonly event: string;
  /** The function, or the path of the kernel's own event. */
  readonly source: string;
  readonly kind: "probe" | "event";
  readonly status: OfferStatus;
  /** Why not, and what shows it then; empty where nothing is to be said. */
  readonly why: string;
  /** It does without on some builds. */
  readonly optional: boolean;
}

export interface Offers {
  readonly kprobes: boolean | undefined;
  readonly offers: readonly Offer[];
  /** System calls with events of their own, of those that are asked for; undefined: not known. */
  readonly calls: readonly string[] | undefined;
}

const SYMBOL = /^[\da-f]+ ([a-zA-Z]) ([^\s.]+)((?:\.\w+)*)(?:\s+\[\w+\])?$/;

export function symbolsOf(kallsyms: string): Symbols {
  const functions = new Map<string, number>();
  const variants = new Map<string, string>();
  for (const line of kallsyms.split("\n")) {
    const [, type = "", name = "", suffix = ""] = SYMBOL.exec(line) ?? [];
    if (!/[tTwW]/.test(type)) continue;
    if (suffix === "") functions.set(name, (functions.get(name) ?? 0) + 1);
    else if (!suffix.endsWith(".cold")) variants.set(name, `${name}${suffix}`);
  }
  return { functions, variants };
}

/** Names for `planRecord`: those that a probe can be set on. */
export const probeable = ({ functions }: Symbols): ReadonlySet<string> => new Set(functions.keys());

const SYSTEM_CALL: Readonly<Record<Arch, string>> = { arm64: "__arm64_sys_", x86: "__x64_sys_" };

/** Code of every kernel, and on arm64 no system call: clone does their work. */
const NO_CALL: Readonly<Record<Arch, readonly string[]>> = { arm64: ["fork", "vfork"], x86: [] };

/** System calls that a kernel has. */
export function systemCalls({ functions }: Symbols, arch: Arch): ReadonlySet<string> {
  const prefix = SYSTEM_CALL[arch];
  return new Set(
    [...functions.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
      .filter((name) => !NO_CALL[arch].includes(name)),
  );
}

/** Events of the kernel: each has a function that runs through those who listen. */
export function tracepoints({ functions }: Symbols): ReadonlySet<string> {
  const prefix = "__traceiter_";
  return new Set(
    [...functions.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length)),
  );
}

/** A plan made without a list of symbols, against what the kernel says of itself. */
export function offersOf(plan: Plan, files: KernelFiles): Offers {
  const symbols = files.kallsyms === undefined ? undefined : symbolsOf(files.kallsyms);
  const refused = new Set(
    (files.blacklist ?? "").split("\n").map((line) => line.split("\t")[1] ?? ""),
  );
  const listed =
    files.events === undefined
      ? undefined
      : new Set(files.events.split("\n").map((line) => line.trim().replace(":", "/")));
  const known = symbols === undefined ? undefined : tracepoints(symbols);
  const offers = [
    ...plan.probes.map((probe) => probeOffer(probe, symbols, refused)),
    ...plan.events.map(({ path, event }): Offer => {
      const there = listed?.has(path) ?? known?.has(event);
      const status = there === undefined ? "unknown" : there ? "offered" : "absent";
      const why = status === "absent" ? "no such event, or its module is not loaded" : "";
      return { event, source: path, kind: "event", status, why, optional: true };
    }),
  ];
  const calls = symbols === undefined ? undefined : systemCalls(symbols, plan.arch);
  return {
    kprobes: symbols?.functions.has("register_kprobe"),
    offers,
    calls: calls === undefined ? undefined : plan.calls.filter((call) => calls.has(call)),
  };
}

/** Of drivers that a machine need not have. */
const DRIVERS: ReadonlySet<Part> = new Set<Part>(["dma", "vtd"]);

function probeOffer(
  { event, forms, maybe, part }: PlannedProbe,
  symbols: Symbols | undefined,
  refused: ReadonlySet<string>,
): Offer {
  const names = forms.map(([entry]) => entry?.symbol ?? "");
  const row = { event, kind: "probe", optional: maybe !== undefined || DRIVERS.has(part) } as const;
  if (symbols === undefined) {
    return { ...row, source: names.join(" or "), status: "unknown", why: "" };
  }
  const source = names.find((name) => symbols.functions.has(name));
  if (source === undefined) {
    const variant = names.map((name) => symbols.variants.get(name)).find((name) => name);
    const split = variant === undefined ? "" : `only ${variant}, whose arguments may be others; `;
    const why = `${split}${maybe ?? "this kernel has no such function"}`;
    return { ...row, source: names.join(" or "), status: "absent", why };
  }
  if (refused.has(source)) {
    return { ...row, source, status: "blacklisted", why: "the kernel lets no probe in" };
  }
  if ((symbols.functions.get(source) ?? 0) > 1) {
    return { ...row, source, status: "ambiguous", why: "several functions of this name" };
  }
  return { ...row, source, status: "offered", why: "" };
}

/** 0 all that must be there is; 1 something is not; 3 nothing is known. */
export function offersStatus({ kprobes, offers }: Offers): 0 | 1 | 3 {
  if (kprobes === undefined) return 3;
  const good = ({ status, optional }: Offer) => status === "offered" || optional;
  return kprobes && offers.every(good) ? 0 : 1;
}
