// SPDX-License-Identifier: Apache-2.0
// The rules of an SMMUv3 (S1-S31): Arm IHI 0070.
//
// `status: MODELLED` needs a scenario whose head names the rule: test/rules.test.ts looks.

import type { HardwareRule } from "./rule.ts";
import { followsFrom, MODELLED, notModelled } from "./rule.ts";

export const SMMUV3: readonly HardwareRule[] = [
  {
    id: "S1",
    title: "from stream to tables",
    text:
      "A StreamID selects an STE, a SubstreamID a CD in its table; the CD has the table " +
      "bases, the ASID and ASET, the STE the stage-2 table, the VMID and the ATS mode.",
    source: "SMMU 3.3, 3.9, 5",
    status: MODELLED,
  },
  {
    id: "S2",
    title: "what a TLB entry is tagged with",
    text:
      "StreamWorld, VMID, and ASID with ASET unless global: neither StreamID nor " +
      "SubstreamID. Two streams with one ASID share entries.",
    source: "SMMU 3.17",
    status: MODELLED,
  },
  {
    id: "S3",
    title: "configuration caches may hold invalid structures",
    text:
      "An STE or CD may be cached whole or in part at any time, invalid ones too: making " +
      "it valid takes a CMD_CFGI.",
    source: "SMMU 3.21.3",
    status: MODELLED,
  },
  {
    id: "S4",
    title: "completion of a configuration invalidation",
    text:
      "It completes when the walks and transactions that used the old structure are " +
      "visible or have begun anew.",
    source: "SMMU 3.21.3",
    status: MODELLED,
  },
  {
    id: "S5",
    title: "who hears broadcasts",
    text:
      "With IDR0.BTM=1 and CR2.PTM=0 the SMMU takes part in broadcast TLB maintenance; " +
      "with PTM=1 it may ignore it.",
    source: "SMMU 3.17",
    status: MODELLED,
  },
  {
    id: "S6",
    title: "private address spaces (ASET)",
    text:
      "With CD.ASET=1 a broadcast that matches by ASID need not apply; all other " +
      "broadcasts, and every command, do.",
    source: "SMMU 3.17, 16.7.7",
    status: MODELLED,
  },
  {
    id: "S7",
    title: "what a broadcast matches",
    text:
      "The SMMU answers in its own shareability domain; with narrower ASIDs, other " +
      "exception levels or VMID wildcards it may match more or less.",
    source: "SMMU 3.17.4-6",
    status: MODELLED,
  },
  {
    id: "S8",
    title: "broadcasts do not reach the ATC",
    text:
      "A broadcast TLBI never makes an ATC invalidation, because the SMMU does not map an " +
      "ASID back to devices.",
    source: "SMMU 3.9.1",
    status: MODELLED,
  },
  {
    id: "S9",
    title: "the SMMU's TLB obeys the CPU's rules",
    text:
      "Walks, caching, invalidation and completion are those of the PE: valid " +
      "translations alone, at any time, and a stale read-only one may go on denying.",
    source: "SMMU 3.21.1",
    status: MODELLED,
  },
  {
    id: "S10",
    title: "completion of a TLB invalidation",
    text:
      "Entries are gone, walks that could make them are done or begin anew, and every " +
      "transaction that was translated with them is visible.",
    source: "SMMU 3.21.1",
    status: MODELLED,
  },
  {
    id: "S11",
    title: "two completions that do not wait for each other",
    text:
      "CMD_SYNC does not wait for broadcasts that were received; a DSB does not wait for " +
      "commands.",
    source: "SMMU 4.7.3",
    status: MODELLED,
  },
  {
    id: "S12",
    title: "when an invalidation begins",
    text:
      "A broadcast after the TLBI was executed, a command after it was consumed from the " +
      "queue. Consumed is not completed.",
    source: "SMMU 3.21.1, 4.7.3",
    status: MODELLED,
  },
  {
    id: "S13",
    title: "order of commands",
    text:
      "Commands are consumed in order and take effect in any order; CMD_SYNC waits for " +
      "all before it, and later ones do not begin until it is done.",
    source: "SMMU 4.7.3",
    status: MODELLED,
  },
  {
    id: "S14",
    title: "scopes of TLB commands",
    text:
      "By VA and ASID, by ASID, or all; Leaf=1 leaves entries above the last level; with " +
      "RIL, ranges with granule and level, which narrow the scope if given.",
    source: "SMMU 4.1.1, 4.4",
    status: MODELLED,
  },
  {
    id: "S15",
    title: "scopes of configuration commands",
    text: "CMD_CFGI_STE, _STE_RANGE, _CD, _CD_ALL and _ALL remove what S3 lets the SMMU hold.",
    source: "SMMU 4.3",
    status: MODELLED,
  },
  {
    id: "S16",
    title: "break-before-make in the SMMU",
    text:
      "Level 1 may report a conflict if a size changed without nT; at level 2 one of the " +
      "entries is used, never a mixture. Among agents that share a table the lowest level " +
      "counts.",
    source: "SMMU 3.21.1.2-3",
    status: notModelled(
      "an SMMU reports no conflict here: of the entries that it may hold, one is used",
    ),
  },
  {
    id: "S17",
    title: "scope of CMD_ATC_INV",
    text:
      "A span of a power of two, aligned down; without a SubstreamID it hits entries with " +
      "and without PASID; the Global flag is passed on.",
    source: "SMMU 4.5.1",
    status: MODELLED,
  },
  {
    id: "S18",
    title: "TLB first, ATC second",
    text:
      "A translation request may be answered from the SMMU's TLB: its invalidation has to " +
      "be complete before CMD_ATC_INV is issued.",
    source: "SMMU 3.9.1, 4.5.1",
    status: MODELLED,
  },
  {
    id: "S19",
    title: "responses give no visibility",
    text:
      "CMD_PRI_RESP promises nothing even after a CMD_SYNC. A resumed transaction counts " +
      "as new and respects every invalidation since.",
    source: "SMMU 4.6.1, 4.7.1",
    status: MODELLED,
  },
  {
    id: "S20",
    title: "stalled transactions",
    text:
      "They hold up neither invalidation nor CMD_SYNC, and may be tried again without a " +
      "resume. PCIe cannot stall.",
    source: "SMMU 3.12.2, 4.7.3",
    status: MODELLED,
  },
  {
    id: "S21",
    title: "no old events after a CMD_SYNC",
    text:
      "Events recorded after it come from configurations and translations visible after " + "it.",
    source: "SMMU 4.7.3",
    status: notModelled("a fault is handled where it is found, and no event waits to be recorded"),
  },
  {
    id: "S22",
    title: "answers to translation requests",
    text:
      "A fault of translation is answered with no permission and no event, one of " +
      "permission with part of what was asked, ATS disabled with UR, wrong configuration " +
      "with CA.",
    source: "SMMU 3.9.1.2",
    status: MODELLED,
  },
  {
    id: "S23",
    title: "updates at translation requests",
    text:
      "The access flag is set for each request that succeeds; a request that means to " +
      "write (NW=0) makes a clean page dirty before any write.",
    source: "SMMU 3.13.7",
    status: MODELLED,
  },
  {
    id: "S24",
    title: "translated requests",
    text:
      "They pass unchecked unless ATSCHK=1 and EATS asks for more. With EATS=01 a stale " +
      "or forged address passes.",
    source: "SMMU 3.9.1, 3.9.1.3",
    status: MODELLED,
  },
  {
    id: "S25",
    title: "no global completions",
    text: "The Global bit of an answer to a request with a PASID is 0.",
    source: "SMMU 3.9.1",
    status: MODELLED,
  },
  {
    id: "S26",
    title: "top-byte ignore and ATS",
    text:
      "With TBI an ATC may hold one address under each of 256 tags, and all of them have " +
      "to be invalidated.",
    source: "SMMU 3.9.1",
    status: notModelled("addresses have no tags"),
  },
  {
    id: "S27",
    title: "nesting and ATS",
    text: "A change at either stage takes an ATC invalidation.",
    source: "SMMU 3.9.1",
    status: notModelled("there is no stage 2 behind an SMMU"),
  },
  {
    id: "S28",
    title: "turning ATS on and off",
    text:
      "On: the STE, then the device. Off: the device, an ATC invalidation and CMD_SYNC, " +
      "then the STE.",
    source: "SMMU 3.9.2",
    status: followsFrom("S22", "S24"),
  },
  {
    id: "S29",
    title: "a full PRI queue",
    text:
      "Until the overflow is acknowledged, the last request of a group is answered " +
      "Success by hardware and the others are dropped, so that software may hold half a " +
      "group.",
    source: "SMMU 8.1, 3.9.1",
    status: MODELLED,
  },
  {
    id: "S30",
    title: "ATC invalidations that time out",
    text:
      "The next CMD_SYNC reports CERROR_ATC_INV_SYNC; which invalidations were lost is " +
      "unknown, and a repeated CMD_SYNC may succeed without them.",
    source: "SMMU 3.9.1.4, 4.7.3, 7.1",
    status: MODELLED,
  },
  {
    id: "S31",
    title: "ATC invalidations answered with UR",
    text: "They complete without an error, perhaps without having invalidated anything.",
    source: "SMMU 3.9.1.5",
    status: MODELLED,
  },
];
