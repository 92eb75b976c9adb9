// SPDX-License-Identifier: Apache-2.0
// Several recordings of one run, judged together: the kernel's events, and beside them the TLB
// maintenance that CPUs executed, the SMMU's commands, and stacks.
//
//   trace.txt   mark=5 ......... unmap ............. mark=6      CLOCK_MONOTONIC
//   tlbi.txt    MARK 5 ............................. MARK 6      seconds since START
//   smmu.txt    .................... TLBI SYNC ..........        wall clock: START says which
//
// A mark is the same moment in both; the latest one says by how much the clocks differ, and how
// much the others disagree is what an order of events of the two can be trusted to.
import { Census } from "./census.ts";
import { EVENTS, type EventFormat, feed, summaryOf, type TraceOptions, watched } from "./check.ts";
import { iommuMonitor } from "./check-vtd.ts";
import { DmaMonitor } from "./dma-monitor.ts";
import type { Finding, Reasons, TraceResult, TraceSummary } from "./finding.ts";
import { type ByteSource, importError } from "./importers/bytes.ts";
import { type FormatName, peek, recognise, unknownFormat } from "./importers/formats.ts";
import type { FtraceSink } from "./importers/ftrace.ts";
import type { IommuRecord } from "./importers/iommu-record.ts";
import { decodeProbe } from "./importers/kprobes.ts";
import type { LogDamage } from "./importers/log-lines.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import { readSmmu, type SmmuEvent } from "./importers/smmu.ts";
import { readTlbi } from "./importers/tlbi.ts";
import type { DeviceMapping } from "./importers/trace-record.ts";
import { decodeVtd } from "./importers/vtd-events.ts";
import { readVtdLog } from "./importers/vtd-log.ts";
import { pageOf, parseWord, ZERO } from "./importers/word64.ts";
import { LineUp } from "./iommu/line-up.ts";
import { KVM_UNMAP, KvmWatch } from "./kvm-watch.ts";
import { MAX_MARKS } from "./limits.ts";
import { Monitor } from "./monitor.ts";
import { Pulled } from "./pulled.ts";
import { SmmuMonitor } from "./smmu-monitor.ts";
import { Stacks } from "./stacks.ts";
import { StreamReport } from "./stream-report.ts";
import { TlbiMonitor } from "./tlbi-monitor.ts";

/** One file of a recording; `open` may be called more than once. */
export interface RecordingFile {
  readonly name: string;
  readonly open: () => ByteSource;
}

/** Wall clock and seconds since START to the clock of the kernel's events. */
interface Clock {
  readonly start_s: number;
  readonly offset_s: number;
  readonly tolerance_s: number;
}

/** Marks disagree by what lies between writing one and executing its instruction. */
const LEAST_TOLERANCE_S = 1e-6;

/** The kernel's events first, the others beside them. */
export async function checkRecording(
  main: RecordingFile,
  beside: readonly RecordingFile[],
  options: TraceOptions = {},
): Promise<TraceResult> {
  const files = new Map<FormatName, RecordingFile>();
  for (const file of [main, ...beside]) {
    const { head, source } = await peek(file.open());
    await source[Symbol.asyncIterator]().return?.();
    const format = recognise(head);
    const error = format === undefined ? unknownFormat(head) : undefined;
    if (error !== undefined) {
      const said = error.message.replace(/^line \d+, column \d+: /, "");
      return { ok: false, error: importError(error.line, 1, `${file.name}: ${said}`) };
    }
    if (file !== main) files.set(format!, file);
    else if (!(format! in EVENTS)) {
      return { ok: false, error: importError(1, 1, `${file.name} has no events of the kernel`) };
    }
  }
  return new Together(main, files, options).check();
}

/** A line between events that is none. */
interface Broken {
  readonly kind: "damage";
  readonly damage: LogDamage;
}

/** What the kernel's events are read with. */
interface Beside {
  readonly clock: Clock | undefined;
  readonly dma: DmaMonitor | undefined;
  readonly commands: { until(time_s: number): Promise<void> } | undefined;
  readonly stacks: RecordingFile | undefined;
}

class Together {
  readonly #main: RecordingFile;
  readonly #files: ReadonlyMap<FormatName, RecordingFile>;
  readonly #options: TraceOptions;
  readonly #watched: ReturnType<typeof watched>;
  readonly #reports: StreamReport[] = [];
  readonly #notes: string[] = [];
  #format: EventFormat = "ftrace";

  constructor(
    main: RecordingFile,
    files: ReadonlyMap<FormatName, RecordingFile>,
    options: TraceOptions,
  ) {
    this.#main = main;
    this.#files = files;
    this.#watched = watched(options);
    this.#options = this.#watched.options;
  }

