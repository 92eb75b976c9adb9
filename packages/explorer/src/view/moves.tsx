// SPDX-License-Identifier: Apache-2.0
// What can happen next at the cursor, by who does it; one click takes it.

import type { ShownMove } from "shootdown";
import { captionOf } from "../model/drawing.ts";
import type { Store } from "../model/store.ts";

interface Numbered extends ShownMove {
  readonly number: number;
}

const GROUPS = [
  ["programs", (k: string) => k === "thread"],
  ["hardware goes on", (k: string) => k === "effect" || k === "rule"],
  ["caches may take or drop", (k: string) => k === "fill" || k === "evict"],
] as const;

export function MovesPanel({ store }: { readonly store: Store }) {
  const found = store.seen.value;
  if (!found) return null;
  const moves = found.seen.moves.map((m, number): Numbered => ({ ...m, number }));
  if (moves.length === 0) return <p class="empty">Nothing can happen any more.</p>;
  return (
    <div class="moves">
      {GROUPS.map(([title, is]) => {
        const own = moves.filter((m) => is(m.shown.kind));
        if (own.length === 0) return null;
        const free = own.length > 8;
        return (
          <details key={title} open={!free || title === "programs"}>
            <summary>
              {title} ({own.length})
            </summary>
            <ul>
              {own.map((m) => (
                <li key={m.number}>
                  <button type="button" onClick={() => void store.take(m.number)}>
                    {m.shown.kind === "thread" && <b>{m.shown.agent} </b>}
                    {captionOf(m.shown)}
                  </button>
                </li>
              ))}
            </ul>
          </details>
        );
      })}
    </div>
  );
}
