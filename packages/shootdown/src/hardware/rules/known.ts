// SPDX-License-Identifier: Apache-2.0
// Permitted behaviour that looks like a bug (E1-E15), and real failures to reproduce (H1-H12).

import type { KnownFailure, PermittedOddity } from "./rule.ts";

/** For `Silent:` lines: none of these may be reported. */
export const PERMITTED: readonly PermittedOddity[] = [
  { id: "E1", says: "an access by the old translation before the invalidation is complete" },
  { id: "E2", says: "a spurious fault after a permission was added" },
  {
    id: "E3",
    says: "flags set early: access without an access, dirty by a request without a write",
  },
  { id: "E4", says: "the new, then the old value of an entry before the invalidation" },
  { id: "E5", says: "a walk that mixes levels of different moments, all tables being live" },
  { id: "E6", says: "invalidation of more than was asked for" },
  { id: "E7", says: "an entry that equals memory survives a TLBI" },
  {
    id: "E8",
    says: "a stale access by speculation that nobody can notice",
    notShown: "silent by construction: only accesses of programs are events",
  },
  {
    id: "E9",
    says: "a read-only entry that changes its frame, contents equal, without break-before-make",
  },
  { id: "E10", says: "events before the CMD_SYNC for translations that are mended already" },
  { id: "E11", says: "Success to a page request, and at once another fault" },
  {
    id: "E12",
    says: "writes to a page being unmapped that land before completion",
  },
  { id: "E13", says: "reads of the old frame after copy on write, before completion" },
  { id: "E14", says: "a device that faults silently while its process exits" },
  { id: "E15", says: "clearing the access flag without a flush" },
];

/** For `Bug:` lines: found where it was wrong, silent where it was fixed. */
export const FAILURES: readonly KnownFailure[] = [
  {
    id: "H1",
    says: "AMD IOMMU: completion forgotten by another CPU (need_sync)",
    elsewhere: "of hardware that this model does not have",
  },
  {
    id: "H2",
    says: "AMD IOMMU: sequence number of a completion taken outside the lock",
    elsewhere: "of hardware that this model does not have",
  },
  { id: "H3", says: "SMMU: an ATC invalidation times out, and a repeated CMD_SYNC passes" },
  {
    id: "H4",
    says: "POWER9 NMMU: endless faults unless flushed before the upgrade",
    elsewhere: "of hardware that this model does not have",
  },
  {
    id: "H5",
    says: "VT-d SVA: kernel page tables freed without an IOTLB invalidation (CVE-2025-71202)",
    elsewhere: "of hardware that this model does not have",
  },
  {
    id: "H6",
    says: "arm64: a local flush on reuse, and secondary TLBs that expect the CPU's rules",
  },
  { id: "H7", says: "arm64 with BTM: the notifier is called before the DSB" },
  { id: "H8", says: "Cortex-A76 erratum 1286807: completion of a TLBI lies once" },
  {
    id: "H9",
    says: "a device that needs its invalidations twice",
  },
  { id: "H10", says: "enabling ATS while a page is unmapped" },
  { id: "H11", says: "x86: lazy TLB and the generation, a Dekker pair" },
  { id: "H12", says: "SMMU without BTM: nobody tells of an upgrade, and a device faults for ever" },
];
