// SPDX-License-Identifier: Apache-2.0
// Recorded changes of page-table entries: what each owes, for which pages, and until when.
import {
  afterSetAccessFlags,
  asArm64,
  classify,
  differsUnmodelled,
  isBlock,
  isValid,
  type Layout,
  type Level,
  layoutOf,
  NONE,
} from "./descriptor.ts";
import type { Desk } from "./desk.ts";
import type { FindingChange } from "./finding.ts";
import type { EntryChange, EntryOperation, EntryReturn } from "./importers/trace-record.ts";
import { bit, type Word64 } from "./importers/word64.ts";
import type { Obligation, Span, Until } from "./obligation.ts";
import type { Space } from "./space.ts";
import { EXEMPT, WHY } from "./tally.ts";
import { nest, type OpenRange, type Task } from "./task.ts";

/** Which pages an operation changes: its page, the 2 MiB or 64 KiB around, `nr` pages, or S..E. */
type Unit = "page" | "pmd" | "cont" | "count" | "range";

interface ClearRule {
  readonly unit: Unit;
  /** What happens to the translation, by what the function is for: it records no new entry. */
  readonly change: FindingChange;
  readonly until: "range" | "gather" | "next" | "fork";
  /** The probe records the old entry: without it nothing is owed. */
  readonly needs_old: boolean;
  /** Up to 6.5 the split of a 2 MiB entry makes no secondary call, on purpose. */
  readonly split?: true;
}

/**
 * Functions that clear or write-protect an entry without recording the new one. The deadline is
 * where the kernel relies on it (docs/TRACE.md has the reasons and the kernel functions).
 */
const CLEARS: { readonly [op in EntryOperation]?: ClearRule } = {
  ptep_clear_flush: { unit: "page", change: "unmap", until: "range", needs_old: true },
  huge_ptep_clear_flush: { unit: "range", change: "unmap", until: "range", needs_old: false },
  pmdp_huge_clear_flush: { unit: "pmd", change: "unmap", until: "range", needs_old: true },
  pmdp_invalidate: {
    ...{ unit: "pmd", change: "table", until: "next", needs_old: true, split: true },
  },
  pmdp_invalidate_ad: { unit: "pmd", change: "downgrade", until: "gather", needs_old: true },
  pmdp_collapse_flush: { unit: "pmd", change: "table", until: "range", needs_old: true },
  zap_huge_pmd: { unit: "pmd", change: "unmap", until: "gather", needs_old: true },
  contpte_clear_full_ptes: { unit: "count", change: "unmap", until: "gather", needs_old: false },
  contpte_get_and_clear_full_ptes: {
    ...{ unit: "count", change: "unmap", until: "gather", needs_old: false },
  },
  contpte_wrprotect_ptes: { unit: "count", change: "downgrade", until: "fork", needs_old: false },
  huge_ptep_set_wrprotect: { unit: "page", change: "downgrade", until: "fork", needs_old: false },
  contpte_unfold: { unit: "cont", change: "table", until: "next", needs_old: false },
};

/** A function's name; trace-cmd and perf print addresses, the kernel "[unknown/kretprobe'd]". */
const named = (caller: string | undefined): string | undefined =>
  caller !== undefined && /^[a-z_]\w*[g-z_]\w*/i.test(caller) ? caller : undefined;

/** The bit of an arm64 entry that says that its neighbours map the next pages. */
const CONTIGUOUS = 52;

/** Classes of a change that owe an invalidation. */
type Owed = FindingChange;

export class Entries {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** ptep_set_access_flags begins: the wrapper that leads there is no change of its own. */
  unwrap(task: Task): void {
    const wrapper = task.open.find((change) => change.spec.wrapper === true);
    if (wrapper !== undefined) this.#desk.ledger.drop(task, wrapper);
  }

  /** Entry of a function that changes a leaf entry. */
  change(task: Task, record: EntryChange): void {
    const space = this.#desk.spaces.get(record.mm);
    switch (record.op) {
      case "ptep_set_access_flags":
        this.#setAccessFlags(task, space, record);
        return;
      case "huge_ptep_set_access_flags":
        if (space !== undefined) this.#hugeSetAccessFlags(task, space, record);
        return;
      case "contpte_ptep_set_access_flags":
        task.contpte = true;
        return;
      case "pmdp_set_access_flags":
        if (space !== undefined) this.#pmdSetAccessFlags(space, record);
        return;
      case "ptep_modify_prot_commit":
        if (space !== undefined) this.#commit(task, space, record);
        return;
      default: {
        const rule = CLEARS[record.op];
        if (rule === undefined || space === undefined) return;
        const owed = this.#clear(task, space, record, rule);
        if (record.op === "ptep_clear_flush") nest(task.entries, { record, change: owed });
      }
    }
  }

