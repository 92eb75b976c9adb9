// SPDX-License-Identifier: Apache-2.0
// What the page asks of the library, as one object of plain data in and out: it lives in a Worker.

import {
  type CheckRun,
  checkScenario,
  type HeldView,
  listNames,
  listStatements,
  type Named,
  type OpenWalk,
  openCheck,
  openWalk,
  openWitnessWalk,
  type Pair,
  type Problem,
  parseScenario,
  type ShownBeside,
  type ShownDifference,
  type ShownMove,
  type ShownName,
  type StagedStep,
  type StatementName,
  type StateView,
  showName,
  type WalkOf,
  type WhyPart,
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
  /** Why the witness goes as it does, in pieces, with the steps that it names. */
  readonly why: readonly WhyPart[];
  /** Knobs that its programs ask for. */
  readonly asks: readonly string[];
  /** What its property says; empty for a condition of one's own. */
  readonly meaning: string;
}

/** What a verdict hangs on: knobs that change it, and knobs of which that is not known. */
export interface HangsOn {
  readonly depends_on: readonly string[];
  readonly undecided: readonly string[];
}

/** One of two configurations, with what a search of it has found. */
export interface Side {
  readonly configuration: Configuration;
  readonly witness: string | null;
}

/** Two walks, line by line: `main` and the other; one has followed the other. */
export interface Besides {
  readonly problems: readonly Problem[];
  readonly main: Walked;
  readonly other: Walked;
  /** `first` is a step of `main`. */
  readonly pairs: readonly Pair[];
  readonly differences: readonly ShownDifference[];
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
  ...{ machines: [machine], kernels: [kernel], set, exact: true },
});

/** What the model is made of, and the words of scenarios. */
export interface Names {
  readonly names: readonly Named[];
  readonly statements: readonly StatementName[];
}

/** Walks by a name that the page gives them; the last one of a name counts. */
export class Engine {
  private readonly walks = new Map<string, { walk: OpenWalk; kept: number; branch: number[] }>();

  names(): Names {
    const kinds = ["machines", "kernels", "knobs", "routines", "properties"] as const;
    return { names: kinds.flatMap(listNames), statements: listStatements() };
  }

