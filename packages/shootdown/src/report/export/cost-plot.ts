// SPDX-License-Identifier: Apache-2.0
// A plot of cost against senders, pages or devices: a line a kernel, its range behind it, and a
// stroke with a name at each cliff.

import type { CountName } from "../../cost/course.ts";
import type { Plot, PlotKind, PlotPoint, PlotSeries } from "../../cost/plots.ts";
import { COUNT_LABELS } from "../cost.ts";
import {
  type Axis,
  label,
  line,
  linearAxis,
  logAxis,
  number,
  picture,
  px,
  tickTime,
  time,
} from "./cost-axis.ts";
import { LINE_COLOURS } from "./cost-style.ts";

interface Words {
  readonly title: string;
  readonly about: string;
  readonly x: string;
}

export const PLOT_WORDS: Readonly<Record<PlotKind, Words>> = {
  senders: {
    title: "Against CPUs that send",
    about: "Threads of one process, each on a CPU: open a page, write it, give it back, close it.",
    x: "CPUs at it",
  },
  dma: {
    title: "Against CPUs that map for DMA",
    about: "Each CPU maps a page with the DMA API and unmaps it; the kernels do it alike.",
    x: "CPUs at it",
  },
  pages: {
    title: "Against pages of one munmap()",
    about: "All of them were written; they are a part of a larger mapping.",
    x: "pages",
  },
  devices: {
    title: "Against devices",
    about: "One munmap() of 16 pages, each device behind an SMMU of its own.",
    x: "devices, and SMMUs",
  },
};

const WIDTH = 460;
const LEFT = 58;
const RIGHT = 24;
const HEIGHT = 240;
const FOOT = 40;
const LEGEND = 18;
const MARK = 15;
/** Of a letter, at most. */
const CHAR = 8;

export function plotSvg(plot: Plot, names: readonly string[]): string {
  const words = PLOT_WORDS[plot.kind];
  const series = plot.series.filter((s) => s.points.some((p) => p.y > 0));
  const marks = marksOf(series);
  const top = series.length * LEGEND + marks.length * MARK + 8;
  const foot = top + HEIGHT;
  const points = series.flatMap(withEdges);
  const xs = points.map((p) => p.x);
  const ys = points.flatMap((p) => [p.time.low, p.time.high]).filter((y) => y > 0);
  const straight = plot.kind === "devices";
  const x = straight
    ? { ...within(xs), ticks: [...new Set(xs)] }
    : logAxis(xs, LEFT, WIDTH - RIGHT, plot.kind === "pages" ? 8 : 2);
  const y = straight ? linearAxis(ys, foot, top) : logAxis(ys, foot, top);
  const look = (s: PlotSeries) => {
    const kernel = names.indexOf(s.names[0]!);
    return (kernel < 0 ? series.indexOf(s) : kernel) % LINE_COLOURS;
  };
  return picture(WIDTH, foot + FOOT, `${words.title}, ${plot.profile.name}`, [
    ...grid(x, y, top, foot, words.x),
    ...series.map((s) => band(s, x, y, look(s))),
    ...series.flatMap((s) => run(s, x, y, look(s))),
    ...marks.flatMap((m, n) => {
      const at = x.at(m.x);
      const high = series.length * LEGEND + n * MARK + 12;
      const anchor = at + m.text.length * CHAR > WIDTH - RIGHT ? "end" : "start";
      const beside = anchor === "end" ? -4 : 4;
      return [
        line("cliff", at, high - 10, at, foot),
        label({ x: at + beside, y: high, text: m.text, anchor, name: "strong" }),
      ];
    }),
    ...series.flatMap((s, n) => [
      shape(look(s), LEFT + 8, n * LEGEND + 9),
      label({ x: LEFT + 20, y: n * LEGEND + 13, text: s.names.join(", ") }),
    ]),
  ]);
}

function within(xs: readonly number[]): Pick<Axis, "at"> {
  const [least, most] = [Math.min(...xs), Math.max(...xs)];
  const [from, to] = [LEFT + 12, WIDTH - RIGHT - 12];
  return { at: (x) => from + ((x - least) / (most - least || 1)) * (to - from) };
}

function grid(x: Axis, y: Axis, top: number, foot: number, words: string): string[] {
  const right = WIDTH - RIGHT;
  const across = y.ticks.flatMap((tick) => [
    line("grid", LEFT, y.at(tick), right, y.at(tick)),
    label({
      ...{ x: LEFT - 6, y: y.at(tick) + 4, text: tickTime(tick) },
      ...{ anchor: "end", name: "faint" },
    }),
  ]);
  const up = x.ticks.flatMap((tick) => [
    line("grid", x.at(tick), top, x.at(tick), foot),
    label({
      ...{ x: x.at(tick), y: foot + 16, text: number(tick) },
      ...{ anchor: "middle", name: "faint" },
    }),
  ]);
  const title = { x: (LEFT + right) / 2, y: foot + 34, text: words };
  return [
    ...across,
    ...up,
    line("axis", LEFT, foot, right, foot),
    line("axis", LEFT, top, LEFT, foot),
    label({ ...title, anchor: "middle", name: "faint" }),
  ];
}

