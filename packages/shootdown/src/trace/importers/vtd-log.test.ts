// SPDX-License-Identifier: Apache-2.0
// QEMU's log of the VT-d queue, line by line: what becomes a record, and what is damage.
import { expect, test } from "vitest";
import { bytesOf } from "./bytes.ts";
import type { IommuRecord } from "./iommu-record.ts";
import { readVtdLog } from "./vtd-log.ts";

async function read(...lines: readonly string[]) {
  const records: IommuRecord[] = [];
  const result = await readVtdLog(bytesOf(`${lines.join("\n")}\n`), {
    record: (record) => records.push(record),
  });
  if (!result.ok) throw new Error(result.error.message);
  const told = records.map((one) => {
    const line = one.at.line;
    return one.kind === "malformed" ? `${line} ${one.why}` : `${line} ${one.kind}`;
  });
  return { told, summary: result.value };
}

const at = (us: number, text: string) => `7@1795328305.${String(us).padStart(6, "0")}:${text}`;
const desc = (type: string, low: string, high = "0x0") =>
  `vtd_inv_desc invalidate desc type ${type} high ${high} low ${low}`;

test("descriptors, waits and bells; other events are passed over", async () => {
  const { told, summary } = await read(
    at(1, desc("iotlb", "0x800f2", "0x1000")),
    at(2, "vtd_inv_desc_iotlb_pages iotlb invalidate domain 0x8"),
    at(3, "vtd_inv_desc_wait_sw wait invalidate status write addr 0x1 data 0x2"),
    at(4, "vtd_inv_qi_tail write tail 6"),
    at(5, "vtd_dmar_translate dev 01:00.00 iova 0x1"),
    at(6, "virtio_blk_handle_read x"),
  );
  expect(told).toEqual(["1 descriptor", "3 waited", "4 rung"]);
  expect(summary).toMatchObject({ events: 3, lines: 6, ignored_lines: 0 });
  expect(summary.last_time_s).toBe(1795328305.000004);
});

test.each([
  ["context-cache", "0x1"],
  ["iotlb", "0x2"],
  ["device", "0x3"],
  ["iec", "0x4"],
  ["wait", "0x5"],
  ["piotlb", "0x6"],
  ["pc", "0x7"],
])("%s is of type %s, and of no other", async (name, low) => {
  expect((await read(at(1, desc(name, low)))).told).toEqual(["1 descriptor"]);
  const { told } = await read(at(1, desc(name, low === "0x7" ? "0x1" : "0x7")));
  expect(told).toEqual([`1 vtd_inv_desc of type ${name} is of another type`]);
});

test.each([
  ["time goes backwards", at(1, desc("iotlb", "0x2")), 1],
  ["NUL bytes", at(9, "vtd_dmar_translate \0"), 0],
  ["control characters", at(9, "vtd_dmar_translate \r x"), 0],
  ["not a line of QEMU's trace", "hello, world", 0],
  ["vtd_inv_desc has no two words", at(9, "vtd_inv_desc x"), 0],
  ["longer than 65536 bytes", at(9, `vtd_x ${"x".repeat(70_000)}`), 0],
])("%s", async (why, line, more) => {
  const { told } = await read(at(5, desc("iotlb", "0x2")), line);
  expect(told.slice(0, 2)).toEqual(["1 descriptor", `2 ${why}`]);
  expect(told).toHaveLength(2 + more);
});
