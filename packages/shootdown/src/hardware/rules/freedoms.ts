// SPDX-License-Identifier: Apache-2.0
// The freedom matrix: what an agent may do and what not, cell by cell, for `Cells:` lines.
//
//   F1-F18   CPUs                  columns arm64, x86
//   I1-I20   an SMMUv3             columns smmu (without BTM), btm
//   C1-C13   an ATC that conforms  column atc

import type { Freedom, Verdict } from "./rule.ts";

const ALLOWED = (rule: string): Verdict => ({ is: "allowed", rule });
const FORBIDDEN = (rule: string): Verdict => ({ is: "forbidden", rule });
const CONDITIONAL = (rule: string): Verdict => ({ is: "conditional", rule });

/** Of CPUs. */
export const CPU_FREEDOMS: readonly Freedom[] = [
  {
    id: "F1",
    says: "a walk is made and its leaf cached without an access",
    columns: { arm64: ALLOWED("A2"), x86: ALLOWED("X1") },
  },
  {
    id: "F2",
    says: "an invalid entry is cached",
    columns: { arm64: FORBIDDEN("A1"), x86: FORBIDDEN("X1") },
  },
  {
    id: "F3",
    says: "an entry with a clear access flag is cached",
    columns: { arm64: FORBIDDEN("A1"), x86: FORBIDDEN("X1") },
    notShown: {
      x86: "the CPU sets the flag before it uses an entry: one kept without is not told apart",
    },
  },
  {
    id: "F4",
    says: "a stale entry of less permission survives a fault",
    columns: { arm64: ALLOWED("A3"), x86: FORBIDDEN("X3") },
  },
  {
    id: "F5",
    says: "a stale entry of more permission, or of an old frame, stays until it is invalidated",
    columns: { arm64: ALLOWED("A2"), x86: ALLOWED("X1") },
  },
  {
    id: "F6",
    says: "the new, then the old value of an entry is used",
    columns: { arm64: ALLOWED("A2"), x86: ALLOWED("X1") },
  },
  {
    id: "F7",
    says: "a table entry stays cached, and leaf-only maintenance leaves it",
    columns: { arm64: ALLOWED("A21"), x86: CONDITIONAL("X2") },
  },
  {
    id: "F8",
    says: "a walk under way puts a stale entry back after the invalidation is complete",
    columns: { arm64: FORBIDDEN("A5"), x86: FORBIDDEN("X2") },
  },
  {
    id: "F9",
    says: "entries go by themselves, or more of them than were asked for",
    columns: { arm64: ALLOWED("A4"), x86: ALLOWED("X1") },
  },
  {
    id: "F10",
    says: "a change of size or frame without break-before-make: conflict, or a mixture",
    columns: { arm64: ALLOWED("A19"), x86: CONDITIONAL("X4") },
    notShown: { x86: "there are no large pages (X4)" },
  },
  {
    id: "F11",
    says: "a block in pieces, or a contiguous group from one member",
    columns: { arm64: ALLOWED("A8"), x86: ALLOWED("X1") },
    notShown: { x86: "there are no large pages" },
  },
  {
    id: "F12",
    says: "the access flag is set by speculation",
    columns: { arm64: ALLOWED("A12"), x86: ALLOWED("X1") },
  },
  {
    id: "F13",
    says: "dirty state is set by speculation",
    columns: { arm64: FORBIDDEN("A13"), x86: FORBIDDEN("X1") },
  },
  {
    id: "F14",
    says: "a write through an entry cached as dirty leaves memory clean",
    columns: { arm64: ALLOWED("A14"), x86: ALLOWED("X1") },
  },
  {
    id: "F15",
    says: "the issuing CPU uses the old translation until a synchronization",
    columns: { arm64: ALLOWED("A27"), x86: FORBIDDEN("X2") },
  },
  {
    id: "F16",
    says: "an instruction invalidates on other CPUs",
    columns: { arm64: ALLOWED("A23"), x86: FORBIDDEN("X2") },
  },
  {
    id: "F17",
    says: "another CPU than the issuer knows that it is complete",
    columns: { arm64: FORBIDDEN("A27") },
  },
  {
    id: "F18",
    says: "a store to a descriptor is not seen by a walker without a barrier",
    columns: { arm64: ALLOWED("A20"), x86: FORBIDDEN("X1") },
  },
];

