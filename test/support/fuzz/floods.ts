// SPDX-License-Identifier: Apache-2.0
// Inputs made to exhaust tables, stacks or time: endless distinct names, numbers without bound,
// lines without end. What grows must stop growing, and the time for a byte must not.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { checkTrace } from "../../../packages/shootdown/src/trace/check.ts";
import { traceStatus } from "../../../packages/shootdown/src/trace/finding.ts";

export interface Flood {
  readonly name: string;
  /** What comes first. */
  readonly head: string;
  /** What comes then, piece by piece without end. */
  readonly more: (n: number) => string;
  /** Something of it is not judged, so that the status must not be 0. */
  readonly plain?: boolean;
}

export interface Flooded {
  readonly status: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Memory at the end over that at the beginning, rubbish left out. */
  readonly grown_mb: number;
  readonly evicted: Readonly<Record<string, number>>;
  /** The input was ended early for its slowness. */
  readonly cut: boolean;
  readonly wrong: readonly string[];
}

/** More than this is not bounded, or too much. */
const MOST_MB = 350;
/** Growth of the second half of an input, beyond the noise. */
const HALF_MB = 40;
const MOST_SECONDS = 40;
const MOST_MS_PER_MB = 1500;
const CHUNK = 65_536;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const hex = (n: number): string => `0x${n.toString(16)}`;

const HEADER = "# tracer: nop\n#\n";
const ftrace = (n: number, text: string, pid = 7, cpu = 0): string =>
  `            prog-${pid}     [${String(cpu).padStart(3, "0")}] d.... ` +
  `${(1 + n / 1e6).toFixed(6)}: ${text}\n`;
const probe = (event: string, rest: string): string => `${event}: (f+0x0/0x1) ${rest}`;
const upgrade = (mm: string, addr: string): string =>
  probe(
    "ptep_set_access_flags",
    `mm=${mm} vm_flags=0xfb addr=${addr} ptep=0x8 old=0x6000007ed60fc3 ` +
      "entry=0xe800007ed60f43 dirty=1",
  );
const done = "ptep_set_access_flags_ret: (g+0x1/0x2 <- f) changed=1";
const submit = (type: string, queue: string, low: string, high: string): string =>
  `qi_submit: ${type} ${queue}: ${low} ${high} 0x0 0x0`;
const did = (n: number, rest: number): string => hex((n % 65536) * 65536 + rest);

const events = (name: string, line: (n: number) => string, plain = false): Flood => ({
  name: `ftrace: ${name}`,
  head: HEADER + ftrace(0, probe("mn_register", "mm=0x5")),
  more: line,
  plain,
});

