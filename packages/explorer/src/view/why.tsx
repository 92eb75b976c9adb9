// SPDX-License-Identifier: Apache-2.0
// A sentence in which the steps it names can be gone to.

import { useEffect, useState } from "preact/hooks";
import type { HeldView, WhyPart } from "shootdown";
import type { Store } from "../model/store.ts";

const PAUSE_MS = 60;

export function Why(props: { readonly parts: readonly WhyPart[]; go: (at: number) => void }) {
  const { parts, go } = props;
  return (
    <>
      {parts.map(({ text, at }, n) =>
        at === null ? (
          text
        ) : (
          <button
            key={`${n}`}
            type="button"
            class="step"
            title="go to this step"
            onClick={() => go(at)}
          >
            {text}
          </button>
        ),
      )}
    </>
  );
}

/** Why an entry is there, asked as soon as it is shown. */
export function WhyHeld({ store, entry }: { readonly store: Store; readonly entry: HeldView }) {
  const known = store.explained(entry);
  const [parts, setParts] = useState(known);
  const { instance, value, holds } = entry;
  const position = store.cursor.value;
  const row = store.compare.row.value;
  const side = store.compare.side.value;
  useEffect(() => {
    if (known) return setParts(known);
    let gone = false;
    // Who only passes by asks nothing.
    const timer = setTimeout(async () => {
      const found = await store.explain({ instance, value }).catch(() => null);
      if (!gone) setParts(found);
    }, PAUSE_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [instance, value, holds, position, row, side]);
  if (!parts) return null;
  return (
    <p class="why">
      <Why parts={parts} go={(at) => store.goTo(at)} />
    </p>
  );
}
