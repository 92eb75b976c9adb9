// SPDX-License-Identifier: Apache-2.0
// What is so at the cursor: page tables, caches, queues, and the rest; changes and stale entries
// have a mark and a word each.

import { useState } from "preact/hooks";
import type { CacheView, HeldView, QueueView, StateView, TableView } from "shootdown";
import { changesOf } from "../model/changes.ts";
import type { Store } from "../model/store.ts";
import { Differing } from "./beside.tsx";
import { StaleNow } from "./stale.tsx";
import { WhyHeld } from "./why.tsx";
import { cacheTitle, laneTitle } from "./words.ts";

type Changes = ReadonlyMap<string, string>;

export function StatePanel({ store }: { readonly store: Store }) {
  const { found, walk } = store.viewed();
  if (!found) return <p class="empty">Run a scenario to see its state.</p>;
  const { view, before } = found.seen;
  const changes = changesOf(before, view);
  const machine = walk?.of?.machine ?? "";
  return (
    <div class="state" data-at={found.position}>
      {view.violated.length > 0 && (
        <p class="bad" role="status">
          ! violated: {view.violated.join(", ")}
        </p>
      )}
      <StaleNow view={view} machine={machine} store={store} />
      <Differing store={store} />
      <Threads view={view} changes={changes} />
      {view.tables.map((t) => (
        <Table key={t.mm} table={t} changes={changes} />
      ))}
      <Caches caches={view.caches} changes={changes} machine={machine} store={store} />
      <Queues queues={view.queues} changes={changes} machine={machine} />
      {view.rooms.map(({ room, values }) => {
        const shown = values.filter((v) => changes.has(v.name) || !isZero(v.value));
        return (
          shown.length > 0 && (
            <section key={room}>
              <h3>{room}</h3>
              <dl>
                {shown.map((v) => (
                  <Value key={v.name} name={v.name} value={v.value} was={changes.get(v.name)} />
                ))}
              </dl>
            </section>
          )
        );
      })}
    </div>
  );
}

const isZero = (value: string): boolean => /^(0|false|none|fresh|-)$/.test(value);

function Value(props: { name: string; value: string; was: string | undefined }) {
  const { name, value, was } = props;
  return (
    <div class={was === undefined ? undefined : "changed"}>
      <dt>{name}</dt>
      <dd>
        {value}
        {was !== undefined && <small> changed{was === "" ? "" : `, was ${was}`}</small>}
      </dd>
    </div>
  );
}

function Threads({ view, changes }: { view: StateView; changes: Changes }) {
  return (
    <section>
      <h3>programs</h3>
      <dl>
        {view.threads.map((t) => (
          <div key={t.name} class={changes.has(`thread ${t.name}`) ? "changed" : undefined}>
            <dt>{t.name}</dt>
            <dd>
              {t.status}
              {t.at !== "" && <small> next {t.at}</small>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Table({ table, changes }: { table: TableView; changes: Changes }) {
  return (
    <section>
      <h3>page table of {table.mm}</h3>
      <ul class="tree">
        {table.regions.map((r) => (
          <li key={r.name}>
            <Entry
              name={`pmd[${r.name}]`}
              value={r.value}
              was={changes.get(`pmd ${table.mm} ${r.name}`)}
            />
            <ul>
              {r.entries
                .filter((e) => e.value !== "none" || changes.has(`pte ${table.mm} ${e.name}`))
                .map((e) => (
                  <li key={e.name}>
                    <Entry
                      name={e.name}
                      value={e.value}
                      was={changes.get(`pte ${table.mm} ${e.name}`)}
                    />
                  </li>
                ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Entry({ name, value, was }: { name: string; value: string; was: string | undefined }) {
  return (
    <span class={was === undefined ? "entry" : "entry changed"}>
      <code>{name}</code> → {value}
      {was !== undefined && was !== "" && <small> changed, was {was}</small>}
    </span>
  );
}

function Caches(props: {
  caches: readonly CacheView[];
  changes: Changes;
  machine: string;
  store: Store;
}) {
  const { caches, changes, machine, store } = props;
  const held = caches.filter((c) => c.entries.length > 0);
  return (
    <section>
      <h3>caches</h3>
      {held.length === 0 && <p class="empty">all empty</p>}
      {held.map((c) => (
        <div key={`${c.cell} ${c.owner}`} class="cache">
          <h4>
            {laneTitle(c.owner, machine)} {cacheTitle(c.cell)}
          </h4>
          <ul>
            {c.entries.map((e) => (
              <Held key={`${e.place} ${e.holds}`} entry={e} changes={changes} store={store} />
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}

function Held({ entry, changes, store }: { entry: HeldView; changes: Changes; store: Store }) {
  const { place, holds, stale } = entry;
  const [asked, setAsked] = useState(false);
  const marks = [stale ? "stale" : "", changes.has(`${place} ${holds}`) ? "changed" : ""];
  return (
    <li class={marks.filter(Boolean).join(" ") || undefined}>
      <code>{place}</code> {holds} {stale && <strong class="bad">stale</strong>}
      <button type="button" aria-expanded={asked} onClick={() => setAsked(!asked)}>
        why is this here?
      </button>
      {asked && <WhyHeld store={store} entry={entry} />}
    </li>
  );
}

function Queues(props: { queues: readonly QueueView[]; changes: Changes; machine: string }) {
  const { queues, changes, machine } = props;
  const shown = queues.filter((q) => q.entries.length > 0 || changes.has(q.name));
  if (shown.length === 0) return null;
  return (
    <section>
      <h3>on the way</h3>
      <dl>
        {shown.map((q) => (
          <div key={q.name} class={changes.has(q.name) ? "changed" : undefined}>
            <dt>
              {q.name} <small>to {laneTitle(q.owner, machine)}</small>
            </dt>
            <dd>{q.entries.join("; ") || "nothing"}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
