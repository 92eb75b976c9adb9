// SPDX-License-Identifier: Apache-2.0
// What the marks mean, and the keys.

import { useEffect, useRef } from "preact/hooks";
import { KEYS } from "./keys.ts";

export function Help({ close }: { readonly close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={close} aria-label="Help">
      <h2>Reading the run</h2>
      <p>
        Each row is a step; the mark stands in the lane of who makes it. A square is a program's
        step or an effect in hardware, a small dot a cache that takes or drops an entry by itself, a
        triangle with an exclamation mark a fault. A dashed arrow is a message that was sent, a
        solid one a message that takes effect.
      </p>
      <p>
        An entry of a cache is <strong class="bad">stale</strong> when memory would not give it any
        more. “Why is this here?” names the step that filled it and what has missed it since.
      </p>
      <h2>Keys</h2>
      <dl>
        {KEYS.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <h2>Where it runs</h2>
      <p>
        All of it in this browser, on one thread beside the page’s own: nothing is sent anywhere. A
        search that takes too long here is faster as <code>shootdown check</code>, which uses all
        CPUs.
      </p>
      <form method="dialog">
        <button type="submit">close</button>
      </form>
    </dialog>
  );
}