  async check(): Promise<TraceResult> {
    const { head, source } = await peek(this.#main.open());
    await source[Symbol.asyncIterator]().return?.();
    this.#format = recognise(head) as EventFormat;
    const clock = await this.#clock();
    const smmu = this.#files.get("smmu");
    const report = this.#report(undefined);
    const smmu_report = smmu === undefined ? undefined : this.#report(smmu.name);
    const dma =
      clock === undefined ? undefined : new DmaMonitor(report, clock.tolerance_s, smmu_report);
    const commands =
      smmu === undefined || smmu_report === undefined
        ? undefined
        : this.#commands(smmu, smmu_report, clock, dma);
    const stacks = this.#files.get("ftrace");
    const result = await this.#events(report, { clock, dma, commands, stacks });
    if (commands !== undefined) {
      await commands.until(Number.POSITIVE_INFINITY);
      commands.monitor.finish();
    }
    dma?.finish();
    if (clock !== undefined) await this.#instructions(clock.offset_s);
    await this.#queue(report);
    return result.ok ? { ok: true, summary: this.#total(result.summary) } : result;
  }

  #report(source: string | undefined): StreamReport {
    const onFinding = this.#options.onFinding;
    const report = new StreamReport((finding: Finding) =>
      onFinding?.(source === undefined ? finding : { ...finding, source }),
    );
    this.#reports.push(report);
    return report;
  }

  /** Shows the executed instructions, now that it is known when they were. */
  async #instructions(offset_s: number): Promise<void> {
    const file = this.#files.get("tlbi");
    const observe = this.#options.observe;
    if (file === undefined || observe?.instruction === undefined) return;
    await readTlbi(file.open(), {
      event: (event) => observe.instruction?.(event, event.time_s + offset_s),
      damaged: () => undefined,
    });
  }

  /** Lines the kernel's submissions up with what the IOMMU took from its queue. */
  async #queue(report: StreamReport): Promise<void> {
    const file = this.#files.get("vtd");
    if (file === undefined) return;
    const log = new Pulled<IommuRecord>((put, chunk) =>
      readVtdLog(file.open(), { record: put, chunk }),
    );
    const both = new LineUp(report, async () => {
      const record = await log.peek();
      log.take();
      return record;
    });
    let queue: (() => void | Promise<void>)[] = [];
    const chunk = async () => {
      const due = queue;
      queue = [];
      for (const step of due) await step();
    };
    const sink: FtraceSink = {
      event: (event) => {
        const record = decodeVtd(event);
        if (record !== undefined) queue.push(() => both.record(record));
      },
      lost: ({ why }) => void (why === "overwritten" ? 0 : queue.push(() => both.lost())),
      damaged: ({ event }) => void (event ? queue.push(() => both.lost()) : 0),
      chunk,
    };
    const names = new Set(["qi_submit", "qi_submit_sync", "qi_submit_sync_ret"]);
    await EVENTS[this.#format](this.#main.open(), sink, { wanted: names });
    await chunk();
    await both.finish();
  }

