// SPDX-License-Identifier: Apache-2.0
// Raw descriptors of VT-d's queue, as recorded, and what they say.
import { expect, test } from "vitest";
import { decodeDescriptor, formatSid } from "./vtd-descriptor.ts";
import { isVtdLog } from "./vtd-log.ts";
import { PAGE_LIMIT, parseWord } from "./word64.ts";

const decode = (low: string, high: string) => decodeDescriptor(parseWord(low)!, parseWord(high)!);

test.each([
  ["0x800f2", "0xfffec000", { kind: "iotlb", granularity: "pages", did: 8, leaf_only: false }],
  ["0x800f2", "0xfffd7040", { kind: "iotlb", start: 0xfffd7, end: 0xfffd8, leaf_only: true }],
  ["0x800f2", "0xfff80007", { kind: "iotlb", start: 0xfff80, end: 0x100000 }],
  ["0x800e2", "0x0", { kind: "iotlb", granularity: "domain", did: 8, start: 0, end: PAGE_LIMIT }],
  ["0xd2", "0x0", { kind: "iotlb", granularity: "global" }],
  ["0x800c2", "0x0", { kind: "iotlb", granularity: "unknown" }],
  ["0x10000000003", "0xfffec000", { kind: "device", sid: 0x100, start: 0xfffec, end: 0xfffed }],
  ["0x10000000003", "0xfff7f001", { kind: "device", start: 0xfff00, end: 0x100000 }],
  ["0x10000000003", "0x7ffffffffffff001", { kind: "device", granularity: "global", start: 0 }],
  ["0x20000090031", "0x0", { kind: "context", granularity: "device", did: 9, sid: 0x200 }],
  ["0x200000025", "0xd5bbc14", { kind: "wait", fence: false }],
  ["0x200000075", "0xd5bbc14", { kind: "wait", fence: true }],
  ["0x37", "0x0", { kind: "pasid_cache", granularity: "global" }],
  ["0x500010026", "0x0", { kind: "pasid_iotlb", granularity: "pasid", did: 1, pasid: 5 }],
  ["0x502000008", "0x1800", { kind: "pasid_device", sid: 0x200, pasid: 5, start: 0, end: 4 }],
  ["0xf", "0x0", { kind: "unknown", type: 15 }],
  ["0x202", "0x0", { kind: "unknown", type: 2 }],
])("%s %s", (low, high, expected) => {
  expect(decode(low, high)).toMatchObject(expected);
});

test("requester ids read as lspci writes them", () => {
  expect([0x100, 0x20, 0xfff].map(formatSid)).toEqual(["01:00.0", "00:04.0", "0f:1f.7"]);
});

test.each([
  [true, "1@2.000003:vtd_inv_qi_tail write tail 6\n"],
  [true, "vtd_inv_qi_tail write tail 6\n"],
  [true, "1@2.000003:virtio_blk_handle_read x\r\n1@2.000004:vtd_dmar_translate y\r\n"],
  [false, "1@2.000003:smmuv3_cmdq_opcode <--- CMD_SYNC\n"],
  [false, "# tracer: nop\n"],
  [false, ""],
])("recognised: %s %j", (expected, head) => {
  expect(isVtdLog(head)).toBe(expected);
});
