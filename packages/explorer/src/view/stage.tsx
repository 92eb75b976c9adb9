// SPDX-License-Identifier: Apache-2.0
// The stage: lanes and messages on a canvas that draws only its window; the cursor is a row.

import { useEffect, useRef, useState } from "preact/hooks";
import {
  captionOf,
  captionX,
  type Lanes,
  lanesIn,
  laneX,
  NUMBER_PX,
  ROW_PX,
  toneOf,
  type Window,
  windowOf,
} from "../model/drawing.ts";
import type { Store } from "../model/store.ts";
import { laneTitle } from "./words.ts";

/** Colours of the page's style, read once a drawing. */
interface Colours {
  readonly [name: string]: string;
}

const COLOURS = ["ink", "faint", "line", "bad", "store", "message", "cursor", "own"] as const;

function colours(element: Element): Colours {
  const style = getComputedStyle(element);
  return Object.fromEntries(COLOURS.map((c) => [c, style.getPropertyValue(`--${c}`).trim()]));
}

export function Stage({ store }: { readonly store: Store }) {
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const walk = store.walk.value;
  const cursor = store.cursor.value;
  const arrived = store.arrived.value;
  const [width, setWidth] = useState(600);
  const lanes = lanesIn(walk?.lanes ?? [], width);
  const length = walk?.length ?? 0;
  const height = (length + 1) * ROW_PX;

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

  useEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const y = cursor * ROW_PX;
    const margin = 3 * ROW_PX;
    if (y - margin < box.scrollTop) box.scrollTop = Math.max(0, y - margin);
    const bottom = y + ROW_PX + margin;
    if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
  }, [cursor, walk]);

  const step = cursor === 0 ? undefined : store.steps.get(cursor - 1);
  const shown = step ? `step ${step.n}, ${step.agent}: ${captionOf(step)}` : "the beginning";
  return (
    <section class="stage" aria-label="Run">
      <div class="lanes" aria-hidden="true">
        <span style={{ width: `${NUMBER_PX}px` }}>step</span>
        {lanes.names.map((lane) => (
          <span key={lane} style={{ width: `${lanes.lane_px}px` }} title={lane}>
            {laneTitle(lane, walk?.of?.machine ?? "")}
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
        aria-valuetext={shown}
        onClick={(event) => {
          const box = event.currentTarget;
          const y = event.clientY - box.getBoundingClientRect().top + box.scrollTop;
          store.move(Math.floor(y / ROW_PX));
        }}
      >
        <div class="tall" style={{ height: `${height}px` }}>
          <canvas ref={canvas} />
        </div>
      </div>
    </section>
  );
}

function paint(
  board: HTMLCanvasElement,
  box: HTMLElement,
  store: Store,
  lanes: Lanes,
  length: number,
): void {
  const { clientWidth: width, clientHeight: height, scrollTop } = box;
  const ratio = devicePixelRatio || 1;
  if (board.width !== Math.round(width * ratio) || board.height !== Math.round(height * ratio)) {
    board.width = Math.round(width * ratio);
    board.height = Math.round(height * ratio);
    board.style.width = `${width}px`;
    board.style.height = `${height}px`;
  }
  const g = board.getContext("2d");
  if (!g) return;
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  const c = colours(box);
  const seen = windowOf(length, scrollTop, height, lanes, (n) => store.steps.get(n));
  store.steps.around(seen.rows[0]?.position ?? 0, seen.rows.at(-1)?.position ?? 0);
  const walk = store.walk.peek();
  const cursor = store.cursor.peek();
  const marks = { repeats: walk?.repeats_from ?? null, branch: walk ? walk.kept : null };
  lines(g, c, lanes, height);
  for (const row of seen.rows) rowOf(g, c, row, { lanes, width, cursor, ...marks, length });
  arrows(g, c, seen);
  // For whoever waits for the picture: tests and benchmarks.
  const { dataset } = board;
  dataset["drawn"] = `${length}`;
  dataset["cursor"] = `${cursor}`;
  dataset["missing"] = `${seen.rows.filter((r) => r.position > 0 && !r.step).length}`;
}

function lines(g: CanvasRenderingContext2D, c: Colours, lanes: Lanes, height: number) {
  g.strokeStyle = c["line"]!;
  g.lineWidth = 1;
  for (const lane of lanes.names) {
    const x = Math.round(laneX(lanes, lane)) + 0.5;
    g.beginPath();
    g.moveTo(x, 0);
    g.lineTo(x, height);
    g.stroke();
  }
}

interface RowSetting {
  readonly lanes: Lanes;
  readonly width: number;
  readonly cursor: number;
  readonly repeats: number | null;
  readonly branch: number | null;
  readonly length: number;
}

const FONT = "12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";

const SMALL_FONT = "italic 11px system-ui, sans-serif";

function rowOf(
  g: CanvasRenderingContext2D,
  c: Colours,
  { position, y, step }: Window["rows"][number],
  { lanes, width, cursor, repeats, branch, length }: RowSetting,
): void {
  const top = y - ROW_PX / 2;
  const textX = captionX(lanes);
  g.font = FONT;
  g.textBaseline = "middle";
  if (position === cursor) {
    g.fillStyle = c["cursor"]!;
    g.fillRect(0, top, width, ROW_PX);
  }
  if (position === 0) {
    g.fillStyle = c["faint"]!;
    g.fillText("start", 8, y);
    return;
  }
  if (!step) {
    g.fillStyle = c["faint"]!;
    g.fillText("…", 8, y);
    return;
  }
  const tone = toneOf(step);
  g.fillStyle = c["faint"]!;
  g.fillText(tone === "free" ? "  ·" : `${step.n}`.padStart(3), 8, y);
  const x = laneX(lanes, step.lane);
  g.fillStyle = c[tone === "bad" ? "bad" : tone === "free" ? "faint" : "ink"]!;
  g.beginPath();
  if (tone === "free") g.arc(x, y, 3, 0, 7);
  else if (tone === "bad") triangle(g, x, y);
  else g.rect(x - 5, y - 5, 10, 10);
  g.fill();
  g.fillStyle = c[tone === "bad" ? "bad" : tone === "free" ? "faint" : "ink"]!;
  const word = tone === "bad" ? "! " : "";
  g.fillText(cut(g, `${word}${captionOf(step)}`, width - textX - 8), textX, y);
  if (repeats === position) divider(g, c, top + ROW_PX, width, "from here on it repeats for ever");
  if (branch !== null && branch < length && branch === position) {
    divider(g, c, top + ROW_PX, width, "your own steps");
  }
}

/** As much of a text as fits. */
function cut(g: CanvasRenderingContext2D, text: string, room: number): string {
  // The font has one width.
  const fits = Math.floor(room / g.measureText("m").width);
  return text.length <= fits ? text : `${text.slice(0, Math.max(0, fits - 1))}…`;
}

function triangle(g: CanvasRenderingContext2D, x: number, y: number): void {
  g.moveTo(x, y - 7);
  g.lineTo(x + 7, y + 6);
  g.lineTo(x - 7, y + 6);
  g.closePath();
}

function divider(g: CanvasRenderingContext2D, c: Colours, y: number, width: number, text: string) {
  g.strokeStyle = c["own"]!;
  g.setLineDash([4, 3]);
  g.beginPath();
  g.moveTo(0, Math.round(y) + 0.5);
  g.lineTo(width, Math.round(y) + 0.5);
  g.stroke();
  g.setLineDash([]);
  g.fillStyle = c["own"]!;
  g.textAlign = "right";
  g.font = SMALL_FONT;
  g.fillText(text, width - 8, y + 7);
  g.textAlign = "left";
}

function arrows(g: CanvasRenderingContext2D, c: Colours, { arrows: all }: Window): void {
  for (const { from, to, y, kind } of all) {
    g.strokeStyle = c[kind === "memory" ? "store" : "message"]!;
    g.fillStyle = g.strokeStyle;
    g.setLineDash(kind === "sent" ? [4, 3] : []);
    const sign = Math.sign(to - from);
    g.beginPath();
    g.moveTo(from + sign * 6, y);
    g.lineTo(to - sign * 6, y);
    g.stroke();
    g.setLineDash([]);
    g.beginPath();
    g.moveTo(to - sign * 2, y);
    g.lineTo(to - sign * 9, y - 4);
    g.lineTo(to - sign * 9, y + 4);
    g.closePath();
    g.fill();
  }
}
