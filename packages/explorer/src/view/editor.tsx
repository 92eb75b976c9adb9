// SPDX-License-Identifier: Apache-2.0
// The scenario's text: CodeMirror, loaded when the panel is opened; mistakes are marked in place.

import { useEffect, useRef } from "preact/hooks";
import type { Store } from "../model/store.ts";
import type { EditorHandle } from "./codemirror.ts";

/** `alone`: there is nothing to load, and plain text has to do. */
export function Editor({ store, alone }: { readonly store: Store; readonly alone: boolean }) {
  const home = useRef<HTMLDivElement>(null);
  const handle = useRef<EditorHandle | null>(null);
  /** What the editor itself said last: only what others write goes into it. */
  const own = useRef<string | null>(null);
  const text = store.text.value;
  const problems = store.problems.value;
  const names = store.known.value.names;

  useEffect(() => {
    if (alone) return;
    let gone = false;
    void import("./codemirror.ts").then(({ openEditor }) => {
      if (gone || !home.current) return;
      handle.current = openEditor(home.current, {
        text: store.text.peek(),
        changed: (t) => {
          own.current = t;
          store.text.value = t;
        },
        run: () => void store.run(),
        words: () => store.known.peek(),
      });
      handle.current.mark(store.problems.peek());
    });
    return () => {
      gone = true;
      handle.current?.close();
      handle.current = null;
    };
  }, []);
  useEffect(() => {
    const now = store.text.peek();
    if (now !== own.current) handle.current?.set(now);
  }, [text]);
  useEffect(() => handle.current?.mark(problems), [problems, names]);

  return (
    <section class="editor" aria-label="Scenario">
      {alone ? (
        <textarea
          aria-label="Text of the scenario"
          value={text}
          rows={40}
          spellcheck={false}
          onInput={(event) => {
            store.text.value = event.currentTarget.value;
          }}
        />
      ) : (
        <div ref={home} class="code" />
      )}
      {problems.length > 0 && (
        <ul class="problems" role="status">
          {problems.map((p) => (
            <li key={p.text} class="bad">
              {p.line === null ? "" : `line ${p.line}, column ${p.column}: `}
              {p.message}
              {p.notes.map((n) => (
                <small key={n}> {n}</small>
              ))}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
