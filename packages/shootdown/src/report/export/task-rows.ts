// SPDX-License-Identifier: Apache-2.0
// Tasks in a timeline: what they call and what returns, on the CPU where it began; and the notifier
// ranges of their address spaces, the submissions to an IOMMU, each in a row of its own.
import type { RawEvent } from "../../trace/importers/raw-event.ts";
import { MAX_NESTED, MAX_TASKS } from "../../trace/limits.ts";
import { Slots } from "./slots.ts";
import type { Details, Lane, Timeline } from "./timeline.ts";

/** Events that begin something, and those that end it beside their own return. */
const ENDS: ReadonlyMap<string, string> = new Map([
  ["mn_invalidate_range_end", "mn_invalidate_range_start"],
  ["tlb_finish_mmu_ret", "tlb_gather_mmu"],
]);
/** Events of which a return is recorded, if at all, under the name with `_ret`. */
const BEGINS: ReadonlySet<string> = new Set([
  ...["handle_mm_fault", "ptep_set_access_flags", "ptep_clear_flush", "change_protection"],
  ...["copy_page_range", "tlb_finish_mmu", "flush_tlb_mm_range", "mn_invalidate_range_start"],
  ...["intel_iommu_unmap_pages", "intel_iommu_tlb_sync", "intel_flush_iotlb_all"],
  ...["qi_submit_sync", "tlb_gather_mmu", "tlb_gather_mmu_fullmm"],
]);
/** How people call them. */
const SAID: Readonly<Record<string, string>> = {
  handle_mm_fault: "page fault",
  tlb_gather_mmu: "mmu_gather",
  tlb_gather_mmu_fullmm: "mmu_gather",
  mn_invalidate_range_start: "notifier range",
};
const RET = "_ret";
const MAX_ARGS = 12;
/** Values that are only places in the kernel's memory. */
const DULL = /^(?:ptep|pmdp|vm_flags|ip)$/;

interface Open {
  readonly event: string;
  readonly name: string;
  readonly lane: Lane;
  readonly from_ns: number;
  readonly details: Details;
  readonly stack: readonly string[] | undefined;
}

export const laneOfTask = (cpu: number, pid: number, task: string): Lane => ({
  key: `cpu ${cpu} task ${pid}`,
  group: "CPUs",
  name: `CPU ${cpu}`,
  row: pid === 0 ? "idle" : `${task}-${pid}`,
});

export class TaskRows {
  readonly #out: Timeline;
  readonly #ranges: Slots;
  readonly #submissions: Slots;
  readonly #open = new Map<string, Open[]>();
  /** Functions whose return the recording has: without it they are instants. */
  readonly #returns = new Set<string>();
  #last_ns = 0;

  constructor(out: Timeline) {
    this.#out = out;
    this.#ranges = new Slots(out);
    this.#submissions = new Slots(out);
  }

  event(event: RawEvent, at_ns: number): void {
    this.#last_ns = Math.max(this.#last_ns, at_ns);
    this.#aside(event, at_ns);
    const key = event.pid === 0 ? `idle ${event.cpu}` : `${event.pid}`;
    const began = beginOf(event);
    // It ends twice: the function, and the batch that it finishes.
    if (event.event === "tlb_finish_mmu_ret") this.#end(key, ["tlb_finish_mmu"], at_ns);
    if (began !== undefined && this.#end(key, began, at_ns)) return;
    const lane = laneOfTask(event.cpu, event.pid, event.task);
    const details = detailsOf(event);
    const { stack } = event;
    const name = nameOf(event);
    if (began === undefined && (event.form === "enter" || BEGINS.has(event.event))) {
      this.#begin(key, { event: event.event, name, lane, from_ns: at_ns, details, stack });
      return;
    }
    this.#instant(lane, name, at_ns, details, stack);
  }

  /** Everything that is open ends. */
  finish(): void {
    for (const key of [...this.#open.keys()]) this.#forget(key, this.#last_ns);
    this.#ranges.finish(this.#last_ns);
    this.#submissions.finish(this.#last_ns);
  }

  #begin(key: string, open: Open): void {
    let list = this.#open.get(key);
    if (list === undefined) {
      if (this.#open.size >= MAX_TASKS) {
        for (const oldest of this.#open.keys()) {
          this.#forget(oldest, open.from_ns);
          break;
        }
      }
      list = [];
      this.#open.set(key, list);
    }
    list.push(open);
    if (list.length > MAX_NESTED) this.#close(list.shift()!, open.from_ns, false);
  }

  /** The end of what began under one of these names, and of all that is inside. */
  #end(key: string, began: readonly string[], at_ns: number): boolean {
    const list = this.#open.get(key);
    const at = list?.findLastIndex(({ event }) => began.includes(event)) ?? -1;
    if (list === undefined || at < 0) return false;
    const [own, ...inside] = list.splice(at);
    for (const one of inside.reverse()) this.#close(one, at_ns - 1, false);
    this.#returns.add(own!.event);
    this.#close(own!, at_ns, true);
    if (list.length === 0) this.#open.delete(key);
    return true;
  }

  /** What did not return is a span only if others like it do. */
  #close(open: Open, at_ns: number, returned: boolean): void {
    const { event, lane, name, from_ns, details, stack } = open;
    if (!returned && !this.#returns.has(event)) {
      this.#instant(lane, name, from_ns, details, stack);
      return;
    }
    const to_ns = Math.max(from_ns, at_ns);
    const more = returned ? details : { ...details, unfinished: "its end is not recorded" };
    const rest = stack === undefined ? {} : { stack };
    this.#out.span(lane, { name, from_ns, to_ns, details: more, ...rest });
  }

