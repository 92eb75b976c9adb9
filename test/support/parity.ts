// SPDX-License-Identifier: Apache-2.0
// The reference against the fast ways of searching, on every program of every scenario; as a page.
//
//   Result lines ──knobs──► programs ──► reference: closures, single fills, nothing left out
//                                   └──► DEFAULT, COMPILED, REDUCED: the same verdict and depth

import type { Limits, Outcome } from "../../packages/shootdown/src/explore/search.ts";
import { REDUCTIONS } from "../../packages/shootdown/src/explore/tiers.ts";
import { PARTS } from "../../packages/shootdown/src/hardware/machines.ts";
import type { CheckOptions, Variant } from "../../packages/shootdown/src/study/check.ts";
import { Checker } from "../../packages/shootdown/src/study/check.ts";
import { configure } from "../../packages/shootdown/src/study/configuration.ts";
import type { Shipped } from "./scenarios.ts";

/** The reference gives up behind so many states. */
export const REFERENCE_STATES_MAX = 2_000_000;
const BYTES_MAX = 2 ** 31;

type How = Pick<CheckOptions, "semantics" | "engine" | "reductions">;

const REFERENCE: How = { semantics: "concrete", engine: "closures", reductions: [] };
/** What `shootdown check` does unasked. */
const DEFAULT: How = { semantics: "window", engine: "auto" };
/** The same search as the reference's: it must also count alike. */
const COMPILED: How = { semantics: "concrete", engine: "wasm", reductions: [] };
const REDUCED: How = { semantics: "window", engine: "wasm", reductions: REDUCTIONS };

/** What is compared of an outcome. */
type Said = Pick<Outcome, "observed" | "states" | "transitions" | "depth"> & { limit?: string };

export interface ProgramParity {
  /** Where the program comes from: machine, kernel, knobs. */
  readonly name: string;
  readonly reference: Said;
  readonly fast: Said;
  /** Ways that say something else than the reference, in words. */
  readonly differences: readonly string[];
}

export interface ScenarioParity {
  readonly file: string;
  /** How many Result lines it has. */
  readonly lines: number;
  readonly programs: readonly ProgramParity[];
}

/** Compares all programs of a scenario's Result lines; `told` hears of each. */
export function parityOf(
  { file, scenario }: Shipped,
  told: (p: ProgramParity) => void = () => {},
  states_max = REFERENCE_STATES_MAX,
): ScenarioParity {
  const checker = new Checker(scenario);
  const limits = { states_max, bytes_max: BYTES_MAX };
  const found = new Map<string, ProgramParity>();
  for (const e of scenario.expectations) {
    const set = Object.fromEntries(e.set.map((s) => [s.knob.text, s.value.text]));
    const configured = configure(e.machine!.text, e.kernel!.text, set);
    if (!configured.ok) throw new Error(`${file}: unknown ${configured.problem.name}`);
    const { configuration } = configured;
    const variants = (how: How, most: Limits = limits) =>
      checker.check(configuration, { ...how, limits: most, dependsOn: false }).variants;
    const plain = variants(REFERENCE);
    const waits = checker.condition.waits !== undefined;
    const ways: readonly (readonly [string, How, Limits])[] = [
      ["default", DEFAULT, { ...limits, states_max: 2 ** 31 }],
      // Who waits for ever is decided in one way; only windows differ.
      ...(waits ? [] : ([["compiled", COMPILED, limits]] as const)),
      ...(waits ? [] : ([["reduced", REDUCED, limits]] as const)),
    ];
    const others = ways.map(([way, how, most]) => [way, variants(how, most)] as const);
    for (const [n, v] of plain.entries()) {
      if (found.has(v.program.hash)) continue;
      const name = [e.machine!.text, e.kernel!.text, ...knobsOf(v)].join(" ");
      const made = compare(
        name,
        v,
        others.map(([way, list]) => [way, list[n]!]),
      );
      found.set(v.program.hash, made);
      told(made);
    }
  }
  return { file, lines: scenario.expectations.length, programs: [...found.values()] };
}

/** Parts of the machine stand in its name. */
const knobsOf = ({ knobs }: Variant): string[] =>
  Object.entries(knobs)
    .filter(([k]) => !PARTS.some(({ name }) => name === k))
    .map(([k, value]) => `${k}=${value}`);

