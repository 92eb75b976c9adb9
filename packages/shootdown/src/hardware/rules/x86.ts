// SPDX-License-Identifier: Apache-2.0
// The rules of an x86 CPU and of its shootdown (X1-X5): Intel SDM volume 3A, Linux.
//
// `status: MODELLED` needs a scenario whose head names the rule: test/rules.test.ts looks.

import type { HardwareRule } from "./rule.ts";
import { MODELLED } from "./rule.ts";

export const X86: readonly HardwareRule[] = [
  {
    id: "X1",
    title: "what may be cached",
    text:
      "No entry is made from one that is not present or not accessed; others at any time. " +
      "Through an entry cached as dirty a store does not set the dirty flag again.",
    source: "SDM 4.10.2.3, 4.10.4.3",
    status: MODELLED,
  },
  {
    id: "X2",
    title: "INVLPG",
    text:
      "Removes the page of the current PCID, global entries of it, and every paging- " +
      "structure cache of the PCID. Complete at once, on this CPU alone.",
    source: "SDM 4.10.4.1",
    status: MODELLED,
  },
  {
    id: "X3",
    title: "page faults repair themselves",
    text:
      "A fault removes the entries of its address, so that a spurious one happens at most " +
      "once.",
    source: "SDM 4.10.4.1, 4.10.4.3",
    status: MODELLED,
  },
  {
    id: "X4",
    title: "change of the size of a page",
    text: "Without an invalidation either translation may be used.",
    source: "SDM 4.10.2",
    status: MODELLED,
  },
  {
    id: "X5",
    title: "shootdown by interrupts, with lazy TLBs",
    text:
      "The generation is raised, then the CPUs that run the address space are " +
      "interrupted, lazy ones left out; these compare generations when they come back.",
    source: "Linux arch/x86/mm/tlb.c",
    status: MODELLED,
  },
];
