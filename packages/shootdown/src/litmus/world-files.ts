// SPDX-License-Identifier: Apache-2.0
// How files begin: what the page cache has, and which places map which page of a file.

import type { FieldDecl } from "../ir/expr.ts";
import {
  file_pages,
  folio_index,
  folio_mapcount,
  folio_mapping,
  i_mmap,
  i_pages,
  is_file_page,
  PG_dirty,
  VM_SHARED,
  vm_file,
  vm_pgoff,
} from "../kernel/state.ts";
import type { InitialPlace } from "./places.ts";
import type { Addresses, World } from "./world.ts";

const isFile = (p: InitialPlace): boolean => p.vma.backing === "file";

/** Each page that the cache has at the start, by name, is a page of a file of its own number. */
export function pgoffsOf(places: readonly InitialPlace[]): ReadonlyMap<string, number> {
  const names = new Set(places.flatMap((p) => p.cached ?? []));
  return new Map([...names].map((name, n) => [name, n]));
}

/** Places of files whose page the cache does not have: none is mapped, or a copy. */
export const unnamed = (places: readonly InitialPlace[]): readonly InitialPlace[] =>
  places.filter((p) => isFile(p) && p.cached === undefined);

type Put = (field: { readonly decl: FieldDecl }, index: readonly number[], value: number) => void;

/** Nothing, where no place is one of a file. */
export function initialFiles(
  places: readonly InitialPlace[],
  { domain, mms, frames, pgoffs }: Omit<World, "initial">,
  addresses: Addresses,
  put: Put,
): void {
  if (!places.some(isFile)) return;
  put(file_pages, [], 1);
  const others = unnamed(places);
  for (const p of places.filter(isFile)) {
    const at = [mms.indexOf(p.mm), addresses.of.get(p.va)!];
    const own = pgoffs.size + others.indexOf(p);
    put(vm_file, at, 1);
    put(i_mmap, at, 1);
    put(VM_SHARED, at, p.vma.sharing === "shared-mapping" ? 1 : 0);
    put(vm_pgoff, at, p.cached === undefined ? own : pgoffs.get(p.cached)!);
  }
  // Where the cache has nothing: the kernel's zero page, which is in no cache.
  const nothing = domain.sizes["pfn"]! - 1;
  for (let n = pgoffs.size; n < domain.sizes["pgoff"]!; n++) put(i_pages, [n], nothing);
  for (const [name, index] of pgoffs) {
    const frame = frames.get(name)!;
    const mapped = places.flatMap((p) => (p.cached === name && p.pte ? [p.pte] : []));
    put(i_pages, [index], frame);
    put(folio_mapping, [frame], 1);
    put(folio_index, [frame], index);
    put(is_file_page, [frame], 1);
    put(folio_mapcount, [frame], mapped.length);
    // The file system was told of the writes.
    if (mapped.some((e) => e.writable || e.dirty)) put(PG_dirty, [frame], 1);
  }
}
