// SPDX-License-Identifier: Apache-2.0
// A recording: its verdict, findings on a line of time, and each of them in words.

import { useEffect, useRef, useState } from "preact/hooks";
import { type Finding, summaryLines } from "shootdown";
import type { Recording } from "../model/recording.ts";
import {
  type Lanes,
  lanesOf,
  marksIn,
  panned,
  type Span,
  spanOf,
  ticksIn,
  zoomed,
} from "../model/timeline.ts";

const LANE_PX = 22;
const AXIS_PX = 20;
const NAME_CHAR_PX = 7.5;
const PAGE_FINDINGS = 500;

export function RecordingView(props: {
  readonly recording: Recording;
  readonly close: () => void;
}) {
  const { recording, close } = props;
  const findings = recording.findings.value;
  const summary = recording.summary.value;
  const error = recording.error.value;
  const [chosen, setChosen] = useState<Finding | null>(null);
  const done = summary !== null || error !== null;
  const part = recording.size === 0 ? 1 : recording.read.value / recording.size;
  return (
    <section class="recording" aria-label="Recording">
      <div class="tabs">
        <b>{recording.name}</b>
        <button type="button" onClick={close}>
          close
        </button>
      </div>
      {!done && <progress value={part} aria-label="read so far" />}
      {error !== null && <p class="bad">{error}</p>}
      <p role="status">
        {done ? "" : "so far "}
        {findings.length + recording.left_out.value} findings
        {recording.left_out.value > 0 && `, of which ${findings.length} are listed`}
      </p>
      {findings.length > 0 && <Timeline findings={findings} chosen={chosen} choose={setChosen} />}
      <div class="found">
        <List findings={findings} chosen={chosen} choose={setChosen} />
        <pre>{summary ? summaryLines(summary).join("\n") : ""}</pre>
      </div>
    </section>
  );
}

interface Choice {
  readonly findings: readonly Finding[];
  readonly chosen: Finding | null;
  readonly choose: (finding: Finding) => void;
}

