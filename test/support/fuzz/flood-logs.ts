// SPDX-License-Identifier: Apache-2.0
// Floods of logs: queues of IOMMUs, executed instructions, casemate's steps, JSON, perf.
import { did, type Flood, hex } from "./flood-events.ts";

export const VTD =
  "27776@1795328305.802947:vtd_inv_desc invalidate desc type iotlb high 0x1000 low 0x800f2\n";
const qemu = (n: number, text: string): string =>
  `27776@${1_795_328_306 + Math.floor(n / 1e6)}.${String(n % 1e6).padStart(6, "0")}:${text}\n`;
const instruction = (n: number, cpu: number, text: string): string =>
  `${n + 1} cpu=${cpu} t=${(n / 1e6).toFixed(6)} ${text}\n`;
export const START = "0 cpu=0 t=0.000000 START realtime=1795325787.293070\n";
export const command = (n: number, op: string): string =>
  qemu(n, `smmuv3_cmdq_opcode <--- SMMU_CMD_${op}`);
const inval = (n: number, asid: number, addr: number, pages: number): string =>
  qemu(
    n,
    `smmuv3_s1_range_inval vmid=0 asid=${asid} addr=${hex(addr)} tg=1 ` +
      `num_pages=${hex(pages)} ttl=3 leaf=1`,
  );
const insert = (n: number, asid: number, page: number, level = 3): string =>
  qemu(n, `smmu_iotlb_insert IOTLB ++ asid=${asid} addr=${hex(page * 4096)} tg=1 level=${level}`);

export const LOGS: readonly Flood[] = [
  {
    name: "vtd: domain ids and devices",
    head: VTD,
    more: (n) =>
      qemu(n, `vtd_inv_desc invalidate desc type iotlb high ${hex(n * 4096)} low ${did(n, 0xf2)}`) +
      qemu(
        n,
        "vtd_inv_desc invalidate desc type device high 0x0 low " +
          `0x${(n % 65536).toString(16)}00000003`,
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
export const TABLES =
  `${S}0x40000000) (value 0x40001003))\n${S}0x40001000) (value 0x40002003))\n` +
  `${S}0x40002000) (value 0x40003003))\n${ROOTED}`;

export const CASEMATE: readonly Flood[] = [
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
        ? `${S}${hex(0x40003000 + (n % 512) * 8)}) ` +
          `(value ${n % 1024 < 512 ? "0x80000703" : "0x0"}))\n`
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
      "(mem-set (tid 0) (address 0x40000000) (value 0x0) " +
      `(size ${hex(n % 2 ? 2 ** 40 : 2 ** 19)}))\n` +
      `(mem-init (tid 0) (address ${hex(n * 4096)}) (size 0x1000))\n`,
  },
  {
    name: "casemate: locks, roots, VMIDs",
    head: TABLES,
    more: (n) =>
      `(lock (tid ${n}) (address ${hex(n * 8)}))\n(hint (tid 0) (kind set_root_lock) ` +
      `(location ${hex(n * 4096)}) (value ${hex(n)}))\n` +
      `(sysreg-write (tid ${n}) (sysreg vttbr_el2) ` +
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

export const JSON_HEAD = `${JSON.stringify({ type: "attached_probes", data: { probes: 4 } })}\n`;
export const OTHERS: readonly Flood[] = [
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