const KERNEL: readonly Flood[] = [
  events("address spaces", (n) => {
    const mm = hex(4096 + n);
    return (
      ftrace(n, probe("mn_register", `mm=${mm}`)) +
      ftrace(n, upgrade(mm, "0x1000"), n % 100) +
      ftrace(n, done, n % 100)
    );
  }),
  events("tasks inside of a change", (n) => ftrace(n, upgrade("0x5", "0x1000"), n), true),
  events("pages that wait", (n) => ftrace(n, upgrade("0x5", hex(4096 * n)), 7), true),
  events("changes done and never invalidated", (n) => {
    return ftrace(n, upgrade("0x5", hex(8192 * n)), n % 7) + ftrace(n, done, n % 7);
  }),
  events("ranges that do not end", (n) =>
    ftrace(n, probe("mn_invalidate_range_start", `mm=0x5 start=${hex(n * 4096)} end=0xffffff000`)),
  ),
  events("ranges that do not begin", (n) =>
    ftrace(n, probe("mn_invalidate_range_end", `mm=0x5 start=0x0 end=${hex(n * 4096)}`), n % 99),
  ),
  events("everything invalidated, again and again", (n) =>
    n < 60_000
      ? ftrace(
          n,
          probe("ptep_clear_flush", `mm=0x5 addr=${hex(8192 * n)} ptep=0x8 old=0x6000007ed60fc3`),
          n,
        )
      : ftrace(n, probe("mn_invalidate_secondary", "mm=0x5 start=0x0 end=0xffffffffffffffff"), 7),
  ),
  events(
    "batches",
    (n) =>
      ftrace(n, probe("tlb_gather_mmu", `tlb=${hex(n)} mm=0x5`), n % 1000) +
      ftrace(
        n,
        probe("unmap_page_range", `mm=0x5 start=${hex(n * 4096)} end=${hex(n * 4096 + 4096)}`),
        n % 1000,
      ),
  ),
  events("faults inside of faults", (n) =>
    ftrace(n, probe("handle_mm_fault", `mm=0x5 addr=${hex(n * 4096)} flags=0x1`), n % 10),
  ),
  events(
    "pages known to be mapped",
    (n) =>
      ftrace(n, probe("handle_mm_fault", `mm=0x5 addr=${hex(n * 8192)} flags=0x1`)) +
      ftrace(n, "handle_mm_fault_ret: (g+0x1/0x2 <- f) ret=0x0"),
  ),
  events("CPUs", (n) => ftrace(n, upgrade("0x5", "0x1000"), 7, n % 1_048_576)),
  events("names of events", (n) => ftrace(n, `event_${n}: x`)),
  events(
    "damaged lines",
    (n) =>
      n < 500
        ? ftrace(n, probe("mn_register", `mm=${hex(4096 + n)}`))
        : `prog-7 [00x] d.... ${n}: mn_register: mm=0x1\n`,
    true,
  ),
  events("lost events", (n) => `CPU:${n % 4000} [LOST ${n} EVENTS]\n`, true),
  events("stacks", (n) =>
    n % 100 === 0 ? ftrace(n, upgrade("0x5", "0x1000")) : " => do_wp_page\n",
  ),
  events(
    "fields that are no numbers",
    (n) => ftrace(n, probe("mn_invalidate_secondary", `mm=0x${n} start=NaN end=1e99`)),
    true,
  ),
  events("system calls", (n) => ftrace(n, `sys_munmap(addr: ${hex(n)})`, n)),
  events("forks", (n) =>
    ftrace(n, `sched_process_fork: comm=a pid=${n} child_comm=b child_pid=${n + 1}`, n),
  ),
  events("migrations", (n) =>
    ftrace(n, `set_migration_pte: addr=${n.toString(16)}000, pte=0, order=0`, n % 9),
  ),
  events("dashes", () => `${"-1[1]".repeat(13_000)}\n`),
];

const IOMMU: readonly Flood[] = [
  events("queues", (n) => ftrace(n, submit("iotlb_inv", `dmar${n}`, "0x800f2", "0x1000"))),
  events(
    "domain ids and devices",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", did(n, 0xf2), hex(n * 4096))) +
      ftrace(
        n,
        submit("dev_tlb_inv", "dmar0", `0x${(n % 4096).toString(16)}00000003`, hex(n * 4096)),
      ),
  ),
  events("devices that come again", (n) =>
    n % 20 === 0
      ? ftrace(n, submit("cc_inv", "dmar0", "0x500000031", "0x0"))
      : n < 4096
        ? ftrace(n, submit("iotlb_inv", "dmar0", did(n, 0xf2), hex(n * 4096)))
        : ftrace(n, submit("dev_tlb_inv", "dmar0", "0x500000003", hex(n * 4096))),
  ),
  events(
    "domains",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", "0x800f2", "0x1000")) +
      ftrace(
        n,
        probe("intel_iommu_unmap_pages", `domain=${hex(n)} iova=0x1000 pgsize=0x1000 pgcount=1`),
      ),
  ),
  events(
    "pages of devices",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", "0x700f2", "0x1000")) +
      ftrace(
        n,
        probe(
          "intel_iommu_unmap_pages",
          `domain=0x1 iova=${hex(8192 * n)} pgsize=0x1000 pgcount=1`,
        ),
      ),
  ),
  events(
    "huge mappings",
    (n) =>
      ftrace(n, `map: IOMMU: iova=0x0 - 0x${"f".repeat(12)} paddr=0x0 size=${2 ** 40}`) +
      ftrace(n, `unmap: IOMMU: iova=0x0 - 0xfff size=${2 ** 40} unmapped_size=${2 ** 40}`),
  ),
  events(
    "allocators of addresses",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", "0x800f2", "0x1000")) +
      ftrace(n, probe("free_iova_fast", `iovad=${hex(n)} pfn=0x1 npages=0x1`)),
  ),
  events(
    "tags",
    (n) =>
      ftrace(n, submit("iotlb_inv", "dmar0", "0x800f2", "0x1000")) +
      ftrace(
        n,
        `cache_tag_assign: dmar0/0000:01:00.0 type iotlb did ${n % 65536} pasid ${n} ref 1`,
      ),
  ),
  events("reasons of flushes", (n) => ftrace(n, `tlb_flush: pages:-1 reason:r${n} (0)`)),
  events("submissions inside of submissions", (n) =>
    ftrace(n, probe("qi_submit_sync", "iommu=0x1 count=1"), 7, n % 4096),
  ),
];

