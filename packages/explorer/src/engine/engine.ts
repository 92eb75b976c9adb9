// SPDX-License-Identifier: Apache-2.0
// What the page asks of the library, as one object of plain data in and out: it lives in a Worker.

import {
  type CheckRun,
  checkScenario,
  type HeldView,
  listNames,
  type Named,
  type OpenWalk,
  openWalk,
  openWitnessWalk,
  type Problem,
  parseScenario,
  type ShownMove,
  type ShownName,
  type StagedStep,
  type StateView,
  showName,
  type WalkOf,
  type WitnessFile,
  type WitnessStep,
} from "shootdown";

/** Where a run is made. */
export interface Configuration {
  readonly machine: string;
  readonly kernel: string;
  readonly set: Readonly<Record<string, string>>;
}

/** What a Result line of a scenario asks for. */
export interface Expectation extends Configuration {
  readonly expected: string;
  readonly line: number;
}

export interface Parsed {
  readonly problems: readonly Problem[];
  readonly test: string;
  /** What the scenario says of itself. */
  readonly intent: readonly string[];
  readonly expectations: readonly Expectation[];
}

/** A verdict, with the file of its witness if it has one. */
export interface Checked {
  readonly problems: readonly Problem[];
  readonly run: CheckRun | null;
  readonly witness: string | null;
  readonly why: string | null;
}

/** What a walk is opened with: a witness, or a scenario from its start; then steps of one's own. */
export interface Opening {
  readonly text: string;
  readonly configuration: Configuration;
  readonly witness: string | null;
  /** Steps of the witness that are kept; all, if not said. */
  readonly keep?: number;
  /** What is taken then: of the moves that are possible, by number. */
  readonly branch?: readonly number[];
}

export interface Walked {
  readonly problems: readonly Problem[];
  readonly of: WalkOf | null;
  readonly lanes: readonly string[];
  readonly length: number;
  readonly repeats_from: number | null;
  /** How many of the steps are the witness's. */
  readonly kept: number;
  /** The other steps, each by its number among the moves. */
  readonly branch: readonly number[];
}

/** One position of a walk: what is so, what can happen, and what was just done. */
export interface Seen {
  readonly view: StateView;
  readonly before: StateView | null;
  readonly moves: readonly ShownMove[];
}

const DEFAULTS: Configuration = { machine: "arm64+smmuv3", kernel: "linux-6.12", set: {} };

const selection = ({ machine, kernel, set }: Configuration) => ({
  ...{ machines: [machine], kernels: [kernel], set },
});

/** Walks by a name that the page gives them; the last one of a name counts. */
export class Engine {
  private readonly walks = new Map<string, { walk: OpenWalk; kept: number; branch: number[] }>();

  names(): readonly Named[] {
    return (["machines", "kernels", "knobs", "routines", "properties"] as const).flatMap(listNames);
  }

  parse(text: string): Parsed {
    const read = parseScenario(text);
    if (!read.ok) return { problems: read.problems, test: "", intent: [], expectations: [] };
    const { name, intent, expectations } = read.scenario;
    return {
      problems: [],
      test: name.text,
      intent: intent.paragraphs,
      expectations: expectations.map((e) => ({
        expected: e.observation.text,
        machine: e.machine?.text ?? DEFAULTS.machine,
        kernel: e.kernel?.text ?? DEFAULTS.kernel,
        set: Object.fromEntries(e.set.map((s) => [s.knob.text, s.value.text])),
        line: e.span.line,
      })),
    };
  }

  /** What a witness file is a run of; nothing, if it is none. */
  read(witness: string): { text: string; configuration: Configuration } {
    // Whether its steps can be taken is seen when it is opened.
    try {
      const { scenario: text, machine, kernel } = JSON.parse(witness) as Partial<WitnessFile>;
      if (typeof text !== "string" || !machine || !kernel) throw new TypeError("no witness");
      return { text, configuration: { machine, kernel, set: {} } };
    } catch {
      return { text: "", configuration: DEFAULTS };
    }
  }

  /** One run; a search that is too long ends with its Worker. */
  check(text: string, configuration: Configuration): Checked {
    const start = performance.now();
    const runs = checkScenario(text, {
      ...selection(configuration),
      ...{ witness: "all", depends_on: false, engine: "auto" },
      clock: () => (performance.now() - start) / 1000,
    });
    const first = runs.next();
    if (first.done) return { problems: first.value, run: null, witness: null, why: null };
    const { run, witness, shown } = first.value;
    const file = witness ? JSON.stringify(witness) : null;
    return { problems: [], run, witness: file, why: shown?.why ?? null };
  }

  open(id: string, { text, configuration, witness, keep, branch = [] }: Opening): Walked {
    const opened =
      witness === null ? openWalk(text, selection(configuration)) : openWitnessWalk(witness);
    if (!opened.ok) return { ...NO_WALK, problems: opened.problems };
    const { walk } = opened;
    const kept = Math.min(keep ?? walk.length, walk.length);
    walk.cut(kept);
    const taken: number[] = [];
    for (const n of branch) {
      const move = walk.moves(walk.length)[n];
      // A link of another version: what still fits is shown.
      if (!move || !walk.take(move.step)) break;
      taken.push(n);
    }
    this.walks.set(id, { walk, kept, branch: taken });
    return this.walked(id);
  }

  steps(id: string, from: number, to: number): StagedStep[] {
    const { walk } = this.of(id);
    const steps: StagedStep[] = [];
    for (let n = from; n < Math.min(to, walk.length); n++) steps.push(walk.staged(n + 1));
    return steps;
  }

  at(id: string, position: number): Seen {
    const { walk } = this.of(id);
    const before = position === 0 ? null : walk.view(position - 1);
    return { view: walk.view(position), before, moves: walk.moves(position) };
  }

  /** Takes one of the moves of a position; what came after it is forgotten. */
  take(id: string, position: number, n: number): Walked {
    const entry = this.of(id);
    const { walk } = entry;
    const move = walk.moves(position)[n];
    if (!move) throw new RangeError(`no move ${n}`);
    // The step that was taken anyway is no branch.
    if (position < walk.length && same(walk.steps[position]!, move.step)) return this.walked(id);
    walk.cut(position);
    entry.branch.length = Math.max(0, position - entry.kept);
    entry.kept = Math.min(entry.kept, position);
    walk.take(move.step);
    entry.branch.push(n);
    return this.walked(id);
  }

  why(id: string, position: number, entry: Pick<HeldView, "instance" | "value">): string | null {
    return this.of(id).walk.why(position, entry);
  }

  source(name: string, kernel: string): string {
    const found = showName(name, kernel);
    if (!found.ok) return found.message;
    return found.shown
      .filter((s): s is ShownName => s.type === "definition")
      .map((s) => s.text)
      .join("\n");
  }

  private of(id: string) {
    const entry = this.walks.get(id);
    if (!entry) throw new RangeError(`no walk ${id}`);
    return entry;
  }

  private walked(id: string): Walked {
    const { walk, kept, branch } = this.of(id);
    const repeats = walk.repeats_from;
    return {
      ...{ problems: [], of: walk.of, lanes: walk.lanesUsed, length: walk.length, kept },
      repeats_from: repeats !== undefined && repeats <= kept ? repeats : null,
      branch: [...branch],
    };
  }
}

const NO_WALK: Walked = {
  ...{ problems: [], of: null, lanes: [], length: 0, repeats_from: null, kept: 0, branch: [] },
};

const same = (a: WitnessStep, b: WitnessStep): boolean =>
  a.kind === b.kind &&
  a.name === b.name &&
  a.slot === b.slot &&
  a.choices.join() === b.choices.join();
