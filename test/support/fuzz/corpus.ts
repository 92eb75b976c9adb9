// SPDX-License-Identifier: Apache-2.0
// What the fuzzer starts from: recordings in every format that is read, in small pieces.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { el2, L3, stage2 } from "../casemate-log.ts";
import { root } from "../files.ts";

export interface Sample {
  readonly name: string;
  /** As the summary calls it. */
  readonly format: string;
  readonly lines: readonly string[];
}

/** Lines of one sample; a larger recording is cut into several. */
const MOST_LINES = 1200;
const MOST_PIECES = 6;

const EVENT = /^ *(.+?)-(\d+) +\[(\d+)\] \S* *(\d+\.\d+): (\S.*)$/;

function events(text: string) {
  return text.split("\n").flatMap((line) => {
    const [, task = "", pid = "", cpu = "", time = "", rest = ""] = EVENT.exec(line) ?? [];
    return task === "" ? [] : [{ task, pid, cpu, time, rest }];
  });
}

/** As perf script prints it. */
const perf = (text: string) =>
  events(text).map(({ task, pid, cpu, time, rest }) => {
    const call = /^sys_(\w+)(?:\((.*)\)| -> (0x[\da-f]+))$/.exec(rest);
    const step = call?.[3] === undefined ? "enter" : "exit";
    const event =
      call === null ? `mm:${rest}` : `syscalls:sys_${step}_${call[1]}: ${call[2] ?? call[3] ?? ""}`;
    return `${task.padStart(16)} ${pid.padStart(5)} [${cpu}] ${time.padStart(12)}: ${event}`;
  });

/** As trace-cmd report prints it. */
const report = (text: string) => [
  "cpus=4",
  ...events(text).map(
    ({ task, pid, cpu, time, rest }) =>
      `${task.padStart(16)}-${pid.padEnd(5)} [${cpu}]  ${time.padStart(12)}: ${rest}`,
  ),
];

const plain = (text: string) => text.split("\n").filter((line) => line !== "" && line[0] !== "#");
const bpftrace = (text: string) => ["Attaching 24 probes...", ...plain(text)];
const json = (text: string) => [
  JSON.stringify({ type: "attached_probes", data: { probes: 24 } }),
  ...plain(text).map((line) => JSON.stringify({ type: "printf", data: `${line}\n` })),
];

/** A little of QEMU's trace of its SMMU: good, and with an entry used after its invalidation. */
function smmu(): string[] {
  const lines: string[] = [];
  const point = (text: string) =>
    lines.push(`14431@1795325794.${String(lines.length).padStart(6, "0")}:${text}`);
  for (let page = 0; page < 24; page++) {
    const addr = `0x${(0xfff00 + page).toString(16)}000`;
    point(`smmu_iotlb_insert IOTLB ++ asid=2 addr=${addr} tg=1 level=3`);
    point(`smmu_iotlb_lookup_hit IOTLB cache HIT asid=2 addr=${addr} hit=1 miss=0 hit rate=100`);
    point("smmuv3_cmdq_opcode <--- SMMU_CMD_TLBI_NH_VA");
    point(`smmuv3_s1_range_inval vmid=0 asid=2 addr=${addr} tg=1 num_pages=0x1 ttl=3 leaf=1`);
    if (page % 5 === 4) point("smmuv3_cmdq_opcode <--- SMMU_CMD_ATC_INV");
    point("smmuv3_cmdq_opcode <--- SMMU_CMD_SYNC");
    if (page % 7 === 6) {
      point(`smmu_iotlb_lookup_hit IOTLB cache HIT asid=2 addr=${addr} hit=1 miss=0 hit rate=99`);
    }
  }
  return lines;
}

/** A little of the log of executed instructions. */
function tlbi(): string[] {
  const lines = ["0 cpu=0 t=0.000000 START realtime=1795325787.293070"];
  const put = (cpu: number, text: string) =>
    lines.push(`${lines.length} cpu=${cpu} t=${(lines.length / 1000).toFixed(6)} ${text}`);
  const pc = "pc=0xffff8000803970c8 in";
  for (let n = 0; n < 40; n++) {
    const cpu = n % 3;
    put(cpu, `DSB ishst ${pc}=ptep_clear_flush+0x60`);
    put(cpu, `TLBI vale1is x=0x01ee000ffffa99${(16 + n).toString(16)} ${pc}=ptep_clear_flush+0x78`);
    put(n % 11 === 10 ? (cpu + 1) % 3 : cpu, `DSB ish ${pc}=ptep_clear_flush+0x88`);
    put(cpu, "CALL __mmu_notifier_invalidate_range_end x0=0x1 x1=0x2 from=f+0x0");
    if (n % 4 === 3) put(cpu, `MARK ${n}`);
    if (n % 9 === 8) {
      put(cpu, `TLBI ipas2e1is x=0x40002 ${pc}=__kvm_tlb_flush_vmid_range+0x6c`);
      if (n % 2 === 0) put(cpu, `DSB ish ${pc}=__kvm_tlb_flush_vmid_range+0x70`);
      put(cpu, `TLBI vmalle1is x=none ${pc}=__kvm_tlb_flush_vmid_range+0x80`);
      put(cpu, `DSB ish ${pc}=__kvm_tlb_flush_vmid_range+0x90`);
    }
  }
  return lines;
}

