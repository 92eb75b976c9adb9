// SPDX-License-Identifier: Apache-2.0
// What the page knows, as signals: one cursor, many views. Views read these and call the actions.
//
//   text, configuration ──check──► verdict ──open──► walk ──at(cursor)──► seen
//                                                     └──steps(window)──► stage

import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { HeldView, Problem, StagedStep, WhyPart } from "shootdown";
import type {
  Besides,
  Configuration,
  HangsOn,
  Names,
  Parsed,
  Seen,
  Side,
  Walked,
} from "../engine/engine.ts";
import { FIRST, type First, type Reason } from "../engine/first.ts";
import type { RemoteEngine } from "../engine/protocol.ts";
import { Compare } from "./compare.ts";
import { contentOf, isStreamed, type Offered } from "./files.ts";
import type { Gallery } from "./gallery.ts";
import type { Link, Target } from "./link.ts";
import { Recording } from "./recording.ts";
import { Rounds } from "./rounds.ts";
import { rowOf } from "./rows.ts";
import { Steps } from "./steps.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

/** A search that took longer is not made again for each knob. */
const QUICK_S = 1;

export class Store {
  readonly gallery = signal<Gallery>({ groups: [] });
  /** What the model is made of. */
  readonly known = signal<Names>({ names: [], statements: [] });
  /** Path of the shipped scenario that the text began as. */
  readonly scenario = signal<string | null>(null);
  readonly text = signal("");
  readonly parsed = signal<Parsed | null>(null);
  readonly configuration = signal<Configuration>({ ...FIRST.configuration });
  /** Of the text, as it is read while somebody types; and of what was last asked of it. */
  private readonly ofText = signal<readonly Problem[]>([]);
  private readonly ofRun = signal<readonly Problem[]>([]);
  readonly problems = computed(() =>
    this.ofText.value.length > 0 ? this.ofText.value : this.ofRun.value,
  );
  readonly verdict = signal<Verdict | null>(null);
  readonly walk = signal<Walked | null>(null);
  readonly cursor = signal(0);
  readonly seen = signal<{ readonly position: number; readonly seen: Seen } | null>(null);
  /** Rises when steps that were asked for have come. */
  readonly arrived = signal(0);
  /** Knobs that the verdict hangs on, once that is known. */
  readonly hangs = signal<HangsOn | null>(null);
  readonly compare: Compare;
  /** Files that `serve` was given. */
  readonly offered = signal<readonly Offered[]>([]);
  /** The recording that is shown in place of a run. */
  readonly recording = signal<Recording | null>(null);
  steps = new Steps(
    0,
    async () => [],
    () => undefined,
  );

  /** What is known of entries before anybody asks. */
  private reasons: { walk: Walked; at: number; known: readonly Reason[] } | null = null;
  private readonly engine: RemoteEngine;
  private readonly searcher: RemoteEngine;
  private readonly startTrace: () => Worker;
  private readonly rounds: Rounds;
  readonly running: ReadonlySignal<boolean>;
  readonly message: Signal<string>;

  /** One engine for walks, one for searches, which can be long and are stopped by ending it. */
  constructor(engine: RemoteEngine, searcher: RemoteEngine, startTrace: () => Worker) {
    this.engine = engine;
    this.searcher = searcher;
    this.startTrace = startTrace;
    this.compare = new Compare(engine);
    this.rounds = new Rounds(() => searcher.stop());
    this.running = this.rounds.running;
    this.message = this.rounds.message;
    effect(() => void this.look(this.walk.value, this.cursor.value));
    effect(() => void this.parse(this.text.value));
  }

  /** Whether the text is no more what is shipped. */
  readonly edited = computed(() => {
    const path = this.scenario.value;
    if (path === null) return this.text.value !== "";
    const shipped = this.gallery.value.groups.flatMap((g) => g.items).find((i) => i.path === path);
    return shipped?.text !== this.text.value;
  });

