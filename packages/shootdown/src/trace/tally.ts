// SPDX-License-Identifier: Apache-2.0
// The counts of a check, and findings in words.
import type { ContextLine, Finding, FindingChange, FindingClass } from "./finding.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import { formatPage, formatWord } from "./importers/word64.ts";
import type { IommuFinding } from "./iommu/desk.ts";
import { MAX_CONTEXT_LINES, MAX_EXPLAINED, MAX_REASONS, MAX_RECENT_LINES } from "./limits.ts";
import type { Span, Until } from "./obligation.ts";
import { ruleOf } from "./rules.ts";
import type { Call, OpenRange, Overdue } from "./task.ts";

/** Why there is no verdict: the event that the recording lacks. */
export const WHY = {
  race: "another task called mn_invalidate_secondary during the change: which was first is missing",
  only_end: "mn_invalidate_range_end without only_end, and no event that tells who calls it",
  contract: "no mn_invalidate_secondary tells the kernel's contract",
  unprobed: "no mn_invalidate_secondary in the recording, nor a mark that its probe was set",
  lost: "events were lost after the change",
  dropped: "events were lost",
  evicted: "too many at once for the monitor's memory",
  end: "the recording ends before the deadline",
  no_return: "the function's return (ptep_set_access_flags_ret) is missing",
  no_range_start: "mn_invalidate_range_end without mn_invalidate_range_start at the beginning",
  layout: "no rules for descriptors of this layout (only arm64 and x86 with 4 KiB pages)",
  no_old: "the entry before the change (old) is missing",
  entry: "the entry that was cleared (ptep_get_and_clear) is missing",
  fork: "the entries that fork write-protects (ptep_set_wrprotect) are missing",
  protect: "the entries that change_protection changes (ptep_modify_prot_commit) are missing",
  pmd_upgrade:
    "the return of pmdp_set_access_flags is missing; an upgrade would depend on denyRewalk (V10)",
  new_pmd: "the entry that pmdp_invalidate_ad made way for is missing: x86 may keep all its rights",
  contiguous: "the return of huge_ptep_set_access_flags is missing",
} as const;

/** Why nothing is owed, by the kernel's own contract. */
export const EXEMPT = {
  access_flag: "access flag only (rule A1; mm notifiers of aging are others)",
  rewalk: "an upgrade in place, where hardware walks again on denial (V10, denyRewalk=yes)",
  split: "split of a 2 MiB entry up to 6.5: same frames and permissions, invalidate_range_only_end",
} as const;

/** Changes that one operation made alike, and that got no invalidation by the same event. */
export interface Violation extends Span {
  readonly first: Overdue;
  readonly found: FindingClass;
  readonly entries: number;
  /** The parts that were not invalidated. */
  readonly rest: readonly Span[];
}

export class Tally {
  readonly #onFinding: (finding: Finding) => void;
  readonly #recent: RawEvent[] | undefined;
  readonly #damage = new Map<string, string>();
  #oldest = 0;
  #explained = 0;
  readonly classes: Record<FindingClass, number> = {
    missing: 0,
    short: 0,
    late: 0,
    order: 0,
    unpaired: 0,
    depends: 0,
    excess: 0,
  };
  changes = 0;
  conforming = 0;
  upgrades = 0;
  dirty_upgrades = 0;
  dirty_missing = 0;
  undecidable = 0;
  malformed = 0;
  readonly undecidable_reasons: Record<string, number> = {};
  readonly exempt_reasons: Record<string, number> = {};
  readonly unjudged_reasons: Record<string, number> = {};
  readonly evictions: Record<string, number> = {};

  /** @param explain keeps recent lines, to be shown with findings. */
  constructor(onFinding: (finding: Finding) => void, explain: boolean) {
    this.#onFinding = onFinding;
    this.#recent = explain ? [] : undefined;
  }