function Timeline({ findings, chosen, choose }: Choice) {
  const [by, setBy] = useState<Lanes>("cpu");
  const [span, setSpan] = useState<Span | null>(null);
  const box = useRef<SVGSVGElement>(null);
  const [width, setWidth] = useState(800);
  useEffect(() => {
    const watch = new ResizeObserver(([e]) => setWidth(Math.max(200, e!.contentRect.width)));
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const lanes = lanesOf(findings, by);
  const whole = spanOf(findings);
  const shown = span ?? whole;
  const name_px = 12 + NAME_CHAR_PX * Math.max(0, ...lanes.map((l) => l.length));
  const room = width - name_px;
  const marks = marksIn(findings, lanes, by, shown, room);
  const middle = (shown.from_s + shown.to_s) / 2;
  const zoom = (factor: number, at = middle) => setSpan(zoomed(shown, whole, at, factor));
  const bottom = Math.max(1, lanes.length) * LANE_PX;
  return (
    <div class="timeline">
      <div class="tabs">
        {(["cpu", "mm"] as const).map((one) => (
          <button key={one} type="button" aria-pressed={by === one} onClick={() => setBy(one)}>
            by {one}
          </button>
        ))}
        <button type="button" onClick={() => zoom(0.5)} aria-label="closer">
          +
        </button>
        <button type="button" onClick={() => zoom(2)} aria-label="further">
          −
        </button>
        <button type="button" onClick={() => setSpan(panned(shown, whole, -0.5))}>
          earlier
        </button>
        <button type="button" onClick={() => setSpan(panned(shown, whole, 0.5))}>
          later
        </button>
        <button type="button" onClick={() => setSpan(null)}>
          all
        </button>
        <small>
          {shown.from_s.toFixed(6)} s to {shown.to_s.toFixed(6)} s
        </small>
      </div>
      <div class="lanes-of-time" style={{ maxHeight: "220px", overflowY: "auto" }}>
        <svg
          ref={box}
          width="100%"
          height={bottom + AXIS_PX}
          role="img"
          aria-label={`${findings.length} findings over time`}
          onWheel={(event) => {
            if (!event.ctrlKey && !event.shiftKey) return;
            event.preventDefault();
            const x = event.offsetX - name_px;
            const at = shown.from_s + (x / room) * (shown.to_s - shown.from_s);
            zoom(event.deltaY > 0 ? 1.25 : 0.8, at);
          }}
        >
          <title>{`${findings.length} findings over time`}</title>
          {lanes.map((lane, n) => (
            <g key={lane}>
              <text x={4} y={n * LANE_PX + 15}>
                {lane}
              </text>
              <line
                x1={name_px}
                x2={width}
                y1={n * LANE_PX + 11}
                y2={n * LANE_PX + 11}
                class="lane"
              />
            </g>
          ))}
          <Ticks span={shown} {...{ left: name_px, width: room, bottom }} />
          {marks.map((m) => (
            <Mark key={`${m.lane} ${m.x}`} {...{ left: name_px, mark: m, chosen, choose }} />
          ))}
        </svg>
      </div>
    </div>
  );
}

function Ticks(props: {
  readonly span: Span;
  readonly left: number;
  readonly width: number;
  readonly bottom: number;
}) {
  const { span, left, width, bottom } = props;
  return (
    <>
      {ticksIn(span, width).map(({ x, text }) => (
        <g key={text}>
          <line x1={left + x} x2={left + x} y1={0} y2={bottom + 4} class="lane" />
          <text x={left + x} y={bottom + 16} text-anchor="middle" class="tick">
            {text}
          </text>
        </g>
      ))}
    </>
  );
}

function Mark(props: {
  readonly left: number;
  readonly mark: ReturnType<typeof marksIn>[number];
  readonly chosen: Finding | null;
  readonly choose: (finding: Finding) => void;
}) {
  const { left, mark, chosen, choose } = props;
  const { x, lane, worst, count, finding } = mark;
  const size = Math.min(9, 3 + Math.log2(count + 1));
  const y = lane * LANE_PX + 11;
  const at = left + x;
  const advice = worst === "excess" || worst === "depends";
  const points = `${at},${y - size} ${at + size},${y + size} ${at - size},${y + size}`;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the list below has the same as buttons
    <g
      class={`${advice ? "advice" : "fault"}${chosen === finding ? " chosen" : ""}`}
      onClick={() => choose(finding)}
    >
      <title>
        {count} {worst}, line {finding.line}
      </title>
      {advice ? <circle cx={at} cy={y} r={size / 1.5} /> : <polygon points={points} />}
    </g>
  );
}

function List({ findings, chosen, choose }: Choice) {
  const [first, setFirst] = useState(0);
  useEffect(() => {
    const at = chosen ? findings.indexOf(chosen) : -1;
    if (at >= 0) setFirst(Math.floor(at / PAGE_FINDINGS) * PAGE_FINDINGS);
  }, [chosen]);
  const shown = findings.slice(first, first + PAGE_FINDINGS);
  return (
    <div class="findings">
      {findings.length > PAGE_FINDINGS && (
        <div class="tabs">
          <button
            type="button"
            disabled={first === 0}
            onClick={() => setFirst(first - PAGE_FINDINGS)}
          >
            earlier
          </button>
          <button
            type="button"
            disabled={first + PAGE_FINDINGS >= findings.length}
            onClick={() => setFirst(first + PAGE_FINDINGS)}
          >
            later
          </button>
          <small>
            {first + 1} to {first + shown.length}
          </small>
        </div>
      )}
      <ol start={first + 1}>
        {shown.map((f) => (
          <li key={`${f.line} ${f.class} ${f.start}`}>
            <button type="button" aria-pressed={chosen === f} onClick={() => choose(f)}>
              <b class={f.class === "excess" ? "" : "bad"}>{f.class}</b>
              {` line ${f.line} ${f.operation} `}
              <small>{f.time.toFixed(6)} s</small>
            </button>
            {chosen === f && <Details finding={f} />}
          </li>
        ))}
      </ol>
    </div>
  );
}

function Details({ finding }: { readonly finding: Finding }) {
  const { message, mm, start, end, old, task, pid, cpu, rule, during, caller, stack } = finding;
  const rows: (readonly [string, string | null | undefined])[] = [
    ["what", message],
    ["mm", mm],
    ["pages", `${start} to ${end}`],
    ["entry", old === null ? null : `${old} -> ${finding.new}`],
    ["rule", rule],
    ["doing", [during, caller].filter(Boolean).join(", called by ")],
    ["task", `${task}-${pid}, CPU ${cpu}`],
    ["stack", stack?.join(" < ")],
  ];
  return (
    <dl class="details">
      {rows
        .filter(([, value]) => value)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