/** casemate's: page after page is broken and made, a few of them wrongly. */
function casemate(kind: "el2" | "stage2"): string[] {
  const log = kind === "el2" ? el2() : stage2();
  for (let n = 2; n < 60; n++) {
    const at = L3 + 8 * n;
    log.as(n % 5).write(at, 0x80000703 + n * 4096);
    log.write(at, 0).dsb("ishst");
    if (kind === "el2") log.tlbi("vae2is", n * 4096, 3).dsb();
    else
      log
        .tlbi("ipas2e1is", n * 4096, 3)
        .dsb()
        .tlbi("vmalle1is")
        .dsb();
    log.write(at, 0x90000703 + n * 4096);
    if (n % 13 === 12) log.write(at, 0xa0000703);
  }
  return log.lines;
}

const fixture = (name: string) =>
  readFileSync(join(root, "packages/shootdown/fixtures", `${name}.txt`), "utf8");

/** What comes with the repository. */
export function shippedSamples(): Sample[] {
  const [old, now] = [fixture("6.1-upgrade.trace"), fixture("6.12-upgrade.trace")];
  const lines = (text: string) => text.split("\n").slice(0, -1);
  const one = (name: string, format: string, all: readonly string[]) => pieces(name, format, all);
  return [
    ...one("6.1", "ftrace", lines(old)),
    ...one("6.12", "ftrace", lines(now)),
    ...["x86-6.1-iommu-strict.trace", "x86-6.12-iommu-strict.trace"].flatMap((name) =>
      one(name, "ftrace", lines(fixture(name))),
    ),
    ...one("x86-6.12-iommu-lazy.trace", "ftrace", lines(fixture("x86-6.12-iommu-lazy.trace"))),
    ...["x86-6.1.vtd", "x86-6.12.vtd"].flatMap((name) =>
      one(name, "QEMU's VT-d trace", lines(fixture(name))),
    ),
    ...one("6.1 perf", "perf script", perf(old)),
    ...one("6.12 perf", "perf script", perf(now)),
    ...one("6.1 report", "trace-cmd report", report(old)),
    ...one("6.12 bpftrace", "bpftrace", bpftrace(now)),
    ...one("6.1 bpftrace", "bpftrace", bpftrace(old)),
    ...one("6.1 json", "bpftrace -f json", json(old)),
    ...one("smmu", "QEMU's SMMUv3 trace", smmu()),
    ...one("tlbi", "log of TLB maintenance instructions", tlbi()),
    ...one("casemate el2", "casemate", casemate("el2")),
    ...one("casemate stage2", "casemate", casemate("stage2")),
  ];
}

const FILES = [
  ["trace.txt", "ftrace"],
  ["stacks.txt", "ftrace"],
  ["smmu.txt", "QEMU's SMMUv3 trace"],
  ["tlbi.txt", "log of TLB maintenance instructions"],
  ["vtd.txt", "QEMU's VT-d trace"],
] as const;

/** Pieces of the recordings of real kernels, where they are installed. */
export function recordedSamples(): Sample[] {
  const folder = process.env.SHOOTDOWN_TRACES ?? join(root, "../shared/traces");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((run) =>
    FILES.flatMap(([file, format]) => {
      const path = join(folder, run, `${file}.gz`);
      if (!existsSync(path)) return [];
      const text = gunzipSync(readFileSync(path)).toString("utf8");
      return pieces(`${run}/${file}`, format, text.split("\n").slice(0, -1));
    }),
  );
}

/** The whole of a short one; of a long one its beginning, and pieces behind its first lines. */
function pieces(name: string, format: string, lines: readonly string[]): Sample[] {
  if (lines.length <= MOST_LINES) return [{ name, format, lines }];
  const count = Math.min(MOST_PIECES, Math.ceil(lines.length / MOST_LINES));
  const head = lines.slice(0, 12);
  return Array.from({ length: count }, (_, n) => {
    const from = n === 0 ? 0 : 12 + Math.floor(((lines.length - MOST_LINES) * n) / count);
    const piece = lines.slice(from, from + MOST_LINES);
    return { name: `${name}:${from + 1}`, format, lines: n === 0 ? piece : [...head, ...piece] };
  });
}
