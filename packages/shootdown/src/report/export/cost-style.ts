// SPDX-License-Identifier: Apache-2.0
// How the report of costs looks: light, dark, narrow and printed. Its pictures use these classes
// alone, so that they look the same wherever this style is.

/** Of lines and bars, one a kernel: they are told apart by mark and dashes too. */
const LINES: readonly (readonly [light: string, dark: string])[] = [
  ["#1a4fb4", "#8ab4ff"],
  ["#a34a00", "#f5b25c"],
  ["#0b6b60", "#4fd1c0"],
  ["#7b2d8b", "#dba6ff"],
  ["#8a1538", "#ff9db5"],
  ["#4b5563", "#b8c0cc"],
];
export const LINE_COLOURS = LINES.length;

const INKS: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  paper: ["#ffffff", "#16181d"],
  ink: ["#1b1d22", "#e6e8ec"],
  faint: ["#5f6672", "#9aa1ad"],
  line: ["#d5d9e0", "#343944"],
  good: ["#1b6e3c", "#7ddc9f"],
  bad: ["#b3261e", "#ff8a80"],
  unsure: ["#7a4b00", "#f0b35a"],
  tint: ["#f4f6f9", "#1e2129"],
};

const colours = (scheme: 0 | 1): string =>
  [
    ...Object.entries(INKS).map(([name, pair]) => `--${name}:${pair[scheme]}`),
    ...LINES.map((pair, n) => `--c${n}:${pair[scheme]}`),
  ].join(";");

const PICTURES = [
  ...LINES.map((_, n) => `.cost .c${n}{stroke:var(--c${n});fill:var(--c${n})}`),
  ".cost .band{stroke:none;fill-opacity:.13}.cost .run{fill:none;stroke-width:2}",
  ".cost .bar{stroke:none;fill-opacity:.4}.cost .mid{stroke-width:3}",
  ".cost .good{fill:var(--good);stroke:var(--good)}.cost .bad{fill:var(--bad);stroke:var(--bad)}",
  ".cost .unsure{fill:var(--unsure);stroke:var(--unsure)}",
  ".cost .axis{stroke:var(--faint)}.cost .grid{stroke:var(--line)}",
  ".cost .cliff{stroke:var(--ink);stroke-dasharray:3 3}",
  ".cost text{font:12px system-ui,sans-serif;fill:var(--ink);stroke:none}",
  ".cost text.faint{fill:var(--faint)}.cost text.strong{font-weight:600}",
  ".cost text.back{fill:var(--paper);stroke:var(--paper);stroke-width:4}",
  "svg.cost{display:block;width:100%;height:auto;max-width:40rem}",
];

const BODY = [
  "*{box-sizing:border-box}",
  "body{margin:0 auto;padding:1rem;max-width:76rem;background:var(--paper);color:var(--ink);",
  "font:15px/1.45 system-ui,sans-serif}",
];

const ELEMENTS = [
  "h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.25rem;margin:2rem 0 .5rem;",
  "border-bottom:2px solid var(--line)}h3{font-size:1.05rem;margin:1.4rem 0 .4rem}",
  "h3 small{font-weight:400;color:var(--faint)}p{max-width:48rem}.faint{color:var(--faint)}",
  "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.5rem 0}",
  "dt{color:var(--faint)}dd{margin:0}ul{margin:.3rem 0;padding-left:1.2rem}",
  "code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}",
  ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}",
  "th,td{padding:.18rem .6rem;text-align:left;vertical-align:top;",
  "border-bottom:1px solid var(--line)}",
  "th{font-weight:600}tbody th{font-weight:400;min-width:8.5rem}.pair+.wide{margin-top:.9rem}",
  ".n{text-align:right;white-space:nowrap;",
  "font-variant-numeric:tabular-nums}.sub{padding-left:1.8rem}tr.time{background:var(--tint)}",
  "tr.assumed{background:var(--tint)}.tag{white-space:nowrap}tr.assumed .tag{color:var(--unsure);",
  "font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}.unsure{color:var(--unsure)}",
  ".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));",
  "gap:1rem 2rem;align-items:start}.pair>*{min-width:0}figure{margin:0 0 1rem;",
  "break-inside:avoid}",
  "figcaption{font-size:.9rem;margin-bottom:.3rem}figcaption b{display:block}",
  "figure ul{font-size:.9rem}",
];

const PRINTED = [
  `@media print{:root{color-scheme:light;${colours(0)}}body{font-size:10.5pt;max-width:none;`,
  "padding:0}h2,h3{break-after:avoid}tr{break-inside:avoid}.wide{overflow:visible}",
  "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}",
];

/** Of the whole document. */
export const COST_STYLE = [
  `:root{color-scheme:light dark;${colours(0)}}`,
  `@media(prefers-color-scheme:dark){:root{${colours(1)}}}`,
  ...BODY,
  ...ELEMENTS,
  ...PICTURES,
  ...PRINTED,
].join("");

/** Of the sections alone, within `.cost-report` of a page that has a style of its own. */
export const COST_SECTIONS_STYLE = [
  `.cost-report{${colours(0)};${[...ELEMENTS, ...PICTURES].join("")}}`,
  `@media(prefers-color-scheme:dark){.cost-report{${colours(1)}}}`,
].join("");
