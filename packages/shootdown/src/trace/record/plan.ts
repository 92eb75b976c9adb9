// SPDX-License-Identifier: Apache-2.0
// What to record on one kernel: the rows of the tables that are for it, with arguments and offsets.
//
//   table --(version, machine, parts)--> rows --(the kernel's BTF, else the table)--> definitions
//                                          \--> what cannot be recorded, and what shows it
import type { KernelTypes } from "./btf.ts";
import { type Definition, type Fetch, type Field, TYPES } from "./definition.ts";
import { ALIASES, type Arch, type Part, type Place, type Probe, STRUCT_OF } from "./probe.ts";
import { DMA_PROBES, VTD_PROBES } from "./probes-dma.ts";
import { ENTRY_PROBES, NOTIFIER_PROBES } from "./probes-entries.ts";
import { OPERATION_PROBES } from "./probes-operations.ts";
import { offsetIn } from "./structs.ts";
import { NOT_VISIBLE, OTHER_CALLS, SPACE_CALLS, TRACEPOINTS } from "./tracepoints.ts";
import { type Version, versionText, within } from "./version.ts";

export const PROBES: readonly Probe[] = [
  ...NOTIFIER_PROBES,
  ...ENTRY_PROBES,
  ...OPERATION_PROBES,
  ...DMA_PROBES,
  ...VTD_PROBES,
];

/** What a kernel has, as far as it is known. */
export interface Kernel {
  readonly version: Version;
  readonly arch: Arch;
  /** Its types; without them the table's offsets and arguments are taken. */
  readonly types?: KernelTypes;
  /** Symbols that it is known to have; without them all that the table names may be tried. */
  readonly symbols?: ReadonlySet<string>;
}

/** A probe for one kernel: of its forms the first that the kernel takes. */
export interface PlannedProbe {
  readonly event: string;
  readonly part: Part;
  readonly reveals: string;
  readonly maybe: string | undefined;
  /** By falling preference; the return, where one is recorded, is of the same function. */
  readonly forms: readonly (readonly Definition[])[];
}

export interface PlannedEvent {
  readonly path: string;
  readonly event: string;
  readonly reveals: string;
  readonly print: readonly [format: string, ...args: string[]];
}

/** What is not recorded, why, and what shows it. */
export interface Hidden {
  readonly what: string;
  readonly why: string;
  readonly shown: string;
}

export interface Plan {
  readonly version: Version;
  readonly arch: Arch;
  readonly parts: readonly Part[];
  readonly probes: readonly PlannedProbe[];
  readonly events: readonly PlannedEvent[];
  readonly calls: readonly string[];
  readonly hidden: readonly Hidden[];
  /** What nobody has tried on this version; empty where all was. */
  readonly unverified: readonly string[];
}

/** Kernels whose symbols, parameters and structures were read. */
const VERIFIED: Readonly<Record<Arch, readonly string[]>> = {
  arm64: ["6.1", "6.12"],
  x86: ["6.1", "6.12", "6.18"],
};

/** Parts by default: without those that cost much. */
export function defaultParts(arch: Arch): readonly Part[] {
  return arch === "x86" ? ["mm", "cpu", "kvm", "dma", "vtd"] : ["mm", "cpu", "kvm", "dma"];
}

export function planRecord(kernel: Kernel, parts: readonly Part[]): Plan {
  const { version, arch } = kernel;
  const wanted = PROBES.filter(({ part }) => parts.includes(part));
  const probes = wanted.flatMap((probe) => planned(probe, kernel) ?? []);
  const here = (row: { kernels?: `${string}..${string}`; arch?: Arch }) =>
    within(row.kernels, version) && (row.arch ?? arch) === arch;
  const found = new Set(probes.map(({ event }) => event));
  const hidden = [
    ...wanted.flatMap(({ event, absent = [] }) =>
      found.has(event) ? [] : absent.filter(here).map((one) => ({ what: event, ...said(one) })),
    ),
    ...wanted.flatMap((probe) => notFound(probe, kernel, found)),
    ...TRACEPOINTS.filter((one) => parts.includes(one.part) && (one.arch ?? arch) === arch)
      .filter((one) => !here(one))
      .map((one) => ({
        ...{ what: one.path, why: `in ${one.kernels} only` },
        shown: one.event.endsWith("migration_pte") ? "try_to_unmap_one" : "nothing else",
      })),
    ...NOT_VISIBLE.filter(here).map((one) => ({ what: one.what, ...said(one) })),
  ];
  return {
    ...{ version, arch, parts, probes, hidden },
    events: TRACEPOINTS.filter((one) => parts.includes(one.part) && here(one)).map(
      ({ path, event, reveals, print }) => ({ path, event, reveals, print }),
    ),
    calls: [
      ...(parts.includes("mm") ? SPACE_CALLS : []),
      ...(parts.includes("calls") ? OTHER_CALLS : []),
    ],
    unverified: unverified(kernel),
  };
}

