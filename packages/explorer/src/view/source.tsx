// SPDX-License-Identifier: Apache-2.0
// The routine of the step under the cursor with its statement marked, and who called it.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { marked, placeOf } from "../model/source.ts";
import type { Store } from "../model/store.ts";

export function SourcePanel({ store }: { readonly store: Store }) {
  const step = store.stepShown();
  const { walk } = store.viewed();
  const kernel = walk?.of?.kernel ?? "";
  const stack = step ? [step.where, ...step.callers].filter((w) => w !== "") : [];
  /** Which of the calls is shown; the statement itself at first. */
  const [depth, setDepth] = useState(0);
  useEffect(() => setDepth(0), [step]);
  const shown = stack[Math.min(depth, Math.max(0, stack.length - 1))] ?? "";
  const { routine, number } = placeOf(shown);
  const [text, setText] = useState({ routine: "", kernel: "", text: "" });
  const line = useRef<HTMLElement>(null);
  useEffect(() => {
    let gone = false;
    if (routine !== "") {
      void store.source(routine).then((t) => {
        if (!gone) setText({ routine, kernel, text: t });
      });
    }
    return () => {
      gone = true;
    };
  }, [routine, kernel, walk]);
  const isHere = text.routine === routine && text.kernel === kernel;
  useLayoutEffect(() => line.current?.scrollIntoView({ block: "center" }), [text, number]);
  if (!step) return <p class="empty">Nothing has been done yet.</p>;
  if (routine === "") return <p class="empty">Hardware does this by itself.</p>;
  const { head, lines } = marked(isHere ? text.text : "", number);
  const first = lines.findIndex((l) => l.is_current);
  return (
    <div class="source">
      <nav aria-label="Calls">
        <ol class="stack">
          {stack.map((where, n) => (
            <li key={`${n} ${where}`}>
              <button type="button" aria-pressed={n === depth} onClick={() => setDepth(n)}>
                {where}
              </button>
              {n === 0 && stack.length > 1 && <small> called by</small>}
            </li>
          ))}
        </ol>
      </nav>
      {head.length > 0 && (
        <p class="origin">
          {head.map((l) => (
            <span key={l}>{l}</span>
          ))}
          <span>{kernel}</span>
        </p>
      )}
      <pre>
        {lines.map(({ text: l, is_current }, n) =>
          is_current ? (
            <mark key={`${n}`} ref={n === first ? line : null} aria-current="step">
              {l}
              {"\n"}
            </mark>
          ) : (
            `${l}\n`
          ),
        )}
      </pre>
    </div>
  );
}