  /** Judges the executed instructions, and lines up the clocks by their marks. */
  async #clock(): Promise<Clock | undefined> {
    const file = this.#files.get("tlbi");
    if (file === undefined) {
      if (this.#files.has("smmu")) {
        this.#notes.push("without tlbi.txt the clocks of trace and smmu are not lined up");
      }
      return undefined;
    }
    const report = this.#report(file.name);
    const monitor = new TlbiMonitor(report);
    const marks = new Map<number, number>();
    let start_s: number | undefined;
    const read = await readTlbi(file.open(), {
      event: (event) => {
        monitor.event(event);
        if (event.kind === "start") start_s = event.realtime_s;
        if (event.kind === "mark" && event.number >= 0 && marks.size < MAX_MARKS) {
          marks.set(event.number, event.time_s);
        }
      },
      damaged: (damage) => monitor.damaged(damage),
    });
    if (!read.ok) report.undecided(`${file.name}: ${read.error.message}`);
    monitor.finish();
    const offset = await this.#offset(marks);
    if (start_s === undefined || offset === undefined) {
      report.undecided("no mark is in both the kernel's events and the log of instructions");
      return undefined;
    }
    return { start_s, ...offset };
  }

  async #offset(marks: ReadonlyMap<number, number>) {
    const offsets: number[] = [];
    await EVENTS[this.#format](
      this.#main.open(),
      {
        event: (event) => {
          const number = /^mark=(\d{1,9})\b/.exec(event.text)?.[1];
          const time_s = number === undefined ? undefined : marks.get(Number(number));
          if (time_s !== undefined && offsets.length < MAX_MARKS) {
            offsets.push(event.time_s - time_s);
          }
        },
      },
      { wanted: new Set(["tracing_mark_write"]) },
    );
    offsets.sort((x, y) => x - y);
    // What was interrupted between the two comes too late, never too early.
    const offset_s = offsets.at(-1);
    const usual_s = offsets[Math.floor(offsets.length / 2)];
    if (offset_s === undefined || usual_s === undefined) return undefined;
    const apart = offset_s - usual_s;
    this.#notes.push(
      `clocks lined up by ${offsets.length} marks, half of which agree to ` +
        `${(apart * 1e6).toFixed(0)} us`,
    );
    return { offset_s, tolerance_s: Math.max(LEAST_TOLERANCE_S, apart) };
  }

  #commands(
    file: RecordingFile,
    report: StreamReport,
    clock: Clock | undefined,
    dma: DmaMonitor | undefined,
  ) {
    const shift = clock === undefined ? 0 : clock.offset_s - clock.start_s;
    const monitor = new SmmuMonitor(report, {
      completed: (one) =>
        dma?.completed({
          ...one,
          time_s: one.time_s + shift,
          sync_time_s: one.sync_time_s + shift,
        }),
      used: (access) => dma?.used(access, access.time_s + shift),
    });
    const stream = new Pulled<SmmuEvent | Broken>((put, chunk) => {
      const damaged = (damage: LogDamage) => put({ kind: "damage", damage });
      return readSmmu(file.open(), { event: put, damaged, chunk });
    });
    const { observe } = this.#options;
    const until = async (time_s: number) => {
      for (;;) {
        const event = await stream.peek();
        if (event?.kind === "damage") {
          monitor.damaged(event.damage);
          stream.take();
          continue;
        }
        if (event === undefined || event.time_s + shift > time_s) return;
        observe?.command?.(event, event.time_s + shift);
        monitor.event(event);
        stream.take();
      }
    };
    return { monitor, until };
  }

  /** The kernel's events in their order, the SMMU's commands between them. */
  async #events(
    report: StreamReport,
    { clock, dma, commands, stacks: stack_file }: Beside,
  ): Promise<TraceResult> {
    const options = this.#options;
    const judged = new Set([...this.#watched.judged, KVM_UNMAP]);
    const monitor = new Monitor(options);
    const kvm = new KvmWatch(report);
    const census = new Census(report);
    const iommu = iommuMonitor(monitor.tally, false);
    const stacks = stack_file === undefined ? undefined : new Stacks(stack_file.open());
    let queue: (() => void | Promise<void>)[] = [];
    const sink: FtraceSink = {
      event: (event) =>
        void queue.push(async () => {
          await stacks?.join(event);
          options.observe?.event?.(event);
          kvm.event(event);
          census.event(event);
          const mapping = dma === undefined ? undefined : mappingOf(event);
          if (mapping !== undefined) {
            await commands?.until(event.time_s + (clock?.tolerance_s ?? 0));
            dma?.mapping(mapping);
          } else if (event.event.startsWith("dma_")) toldBy(event, dma);
          else if (judged.has(event.event)) feed(monitor, iommu, event);
        }),
      lost: (lost) =>
        void queue.push(() => {
          monitor.lost(lost);
          kvm.lost();
          if (lost.why === "overwritten") return;
          iommu.lost();
          census.lost();
        }),
      damaged: (damage) =>
        void queue.push(() => {
          monitor.damaged(damage);
          if (!damage.event) return;
          kvm.lost();
          iommu.lost();
        }),
      chunk: async () => {
        const due = queue;
        queue = [];
        for (const step of due) await step();
      },
    };
    const names = new Set([...this.#watched.names, ...DMA_EVENTS, KVM_UNMAP]);
    const read = await EVENTS[this.#format](this.#main.open(), sink, { wanted: names });
    if (!read.ok) return read;
    await sink.chunk?.();
    monitor.finish();
    iommu.finish();
    return { ok: true, summary: summaryOf(monitor, iommu, read.value, options.machine) };
  }

  #total(summary: TraceSummary): TraceSummary {
    let total = summary;
    for (const { totals } of this.#reports) {
      total = {
        ...total,
        missing: total.missing + totals.missing,
        short: total.short + totals.short,
        late: total.late + totals.late,
        order: total.order + totals.order,
        unpaired: total.unpaired + totals.unpaired,
        excess: total.excess + totals.excess,
        undecidable: total.undecidable + totals.undecidable,
        undecidable_reasons: merged(total.undecidable_reasons, totals.undecidable_reasons),
        evicted: merged(total.evicted, totals.evicted),
        counts: { ...total.counts, ...totals.counts },
      };
    }
    const judged = summary.watched_mms > 0 || this.#files.size > 0;
    return { ...total, notes: [...this.#notes, ...total.notes], judged };
  }
}

/** Mappings for devices, and the DMA API's events that name the device. */
const DMA_EVENTS = ["map", "unmap", "dma_map_page", "dma_unmap_page"] as const;

/** "0000:00:04.0 dir=TO_DEVICE dma_addr=ffeb2806 size=102 ..." */
const DMA_PAGE = /^(\S{1,64}) dir=\S+ dma_addr=([\da-f]{1,16}) /;

function toldBy({ event, text }: RawEvent, dma: DmaMonitor | undefined): void {
  const [, device, address = ""] = DMA_PAGE.exec(text) ?? [];
  if (device === undefined) return;
  const page = pageOf(parseWord(`0x${address}`) ?? ZERO);
  dma?.device(event === "dma_map_page" ? "map" : "unmap", device, page);
}

function mappingOf(event: RawEvent): DeviceMapping | undefined {
  if (event.event !== "map" && event.event !== "unmap") return undefined;
  const record = decodeProbe(event);
  return record?.kind === "iommu" ? record : undefined;
}

function merged(a: Reasons, b: Reasons): Reasons {
  const sum: Record<string, number> = { ...a };
  for (const [key, count] of Object.entries(b)) sum[key] = (sum[key] ?? 0) + count;
  return sum;
}