  parse(text: string): Parsed {
    const read = parseScenario(text);
    if (!read.ok) return { problems: read.problems, test: "", intent: [], expectations: [] };
    const { name, intent, expectations } = read.scenario;
    // Names in Result lines that mean nothing are no mistakes of the text, but they are said.
    const opened = openCheck(text);
    return {
      problems: opened.kind === "problems" ? opened.problems : [],
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
    if (first.done) return { ...NOT_CHECKED, problems: first.value };
    const { run, witness, shown, asks = [] } = first.value;
    const file = witness ? JSON.stringify(witness) : null;
    const [name] = /^[a-z_]+/.exec(run.property) ?? [];
    const meaning = listNames("properties").find((p) => p.name === name)?.describes ?? "";
    return { problems: [], run, witness: file, why: shown?.why_parts ?? [], asks, meaning };
  }

  /** Flips knobs one by one: what the verdict hangs on. */
  hangsOn(text: string, configuration: Configuration): HangsOn {
    const [result] = checkScenario(text, {
      ...selection(configuration),
      ...{ witness: "none", depends_on: true, engine: "auto" },
    });
    const { depends_on = [], undecided = [] } = result?.run ?? {};
    return { depends_on: depends_on ?? [], undecided };
  }

  open(id: string, { text, configuration, witness, keep, branch = [] }: Opening): Walked {
    const opened =
      witness === null ? openWalk(text, selection(configuration)) : openWitnessWalk(witness);
    if (!opened.ok) return { ...NO_WALK, problems: opened.problems };
    const { walk } = opened;
    const kept = Math.min(keep ?? walk.length, walk.length);
    walk.cut(kept);
    this.walks.set(id, { walk, kept, branch: [] });
    this.branch(id, branch);
    return this.walked(id);
  }

  private branch(id: string, branch: readonly number[]): void {
    const { walk, branch: taken } = this.of(id);
    for (const n of branch) {
      const move = walk.moves(walk.length)[n];
      // A link of another version: what still fits is shown.
      if (!move || !walk.take(move.step)) break;
      taken.push(n);
    }
  }

  /**
   * Opens a walk in each of two configurations: the witness of one, in which the other follows it;
   * without a witness a run to its end. `branch`: steps of one's own in `main`.
   */
  openBeside(
    text: string,
    main: Side,
    other: Side,
    { keep, branch = [] }: Pick<Opening, "keep" | "branch"> = {},
  ): Besides {
    const [leader, follower] =
      main.witness === null && other.witness ? [other, main] : [main, other];
    const led = leader.witness
      ? openWitnessWalk(leader.witness)
      : openWalk(text, { ...selection(leader.configuration), like: {} });
    if (!led.ok) return { ...NO_BESIDES, problems: led.problems };
    if (!leader.witness) led.walk.play();
    const { knobs } = led.walk.of;
    const opened = openWalk(text, { ...selection(follower.configuration), like: knobs });
    if (!opened.ok) return { ...NO_BESIDES, problems: opened.problems };
    const beside = opened.walk.follow(led.walk);
    const isMain = leader === main;
    const [mine, theirs] = isMain ? [led.walk, opened.walk] : [opened.walk, led.walk];
    const kept = Math.min(keep ?? mine.length, mine.length);
    this.walks.set("main", { walk: mine, kept, branch: [] });
    this.walks.set("other", { walk: theirs, kept: theirs.length, branch: [] });
    if (keep === undefined) return this.besides(isMain ? beside : turned(beside));
    mine.cut(kept);
    this.branch("main", branch);
    return this.follow();
  }

  /** Has the other walk follow the steps of `main`. */
  follow(): Besides {
    const other = this.of("other");
    const beside = other.walk.follow(this.of("main").walk);
    this.walks.set("other", { walk: other.walk, kept: other.walk.length, branch: [] });
    return this.besides(beside);
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

  why(id: string, position: number, entry: Pick<HeldView, "instance" | "value">): WhyPart[] | null {
    return this.of(id).walk.whyParts(position, entry);
  }

  /** A routine as a kernel has it on a machine; `text` is the scenario, which may have its own. */
  source(name: string, { kernel, machine }: Omit<Configuration, "set">, text: string): string {
    const read = parseScenario(text);
    const body = read.ok ? read.scenario.bodies.find((b) => b.agent.text === name) : undefined;
    if (read.ok && body) {
      // Its steps are counted as the kernel's are: one statement may be several.
      const own = body.statements.map(({ span }) => read.text.slice(span.offset, span.end));
      const number = own.length === 1 ? "  1" : "   ";
      return ["/* the scenario */", `${name} {`, ...own.map((t) => `${number}     ${t}`), "}"].join(
        "\n",
      );
    }
    const found = showName(name, kernel, read.ok ? read.scenario : undefined, machine);
    if (!found.ok) return found.message;
    const shown = found.shown.find((s): s is ShownName => s.type === "definition");
    return shown?.text ?? "";
  }

  private besides({ pairs, differences }: ShownBeside): Besides {
    const walks = { main: this.walked("main"), other: this.walked("other") };
    return { problems: [], ...walks, pairs, differences };
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

const NOT_CHECKED: Checked = {
  ...{ problems: [], run: null, witness: null, why: [], asks: [], meaning: "" },
};

const NO_WALK: Walked = {
  ...{ problems: [], of: null, lanes: [], length: 0, repeats_from: null, kept: 0, branch: [] },
};

const NO_BESIDES: Besides = {
  ...{ problems: [], main: NO_WALK, other: NO_WALK, pairs: [], differences: [] },
};

/** The same with the other one first. */
const turned = ({ pairs, differences }: ShownBeside): ShownBeside => ({
  pairs: pairs.map(({ first, second }) => ({ first: second, second: first })),
  differences,
});

const same = (a: WitnessStep, b: WitnessStep): boolean =>
  a.kind === b.kind &&
  a.name === b.name &&
  a.slot === b.slot &&
  a.choices.join() === b.choices.join();
