// SPDX-License-Identifier: Apache-2.0
// The verdict in a sentence, and why; the steps it names can be gone to.

import type { Store } from "../model/store.ts";
import { Why } from "./why.tsx";
import { VERDICTS } from "./words.ts";

export function Said({ store }: { readonly store: Store }) {
  const verdict = store.verdict.value;
  const message = store.message.value;
  const problems = store.problems.value;
  if (store.running.value && !store.compare.configuration.value) return <output>searching…</output>;
  if (message !== "") return <output class="bad">{message}</output>;
  if (problems.length > 0) {
    const [{ line, message: text, notes }] = problems as [(typeof problems)[number]];
    return (
      <output class="bad">
        {line !== null && `line ${line}: `}
        {text} {notes.map((n) => `(${n})`).join(" ")}
      </output>
    );
  }
  if (!verdict) return <output>{store.running.value ? "searching…" : ""}</output>;
  const { run, why, meaning } = verdict;
  // What the page was built with has no time.
  const time = run.seconds > 0 ? ` in ${run.seconds.toFixed(2)} s` : "";
  const count = `${run.states.toLocaleString("en")} states${time}`;
  const tone = run.observed === "never" ? "good" : "bad";
  return (
    <output>
      <b class={tone}>
        {tone === "good" ? "✓" : "!"} {run.property} {VERDICTS[run.observed] ?? run.observed}
      </b>{" "}
      {meaning !== "" && <span class="meaning">({meaning})</span>}{" "}
      <small>
        {run.limit ?? (run.exhaustive ? "every run searched:" : "")} {count}
      </small>
      {why.length > 0 && (
        <span class="because">
          why: <Why parts={why} go={(at) => store.move(at)} />{" "}
          <button type="button" class="step" onClick={() => store.jump()}>
            show me
          </button>
        </span>
      )}
    </output>
  );
}
