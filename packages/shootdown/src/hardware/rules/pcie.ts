// SPDX-License-Identifier: Apache-2.0
// The rules of PCIe functions with ATS, PASID and PRI (P1-P18): PCIe Base 6, chapter 10.
//
// `status: MODELLED` needs a scenario whose head names the rule: test/rules.test.ts looks.

import type { HardwareRule } from "./rule.ts";
import { MODELLED, notModelled } from "./rule.ts";

export const PCIE: readonly HardwareRule[] = [
  {
    id: "P1",
    title: "translation requests",
    text:
      "A request asks for one or several translations, and may say that it will not " +
      "write; the answer may hold fewer, contiguous and of one size.",
    source: "PCIe Base 10.2.3-10.2.4",
    status: MODELLED,
  },
  {
    id: "P2",
    title: "what an ATC caches",
    text:
      "An answer without read and write permission is not cached; any other may be, with " +
      "just these permissions, over any part of its range, and is never changed in place.",
    source: "PCIe Base 10.2.3.1, 10.2.3.5",
    status: MODELLED,
  },
  {
    id: "P3",
    title: "more permission needs no invalidation",
    text:
      "A function that needs more than its entry permits may ask again, and may as well " +
      "give up. Less permission takes an invalidation.",
    source: "PCIe Base 10.2.3.5",
    status: MODELLED,
  },
  {
    id: "P4",
    title: "untranslated-only and global entries",
    text:
      "With U=1 only untranslated accesses are made. With Global=1 an entry may serve " +
      "every PASID, if the function supports their invalidation.",
    source: "PCIe Base 10.2.3.4, 10.2.3.8",
    status: MODELLED,
  },
  {
    id: "P5",
    title: "scope of an invalidation request",
    text: "A naturally aligned power of two, or all; any overlap deletes the whole entry.",
    source: "PCIe Base 10.2.3.1, 10.3.1",
    status: MODELLED,
  },
  {
    id: "P6",
    title: "before its completion",
    text:
      "Until a function sends the completion it may go on with the old address, even with " +
      "an answer that arrives in between.",
    source: "PCIe Base 10.1.1, 10.3.6",
    status: MODELLED,
  },
  {
    id: "P7",
    title: "what the completion promises",
    text:
      "No new request by the old address, reads by it answered, answers under way " +
      "received or marked, posted writes by it sent ahead.",
    source: "PCIe Base 10.3.3",
    status: MODELLED,
  },
  {
    id: "P8",
    title: "answers under way",
    text:
      "Invalidation requests and answers pass each other: the ATC discards answers to " +
      "requests that were outstanding and overlap.",
    source: "PCIe Base 10.3.6",
    status: MODELLED,
  },
  {
    id: "P9",
    title: "completions push writes",
    text:
      "A copy of the completion in each traffic class that carried posted writes; all " +
      "copies have to arrive, and several tags may share one.",
    source: "PCIe Base 10.3.2-10.3.3",
    status: MODELLED,
  },
  {
    id: "P10",
    title: "which PASIDs an invalidation matches",
    text:
      "With a PASID its own non-global entries; with Global all; without a PASID entries " +
      "of every PASID.",
    source: "PCIe Base 10.3.8",
    status: MODELLED,
  },
  {
    id: "P11",
    title: "resets",
    text:
      "A function answers even if ATS is off; a function-level reset or change of power " +
      "state may drop requests, and clears the ATC.",
    source: "PCIe Base 10.3.3-10.3.7",
    status: MODELLED,
  },
  {
    id: "P12",
    title: "bounds",
    text:
      "At most 32 outstanding invalidations a function, and an answer within a minute and " +
      "a half.",
    source: "PCIe Base 10.3.1, 10.3.5",
    status: MODELLED,
  },
  {
    id: "P13",
    title: "no circular waiting",
    text:
      "Accepting an invalidation does not hang on sending completions, nor progress of " +
      "requests on receiving them.",
    source: "PCIe Base 10.3.3-10.3.4",
    status: MODELLED,
  },
  {
    id: "P14",
    title: "translated and untranslated traffic",
    text: "The two are not ordered with each other.",
    source: "PCIe Base 10.2.3.5",
    status: notModelled(
      "memory holds no data in this model, so that the order of two accesses of a device " +
        "cannot be seen",
    ),
  },
  {
    id: "P15",
    title: "page requests",
    text:
      "Speculative and repeated requests are allowed, groups get one response, and " +
      "Success does not promise that the page is still there. A request to write may make " +
      "the page dirty.",
    source: "PCIe Base 10.4, 10.4.2",
    status: MODELLED,
  },
  {
    id: "P16",
    title: "stop markers",
    text:
      "A stop marker follows all page requests of a PASID; after it the PASID is a new " +
      "one. Without it the function waits for every response.",
    source: "PCIe Base 10.4.1.2",
    status: MODELLED,
  },
  {
    id: "P17",
    title: "broken devices",
    text:
      "A device may forge translated addresses, ignore or acknowledge invalidations early " +
      "or never, flood requests, or write through a read-only entry.",
    source: "PCIe Base 10; Linux drivers/pci/ats.c",
    status: MODELLED,
  },
  {
    id: "P18",
    title: "devices inside the SoC",
    text:
      "Before the completion everything that used the old address has reached global " +
      "observation. Some parts need the invalidation twice.",
    source: "VT-d 4.4; Linux drivers/iommu/intel/cache.c",
    status: MODELLED,
  },
];
