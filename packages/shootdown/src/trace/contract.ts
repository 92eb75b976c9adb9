// SPDX-License-Identifier: Apache-2.0
// Which kernel made a recording, as far as it matters here: the contract of the notifier calls.
//
//   up to 6.5   .invalidate_range, called by range_end too (unless "only_end"), and seldom by the
//               CPU's flushes; function __mmu_notifier_invalidate_range
//   since 6.6   .arch_invalidate_secondary_tlbs, called beside each CPU flush, never by range_end;
//               function __mmu_notifier_arch_invalidate_secondary_tlbs
//
// Sources: include/linux/mmu_notifier.h and mm/mmu_notifier.c of 6.1 and 6.12; the change is
// commits 6bbd42e2df8f, ec8832d007cb and 1af5a8109904.
import { type Layout, layoutOf } from "./descriptor.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import type { TraceRecord } from "./importers/trace-record.ts";

export type ContractName = "invalidate_range" | "arch_invalidate_secondary_tlbs";

/** Functions behind the `mn_invalidate_secondary` probe. */
const BY_FUNCTION: ReadonlyMap<string, ContractName> = new Map([
  ["__mmu_notifier_invalidate_range", "invalidate_range"],
  ["__mmu_notifier_arch_invalidate_secondary_tlbs", "arch_invalidate_secondary_tlbs"],
]);

/** The kernel of src/kernel that follows the contract, and the versions that do. */
const KERNELS: Readonly<
  Record<ContractName, { readonly model: string; readonly versions: string }>
> = {
  invalidate_range: { model: "linux-6.1", versions: "up to 6.5" },
  arch_invalidate_secondary_tlbs: { model: "linux-6.12", versions: "since 6.6" },
};

/** The first version without the old contract. */
const CHANGED_IN = [6, 6] as const;

/** Functions that change an entry and flush: only the new contract has its call inside of them. */
const FLUSHES: ReadonlySet<string> = new Set(["ptep_clear_flush", "ptep_set_access_flags"]);

/** Tasks of which is remembered where they are among these. */
const MAX_WITHIN = 1024;

/** A mark by which whoever recorded names the probes that were set, `mn_*` as a whole. */
export const PROBES_MARK = /^shootdown: probes (\S.*)$/;

/** A mark by which the recorder names the kernel: "shootdown: kernel 6.12.117+deb12 aarch64". */
const KERNEL_MARK = /^shootdown: kernel (\d{1,3})\.(\d{1,3})\b/;

export class Contract {
  readonly #asked: string | undefined;
  readonly #layout: Layout | undefined;
  #name: ContractName | undefined;
  #how = "";
  #seenLayout: Layout | undefined;
  #probed = false;
  /** Whether a call was seen. */
  #called = false;
  /** Of each task: the function of FLUSHES that it is in, or "after" one. */
  readonly #within = new Map<number, string>();

  /** @param kernel "linux-6.1" and the like; @param machine "arm64+smmuv3" and the like. */
  constructor(kernel: string | undefined, machine: string | undefined) {
    this.#asked = kernel;
    const version = kernel === undefined ? null : /^linux-(\d+)\.(\d+)/.exec(kernel);
    if (version !== null) {
      this.#name = contractOf(Number(version[1]), Number(version[2]));
      this.#how = "as asked for";
    }
    const part = machine?.split("+")[0];
    if (part !== undefined) this.#layout = part === "arm64" || part === "x86" ? part : "other";
  }

  get name(): ContractName | undefined {
    return this.#name;
  }

  /** Whether range_end makes the secondary drop its range; undefined while that is not known. */
  get range_end_invalidates(): boolean | undefined {
    return this.#name === undefined ? undefined : this.#name === "invalidate_range";
  }

  /** Whether calls of the secondary-TLB notifier are recorded at all: else none is missing. */
  get probed(): boolean {
    return this.#probed;
  }

  get layout(): Layout | undefined {
    return this.#layout ?? this.#seenLayout;
  }