  /** A line that `explain` may show. */
  saw(event: RawEvent): void {
    const recent = this.#recent;
    if (recent === undefined) return;
    if (recent.length < MAX_RECENT_LINES) recent.push(event);
    else recent[this.#oldest++ % MAX_RECENT_LINES] = event;
  }

  conforms(entries: number): void {
    this.changes += entries;
    this.conforming += entries;
  }

  /** Counts what ptep_set_access_flags did to permissions, whatever the verdict. */
  upgraded(operation: string, change: FindingChange, entries: number): void {
    if (operation !== "ptep_set_access_flags") return;
    if (change === "upgrade") this.upgrades += entries;
    if (change === "flags") this.dirty_upgrades += entries;
  }

  exempt(why: string, count = 1): void {
    this.changes += count;
    add(this.exempt_reasons, why, count);
  }

  undecided(why: string, count = 1): void {
    this.undecidable += count;
    add(this.undecidable_reasons, why, count);
  }

  /** A line that is not what it should be: what it said is not known. */
  damaged(why: string, line: number, count = 1): void {
    let reason = this.#damage.get(why);
    if (reason === undefined) {
      reason = `${why} (the first time in line ${line})`;
      this.#damage.set(why, reason);
    }
    this.undecided(reason, count);
  }

  unjudged(why: string): void {
    add(this.unjudged_reasons, why, 1);
  }

  evicted(limit: string): void {
    add(this.evictions, limit, 1);
  }

  violates(violation: Violation): void {
    const { found, entries, first } = violation;
    const { spec } = first.change;
    this.changes += entries;
    this.upgraded(spec.operation, spec.change, entries);
    if (found === "missing" && spec.change === "flags") this.dirty_missing++;
    else this.classes[found]++;
    this.#emit(spec.at, {
      class: found,
      mm: spec.mm,
      start: formatPage(violation.start),
      end: formatPage(violation.end),
      operation: spec.operation,
      change: spec.change,
      old: spec.old === undefined ? null : formatWord(spec.old),
      new: spec.now === undefined ? null : formatWord(spec.now),
      message: sentence(violation),
      entries,
      deadline_line: first.deadline?.line ?? null,
      deadline_time: first.deadline?.time_s ?? null,
      rule: ruleOf(found, spec.change),
      ...(found === "depends" && spec.depends !== undefined ? { knob: spec.depends } : {}),
      ...given("during", first.change.during),
      ...given("caller", first.change.caller),
    });
  }

  /** invalidate_range_start and no invalidate_range_end, or the other way round. */
  unpaired(
    range: Pick<OpenRange, "mm" | "start" | "end" | "at">,
    message: string,
    during: string | undefined,
  ): void {
    this.classes.unpaired++;
    const rule = ruleOf("unpaired", null);
    const about = { ...aboutCall(range), message, rule, ...given("during", during) };
    this.#emit(range.at, { class: "unpaired", ...about });
  }

  /** A call for more than was asked for. */
  excess(call: Call, asked: Span | undefined, during: string | undefined): void {
    this.classes.excess++;
    const of =
      asked === undefined
        ? "while no change was waiting and the task was in no operation on this mm"
        : `where changes and operations in progress lie in ${span(asked)}`;
    const message = `invalidates ${size(call)}, ${of} (advice)`;
    const rule = ruleOf("excess", null);
    const about = { ...aboutCall(call), message, rule, ...given("during", during) };
    this.#emit(call.at, { class: "excess", ...about });
  }

  /** What the IOMMU's monitor finds. */
  concerns(finding: IommuFinding): void {
    const { class: found, at, start, end, operation, message, rule, domain, device } = finding;
    this.classes[found]++;
    this.#emit(at, {
      ...{ class: found, mm: null, start: formatPage(start), end: formatPage(end), operation },
      ...{ change: finding.change ?? null, old: null, new: null, message, entries: 1, rule },
      deadline_line: finding.deadline_line ?? null,
      deadline_time: finding.deadline_time ?? null,
      ...(domain === undefined ? {} : { domain }),
      ...(device === undefined ? {} : { device }),
    });
  }

  #emit(
    at: RawEvent,
    finding: Omit<Finding, "type" | "line" | "time" | "cpu" | "pid" | "task">,
  ): void {
    const { class: found, ...rest } = finding;
    const head = { type: "finding", class: found, line: at.line, time: at.time_s, cpu: at.cpu };
    const { pid, task, stack } = at;
    const tail = stack === undefined ? { pid, task } : { pid, task, stack };
    const context = this.#context(at, finding.mm);
    this.#onFinding({
      ...(head as Pick<Finding, "type" | "class" | "line" | "time" | "cpu">),
      ...rest,
      ...tail,
      ...(context === undefined ? {} : { context }),
    });
  }

  /** The event and the last lines before and after it of its task or its mm. */
  #context(at: RawEvent, mm: string | null): ContextLine[] | undefined {
    if (this.#recent === undefined || this.#explained++ >= MAX_EXPLAINED) return undefined;
    const near = this.#recent
      .filter((event) => event.pid === at.pid || (mm !== null && event.raw.includes(mm)))
      .sort((a, b) => a.line - b.line);
    const here = near.findIndex((event) => event.line >= at.line);
    const from = Math.max(0, (here < 0 ? near.length : here) - MAX_CONTEXT_LINES / 2);
    const lines = near.slice(from, from + MAX_CONTEXT_LINES);
    return lines.map((event) => ({ line: event.line, text: event.raw.trim() }));
  }
}