const said = ({ why, shown }: { why: string; shown: string }) => ({ why, shown });

function unverified({ version, arch, types, symbols }: Kernel): string[] {
  const name = versionText(version);
  if (VERIFIED[arch].includes(name)) return [];
  return [
    ...(symbols === undefined
      ? [`which of these functions linux-${name} has; a probe that it refuses is left out`]
      : []),
    ...(types === undefined
      ? [`arguments and offsets on linux-${name}: from its history, not its types (--btf)`]
      : []),
  ];
}

/** A row of this kernel none of whose functions it is known to have, with the reason. */
function notFound(probe: Probe, kernel: Kernel, found: ReadonlySet<string>): Hidden[] {
  const places = placesFor(probe, kernel);
  if (found.has(probe.event) || places.length === 0) return [];
  const names = places.map(({ symbol }) => symbol).join(", ");
  const there = places.find(({ symbol }) => kernel.symbols?.has(symbol) ?? true);
  const other = there === undefined ? undefined : kernel.types?.parameters(there.symbol);
  const why =
    other === undefined
      ? `this kernel has no ${names}`
      : `this kernel's ${there?.symbol} has other parameters: ${other.join(", ")}`;
  return [{ what: probe.event, why, shown: probe.maybe ?? "nothing else" }];
}

function placesFor(probe: Probe, { version, arch }: Kernel): readonly Place[] {
  return probe.at.filter(
    (place) => within(place.kernels, version) && (place.arch ?? arch) === arch,
  );
}

function planned(probe: Probe, kernel: Kernel): PlannedProbe | undefined {
  const { event, part, reveals, maybe } = probe;
  const forms = placesFor(probe, kernel)
    .filter(({ symbol }) => kernel.symbols?.has(symbol) ?? true)
    .flatMap((place) => {
      const enters = fieldsOf(place.fields ?? probe.fields, place, kernel);
      if (enters === undefined) return [];
      const { symbol } = place;
      const entry: Definition = { kind: "p", event, symbol, fields: enters };
      const leaves =
        probe.returns === undefined ? undefined : fieldsOf(probe.returns, place, kernel);
      if (leaves === undefined) return [[entry]];
      return [[entry, { kind: "r", event: `${event}_ret`, symbol, fields: leaves } as const]];
    });
  return forms.length === 0 ? undefined : { event, part, reveals, maybe, forms };
}

/** Fetching a field from a function that has no such parameter. */
const NO_PARAMETER = "parameter";
/** From a structure that has no such member in this version: the field is left out. */
const NO_MEMBER = "member";
type Unknown = typeof NO_PARAMETER | typeof NO_MEMBER;

function fieldsOf(text: string, place: Place, kernel: Kernel): Field[] | undefined {
  const fields: Field[] = [];
  for (const one of text.split(" ").filter((word) => word !== "")) {
    const [, name = "", source = "", type_text] = FIELD.exec(one) ?? [];
    const type = TYPES.find((known) => known === type_text);
    if (type === undefined) throw new Error(`table: ${place.symbol}: ${one}`);
    const fetch = fetchOf(source, place, kernel);
    if (fetch === NO_PARAMETER) return undefined;
    if (fetch !== NO_MEMBER) fields.push({ name, fetch, type });
  }
  return fields;
}

const FIELD = /^(\w+)=(\S+):(\w+)$/;

function fetchOf(source: string, place: Place, kernel: Kernel): Fetch | Unknown {
  if (source === "$retval") return { kind: "retval" };
  if (source.startsWith("\\")) return { kind: "immediate", value: Number(source.slice(1)) };
  if (source.startsWith("*")) {
    const base = fetchOf(source.slice(1), place, kernel);
    return typeof base === "string" ? base : { kind: "memory", offset: 0, base };
  }
  const [param = "", ...members] = source.split("->");
  const index = argument(param, place, kernel);
  if (index === undefined) return NO_PARAMETER;
  let fetch: Fetch = { kind: "arg", index };
  let holder = param;
  for (const member of members) {
    const offset = offsetOf(STRUCT_OF[holder] ?? "", member, kernel);
    if (offset === undefined) return NO_MEMBER;
    fetch = { kind: "memory", offset, base: fetch };
    holder = member;
  }
  return fetch;
}

function offsetOf(struct: string, member: string, { types, version }: Kernel): number | undefined {
  if (types?.has(struct) === true) return types.offset(struct, member);
  return offsetIn(struct, member, version);
}

/** Where a parameter stands, from 1: by the kernel's own types, else by the table. */
function argument(param: string, { symbol, params }: Place, { types }: Kernel): number | undefined {
  const known = types?.parameters(symbol);
  const names = known ?? params.split(" ");
  for (const name of [param, ...(known === undefined ? [] : (ALIASES[param] ?? []))]) {
    const at = names.indexOf(name);
    if (at >= 0) return at + 1;
  }
  if (known === undefined) throw new Error(`table: ${symbol} has no parameter ${param}`);
  return undefined;
}