  /** Return of such a function. */
  returned(task: Task, record: EntryReturn): void {
    if (record.op !== "ptep_set_access_flags" && record.op !== "ptep_clear_flush") return;
    const at = task.entries.findLastIndex((entry) => entry.record.op === record.op);
    if (at < 0) return;
    const [entry] = task.entries.splice(at, 1);
    const change = entry?.change;
    if (entry === undefined || change === undefined || change.dissolved) return;
    change.changing = false;
    change.caller = named(record.at.caller);
    if (record.op === "ptep_clear_flush") {
      // Another CPU may have cleared it since the entry was read at the function's start.
      if (record.old !== undefined && !isValid(record.old)) this.#desk.ledger.drop(task, change);
      return;
    }
    this.#accessFlagsSet(task, entry.record, change, record);
  }

  /** The task leaves every function it was in; returns that did not come are not recorded. */
  abandon(task: Task): void {
    for (const { record, change } of task.entries) {
      if (change === undefined || change.dissolved) continue;
      if (record.op !== "ptep_set_access_flags") continue;
      this.#desk.ledger.drop(task, change);
      if (!change.space.presumed) this.#desk.tally.undecided(WHY.no_return);
    }
    task.entries.length = 0;
    task.contpte = false;
  }

  /**
   * Opens the change at the function's entry, for the call comes before its return; what it is,
   * and whether anything is owed, is decided at the return.
   */
  #setAccessFlags(task: Task, space: Space | undefined, record: EntryChange): void {
    const { old, entry } = record;
    let change: Obligation | undefined;
    if (space !== undefined && old !== undefined && entry !== undefined && isValid(old)) {
      const now = afterSetAccessFlags(old, entry, this.#layout(old));
      // A block is told by the entry, whatever table the probe says it is in.
      const found = this.#classify(old, now);
      const what = owed(found) ?? "upgrade";
      change = this.#desk.ledger.owe(task, space, {
        mm: space.mm,
        ...this.#pagesOf(record, this.#isBlock(old) ? "pmd" : "page"),
        operation: record.op,
        ...this.#dependence(old, what),
        change: what,
        at: record.at,
        until: task.contpte && found === "flags" ? "next" : "return",
        old,
        now,
        changing: true,
      });
    }
    nest(task.entries, { record, change });
  }

  #accessFlagsSet(task: Task, entry: EntryChange, change: Obligation, ret: EntryReturn): void {
    const { ledger, tally, spaces } = this.#desk;
    const { old, now } = change.spec;
    if (ret.changed === false || old === undefined || now === undefined) {
      ledger.drop(task, change);
      return;
    }
    const space = spaces.get(entry.mm);
    if (!this.#readable(old, change.space)) {
      ledger.drop(task, change);
      return;
    }
    const found = this.#classify(old, now);
    const what = owed(found);
    if (what === undefined) {
      ledger.drop(task, change);
      if (found === "access_flag" && !change.space.presumed) tally.exempt(EXEMPT.access_flag);
      return;
    }
    if (what === "upgrade") space?.learn(change.start, change.end, "writable");
    if (change.spec.until === "return") ledger.closeOne(task, change, ret.at);
  }

  /** Entries that are contiguous are cleared, flushed and set, without ptep_set_access_flags. */
  #hugeSetAccessFlags(task: Task, space: Space, record: EntryChange): void {
    const { old, entry } = record;
    if (old === undefined || entry === undefined || !isValid(old)) return;
    const now = afterSetAccessFlags(old, entry, this.#layout(old));
    const what = owed(this.#classify(old, now));
    if (what === undefined) return;
    const block = this.#isBlock(old);
    // What differs in the first of contiguous entries changes all (__cont_access_flags_changed);
    // one that is alone is left to ptep_set_access_flags.
    const contiguous = this.#layout(old) === "arm64" && bit(entry, CONTIGUOUS);
    const { granule } = this.#desk;
    const { start } = this.#pagesOf(record, block ? "pmd" : contiguous ? "cont" : "page");
    const one = block ? granule.block : granule.page;
    const count = contiguous ? granule.contiguous(block) : 1;
    this.#desk.ledger.owe(task, space, {
      ...{ mm: space.mm, start, end: start + one * count, operation: record.op, change: what },
      ...{ at: record.at, old, now, until: "next", wrapper: true },
      ...(contiguous ? {} : { unsure: WHY.contiguous }),
    });
  }

  /** On arm64 ptep_set_access_flags within it says the same; on x86 it stores the entry itself. */
  #pmdSetAccessFlags(space: Space, { old, entry }: EntryChange): void {
    if (old === undefined || entry === undefined || !isValid(old) || space.presumed) return;
    if (this.#layout(old) !== "x86" || owed(this.#classify(old, entry)) !== "upgrade") return;
    this.#desk.tally.undecided(WHY.pmd_upgrade);
  }

  #commit(task: Task, space: Space, record: EntryChange): void {
    const { ledger, tally } = this.#desk;
    const { old, entry, page } = record;
    // modify_prot_commit_ptes() of 6.17 sets several, alike but for their frames.
    const end = page + (record.count ?? 1) * this.#desk.granule.page;
    if (task.protect !== undefined) this.#entriesRecorded(task);
    if (old === undefined || entry === undefined) {
      tally.undecided(WHY.no_old);
      return;
    }
    if (!isValid(old)) {
      space.learn(page, end, isValid(entry) ? "valid" : "invalid");
      return;
    }
    if (!this.#readable(old, space)) return;
    space.learn(page, end, isValid(entry) ? "valid" : "invalid");
    const found = this.#classify(old, entry, "pte");
    const what = owed(found);
    if (what === undefined) {
      if (found === "access_flag") tally.exempt(EXEMPT.access_flag);
      else if (this.#layout(old) === "arm64" && differsUnmodelled(old, entry))
        tally.unjudged("execute or user permission only");
      return;
    }
    ledger.owe(task, space, {
      mm: space.mm,
      start: page,
      end,
      operation: record.op,
      ...this.#dependence(old, what),
      change: what,
      at: record.at,
      until: task.gatherOf(space.mm) ?? "syscall",
      old,
      now: entry,
    });
  }

  /** change_protection's entries are recorded: its notifier ranges say nothing more. */
  #entriesRecorded(task: Task): void {
    const protect = task.protect;
    if (protect === undefined || protect.entries) return;
    protect.entries = true;
    for (const range of protect.ranges) this.#desk.ledger.drop(task, range);
    protect.ranges.length = 0;
  }

  #clear(task: Task, space: Space, record: EntryChange, rule: ClearRule): Obligation | undefined {
    const { old } = record;
    if (rule.needs_old && old === undefined) this.#desk.tally.undecided(WHY.no_old);
    if (rule.needs_old && (old === undefined || !isValid(old))) return undefined;
    if (old !== undefined && !this.#readable(old, space)) return undefined;
    if (record.op.startsWith("pmdp_")) this.#entriesRecorded(task);
    const range = task.rangeOf(space.mm, record.page);
    // On an mm with a notifier these functions are called between range_start and range_end only.
    if (range === undefined && rule.until === "range" && space.presumed) {
      space.disproved = true;
      this.#desk.ledger.annul(space);
      return undefined;
    }
    const splits = range?.context?.what === "split_huge_pmd";
    const before_6_6 = this.#desk.contract.range_end_invalidates !== false;
    // MADV_COLD and MADV_PAGEOUT put it back, made old.
    const ages = task.context?.what === "madvise_cold_or_pageout_pte_range";
    if (record.op === "pmdp_invalidate" && ages && !splits) {
      this.#desk.tally.exempt(EXEMPT.access_flag);
      return undefined;
    }
    if (rule.split === true && splits && before_6_6) {
      this.#desk.tally.exempt(EXEMPT.split);
      return undefined;
    }
    const pages = rule.unit === "range" ? range : this.#pagesOf(record, rule.unit);
    if (pages === undefined) {
      this.#desk.tally.undecided(WHY.no_range_start);
      return undefined;
    }
    // Up to 6.5 a file's entry is cleared with a call. That the huge zero page makes way for small
    // ones nobody is told, until one of them is written.
    const zero = record.op === "pmdp_huge_clear_flush" && splits && before_6_6;
    const copies = zero || range?.context?.what === "wp_page_copy";
    const until = zero ? "syscall" : this.#until(task, space, rule, range);
    const clears = rule.change === "unmap" || record.op === "pmdp_invalidate";
    const level: Level = rule.unit === "pmd" ? "pmd" : "pte";
    return this.#desk.ledger.owe(task, space, {
      mm: space.mm,
      start: pages.start,
      end: pages.end,
      operation: record.op,
      change: copies ? "frame" : this.#changeBy(rule, splits, clears ? old : undefined, level),
      at: record.at,
      until,
      old,
      now: clears ? NONE : undefined,
      ...(zero ? { whole: true } : {}),
      ...(this.#mayKeepRights(record, old) ? { unsure: WHY.new_pmd } : {}),
      changing: record.op === "ptep_clear_flush",
      early:
        range !== undefined && until === range
          ? task.callFor(space.mm, pages, range.at.line)?.at
          : undefined,
    });
  }

  /** x86 flushes only if the entry to come, not recorded, takes rights away. */
  #mayKeepRights({ op }: EntryChange, old: Word64 | undefined): boolean {
    return op === "pmdp_invalidate_ad" && old !== undefined && this.#layout(old) === "x86";
  }

  /** Pages of a unit other than a whole notifier range. */
  #pagesOf(record: EntryChange, unit: Exclude<Unit, "range">): Span {
    const { page } = record;
    const { granule } = this.#desk;
    switch (unit) {
      case "page":
        return { start: page, end: page + granule.page };
      case "count":
        return { start: page, end: page + Math.max(1, record.count ?? 1) * granule.page };
      default: {
        const pages = unit === "pmd" ? granule.block : granule.group;
        const start = page - (page % pages);
        return { start, end: start + pages };
      }
    }
  }

  #until(task: Task, space: Space, rule: ClearRule, range: OpenRange | undefined): Until {
    if (rule.until === "fork") return "fork";
    if (rule.until === "gather") return task.gatherOf(space.mm) ?? "syscall";
    // Outside a split the kernel up to 6.5 leaves the call to range_end.
    const direct = rule.until === "next" && this.#desk.contract.range_end_invalidates === false;
    return direct || range === undefined ? "next" : range;
  }

  #changeBy(
    rule: ClearRule,
    splits: boolean,
    old: Word64 | undefined,
    level: Level,
  ): FindingChange {
    if (rule.change === "table") return splits || old === undefined ? "table" : "unmap";
    if (old === undefined) return rule.change;
    return owed(this.#classify(old, NONE, level)) ?? rule.change;
  }

  #layout(old: Word64): Layout {
    return this.#desk.contract.layout ?? layoutOf(old) ?? "other";
  }

  #isBlock(old: Word64): boolean {
    return isBlock(asArm64(old, this.#layout(old)));
  }

  #classify(old: Word64, now: Word64, level?: Level): ReturnType<typeof classify> {
    const layout = this.#layout(old);
    return classify(
      asArm64(old, layout),
      asArm64(now, layout),
      level ?? (this.#isBlock(old) ? "pmd" : "pte"),
    );
  }

  /**
   * x86 Linux makes an entry writable and tells nobody: a CPU that keeps the old one faults and
   * walks again. Whether an IOMMU does so too, no specification says (V10).
   */
  #dependence(old: Word64, what: Owed): { readonly depends?: "denyRewalk" } {
    return what === "upgrade" && this.#layout(old) === "x86" ? { depends: "denyRewalk" } : {};
  }

  /** Whether there are rules for entries of this layout; says so if not. */
  #readable(old: Word64, space: Space): boolean {
    const seen = layoutOf(old) ?? this.#desk.contract.layout;
    const known = this.#desk.contract.layout ?? seen;
    if (seen === known && (seen === "arm64" || seen === "x86")) return true;
    if (!space.presumed) this.#desk.tally.undecided(WHY.layout);
    return false;
  }
}

/** What a class of change owes an invalidation for. */
function owed(found: ReturnType<typeof classify>): Owed | undefined {
  return found === "none" || found === "access_flag" ? undefined : found;
}