  /** Shows what the page was built with; a Worker makes the same walk meanwhile. */
  beginWith(first: First, at: number | null): void {
    const { scenario, text, configuration, parsed, checked, walked, steps, seen } = first;
    const { witness } = checked;
    // Before anything else is asked of that walk.
    void this.engine.open("main", { text, configuration, witness });
    batch(() => {
      this.scenario.value = scenario;
      this.text.value = text;
      this.parsed.value = parsed;
      this.verdict.value = verdictOf(checked);
      this.hangs.value = first.hangs;
      this.reasons = { walk: walked, at: first.at, known: first.reasons };
      this.seen.value = { position: first.at, seen };
      this.show(walked, at ?? first.at, steps);
    });
  }

  /** `begun`: only what can be chosen is still to come. */
  async begin(gallery: Gallery, link: Link, begun = false): Promise<void> {
    this.gallery.value = gallery;
    if (!begun) await this.beginAt(link);
    this.known.value = await this.engine.names();
  }

  private async beginAt(link: Link): Promise<void> {
    const gallery = this.gallery.peek();
    const items = gallery.groups.flatMap((g) => g.items);
    const wanted = link.scenario ?? (link.text === null ? FIRST.scenario : null);
    const item = items.find((i) => i.path === wanted);
    batch(() => {
      this.scenario.value = item?.path ?? null;
      this.text.value = item?.text ?? link.text ?? "";
      if (wanted !== null && !item) this.message.value = `no scenario ${wanted} here`;
      if (link.machine !== null && link.kernel !== null) {
        this.configuration.value = { machine: link.machine, kernel: link.kernel, set: link.set };
      }
      this.compare.close();
      this.compare.configuration.value = link.beside;
    });
    const { keep, branch, at } = link;
    const atEnd = link.at === 0 && link.scenario === null && link.text === null;
    await this.run({ keep, branch, at: atEnd ? null : at });
  }

  /** Opens a shipped scenario in one of its configurations, or in two. */
  async choose(
    path: string,
    configuration?: Configuration,
    beside: Configuration | null = null,
  ): Promise<void> {
    const items = this.gallery.value.groups.flatMap((g) => g.items);
    const item = items.find((i) => i.path === path);
    if (!item) return;
    batch(() => {
      this.scenario.value = path;
      this.text.value = item.text;
      this.configuration.value = configuration ?? item.bug;
      this.compare.close();
      this.compare.configuration.value = beside;
    });
    await this.run();
  }

  /** Searches; shows the witness, or the beginning if there is none. */
  async run(to: Target = {}): Promise<void> {
    const text = this.text.value;
    const configuration = this.configuration.value;
    await this.rounds.work(async (isLast) => {
      this.hangs.value = null;
      this.compare.verdict.value = null;
      const checked = await this.searcher.check(text, configuration);
      if (!isLast()) return;
      const { witness, problems } = checked;
      this.ofRun.value = problems;
      this.verdict.value = verdictOf(checked);
      if (problems.length > 0) return;
      if (this.compare.configuration.peek()) return this.searchOther(to, isLast);
      const { keep, branch = [] } = to;
      const kept = keep === null || keep === undefined ? {} : { keep };
      const opening = { text, configuration, witness, branch, ...kept };
      const opened = await this.engine.open("main", opening);
      if (isLast()) this.show(opened, to.at ?? this.firstSight(opened));
      return undefined;
    });
    const { run } = this.verdict.peek() ?? {};
    if (!run || run.seconds > QUICK_S) return;
    const hangs = await this.rounds.ask(() => this.searcher.hangsOn(text, configuration));
    if (hangs) this.hangs.value = hangs;
  }

  /** Searches another configuration too, and shows both; null: the first alone again. */
  async compareWith(configuration: Configuration | null): Promise<void> {
    if (configuration === null) {
      this.compare.close();
      return this.whole();
    }
    this.compare.configuration.value = configuration;
    if (!this.verdict.peek()) return this.run();
    await this.rounds.work((isLast) => this.searchOther({}, isLast));
    return undefined;
  }

  private async searchOther(to: Target, isLast: () => boolean): Promise<void> {
    const { compare } = this;
    const configuration = compare.configuration.peek();
    if (!configuration) return;
    compare.verdict.value = null;
    const checked = await this.searcher.check(this.text.peek(), configuration);
    if (!isLast()) return;
    compare.verdict.value = verdictOf(checked);
    compare.problems.value = checked.problems;
    if (checked.problems.length > 0) {
      compare.besides.value = null;
      return this.whole();
    }
    const { keep, branch = [] } = to;
    const kept = keep === null || keep === undefined ? {} : { keep, branch };
    const besides = await this.openBeside(kept);
    if (isLast()) this.showBeside(besides, to.at ?? this.compare.next());
    return undefined;
  }

