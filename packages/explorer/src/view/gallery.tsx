// SPDX-License-Identifier: Apache-2.0
// The scenarios that are shipped; a bug and its fix are one click each.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Configuration } from "../engine/engine.ts";
import type { GalleryItem } from "../model/gallery.ts";
import type { Store } from "../model/store.ts";
import { differsBy } from "../model/verdict.ts";

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
    const { path, sentence, bug, fixes, versions } = i;
    const text = `${path} ${sentence} ${bug.machine} ${bug.kernel} ${fixes} ${versions}`;
    const lower = text.toLowerCase();
    return words.every((w) => lower.includes(w));
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
  const { bug, fix, path } = item;
  const open = (configuration: Configuration, beside: Configuration | null = null) => {
    done();
    void store.choose(path, configuration, beside);
  };
  const isOpen = store.scenario.value === path;
  const line = useRef<HTMLLIElement>(null);
  useEffect(() => {
    // Where the list has a column of its own, and the page does not move with it.
    if (isOpen && matchMedia("(min-width: 901px)").matches) {
      line.current?.scrollIntoView({ block: "nearest" });
    }
  }, [isOpen]);
  return (
    <li
      ref={line}
      class={isOpen ? "current" : undefined}
      aria-current={isOpen ? "true" : undefined}
    >
      <b>{item.name}</b> <span>{item.sentence}</span>
      {item.fixes && (
        <small>
          fixed by “{item.fixes}”{item.versions && `, in ${item.versions}`}
        </small>
      )}
      <div>
        <button type="button" onClick={() => open(bug)}>
          {item.is_found && fix ? "the bug" : "open"}{" "}
          <small>{fix ? differsBy(bug, fix) : bug.kernel}</small>
        </button>
        {fix && (
          <button type="button" onClick={() => open(fix)}>
            the fix <small>{differsBy(fix, bug)}</small>
          </button>
        )}
        {fix && (
          <button type="button" onClick={() => open(bug, fix)}>
            side by side
          </button>
        )}
      </div>
    </li>
  );
}