const above = ({ points }: PlotSeries) => points.filter((p) => p.time.low > 0 && p.y > 0);

function band(series: PlotSeries, x: Axis, y: Axis, look: number): string {
  const points = withEdges(series);
  const corner = (p: PlotPoint, end: "low" | "high") => `${px(x.at(p.x))},${px(y.at(p.time[end]))}`;
  const outline = [
    ...points.map((p) => corner(p, "low")),
    ...points.map((p) => corner(p, "high")).reverse(),
  ];
  return `<polygon class="band c${look}" points="${outline.join(" ")}"/>`;
}

/** With both sides of each jump, so that it is drawn as one. */
function withEdges(series: PlotSeries): PlotPoint[] {
  const edges = series.jumps.flatMap(({ before, after }) => [before, after]);
  const all = new Map([...above(series), ...edges].map((p) => [p.x, p]));
  return [...all.values()].sort((a, b) => a.x - b.x);
}

const DASHES = ["", "7 4", "2 3", "9 3 2 3"];

function run(series: PlotSeries, x: Axis, y: Axis, look: number): string[] {
  const at = (p: PlotPoint) => `${px(x.at(p.x))},${px(y.at(p.y))}`;
  const dash = DASHES[look % DASHES.length]!;
  const dashed = dash === "" ? "" : ` stroke-dasharray="${dash}"`;
  const way = withEdges(series).map(at).join(" ");
  return [
    `<polyline class="run c${look}" points="${way}"${dashed}/>`,
    ...above(series).map((p) => shape(look, x.at(p.x), y.at(p.y))),
  ];
}

/** Each line's own. */
function shape(look: number, x: number, y: number): string {
  const corner = (dx: number, dy: number) => `${px(x + dx)},${px(y + dy)}`;
  const of = (corners: string) => `<polygon class="c${look}" points="${corners}"/>`;
  switch (look % 4) {
    case 0:
      return `<circle class="c${look}" cx="${px(x)}" cy="${px(y)}" r="3"/>`;
    case 1:
      return of([corner(-3, -3), corner(3, -3), corner(3, 3), corner(-3, 3)].join(" "));
    case 2:
      return of([corner(0, -4), corner(4, 3), corner(-4, 3)].join(" "));
    default:
      return of([corner(0, -4), corner(4, 0), corner(0, 4), corner(-4, 0)].join(" "));
  }
}

interface Mark {
  readonly x: number;
  readonly text: string;
}

/** Each place once, whichever lines have it. */
function marksOf(series: readonly PlotSeries[]): Mark[] {
  const marks = new Map<string, Mark>();
  for (const { jumps, saturation } of series) {
    for (const { before, after } of jumps) {
      const text = `${after.x} pages: ${after.y < before.y ? "a drop" : "a jump"}`;
      marks.set(text, { x: after.x, text });
    }
    if (saturation === undefined) continue;
    const { senders, server } = saturation;
    const text = `N* = ${senders.toFixed(1)}: ${server === "queue" ? "queue" : "DVM"} busy`;
    marks.set(text, { x: senders, text });
  }
  return [...marks.values()].sort((a, b) => a.x - b.x);
}

const SERVERS = { queue: "the command queue", dvm: "the DVM" } as const;

/** What happens at each cliff, in words. */
export function cliffLines({ series }: Plot): string[] {
  return series.flatMap(({ names, jumps, saturation, points }) => {
    const who = names.join(", ");
    const told = jumps.map(({ before, after }) => {
      const changed = (Object.keys(COUNT_LABELS) as CountName[])
        .filter((name) => NAMED[name] && differs(before.counts[name], after.counts[name]))
        .map((n) => `${NAMED[n]} ${number(before.counts[n])} to ${number(after.counts[n])}`);
      const times = `${time(before.y)} to ${time(after.y)}`;
      return `${who}, from ${before.x} to ${after.x} pages: ${[times, ...changed].join("; ")}`;
    });
    if (saturation === undefined) return told;
    const { server, before, senders } = saturation;
    const busy = before.busy[server].ns;
    return [
      ...told,
      `${who}: one alone takes ${time(points[0]!.y)} a round, of which ` +
        `${SERVERS[server]} ${time(busy)} (at ${before.x} CPUs): so N* = (work + service) / ` +
        `service = ${senders.toFixed(1)} keep it busy, and more have to wait`,
    ];
  });
}

const differs = (a: number, b: number): boolean => Math.abs(a - b) > 0.1 * Math.max(a, b);

/** Counts that say why a line jumps. */
const NAMED: Readonly<Partial<Record<CountName, string>>> = {
  ...{ full_flushes: "flushes of an address space", tlbi: "TLBI", cmd_tlbi: "CMD_TLBI" },
  ...{ full_asid: "of these of an address space", atc_all: "CMD_ATC_INV of all" },
};