const VTD =
  "27776@1795328305.802947:vtd_inv_desc invalidate desc type iotlb high 0x1000 low 0x800f2\n";
const qemu = (n: number, text: string): string =>
  `27776@${1_795_328_306 + Math.floor(n / 1e6)}.${String(n % 1e6).padStart(6, "0")}:${text}\n`;
const instruction = (n: number, cpu: number, text: string): string =>
  `${n + 1} cpu=${cpu} t=${(n / 1e6).toFixed(6)} ${text}\n`;
const START = "0 cpu=0 t=0.000000 START realtime=1795325787.293070\n";
const command = (n: number, op: string): string =>
  qemu(n, `smmuv3_cmdq_opcode <--- SMMU_CMD_${op}`);
const inval = (n: number, asid: number, addr: number, pages: number): string =>
  qemu(
    n,
    `smmuv3_s1_range_inval vmid=0 asid=${asid} addr=${hex(addr)} tg=1 num_pages=${hex(pages)} ttl=3 leaf=1`,
  );
const insert = (n: number, asid: number, page: number, level = 3): string =>
  qemu(n, `smmu_iotlb_insert IOTLB ++ asid=${asid} addr=${hex(page * 4096)} tg=1 level=${level}`);

const LOGS: readonly Flood[] = [
  {
    name: "vtd: domain ids and devices",
    head: VTD,
    more: (n) =>
      qemu(n, `vtd_inv_desc invalidate desc type iotlb high ${hex(n * 4096)} low ${did(n, 0xf2)}`) +
      qemu(
        n,
        `vtd_inv_desc invalidate desc type device high 0x0 low 0x${(n % 65536).toString(16)}00000003`,
      ),
  },
  { name: "vtd: damaged lines", head: VTD, more: (n) => `vtd_inv_desc ${n}\n`, plain: true },
  { name: "smmu: ASIDs", head: command(0, "SYNC"), more: (n) => insert(n, n, n, 2) },
  {
    name: "smmu: entries, and all of an ASID again and again",
    head: command(0, "SYNC"),
    more: (n) =>
      n < 70_000
        ? insert(n, n % 1000, n)
        : command(n, "TLBI_NH_ASID") +
          qemu(n, `smmuv3_cmdq_tlbi_nh_asid asid=${n % 2000}`) +
          (n % 4096 === 0 ? command(n, "SYNC") : ""),
  },
  {
    name: "smmu: ranges beside the entries",
    head: command(0, "SYNC"),
    more: (n) =>
      n < 70_000
        ? insert(n, 2, n)
        : command(n, "TLBI_NH_VA") + inval(n, 2, 2 ** 40, 2 ** 30) + command(n, "SYNC"),
  },
  {
    name: "smmu: no SYNC",
    head: command(0, "SYNC"),
    more: (n) => command(n, "TLBI_NH_VA") + inval(n, 2, n * 4096, 1),
    plain: true,
  },
  {
    name: "smmu: ATC_INV without SYNC",
    head: command(0, "SYNC"),
    more: (n) => command(n, "ATC_INV"),
    plain: true,
  },
  {
    name: "tlbi: CPUs",
    head: START,
    more: (n) => instruction(n, n % 1_000_000, "TLBI vale1is x=0x1 pc=0x1 in=f+0x0"),
    plain: true,
  },
  {
    name: "tlbi: no DSB",
    head: START,
    more: (n) => instruction(n, n % 4, `TLBI op${n} x=0x1 pc=0x1 in=f+0x0`),
    plain: true,
  },
  {
    name: "tlbi: a DSB of its own CPU behind each",
    head: START,
    more: (n) =>
      instruction(n, 0, n % 2 ? "DSB nsh pc=0x1 in=f+0x0" : "TLBI vale1is x=0x1 pc=0x1 in=f+0x0"),
  },
];

