// SPDX-License-Identifier: Apache-2.0
// Below the head: the knobs that matter to this run, and what it is compared with.

import type { Configuration } from "../engine/engine.ts";
import { knobsOf } from "../model/knobs.ts";
import type { Store } from "../model/store.ts";
import { counterparts, differsBy } from "../model/verdict.ts";

export function Setup({ store, pick }: { readonly store: Store; readonly pick: Picked }) {
  const configuration = store.configuration.value;
  const beside = store.compare.configuration.value;
  return (
    <section class="setup" aria-label="Knobs and comparison">
      <Knobs
        store={store}
        label="knobs"
        configuration={configuration}
        asks={store.verdict.value?.asks ?? []}
        change={(set) => {
          store.configuration.value = { ...configuration, set };
          void store.run();
        }}
      />
      <span class="space" />
      {beside ? <Other store={store} beside={beside} pick={pick} /> : <Offer store={store} />}
    </section>
  );
}

/** The pickers of machine and kernel, as the head has them. */
type Picked = (
  configuration: Configuration,
  change: (c: Configuration) => void,
  what: string,
) => preact.ComponentChildren;

function Knobs(props: {
  readonly store: Store;
  readonly label: string;
  readonly configuration: Configuration;
  readonly asks: readonly string[];
  readonly change: (set: Configuration["set"]) => void;
}) {
  const { store, label, configuration, asks, change } = props;
  const hangs = store.hangs.value;
  const knobs = knobsOf(store.known.value.names, asks, configuration.set);
  if (knobs.length === 0) return null;
  const put = (name: string, value: string) => {
    const { [name]: _, ...rest } = configuration.set;
    change(value === "" ? rest : { ...rest, [name]: value });
  };
  return (
    <fieldset class="knobs" aria-label={label}>
      <span>{label}</span>
      {knobs.map(({ name, values, describes }) => {
        const decides = label === "knobs" && hangs?.depends_on.includes(name);
        const open = label === "knobs" && hangs?.undecided.includes(name);
        return (
          <label key={name} title={describes}>
            {name}
            <select
              value={configuration.set[name] ?? ""}
              onChange={(e) => put(name, e.currentTarget.value)}
            >
              <option value="">both</option>
              {values.map((v) => (
                <option key={v} value={v}>
                  {v}
                </option>
              ))}
            </select>
            {decides && <small title="another value changes the verdict">decides</small>}
            {open && <small title="a search with the other value did not end">?</small>}
          </label>
        );
      })}
    </fieldset>
  );
}

/** What is worth a comparison: the nearest at once, the others from a list. */
function Offer({ store }: { readonly store: Store }) {
  const own = store.configuration.value;
  const verdict = store.verdict.value;
  const observed = verdict?.run.observed ?? "sometimes";
  const all = counterparts(store.parsed.value?.expectations ?? [], own, observed);
  const [first] = all;
  const compare = ({ machine, kernel, set }: Configuration) =>
    void store.compareWith({ machine, kernel, set });
  return (
    <div class="compare">
      {first && (
        <button type="button" class="offer" onClick={() => compare(first)}>
          compare with {differsBy(first, own)}
        </button>
      )}
      <select
        aria-label="Compare with"
        value=""
        onChange={(e) => {
          const chosen = e.currentTarget.value;
          if (chosen !== "") compare(chosen === "own" ? own : all[Number(chosen)]!);
          e.currentTarget.value = "";
        }}
      >
        <option value="">{first ? "with …" : "compare with …"}</option>
        {all.map((c, n) => (
          <option key={`${c.line}`} value={`${n}`}>
            {c.expected.toLowerCase()}: {differsBy(c, own)}
          </option>
        ))}
        <option value="own">a machine or kernel of your choice</option>
      </select>
    </div>
  );
}

function Other(props: {
  readonly store: Store;
  readonly beside: Configuration;
  readonly pick: Picked;
}) {
  const { store, beside, pick } = props;
  const change = (c: Configuration) => void store.compareWith(c);
  const problems = store.compare.problems.value;
  return (
    <div class="compare">
      <b>beside</b>
      {pick(beside, change, "other ")}
      <Knobs
        store={store}
        label="its knobs"
        configuration={beside}
        asks={store.compare.verdict.value?.asks ?? []}
        change={(set) => change({ ...beside, set })}
      />
      <button type="button" onClick={() => void store.compareWith(null)}>
        one alone
      </button>
      {problems.map((p) => (
        <output key={p.text} class="bad">
          {p.message} {p.notes.join(" ")}
        </output>
      ))}
    </div>
  );
}
