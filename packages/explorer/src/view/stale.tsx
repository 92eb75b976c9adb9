// SPDX-License-Identifier: Apache-2.0
// What a cache still holds although memory says something else, in words, and why it is there.

import { useState } from "preact/hooks";
import type { HeldView, StateView } from "shootdown";
import { staleIn } from "../model/stale.ts";
import type { Store } from "../model/store.ts";
import { counterparts, differsBy } from "../model/verdict.ts";
import { WhyHeld } from "./why.tsx";
import { cacheTitle, laneTitle } from "./words.ts";

/** So many are explained at once. */
const SHOWN_MAX = 4;

/** All steps before it are gone through for a reason: further on somebody has to ask for it. */
const AT_ONCE_STEPS = 1000;

export function StaleNow(props: {
  readonly view: StateView;
  readonly machine: string;
  readonly store: Store;
}) {
  const { view, machine, store } = props;
  const stale = staleIn(view);
  if (stale.length === 0) return null;
  return (
    <section class="stale-now" aria-label="Stale entries">
      <h3>stale: why is this still here?</h3>
      {stale.slice(0, SHOWN_MAX).map(({ cell, owner, entry, page, memory }) => (
        <div key={`${entry.place} ${entry.holds}`}>
          <p>
            <b>
              {laneTitle(owner, machine)} {cacheTitle(cell)}
            </b>{" "}
            still holds{" "}
            <strong class="bad">
              {page} → {entry.holds}
            </strong>
            {memory !== null && (
              <>
                ; the page table says <b>{memory}</b>
              </>
            )}
          </p>
          <WhyStale store={store} entry={entry} />
        </div>
      ))}
      <Instead store={store} />
      {stale.length > SHOWN_MAX && <p class="empty">and {stale.length - SHOWN_MAX} more</p>}
    </section>
  );
}

function WhyStale({ store, entry }: { readonly store: Store; readonly entry: HeldView }) {
  const position = store.cursor.value;
  const [asked, setAsked] = useState(-1);
  if (position <= AT_ONCE_STEPS || asked === position) {
    return <WhyHeld store={store} entry={entry} />;
  }
  return (
    <button type="button" onClick={() => setAsked(position)}>
      why?
    </button>
  );
}

/** Where it does not happen, the answer is what is done there. */
function Instead({ store }: { readonly store: Store }) {
  const own = store.configuration.value;
  const observed = store.verdict.value?.run.observed ?? "never";
  if (observed === "never" || store.compare.configuration.value) return null;
  const expectations = store.parsed.value?.expectations ?? [];
  const [other] = counterparts(expectations, own, observed);
  if (other?.expected.toLowerCase() !== "never") return null;
  const { machine, kernel, set } = other;
  return (
    <p>
      <button type="button" onClick={() => void store.compareWith({ machine, kernel, set })}>
        never with {differsBy(other, own)}: what is done there instead?
      </button>
    </p>
  );
}