const S = "(mem-write (tid 0) (address ";
const ROOTED = "(sysreg-write (tid 0) (sysreg ttbr0_el2) (value 0x40000000))\n";
/** A table of each level, linked. */
const TABLES =
  `${S}0x40000000) (value 0x40001003))\n${S}0x40001000) (value 0x40002003))\n` +
  `${S}0x40002000) (value 0x40003003))\n${ROOTED}`;

const CASEMATE: readonly Flood[] = [
  {
    name: "casemate: threads",
    head: TABLES,
    more: (n) =>
      `(mem-write (tid ${n}) (address ${hex(0x40003000 + (n % 512) * 8)}) (value 0x80000703))\n` +
      `(mem-write (tid ${n}) (address ${hex(0x40003000 + (n % 512) * 8)}) (value 0x0))\n`,
  },
  {
    name: "casemate: entries that are not clean",
    head: TABLES,
    more: (n) =>
      n % 16_000 < 15_000
        ? `${S}${hex(0x40003000 + (n % 512) * 8)}) (value ${n % 1024 < 512 ? "0x80000703" : "0x0"}))\n`
        : "(tlbi (tid 1) vae2is (addr 0x1000))\n(barrier (tid 1) dsb (kind ish))\n",
  },
  {
    name: "casemate: words",
    head: TABLES,
    more: (n) => `${S}${hex(0x80000000 + n * 8)}) (value 0x1))\n`,
  },
  {
    name: "casemate: tables linked and unlinked",
    head:
      ROOTED +
      Array.from({ length: 60_000 }, (_, n) =>
        n < 512
          ? `${S}${hex(0x41000000 + n * 8)}) (value ${hex(0x50000003 + n * 4096)}))\n`
          : `${S}${hex(0x50000000 + n * 8)}) (value ${hex(0x60000003 + n * 4096)}))\n`,
      ).join(""),
    more: (n) => `${S}0x40000000) (value ${n % 2 ? "0x0" : "0x41000003"}))\n`,
  },
  {
    name: "casemate: memory set, page by page or all",
    head: TABLES,
    more: (n) =>
      `(mem-set (tid 0) (address 0x40000000) (size ${hex(n % 2 ? 2 ** 40 : 2 ** 19)}) (value 0x0))\n` +
      `(mem-init (tid 0) (address ${hex(n * 4096)}) (size 0x1000))\n`,
  },
  {
    name: "casemate: locks, roots, VMIDs",
    head: TABLES,
    more: (n) =>
      `(lock (tid ${n}) (address ${hex(n * 8)}))\n(hint (tid 0) (kind set_root_lock) ` +
      `(location ${hex(n * 4096)}) (value ${hex(n)}))\n(sysreg-write (tid ${n}) (sysreg vttbr_el2) ` +
      `(value ${hex((n % 65536) * 2 ** 32 * 65536 + (n % 100_000) * 4096)}))\n`,
  },
  {
    name: "casemate: nesting",
    head: TABLES,
    more: (n) => `${"(".repeat(n % 60_000)}\n`,
    plain: true,
  },
  {
    name: "casemate: strings without end",
    head: TABLES,
    more: () => `(mem-write (src "${"\\".repeat(60_000)}\n`,
    plain: true,
  },
  {
    name: "casemate: operations that nobody knows",
    head: TABLES,
    more: (n) => `(op-${n} (tid 0))\n`,
    plain: true,
  },
];