function compare(
  name: string,
  { program, outcome: reference }: Variant,
  others: readonly (readonly [string, Variant])[],
): ProgramParity {
  const differences: string[] = [];
  for (const [way, { program: same, outcome }] of others) {
    if (same.hash !== program.hash) throw new Error(`${name}: another program`);
    if (reference.limit !== undefined) continue;
    const all = way === "compiled";
    const [is, meant] = [words(outcome, all), words(reference, all)];
    if (is !== meant) differences.push(`${way}: ${is}; reference: ${meant}`);
  }
  return { name, reference: said(reference), fast: said(others[0]![1].outcome), differences };
}

/** Depth counts where both have a witness; states where both visit the same. */
function words(o: Outcome, all: boolean): string {
  const depth = o.observed === "never" || o.limit !== undefined ? "" : ` after ${o.depth} steps`;
  const counts = all ? `, ${o.states} states, ${o.transitions} transitions` : "";
  return `${o.observed}${depth}${counts}${o.limit === undefined ? "" : `, ${o.limit}`}`;
}

const said = ({ observed, states, transitions, depth, limit }: Outcome): Said => ({
  ...{ observed, states, transitions, depth },
  ...(limit === undefined ? {} : { limit }),
});

const whole = (n: number): string => n.toLocaleString("en-US");
const most = (numbers: readonly number[]): string => whole(Math.max(0, ...numbers));

const HEAD = `# The reference and the fast engine

Written by \`npm run parity\`, in about ten minutes. Each program of each Result line of
\`litmus/\` is searched by the reference (\`--engine closures --semantics concrete --reduce none\`):
every fill and every eviction is a transition, nothing is left out. It gives up behind
${whole(REFERENCE_STATES_MAX)} states. What it says is compared with

* the default, windows on closures or compiled steps by size: verdict, depth of the witness;
* compiled steps in WebAssembly on the reference's own states: also how many states and transitions;
* compiled steps on windows with all reductions: verdict, depth of the witness.

Who may wait for ever (\`never_completes\`) is decided by one engine: there the default is compared
with single fills.
`;

const COLUMNS = [
  ...["scenario", "programs", "ended", "agree"],
  ...["states, reference", "states, default", "longest witness"],
];

/** The page of all comparisons. */
export function parityPage(all: readonly ScenarioParity[]): string {
  const programs = all.flatMap(({ file, programs: of }) => of.map((p) => ({ file, ...p })));
  const ended = programs.filter((p) => p.reference.limit === undefined);
  const endless = programs.filter((p) => p.reference.limit !== undefined);
  const differ = programs.filter((p) => p.differences.length > 0);
  const ends = (n: number) =>
    `the reference ends on ${whole(n)} of ${whole(programs.length)} programs`;
  const lines = all.reduce((n, s) => n + s.lines, 0);
  const agree = differ.length === 0 ? "and all agree there" : `and ${differ.length} disagree`;
  return [
    HEAD,
    `Of ${whole(lines)} Result lines ${ends(ended.length)}, ${agree}.\n`,
    ...section("Where they disagree", differ, (p) => p.differences.join("; ")),
    ...section(
      "Where the reference does not end",
      endless,
      ({ reference, fast }) => `${reference.limit}; the default: ${words(fast as Outcome, true)}`,
    ),
    "## Scenarios\n",
    "States are the most of one program.\n",
    `| ${COLUMNS.join(" | ")} |`,
    `|---|${"--:|".repeat(COLUMNS.length - 1)}`,
    ...all.map(row),
    "",
  ].join("\n");
}

function section<T extends { file: string; name: string }>(
  title: string,
  of: readonly T[],
  text: (p: T) => string,
): string[] {
  if (of.length === 0) return [];
  return [`## ${title}\n`, ...of.map((p) => `* ${p.file}, ${p.name}: ${text(p)}`), ""];
}

function row({ file, programs }: ScenarioParity): string {
  const ended = programs.filter((p) => p.reference.limit === undefined);
  const deep = programs.filter((p) => p.fast.observed !== "never").map((p) => p.fast.depth);
  const cells = [
    ...[file, whole(programs.length), whole(ended.length)],
    whole(ended.filter((p) => p.differences.length === 0).length),
    most(ended.map((p) => p.reference.states)),
    most(programs.map((p) => p.fast.states)),
    deep.length === 0 ? "" : most(deep),
  ];
  return `| ${cells.join(" | ")} |`;
}
