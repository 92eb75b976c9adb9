// SPDX-License-Identifier: Apache-2.0
// What to record of a kernel: names and files in, a plan and its text out.

import { quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";
import { type RecordSources, recordRemarks } from "../report/record.ts";
import type { Problem } from "../report/result.ts";
import { readBtf } from "../trace/record/btf.ts";
import { bpftraceForm } from "../trace/record/form-bpftrace.ts";
import { traceCmdForm } from "../trace/record/form-trace-cmd.ts";
import { tracefsForm } from "../trace/record/form-tracefs.ts";
import {
  type KernelFiles,
  type Offers,
  offersOf,
  probeable,
  symbolsOf,
  systemCalls,
  tracepoints,
} from "../trace/record/offer.ts";
import { defaultParts, type Plan, planRecord } from "../trace/record/plan.ts";
import { ARCHES, type Arch, PARTS, type Part } from "../trace/record/probe.ts";
import {
  compareVersions,
  NEWEST,
  OLDEST,
  type Version,
  versionOf,
  versionText,
} from "../trace/record/version.ts";
import { problem } from "./problem.ts";

export const RECORD_FORMS = ["tracefs", "bpftrace", "trace-cmd"] as const;
export type RecordForm = (typeof RECORD_FORMS)[number];

/** What a user asks for, and what is known of the kernel. */
export interface RecordRequest {
  /** "linux-6.12", or the running one's release. */
  readonly kernel: string;
  /** "arm64", "x86" or what Node calls them. */
  readonly arch: string;
  /** Names of parts, or `all`; undefined: the usual ones. */
  readonly parts: readonly string[] | undefined;
  readonly files: KernelFiles;
  /** The kernel's BTF. */
  readonly btf: Uint8Array | undefined;
}

export type RecordResult =
  | {
      readonly ok: true;
      readonly plan: Plan;
      readonly offers: Offers;
      readonly request: RecordRequest;
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const ARCH_NAMES: Readonly<Record<string, Arch>> = {
  ...{ aarch64: "arm64", arm64: "arm64" },
  ...{ x86: "x86", x64: "x86", x86_64: "x86", amd64: "x86" },
};

/** Names that are meant for a part. */
const PART_NAMES: Readonly<Record<string, readonly Part[]>> = {
  smmu: ["dma"],
  all: PARTS,
  ...Object.fromEntries(PARTS.map((part) => [part, [part]])),
};

/** @returns what to record; or what is wrong with the request. */
export function openRecord(request: RecordRequest): RecordResult {
  const arch = Object.hasOwn(ARCH_NAMES, request.arch) ? ARCH_NAMES[request.arch] : undefined;
  const version = versionOf(request.kernel);
  const types = request.btf === undefined ? undefined : readBtf(request.btf);
  const problems = [
    ...kernelProblems(request.kernel, version),
    ...(arch === undefined
      ? [problem(`no table for machine ${quote(request.arch)}`, { note: ARCHES.join(", ") })]
      : []),
    ...partProblems(request.parts ?? [], arch),
    ...(typeof types === "string" ? [problem(`--btf: ${types}`)] : []),
  ];
  if (problems.length > 0 || version === undefined || arch === undefined) {
    return { ok: false, problems };
  }
  const parts = chosenParts(request.parts, arch);
  const kernel = { version, arch, ...(typeof types === "object" ? { types } : {}) };
  const plan = planRecord(kernel, parts);
  const offers = offersOf(plan, request.files);
  if (request.files.kallsyms === undefined) return { ok: true, plan, offers, request };
  const symbols = probeable(symbolsOf(request.files.kallsyms));
  return { ok: true, plan: planRecord({ ...kernel, symbols }, parts), offers, request };
}

function kernelProblems(name: string, version: Version | undefined): Problem[] {
  if (version === undefined) {
    const note = "linux-VERSION, as linux-6.12";
    return [problem(`--kernel ${quote(name)}: no version of Linux`, { note })];
  }
  const old = compareVersions(version, OLDEST) < 0;
  if (!old && compareVersions(version, NEWEST) <= 0) return [];
  const note = `linux-${versionText(OLDEST)} to ${NEWEST.major}.x are known`;
  return [problem(`--kernel ${quote(name)}: too ${old ? "old" : "new"}`, { note })];
}

function partProblems(names: readonly string[], arch: Arch | undefined): Problem[] {
  const known = Object.keys(PART_NAMES);
  return names.flatMap((name) => {
    if (!Object.hasOwn(PART_NAMES, name)) {
      const note = suggestion(name, known) ?? known.join(", ");
      return [problem(`--with ${quote(name)}: no such part`, { note })];
    }
    if (name === "vtd" && arch === "arm64") {
      return [problem("--with vtd: Intel VT-d is on x86 only")];
    }
    return name === "smmu" && arch === "x86"
      ? [problem("--with smmu: the SMMU is on arm64 only")]
      : [];
  });
}

function chosenParts(names: readonly string[] | undefined, arch: Arch): Part[] {
  if (names === undefined) return [...defaultParts(arch)];
  const chosen = new Set(names.flatMap((name) => PART_NAMES[name] ?? []));
  return PARTS.filter((part) => chosen.has(part) && (part !== "vtd" || arch === "x86"));
}

/** The text of a form, line by line. */
export function recordLines(
  { plan, offers, request }: RecordResult & { ok: true },
  form: RecordForm,
  sources: RecordSources,
): string[] {
  const said = recordRemarks(plan, sources);
  if (form === "tracefs") return tracefsForm(plan, said);
  if (form === "trace-cmd") return traceCmdForm(plan, said);
  const { kallsyms } = request.files;
  const symbols = kallsyms === undefined ? undefined : symbolsOf(kallsyms);
  // Several functions of one name, or one that no probe may enter: bpftrace would give up.
  const good = new Set(
    offers.offers
      .filter((one) => one.status === "offered" || one.status === "unknown")
      .map(({ event }) => event),
  );
  const probes = plan.probes.filter(({ event }) => good.has(event));
  return bpftraceForm({ ...plan, probes }, said, {
    symbols: symbols !== undefined,
    events: symbols === undefined ? undefined : tracepoints(symbols),
    calls: symbols === undefined ? undefined : systemCalls(symbols, plan.arch),
  });
}