const JSON_HEAD = `${JSON.stringify({ type: "attached_probes", data: { probes: 4 } })}\n`;
const OTHERS: readonly Flood[] = [
  {
    name: "json: text that never ends a line",
    head: JSON_HEAD,
    more: () => `{"type":"printf","data":"${"x".repeat(500)}"}\n`,
    plain: true,
  },
  {
    name: "json: nesting",
    head: JSON_HEAD,
    more: () => `{"type":"printf","data":${"[".repeat(60_000)}\n`,
    plain: true,
  },
  {
    name: "json: maps",
    head: JSON_HEAD,
    more: (n) => `{"type":"map","data":{"@x":{"${n}":1}}}\n`,
  },
  {
    name: "perf: numbers",
    head: "  mmsteps   256 [003]    51.127622: mm:mn_register: (ffff8) mm=0x5\n",
    more: () => `${"1 [1] 1.".repeat(8000)}\n`,
    plain: true,
  },
  {
    name: "perf: spaces",
    head: "  mmsteps   256 [003]    51.127622: mm:mn_register: (ffff8) mm=0x5\n",
    more: () => `${"1    ".repeat(12_000)}\n`,
    plain: true,
  },
];

/** Behind the beginning of each format. */
const HEADS: readonly (readonly [string, string])[] = [
  ["ftrace", HEADER + ftrace(0, probe("mn_register", "mm=0x5"))],
  ["perf", "  mmsteps   256 [003]    51.127622: mm:mn_register: (ffff8) mm=0x5\n"],
  ["bpftrace", "Attaching 24 probes...\n"],
  ["json", JSON_HEAD],
  ["vtd", VTD],
  ["smmu", command(0, "SYNC")],
  ["tlbi", START],
  ["casemate", TABLES],
];
const ENDLESS: readonly (readonly [string, string, boolean])[] = [
  ["a line without end", "x".repeat(CHUNK), true],
  ["NULs", "\0".repeat(CHUNK), true],
  ["empty lines", "\n".repeat(CHUNK), false],
  ["CRs", "\r".repeat(CHUNK), true],
  ["brackets", "([{".repeat(CHUNK / 3), true],
];

export const floods: readonly Flood[] = [
  ...[...KERNEL, ...IOMMU, ...LOGS, ...CASEMATE, ...OTHERS],
  ...HEADS.flatMap(([format, head]) =>
    ENDLESS.map(([what, text, plain]) => ({
      name: `${format}: ${what}`,
      head,
      more: () => text,
      plain,
    })),
  ),
];

/** Checks so many bytes of a flood. */
export async function pour(flood: Flood, bytes: number, measured = true): Promise<Flooded> {
  const encoder = new TextEncoder();
  const used = () => {
    if (measured) collect();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  // Of the processor, for others may work beside.
  const begun = process.cpuUsage();
  const elapsed = () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1e6;
  };
  let [half, end, poured, cut] = [0, 0, 0, false];
  const input = async function* () {
    yield encoder.encode(flood.head);
    poured = flood.head.length;
    for (let n = 0; poured < bytes; ) {
      let text = "";
      while (text.length < CHUNK) text += flood.more(n++);
      yield encoder.encode(text);
      poured += text.length;
      if (half === 0 && poured > bytes / 2) half = used();
      cut = elapsed() > MOST_SECONDS;
      if (cut) break;
    }
    end = used();
  };
  const result = await checkTrace(input());
  const seconds = elapsed();
  const status = traceStatus(result);
  const grown_mb = Math.round((end - before) / 1e6);
  const wrong: string[] = [];
  if (measured && (cut || (seconds * 1e9) / poured > MOST_MS_PER_MB)) wrong.push("too slow");
  if (measured && (grown_mb > MOST_MB || (end - half) / 1e6 > HALF_MB)) {
    wrong.push(`memory grows: ${Math.round((half - before) / 1e6)} MB, then ${grown_mb} MB`);
  }
  if (flood.plain === true && status === 0) wrong.push("status 0");
  const evicted = result.ok ? result.summary.evicted : {};
  return { status, bytes: poured, seconds, grown_mb, evicted, cut, wrong };
}