  #forget(key: string, at_ns: number): void {
    const list = this.#open.get(key) ?? [];
    this.#open.delete(key);
    for (const one of list.reverse()) this.#close(one, at_ns, false);
  }

  #instant(
    lane: Lane,
    name: string,
    at_ns: number,
    details: Details,
    stack: readonly string[] | undefined,
  ): void {
    this.#out.instant(lane, { name, at_ns, details, ...(stack === undefined ? {} : { stack }) });
  }

  /** The same in the lane of the address space, the IOMMU or the device. */
  #aside(event: RawEvent, at_ns: number): void {
    const { event: name, pid, cpu } = event;
    const details = detailsOf(event);
    const mm = event.arg("mm");
    switch (name) {
      case "mn_invalidate_range_start":
      case "mn_invalidate_range_end": {
        const place = { group: "address spaces" as const, name: `mm ${mm}`, row: "range" };
        const key = `${pid} ${mm} ${event.arg("start")}`;
        if (name.endsWith("_start"))
          this.#ranges.begin(place, key, "notifier range", at_ns, details);
        else this.#ranges.end(key, at_ns);
        return;
      }
      case "qi_submit_sync":
        this.#submissions.begin(QUEUE, `${cpu}`, name, at_ns, details);
        return;
      case "qi_submit_sync_ret":
        this.#submissions.end(`${cpu}`, at_ns);
        return;
      case "qi_submit": {
        const row = { key: "qi_submit", ...QUEUE, row: "descriptors" };
        this.#out.instant(row, { name: event.text.split(" ", 1)[0]!, at_ns, details });
        return;
      }
      case "map":
      case "unmap":
        this.#out.instant(
          { key: "dma", group: "devices", name: "DMA", row: "map and unmap" },
          { name, at_ns, details },
        );
        return;
      default:
    }
    if (mm === undefined || !/^(?:huge_|contpte_)?p[mt]dp?_|^zap_huge/.test(name)) return;
    if (name.endsWith(RET)) return;
    const lane: Lane = {
      ...{ key: `mm ${mm} changes`, group: "address spaces", name: `mm ${mm}`, row: "changes" },
    };
    this.#out.instant(lane, { name, at_ns, details });
  }
}

const QUEUE = { group: "IOMMU" as const, name: "queue", row: "submission" };

/** The names of what this event may be the end of; undefined for one that ends nothing. */
function beginOf({ event, form }: RawEvent): readonly string[] | undefined {
  if (form === "exit") return [event];
  const other = ENDS.get(event);
  if (other === "tlb_gather_mmu") return [other, "tlb_gather_mmu_fullmm"];
  if (other !== undefined) return [other];
  if (!event.endsWith(RET)) return undefined;
  const name = event.slice(0, -RET.length);
  return BEGINS.has(name) ? [name] : undefined;
}

function nameOf({ event, form, text }: RawEvent): string {
  if (event === "tracing_mark_write") return text.split(" addr=", 1)[0]!;
  if (form === "enter") return event.replace(/^sys_/, "");
  return SAID[event] ?? event;
}

/** The line, and the values that the event has. */
function detailsOf({ line, text, func }: RawEvent): Details {
  const details: Record<string, string | number> = { line };
  if (func !== undefined) details.function = func;
  let count = 0;
  for (const [, name = "", value = ""] of text.matchAll(/\b(\w+)[=:] ?([^\s,()]+)/g)) {
    if (name === "line" || DULL.test(name)) continue;
    details[name] = value;
    if (++count >= MAX_ARGS) break;
  }
  return details as Details;
}
