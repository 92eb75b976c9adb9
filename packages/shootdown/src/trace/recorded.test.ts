// SPDX-License-Identifier: Apache-2.0
// Lines of recordings that were once misjudged, each cut to one operation, with what is right.
import { describe, expect, test } from "vitest";
import { checkTrace, type TraceOptions } from "./check.ts";
import type { Finding } from "./finding.ts";
import { bytesOf } from "./importers/bytes.ts";

const SECONDARY = {
  "6.1": "__mmu_notifier_invalidate_range",
  "6.12": "__mmu_notifier_arch_invalidate_secondary_tlbs",
};

/** Recorded lines "PID EVENT: FIELDS" (M is the mm) after those that show mm and contract. */
async function check(kernel: keyof typeof SECONDARY, lines: string, options: TraceOptions = {}) {
  const before = [
    "1 mn_register: (__mmu_notifier_register+0x0/0x1fc) mm=M",
    `1 mn_invalidate_secondary: (${SECONDARY[kernel]}+0x0/0xb8) mm=M start=0x1000 end=0x2000`,
  ];
  const text = [...before, ...lines.trim().split("\n")]
    .map((line, at) => {
      const [, pid, rest] = /^\s*(\d+) (.*)$/.exec(line)!;
      const shown = rest!.replace("mm=M", "mm=0xffff000041a51400");
      return `             mix-${pid}     [000] d....    16.40${String(1000 + at)}: ${shown}\n`;
    })
    .join("");
  const findings: Finding[] = [];
  const onFinding = (finding: Finding) => findings.push(finding);
  const result = await checkTrace(bytesOf(`# tracer: nop\n#\n${text}`), { ...options, onFinding });
  if (!result.ok) throw new Error(result.error.message);
  return {
    said: findings.map(({ class: found, operation }) => `${found} ${operation}`),
    summary: result.summary,
  };
}

describe("hugetlb", () => {
  test("migration of a 2 MiB page: the clear is short, the entry put in its place no second one", async () => {
    const { said } = await check(
      "6.12",
      `
218 handle_mm_fault: (handle_mm_fault+0x0/0x2a8) mm=M vm_flags=0x4400fb addr=0xffffa0200000 flags=0x255
218 handle_mm_fault_ret: (do_page_fault+0x110/0x4c0 <- handle_mm_fault) ret=0x0
218 sys_move_pages(pid: 0, nr_pages: 2, pages: ffffee680e58, nodes: ffffee680e50, status: ffffee680e48, flags: 2)
218 try_to_migrate_one: (try_to_migrate_one+0x0/0xb70) folio=0xfffffdffc0488000 mm=M addr=0xffffa0200000 flags=0x80
218 mn_invalidate_range_start: (__mmu_notifier_invalidate_range_start+0x0/0x288) mm=M start=0xffffa0200000 end=0xffffa0400000 flags=1 event=1
218 tlb_finish_mmu: (tlb_finish_mmu+0x0/0x1d0) tlb=0xffff800084a737f8 mm=M start=0x1000000000000 end=0x0 bits=0x200
218 tlb_finish_mmu_ret: (try_to_migrate_one+0x624/0xb70 <- tlb_finish_mmu)
218 huge_ptep_clear_flush: (huge_ptep_clear_flush+0x0/0xb0) mm=M addr=0xffffa0200000 ptep=0xffff00004169b808
218 ptep_clear_flush: (ptep_clear_flush+0x0/0x138) mm=M vm_flags=0x4400fb addr=0xffffa0200000 ptep=0xffff00004169b808 old=0xe8000052200f41
218 mn_invalidate_secondary: (__mmu_notifier_arch_invalidate_secondary_tlbs+0x0/0xb8) mm=M start=0xffffa0200000 end=0xffffa0201000
218 ptep_clear_flush_ret: (huge_ptep_clear_flush+0x9c/0xb0 <- ptep_clear_flush) pte=0xe8000052200f41
218 set_huge_pte_at: (set_huge_pte_at+0x0/0x178) mm=M addr=0xffffa0200000 ptep=0xffff00004169b808 pte=0x3000052200780 size=0x200000
218 set_migration_pte: addr=ffffa0200000, pte=3000052200780 order=9
218 mn_invalidate_range_end: (__mmu_notifier_invalidate_range_end+0x0/0xc0) mm=M start=0xffffa0200000 end=0xffffa0400000 flags=1 event=1
218 sys_move_pages -> 0x0
`,
    );
    expect(said).toEqual(["short huge_ptep_clear_flush"]);
  });
});
