// SPDX-License-Identifier: Apache-2.0
// Parts of a machine's name that are about PCIe functions: detail, what is imagined, and faults.

import { type Part, part } from "../part.ts";

export const PCIE_PARTS: readonly Part[] = [
  part("inflight", "requests of functions, answers and completions are in flight for a while (P7)"),
  part("pri", "page requests may ask for too much, come twice, and meet a full queue (P15)"),
  part("integrated", "functions on a fabric where completions push no writes ahead (P18)"),
  part("atcwide", "translation requests are answered for two pages at once (P5)"),
  part("atcglobal", "imagined: translation requests are answered with Global=1 (P4, S25)"),
  part("atcuntranslated", "imagined: translation requests are answered with U=1 (P4)"),
  part("atcforges", "fault: functions forge translated requests for any frame (P17)"),
  part("atcignores", "fault: functions confirm invalidations and ignore them (P17)"),
  part("atcearly", "fault: functions confirm invalidations before they do them (P17)"),
  part("atcsilent", "fault: functions never confirm an invalidation (P17)"),
  part("atctwice", "fault: of two invalidations only the second one is sure (P18)"),
  part("atcholds", "fault: functions answer no invalidation before their page requests are (P13)"),
];
