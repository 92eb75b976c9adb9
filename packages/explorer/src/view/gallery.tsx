// SPDX-License-Identifier: Apache-2.0
// The scenarios that are shipped; a bug and its fix are one click each.

import { useState } from "preact/hooks";
import type { GalleryItem } from "../model/gallery.ts";
import type { Store } from "../model/store.ts";

export function GalleryPanel({
  store,
  done,
}: {
  readonly store: Store;
  readonly done: () => void;
}) {
  const [wanted, setWanted] = useState("");
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (i: GalleryItem) => {
    const text = `${i.path} ${i.sentence} ${i.bug.kernel}`.toLowerCase();
    return words.every((w) => text.includes(w));
  };
  return (
    <section class="gallery" aria-label="Scenarios">
      <input
        id="search"
        type="search"
        placeholder="search scenarios"
        aria-label="Search scenarios"
        value={wanted}
        onInput={(e) => setWanted(e.currentTarget.value)}
      />
      {store.gallery.value.groups.map((g) => {
        const items = g.items.filter(matches);
        return (
          items.length > 0 && (
            <details key={g.title} open={words.length > 0 || g.items.length < 12}>
              <summary>
                {g.title} ({items.length})
              </summary>
              <ul>
                {items.map((i) => (
                  <Item key={i.path} item={i} store={store} done={done} />
                ))}
              </ul>
            </details>
          )
        );
      })}
    </section>
  );
}

function Item({ item, store, done }: { item: GalleryItem; store: Store; done: () => void }) {
  const open = (which: "bug" | "fix") => {
    done();
    void store.choose(item.path, item[which] ?? item.bug);
  };
  return (
    <li class={store.scenario.value === item.path ? "current" : undefined}>
      <b>{item.name}</b> <span>{item.sentence}</span>
      <div>
        <button type="button" onClick={() => open("bug")}>
          {item.fix ? "the bug" : "open"} <small>{item.bug.kernel}</small>
        </button>
        {item.fix && (
          <button type="button" onClick={() => open("fix")}>
            the fix <small>{item.fix.kernel}</small>
          </button>
        )}
      </div>
    </li>
  );
}
