// SPDX-License-Identifier: Apache-2.0
// KVM as a notifier's user: it unmaps a range of its guests between range_start and range_end.
import type { RawEvent } from "./importers/raw-event.ts";
import { formatPage, pageEnd, pageOf, parseWord, type Word64 } from "./importers/word64.ts";
import { MAX_NESTED, MAX_TASKS } from "./limits.ts";
import type { StreamReport } from "./stream-report.ts";

interface Range {
  readonly mm: string;
  readonly start: number;
  readonly end: number;
}

export const KVM_UNMAP = "kvm_unmap_hva_range";
const TEXT = /range: (0x[\da-f]+) -- (0x[\da-f]+)/;

export class KvmWatch {
  readonly #report: StreamReport;
  readonly #open = new Map<number, Range[]>();

  constructor(report: StreamReport) {
    this.#report = report;
  }

  event(at: RawEvent): void {
    if (at.event === KVM_UNMAP) this.#unmap(at);
    else if (at.event === "mn_invalidate_range_start") this.#start(at);
    else if (at.event === "mn_invalidate_range_end") this.#open.get(at.pid)?.pop();
  }

  /** Events are missing: which ranges are open is not known. */
  lost(): void {
    this.#open.clear();
  }

  #start(at: RawEvent): void {
    const range = rangeOf(at.arg("mm"), at.word("start"), at.word("end"));
    if (range === undefined) return;
    let open = this.#open.get(at.pid);
    if (open === undefined) {
      if (this.#open.size >= MAX_TASKS) this.#open.clear();
      open = [];
      this.#open.set(at.pid, open);
    }
    open.push(range);
    if (open.length > MAX_NESTED) open.shift();
  }

  #unmap(at: RawEvent): void {
    const [, first, last] = TEXT.exec(at.text) ?? [];
    const range = rangeOf(
      "kvm",
      at.word("start") ?? parseWord(short(first)),
      at.word("end") ?? parseWord(short(last)),
    );
    this.#report.count("kvm", "unmap events");
    if (range === undefined) return this.#report.undecided(`${KVM_UNMAP} without a range`);
    const open = this.#open.get(at.pid) ?? [];
    const inside = open.some(({ start, end }) => start <= range.start && range.end <= end);
    if (inside) return this.#report.count("kvm", "unmap events inside their notifier range");
    // A probe that was not set, or a recording that begins inside: not told from a wrong kernel.
    this.#report.count("kvm", "unmap events without a recorded notifier range");
    this.#report.undecided(
      `${KVM_UNMAP} ${formatPage(range.start)} without mn_invalidate_range_start around it`,
    );
  }
}

function rangeOf(
  mm: string | undefined,
  start: Word64 | undefined,
  end: Word64 | undefined,
): Range | undefined {
  if (mm === undefined || start === undefined || end === undefined) return undefined;
  return { mm, start: pageOf(start), end: pageEnd(end) };
}

/** KVM prints 16 columns with "0x": more zeros than a word has digits. */
const short = (text: string | undefined): string => (text ?? "").replace(/^0x0+(?=.)/, "0x");