  /** Both walks as they were found, and from `keep` on as somebody went. */
  private openBeside(to: { keep?: number; branch?: readonly number[] } = {}): Promise<Besides> {
    const { verdict, configuration, compare } = this;
    const side = (v: Verdict | null, c: Configuration): Side => ({
      configuration: c,
      witness: v?.witness ?? null,
    });
    const main = side(verdict.peek(), configuration.peek());
    const other = side(compare.verdict.peek(), compare.configuration.peek() ?? main.configuration);
    return this.engine.openBeside(this.text.peek(), main, other, to);
  }

  private showBeside(besides: Besides, row: number): void {
    batch(() => {
      this.compare.show(besides);
      if (!besides.main.of) return;
      const first = this.compare.differing.peek()[0] ?? besides.pairs.length;
      const at = row < 0 ? first : row;
      this.show(besides.main, this.compare.goto(at));
      this.compare.goto(at);
    });
  }

  /** A file that was dropped or chosen: shown as what it is. */
  async openFile(name: string, file: Blob): Promise<void> {
    const content = await contentOf(file);
    this.closeRecording();
    if (content.kind === "recording") {
      this.recording.value = new Recording(name, file.size, { file }, this.startTrace());
      return;
    }
    this.scenario.value = null;
    this.compare.close();
    if (content.kind === "witness") return this.openWitness(content.text);
    this.text.value = content.text;
    const parsed = await this.engine.parse(content.text);
    const [first] = parsed.expectations;
    if (first) {
      const { machine, kernel, set } = first;
      this.configuration.value = { machine, kernel, set };
    }
    await this.run();
  }

  async openOffered(file: Offered): Promise<void> {
    const { name, url, size } = file;
    const { href } = new URL(url, document.baseURI);
    if (isStreamed(file)) {
      this.closeRecording();
      this.recording.value = new Recording(name, size, { url: href }, this.startTrace());
      return undefined;
    }
    const response = await fetch(href);
    if (response.ok) return this.openFile(name, await response.blob());
    this.message.value = `${name}: ${(await response.text()).trim()}`;
    return undefined;
  }

  closeRecording(): void {
    this.recording.peek()?.close();
    this.recording.value = null;
  }

  async openWitness(witness: string): Promise<void> {
    const isLast = this.rounds.begin();
    const { text, configuration } = await this.engine.read(witness);
    const opened = await this.engine.open("main", { text, configuration, witness });
    if (!isLast()) return;
    batch(() => {
      this.text.value = text;
      this.configuration.value = configuration;
      this.verdict.value = null;
      if (opened.of) this.show(opened, this.firstSight(opened));
    });
    // After the text: another one has none yet.
    this.ofRun.value = opened.problems;
    this.known.value = await this.engine.names();
  }

  stepsBetween(from: number, to: number): Promise<readonly StagedStep[]> {
    return this.engine.steps("main", from, to);
  }

  stop(): void {
    this.searcher.stop();
  }

  /** Where a witness is opened: at what it shows. */
  private firstSight({ length, repeats_from }: Walked): number {
    return repeats_from ?? length;
  }

  private show(walk: Walked, at: number, known?: readonly StagedStep[]): void {
    this.steps = new Steps(
      walk.length,
      (from, to) => this.engine.steps("main", from, to),
      () => {
        this.arrived.value++;
      },
      known,
    );
    batch(() => {
      if (walk.problems.length > 0) this.ofRun.value = walk.problems;
      this.walk.value = walk;
      this.cursor.value = Math.min(at, walk.length);
      this.arrived.value++;
    });
  }

  move(to: number): void {
    const length = this.walk.value?.length ?? 0;
    const at = Math.max(0, Math.min(to, length));
    if (this.compare.besides.peek()) this.toRow(this.compare.rowOf(at));
    else this.cursor.value = at;
  }

  /** On or back; beside another run line by line. */
  step(by: number): void {
    const { compare } = this;
    if (compare.besides.peek()) this.toRow(compare.row.peek() + by);
    else this.move(this.cursor.peek() + by);
  }