/** Of an SMMUv3, or of what goes through it. */
export const SMMU_FREEDOMS: readonly Freedom[] = [
  {
    id: "I1",
    says: "the IOTLB fills by speculation, prefetch or a translation request",
    columns: { smmu: ALLOWED("S9"), btm: ALLOWED("S9") },
  },
  {
    id: "I2",
    says: "the IOTLB holds an invalid entry",
    columns: { smmu: FORBIDDEN("S9"), btm: FORBIDDEN("S9") },
  },
  {
    id: "I3",
    says: "configuration caches hold invalid structures",
    columns: { smmu: ALLOWED("S3"), btm: ALLOWED("S3") },
  },
  {
    id: "I4",
    says: "a CPU's TLBI invalidates the IOTLB",
    columns: { smmu: FORBIDDEN("S5"), btm: ALLOWED("S5") },
  },
  {
    id: "I5",
    says: "a CPU's TLBI invalidates the ATC",
    columns: { smmu: FORBIDDEN("S8"), btm: FORBIDDEN("S8") },
  },
  {
    id: "I6",
    says: "invalidations of IOTLB and ATC change places in the queue",
    columns: { smmu: ALLOWED("S13"), btm: ALLOWED("S13") },
  },
  {
    id: "I7",
    says: "DMA by the old address until completion",
    columns: { smmu: ALLOWED("S10"), btm: ALLOWED("S10") },
  },
  {
    id: "I8",
    says: "DMA by the old address after completion",
    columns: { smmu: FORBIDDEN("S10"), btm: FORBIDDEN("S10") },
  },
  {
    id: "I9",
    says: "a stale read-only entry denies after an upgrade, and nothing repairs it",
    columns: { smmu: ALLOWED("S9"), btm: ALLOWED("S9") },
  },
  {
    id: "I10",
    says: "dirty state is set at a translation request, and no write follows",
    columns: { smmu: ALLOWED("S23"), btm: ALLOWED("S23") },
  },
  {
    id: "I11",
    says: "a device writes through its ATC after dirty state was cleared, and it stays clear",
    columns: { smmu: ALLOWED("S23"), btm: ALLOWED("S23") },
  },
  {
    id: "I12",
    says: "answers to translation requests are global",
    columns: { smmu: FORBIDDEN("S25"), btm: FORBIDDEN("S25") },
  },
  {
    id: "I13",
    says: "a timeout is reported late, and not whose it was",
    columns: { smmu: ALLOWED("S30"), btm: ALLOWED("S30") },
  },
  {
    id: "I14",
    says: "a later sync succeeds although an ATC invalidation was lost",
    columns: { smmu: ALLOWED("S30"), btm: ALLOWED("S30") },
  },
  {
    id: "I15",
    says: "an invalidation answered with UR looks successful",
    columns: { smmu: ALLOWED("S31"), btm: ALLOWED("S31") },
  },
  {
    id: "I16",
    says: "a full PRI queue answers Success",
    columns: { smmu: ALLOWED("S29"), btm: ALLOWED("S29") },
  },
  {
    id: "I17",
    says: "stalls take the place of page requests",
    columns: { smmu: ALLOWED("S20"), btm: ALLOWED("S20") },
  },
  {
    id: "I18",
    says: "translated requests pass unchecked",
    columns: { smmu: CONDITIONAL("S24"), btm: CONDITIONAL("S24") },
  },
  {
    id: "I19",
    says: "several matching entries: a fault, or one of them",
    columns: { smmu: CONDITIONAL("S16"), btm: CONDITIONAL("S16") },
  },
  {
    id: "I20",
    says: "commands and broadcasts complete together",
    columns: { smmu: FORBIDDEN("S11"), btm: FORBIDDEN("S11") },
  },
];

/** Of an ATC in a conforming device. */
export const ATC_FREEDOMS: readonly Freedom[] = [
  { id: "C1", says: "fills by speculative translation requests", columns: { atc: ALLOWED("P1") } },
  {
    id: "C2",
    says: "caches any part of the range that was answered",
    columns: { atc: ALLOWED("P2") },
  },
  { id: "C3", says: "loses entries at any time", columns: { atc: ALLOWED("P2") } },
  {
    id: "C4",
    says: "uses the old address until it sends the completion",
    columns: { atc: ALLOWED("P6") },
  },
  { id: "C5", says: "takes a minute and a half to answer", columns: { atc: ALLOWED("P12") } },
  {
    id: "C6",
    says: "ignores that an answer may be cached untranslated-only or globally",
    columns: { atc: ALLOWED("P4") },
  },
  {
    id: "C7",
    says: "joins completions, or sends several",
    columns: { atc: ALLOWED("P9") },
    notShown: { atc: "copies are made and waited for (P9); nobody sees how many" },
  },
  { id: "C8", says: "drops an invalidation during a reset", columns: { atc: ALLOWED("P11") } },
  { id: "C9", says: "asks again after a denial, or does not", columns: { atc: ALLOWED("P3") } },
  {
    id: "C10",
    says: "sends page requests twice, or by speculation",
    columns: { atc: ALLOWED("P15") },
  },
  { id: "C11", says: "caches an answer without permission", columns: { atc: FORBIDDEN("P2") } },
  {
    id: "C12",
    says: "uses the old address after the completion",
    columns: { atc: FORBIDDEN("P7") },
  },
  {
    id: "C13",
    says: "fills from an answer to a request that was outstanding when the invalidation came",
    columns: { atc: FORBIDDEN("P8") },
  },
];
