// SPDX-License-Identifier: Apache-2.0
// The stage: lanes and messages on a canvas that draws only its window; the cursor is a row.

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Lanes, lanesIn, NUMBER_PX, shapesOf, windowOf } from "../model/drawing.ts";
import { saidOf } from "../model/said.ts";
import type { Store } from "../model/store.ts";
import { charPx, cleared, coloursOf, paintShapes } from "./canvas.ts";
import { SaveSvg } from "./save-svg.tsx";
import { laneTitle } from "./words.ts";

export function Stage({ store }: { readonly store: Store }) {
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const walk = store.walk.value;
  const cursor = store.cursor.value;
  const arrived = store.arrived.value;
  const [width, setWidth] = useState(600);
  const lanes = lanesIn(walk?.lanes ?? [], width);
  const length = walk?.length ?? 0;
  const { row_px } = lanes;
  const height = (length + 1) * row_px;

  useEffect(() => {
    const box = scroller.current;
    const board = canvas.current;
    if (!box || !board) return;
    const draw = () => paint(board, box, store, lanes, length);
    let frame = 0;
    const soon = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(draw);
    };
    soon();
    box.addEventListener("scroll", soon, { passive: true });
    const watch = new ResizeObserver(() => {
      setWidth(box.clientWidth);
      soon();
    });
    watch.observe(box);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", soon);
    return () => {
      cancelAnimationFrame(frame);
      box.removeEventListener("scroll", soon);
      scheme.removeEventListener("change", soon);
      watch.disconnect();
    };
  }, [walk, cursor, arrived, width]);

  useFollowing(scroller, cursor, lanes.row_px, walk);

  const step = cursor === 0 ? undefined : store.steps.get(cursor - 1);
  const machine = walk?.of?.machine ?? "";
  const said =
    cursor === 0 ? "the beginning" : step ? saidOf(step, (l) => laneTitle(l, machine)) : "";
  return (
    <section class="stage" aria-label="Run">
      <div class="lanes" aria-hidden="true">
        <span style={{ width: `${NUMBER_PX}px` }}>step</span>
        {lanes.names.map((lane) => (
          <span key={lane} style={{ width: `${lanes.lane_px}px` }} title={lane}>
            {laneTitle(lane, machine)}
          </span>
        ))}
      </div>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keys of the page move the cursor */}
      <div
        ref={scroller}
        class="rows"
        role="slider"
        tabIndex={0}
        aria-label="Position in the run"
        aria-valuemin={0}
        aria-valuemax={length}
        aria-valuenow={cursor}
        aria-valuetext={said}
        onClick={(event) => {
          const box = event.currentTarget;
          const y = event.clientY - box.getBoundingClientRect().top + box.scrollTop;
          store.move(Math.floor(y / row_px));
        }}
      >
        <div class="tall" style={{ height: `${height}px` }}>
          <canvas ref={canvas} />
        </div>
      </div>
      <div class="said">
        <p role="status">{said}</p>
        {length > 0 && <SaveSvg store={store} />}
      </div>
    </section>
  );
}

/** Scrolls so far that the row of the cursor and its neighbours are seen. */
function useFollowing(
  scroller: RefObject<HTMLDivElement | null>,
  cursor: number,
  row_px: number,
  walk: unknown,
): void {
  useEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const y = cursor * row_px;
    const margin = 3 * row_px;
    if (y - margin < box.scrollTop) box.scrollTop = Math.max(0, y - margin);
    const bottom = y + row_px + margin;
    if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
  }, [cursor, walk, row_px]);
}

function paint(
  board: HTMLCanvasElement,
  box: HTMLElement,
  store: Store,
  lanes: Lanes,
  length: number,
): void {
  const { clientWidth: width, clientHeight: height, scrollTop } = box;
  const g = cleared(board, width, height);
  if (!g) return;
  const seen = windowOf(length, scrollTop, height, lanes, (n) => store.steps.get(n));
  store.steps.around(seen.rows[0]?.position ?? 0, seen.rows.at(-1)?.position ?? 0);
  const cursor = store.cursor.peek();
  const setting = { ...dividersOf(store), lanes, width, height, cursor, char_px: charPx(g) };
  paintShapes(g, shapesOf(seen, setting), coloursOf(box));
  // For whoever waits for the picture: tests and benchmarks.
  const { dataset } = board;
  dataset["drawn"] = `${length}`;
  dataset["cursor"] = `${cursor}`;
  dataset["missing"] = `${seen.rows.filter((r) => r.position > 0 && !r.step).length}`;
}

/** After which positions a run is cut in two. */
function dividersOf(store: Store) {
  const walk = store.walk.peek();
  const branch = walk && walk.kept < walk.length ? walk.kept : null;
  return { repeats: walk?.repeats_from ?? null, branch };
}
