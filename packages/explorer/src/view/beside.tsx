// SPDX-License-Identifier: Apache-2.0
// Two runs side by side: each with its verdict, the steps in pairs, and where they differ.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Pair, StagedStep } from "shootdown";
import type { Walked } from "../engine/engine.ts";
import { differingIn } from "../model/changes.ts";
import { captionOf, toneOf } from "../model/drawing.ts";
import type { Store } from "../model/store.ts";
import { differsBy, type Verdict } from "../model/verdict.ts";
import { laneTitle, VERDICTS } from "./words.ts";

const ROW_PX = 24;
const LANE_PX = 36;
const NUMBER_PX = 26;

export function BesideView({ store }: { readonly store: Store }) {
  const { compare } = store;
  const besides = compare.besides.value;
  const row = compare.row.value;
  const own = store.configuration.value;
  const other = compare.configuration.value;
  if (!besides || !other) return null;
  const { differences, pairs } = besides;
  const current = differences.findIndex((d) => d.at + 1 === row);
  return (
    <section class="beside" aria-label="Two runs side by side">
      <div class="sides">
        <Side name={differsBy(own, other)} verdict={store.verdict.value} />
        <Side name={differsBy(other, own)} verdict={compare.verdict.value} />
      </div>
      <Differences store={store} current={current} />
      <div class="sides names" aria-hidden="true">
        <LaneNames walk={besides.main} />
        <LaneNames walk={besides.other} />
      </div>
      <Rows store={store} pairs={pairs} />
    </section>
  );
}

/** Whose state and source the panels show. */
export function SideTabs({ store }: { readonly store: Store }) {
  const { compare } = store;
  const own = store.configuration.value;
  const other = compare.configuration.value ?? own;
  const names = { main: differsBy(own, other), other: differsBy(other, own) };
  return (
    <div class="tabs" role="tablist" aria-label="Which of the two">
      {(["main", "other"] as const).map((side) => (
        <button
          key={side}
          type="button"
          role="tab"
          aria-selected={compare.side.value === side}
          onClick={() => {
            compare.side.value = side;
          }}
        >
          {names[side]}
        </button>
      ))}
    </div>
  );
}