  toRow(row: number): void {
    if (!this.compare.besides.peek() || row < 0) return;
    batch(() => {
      this.cursor.value = this.compare.goto(row);
    });
  }

  /** To what the run shows: the violation, or where it repeats for ever. */
  jump(): void {
    const walk = this.walk.peek();
    if (walk) this.move(this.firstSight(walk));
  }

  /** Takes one of the possible next steps. */
  async take(n: number): Promise<void> {
    const position = this.cursor.value;
    const walk = await this.engine.take("main", position, n);
    if (!this.compare.besides.peek()) return this.show(walk, position + 1);
    const besides = await this.engine.follow();
    this.compare.show(besides);
    this.showBeside(besides, this.compare.rowOf(position + 1));
  }

  /** Back to the witness as it was found. */
  async whole(): Promise<void> {
    const at = this.cursor.value;
    if (this.compare.besides.peek()) {
      const besides = await this.openBeside();
      this.compare.show(besides);
      return this.showBeside(besides, this.compare.rowOf(at));
    }
    const witness = this.verdict.value?.witness ?? null;
    const [text, configuration] = [this.text.value, this.configuration.value];
    const walk = await this.engine.open("main", { text, configuration, witness });
    return this.show(walk, Math.min(at, walk.length));
  }

  /** What the panels show: this run, or the one beside it. */
  viewed(): { readonly found: Store["seen"]["value"]; readonly walk: Walked | null } {
    const { side, besides, seen } = this.compare;
    const isOther = side.value === "other" && besides.value;
    if (isOther) return { found: seen.value, walk: besides.value?.other ?? null };
    return { found: this.seen.value, walk: this.walk.value };
  }

  /** To a step of the run that the panels show. */
  goTo(at: number): void {
    const { side, besides, rows } = this.compare;
    const isOther = side.peek() === "other" && besides.peek();
    if (isOther) this.toRow(rowOf(rows.peek(), "other", at));
    else this.move(at);
  }

  /** What is known already of why an entry is there. */
  explained({ instance, value }: Pick<HeldView, "instance" | "value">): readonly WhyPart[] | null {
    const { reasons } = this;
    if (reasons?.walk !== this.walk.peek() || reasons?.at !== this.cursor.peek()) return null;
    const known = reasons.known.find((r) => r.instance === instance && r.value === value);
    return known?.parts ?? null;
  }

  /** Why an entry is there, in the state that is shown. */
  explain(entry: Pick<HeldView, "instance" | "value">): Promise<WhyPart[] | null> {
    const { side, rows, row } = this.compare;
    const id = side.peek();
    const at = id === "other" ? (rows.peek()[row.peek()]?.other ?? 0) : this.cursor.peek();
    return this.engine.why(id, at, entry);
  }

  source(name: string): Promise<string> {
    const of = this.viewed().walk?.of ?? this.configuration.value;
    return this.engine.source(name, of, this.text.peek());
  }

  /** The step that led to the state that is shown. */
  stepShown(): StagedStep | undefined {
    const { side, besides, steps, rows, row, arrived } = this.compare;
    if (side.value === "other" && besides.value) {
      const at = arrived.value >= 0 ? (rows.value[row.value]?.other ?? 0) : 0;
      return at > 0 ? steps.get(at - 1) : undefined;
    }
    const at = this.arrived.value >= 0 ? this.cursor.value : 0;
    return at > 0 ? this.steps.get(at - 1) : undefined;
  }

  private async parse(text: string): Promise<void> {
    // What is asked of it from here on may be answered sooner than it is read.
    this.ofText.value = [];
    this.ofRun.value = [];
    if (text === "") return;
    const parsed = await this.engine.parse(text).catch(() => null);
    if (parsed && text === this.text.peek()) {
      batch(() => {
        this.parsed.value = parsed;
        this.ofText.value = parsed.problems;
      });
    }
  }

  private async look(walk: Walked | null, position: number): Promise<void> {
    if (!walk || position > walk.length) return;
    const seen = await this.engine.at("main", position).catch(() => null);
    if (seen && this.walk.peek() === walk && this.cursor.peek() === position) {
      this.seen.value = { position, seen };
    }
  }
}
