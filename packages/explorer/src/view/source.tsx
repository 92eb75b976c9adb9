// SPDX-License-Identifier: Apache-2.0
// The routine of the step under the cursor, with its statement marked.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Store } from "../model/store.ts";

export function SourcePanel({ store }: { readonly store: Store }) {
  const cursor = store.cursor.value;
  // Drawn again when steps arrive.
  const arrived = store.arrived.value;
  const step = arrived >= 0 && cursor > 0 ? store.steps.get(cursor - 1) : undefined;
  const [routine = "", number = ""] = (step?.where ?? "").split(":");
  const [text, setText] = useState("");
  const line = useRef<HTMLElement>(null);
  useEffect(() => {
    let gone = false;
    setText("");
    if (routine !== "") {
      void store.source(routine).then((t) => {
        if (!gone) setText(t);
      });
    }
    return () => {
      gone = true;
    };
  }, [routine]);
  useEffect(() => line.current?.scrollIntoView({ block: "nearest" }), [text, number]);
  if (routine === "") return <p class="empty">This step is hardware's own.</p>;
  const mark = new RegExp(`^\\s*${number}\\b`);
  return (
    <pre class="source">
      {text.split("\n").map((l, n) =>
        mark.test(l) ? (
          <mark key={`${n}`} ref={line}>
            {l}
            {"\n"}
          </mark>
        ) : (
          `${l}\n`
        ),
      )}
    </pre>
  );
}