/** What is so in one of the two and not in the other. */
export function Differing({ store }: { readonly store: Store }) {
  const { compare } = store;
  const [main, other] = [store.seen.value, compare.seen.value];
  if (!compare.besides.value || !main || !other) return null;
  const differing = differingIn(main.seen.view, other.seen.view);
  return (
    <section class="differ" aria-label="What differs">
      <h3>differs from the run beside</h3>
      {differing.length === 0 && <p class="empty">nothing</p>}
      <dl>
        {differing.map((d) => (
          <div key={d.name} class="apart">
            <dt>{d.name}</dt>
            <dd class="apart">
              {d.main} <small>here,</small> {d.other} <small>there</small>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function LaneNames({ walk }: { readonly walk: Walked }) {
  const machine = walk.of?.machine ?? "";
  return (
    <div style={{ paddingLeft: `${NUMBER_PX}px` }}>
      {walk.lanes.map((lane) => (
        <span key={lane} style={{ width: `${LANE_PX}px` }} title={laneTitle(lane, machine)}>
          {laneTitle(lane, machine)}
        </span>
      ))}
    </div>
  );
}

function Side({ name, verdict }: { readonly name: string; readonly verdict: Verdict | null }) {
  if (!verdict) return <div>{name}: searching…</div>;
  const { observed, states, seconds, property } = verdict.run;
  const tone = observed === "never" ? "good" : "bad";
  return (
    <div>
      <b>{name}</b>{" "}
      <b class={tone}>
        {tone === "good" ? "✓" : "!"} {property} {VERDICTS[observed] ?? observed}
      </b>{" "}
      <small>
        {states.toLocaleString("en")} states{seconds > 0 && ` in ${seconds.toFixed(2)} s`}
      </small>
    </div>
  );
}

function Differences({ store, current }: { readonly store: Store; readonly current: number }) {
  const differences = store.compare.besides.value?.differences ?? [];
  if (differences.length === 0) {
    return <p class="differences">Step by step, both do the same.</p>;
  }
  return (
    <ol class="differences" aria-label="Differences">
      {differences.map((d, n) => (
        <li key={`${d.at} ${d.agent}`}>
          <button
            type="button"
            aria-current={n === current ? "step" : undefined}
            onClick={() => store.toRow(d.at + 1)}
          >
            {n === 0 && <b>first difference: </b>}
            {d.text}
          </button>
        </li>
      ))}
    </ol>
  );
}

function Rows({ store, pairs }: { readonly store: Store; readonly pairs: readonly Pair[] }) {
  const { compare } = store;
  const box = useRef<HTMLDivElement>(null);
  const [from, setFrom] = useState(0);
  const [height, setHeight] = useState(600);
  const row = compare.row.value;
  useEffect(() => {
    const watch = new ResizeObserver(([e]) => setHeight(e!.contentRect.height));
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  useLayoutEffect(() => {
    const { current } = box;
    if (!current) return;
    const y = row * ROW_PX;
    const margin = 2 * ROW_PX;
    if (y - margin < current.scrollTop) current.scrollTop = Math.max(0, y - margin);
    const bottom = y + ROW_PX + margin;
    const { scrollTop, clientHeight } = current;
    if (bottom > scrollTop + clientHeight) current.scrollTop = bottom - clientHeight;
  }, [row, pairs]);
  const first = Math.max(0, Math.floor(from / ROW_PX) - 2);
  const last = Math.min(pairs.length, Math.ceil((from + height) / ROW_PX) + 2);
  const shown = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  const differing = new Set(compare.differing.value);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys of the page move the cursor
    <div
      ref={box}
      class="pairs"
      role="slider"
      tabIndex={0}
      aria-label="Position in both runs"
      aria-valuemin={0}
      aria-valuemax={pairs.length}
      aria-valuenow={row}
      aria-valuetext={textOf(store, pairs, row)}
      onClick={(event) => {
        const { top } = event.currentTarget.getBoundingClientRect();
        store.toRow(Math.floor((event.clientY - top + event.currentTarget.scrollTop) / ROW_PX));
      }}
      onScroll={(e) => setFrom(e.currentTarget.scrollTop)}
    >
      <div style={{ height: `${(pairs.length + 1) * ROW_PX}px`, position: "relative" }}>
        {shown.map((n) => (
          <div
            key={n}
            class={`pair${n === row ? " cursor" : ""}${differing.has(n) ? " differs" : ""}`}
            style={{ top: `${n * ROW_PX}px`, height: `${ROW_PX}px` }}
          >
            <Half store={store} side="main" row={n} pair={pairs[n - 1]} />
            <Half store={store} side="other" row={n} pair={pairs[n - 1]} />
          </div>
        ))}
      </div>
    </div>
  );
}

function textOf(store: Store, pairs: readonly Pair[], row: number): string {
  const pair = pairs[row - 1];
  if (!pair) return "the beginning";
  const difference = store.compare.besides.value?.differences.find((d) => d.at + 1 === row);
  const say = (step: StagedStep | undefined) =>
    step ? `${step.agent}: ${captionOf(step)}` : "nothing";
  const main = pair.first === null ? undefined : store.steps.get(pair.first - 1);
  const other = pair.second === null ? undefined : store.compare.steps.get(pair.second - 1);
  const both = `${say(main)}; beside it ${say(other)}`;
  return difference ? `difference: ${difference.text}. ${both}` : both;
}

function Half(props: {
  readonly store: Store;
  readonly side: "main" | "other";
  readonly row: number;
  readonly pair: Pair | undefined;
}) {
  const { store, side, row, pair } = props;
  // Drawn again when steps arrive.
  const arrived = side === "main" ? store.arrived.value : store.compare.arrived.value;
  const walk = side === "main" ? store.walk.value : store.compare.besides.value?.other;
  const steps = side === "main" ? store.steps : store.compare.steps;
  const position = side === "main" ? pair?.first : pair?.second;
  if (row === 0) return <div class="half">start</div>;
  if (position === null || position === undefined) return <div class="half none" />;
  const step = steps.get(position - 1);
  if (!step) return <div class="half" data-arrived={arrived} />;
  const tone = toneOf(step);
  const caption = `${tone === "bad" ? "! " : ""}${captionOf(step)}`;
  const machine = walk?.of?.machine ?? "";
  return (
    <div class={`half ${tone}`} title={`${laneTitle(step.agent, machine)}: ${caption}`}>
      <Lane step={step} lanes={walk?.lanes ?? []} />
      <span class="caption">{caption}</span>
    </div>
  );
}

/** Who makes the step, and to whom it sends. */
function Lane({ step, lanes }: { readonly step: StagedStep; readonly lanes: readonly string[] }) {
  const x = (lane: string) => NUMBER_PX + (lanes.indexOf(lane) + 0.5) * LANE_PX;
  const own = x(step.lane);
  const sent = step.sent.map((m) => m.lane).filter((l) => l !== step.lane && lanes.includes(l));
  const tone = toneOf(step);
  return (
    <svg width={NUMBER_PX + lanes.length * LANE_PX} height={ROW_PX} aria-hidden="true">
      <text x={4} y={16}>
        {tone === "free" ? "·" : step.n}
      </text>
      {lanes.map((l) => (
        <line key={l} class="lane" x1={x(l)} x2={x(l)} y1={0} y2={ROW_PX} />
      ))}
      {sent.map((l) => (
        <path key={l} class="sent" d={`M${own} 12H${x(l)}m-4 -3l4 3l-4 3`} />
      ))}
      {tone === "bad" ? (
        <path class="bad" d={`M${own} 5l6 12h-12z`} />
      ) : tone === "free" ? (
        <circle cx={own} cy={12} r={3} />
      ) : (
        <rect x={own - 4} y={8} width={8} height={8} />
      )}
    </svg>
  );
}
