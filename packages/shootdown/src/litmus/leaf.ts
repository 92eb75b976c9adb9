// SPDX-License-Identifier: Apache-2.0
// Descriptors of a scenario as numbers, and where its page tables are.

import type { Domain } from "../engine/program.ts";
import { wordLayout } from "../engine/word.ts";
import { desc } from "../vocabulary/descriptor.ts";

/** The number of a region's own table. */
export function tableOf(domain: Domain, mm: number, va: number): number {
  const regions = domain.sizes["region"]!;
  return mm * regions + Math.floor(va / domain.limits["PTRS_PER_PTE"]!);
}

export interface LeafBits {
  readonly writable: boolean;
  readonly dirty: boolean;
  readonly young: boolean;
  readonly pfn: number;
}

/** A leaf as a number, as the kernel would write it for a page with these attributes. */
export function leafValue(domain: Domain, { writable, dirty, young, pfn }: LeafBits): number {
  return wordValue(domain, {
    valid: 1,
    AF: young ? 1 : 0,
    RDONLY: writable && dirty ? 0 : 1,
    DBM: writable ? 1 : 0,
    DIRTY: dirty ? 1 : 0,
    pfn,
  });
}

/** A descriptor with these fields. */
export function wordValue(domain: Domain, parts: Readonly<Record<string, number>>): number {
  const layout = wordLayout(desc, domain);
  return Object.entries(parts).reduce((v, [name, x]) => layout.put(v, name, x), 0);
}