function aboutCall(call: Pick<OpenRange, "mm" | "start" | "end" | "at">) {
  return {
    mm: call.mm,
    start: formatPage(call.start),
    end: formatPage(call.end),
    operation: call.at.event,
    change: null,
    old: null,
    new: null,
    entries: 1,
    deadline_line: null,
    deadline_time: null,
  };
}

/** A field only where there is something to say. */
function given<K extends string>(key: K, value: string | undefined): { [k in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [k in K]: string });
}

function add(counts: Record<string, number>, key: string, count: number): void {
  const full = counts[key] === undefined && Object.keys(counts).length >= MAX_REASONS;
  const slot = full ? "others" : key;
  counts[slot] = (counts[slot] ?? 0) + count;
}

const EFFECT = {
  upgrade: "may now be written",
  downgrade: "may no longer be written",
  unmap: "is no longer mapped",
  frame: "has another frame",
  flags: "went between clean and dirty",
  table: "is mapped at another level",
} as const;

function sentence({ found, first, start, end, rest }: Violation): string {
  const { spec } = first.change;
  const what = `${span({ start, end })} ${EFFECT[spec.change]}`;
  const line = first.deadline === undefined ? "" : ` (line ${first.deadline.line})`;
  const when = `before ${moment(spec.until)}${line}`;
  switch (found) {
    case "late":
      return `${what}; the secondary TLB was invalidated too late, not ${when}`;
    case "order":
      return `${what}; the invalidation (line ${spec.early?.line}) came before the change`;
    case "depends":
      return (
        `${what}; no invalidation of the secondary TLB ${when}: right if it walks again on ` +
        "denial (denyRewalk, V10), else it denies for ever"
      );
    case "short":
      return `${what}; ${listed(rest)} not invalidated ${when}, other pages were`;
    default:
      return `${what}; no invalidation of the secondary TLB ${when}`;
  }
}

/** A few spans, and how many more. */
function listed(rest: readonly Span[]): string {
  const [first, ...others] = rest;
  const shown = first === undefined ? "pages" : span(first);
  return others.length === 0 ? `${shown} was` : `${shown} and ${others.length} more were`;
}

function moment(until: Until): string {
  switch (until) {
    case "return":
      return "the function returned";
    case "next":
      return "the task went on";
    case "fork":
      return "the child ran (sched_process_fork)";
    case "syscall":
      return "the system call ended";
    default:
      break;
  }
  if (until.kind === "range") return "invalidate_range_end";
  return until.kind === "gather" ? "tlb_finish_mmu returned" : "change_protection returned";
}

const span = ({ start, end }: Span): string => `${formatPage(start)}-${formatPage(end)}`;

function size(call: Span): string {
  const pages = call.end - call.start;
  if (call.start === 0 && pages > 2 ** 35) return "the whole address space";
  return pages === 1 ? "1 page" : `${pages} pages`;
}