  get kernel(): string {
    if (this.#asked !== undefined) return this.#asked;
    return this.#name === undefined ? "unknown" : KERNELS[this.#name].model;
  }

  /** In words, with how it was recognised. */
  get text(): string {
    if (this.#name === undefined) return "not recognised: no mn_invalidate_secondary recorded";
    return `${this.#name} (${KERNELS[this.#name].versions}), ${this.#how}`;
  }

  /** Learns from a record. @returns whether a verdict that waited can now be given. */
  learn(record: TraceRecord): boolean {
    if (record.kind === "pte") this.#learnLayout(record.old);
    if (record.kind !== "notifier" || record.what !== "secondary" || record.seen !== "call") {
      if (this.#name === undefined) this.#follow(record);
      return false;
    }
    const unsure = !this.#probed || this.#name === undefined;
    const first = !this.#called;
    this.#probed = true;
    this.#called = true;
    if (this.#name === undefined && !BY_FUNCTION.has(record.at.func ?? "")) {
      return this.#learnPlace(record.at) || first;
    }
    const func = unsure || first ? record.at.func : undefined;
    const found = func === undefined ? undefined : BY_FUNCTION.get(func);
    if (found !== undefined && this.#asked === undefined) {
      this.#name = found;
      this.#how = `by ${func} at line ${record.at.line}`;
    } else if (found !== undefined && found !== this.#name) {
      this.#how += `, though line ${record.at.line} calls ${func}`;
    }
    return unsure;
  }

  /** A mark that says which kernel it is, or which probes were set. @returns as `learn`. */
  learnMark(mark: RawEvent): boolean {
    const [, major, minor] = KERNEL_MARK.exec(mark.text) ?? [];
    if (major !== undefined && minor !== undefined) {
      if (this.#name !== undefined) return false;
      this.#name = contractOf(Number(major), Number(minor));
      this.#how = `by the mark at line ${mark.line}`;
      return this.#probed;
    }
    const names = PROBES_MARK.exec(mark.text)?.[1]?.split(/\s+/);
    if (this.#probed || names === undefined) return false;
    this.#probed = names.includes("mn_invalidate_secondary") || names.includes("mn_*");
    return this.#probed;
  }

  /** Keeps in mind where a task is, for recordings that name no functions. */
  #follow(record: TraceRecord): void {
    if (!("at" in record)) return;
    const { pid } = record.at;
    const enters = record.kind === "pte" && FLUSHES.has(record.op);
    const leaves = record.kind === "pte_ret" && record.op === "ptep_clear_flush";
    if (!enters && !leaves) this.#within.delete(pid);
    else if (this.#within.size < MAX_WITHIN) this.#within.set(pid, enters ? record.op : "after");
  }

  /**
   * trace-cmd report and perf print an address in place of the function. The place of a call says
   * as much: ptep_clear_flush_notify() of the old contract calls after ptep_clear_flush() returned,
   * and ptep_set_access_flags() never; the flush functions of the new one call inside of both.
   */
  #learnPlace(at: RawEvent): boolean {
    const where = this.#within.get(at.pid);
    if (where === undefined) return false;
    this.#name = where === "after" ? "invalidate_range" : "arch_invalidate_secondary_tlbs";
    const place = where === "after" ? "after ptep_clear_flush" : `inside ${where}`;
    this.#how = `by the place of the call at line ${at.line}, ${place}`;
    this.#within.clear();
    return true;
  }

  #learnLayout(old: Parameters<typeof layoutOf>[0] | undefined): void {
    if (this.#seenLayout === undefined && old !== undefined) this.#seenLayout = layoutOf(old);
  }
}

function contractOf(major: number, minor: number): ContractName {
  const old = major < CHANGED_IN[0] || (major === CHANGED_IN[0] && minor < CHANGED_IN[1]);
  return old ? "invalidate_range" : "arch_invalidate_secondary_tlbs";
}
