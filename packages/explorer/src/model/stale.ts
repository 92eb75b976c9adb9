// SPDX-License-Identifier: Apache-2.0
// Entries of translation caches that memory would not give any more, with what it says instead.

import type { HeldView, StateView } from "shootdown";

export interface Stale {
  readonly cell: string;
  readonly owner: string;
  readonly entry: HeldView;
  /** The page or region that it is for. */
  readonly page: string;
  /** The entry of the page table, if there is one of that name. */
  readonly memory: string | null;
}

export function staleIn(view: StateView): Stale[] {
  return view.caches.flatMap(({ cell, owner, entries }) =>
    entries
      .filter((e) => e.stale)
      .map((entry): Stale => {
        const keys = /\[(.*)\]$/.exec(entry.place)?.[1]?.split(",") ?? [];
        const page = keys.at(-1) ?? entry.place;
        return { cell, owner, entry, page, memory: memoryAt(view, keys, page) };
      }),
  );
}

function memoryAt(view: StateView, keys: readonly string[], page: string): string | null {
  const mm = keys.map((k) => /asid\((\w+)\)$/.exec(k)?.[1]).find((m) => m !== undefined);
  const tables = view.tables.filter((t) => mm === undefined || t.mm === mm);
  const found = tables.flatMap((t) =>
    t.regions.flatMap((r) => r.entries.filter((e) => e.name === page)),
  );
  return found.length === 1 ? found[0]!.value : null;
}
