// SPDX-License-Identifier: Apache-2.0
// What the page knows, as signals: one cursor, many views. Views read these and call the actions.
//
//   text, configuration ──check──► verdict ──open──► walk ──at(cursor)──► seen
//                                                     └──steps(window)──► stage

import { batch, computed, effect, signal } from "@preact/signals";
import type { CheckRun, Named, Problem, StagedStep } from "shootdown";
import type { Configuration, Parsed, Seen, Walked } from "../engine/engine.ts";
import { FIRST, type First } from "../engine/first.ts";
import type { RemoteEngine } from "../engine/protocol.ts";
import { Stopped } from "../engine/protocol.ts";
import { contentOf, type Offered } from "./files.ts";
import type { Gallery } from "./gallery.ts";
import { type Link, writeLink } from "./link.ts";
import { Recording } from "./recording.ts";
import { Steps } from "./steps.ts";

export interface Verdict {
  readonly run: CheckRun;
  readonly witness: string | null;
  readonly why: string | null;
}

export class Store {
  readonly gallery = signal<Gallery>({ groups: [] });
  readonly names = signal<readonly Named[]>([]);
  /** Path of the shipped scenario that the text began as. */
  readonly scenario = signal<string | null>(null);
  readonly text = signal("");
  readonly parsed = signal<Parsed | null>(null);
  readonly configuration = signal<Configuration>({
    ...FIRST.configuration,
  });
  readonly problems = signal<readonly Problem[]>([]);
  readonly running = signal(false);
  readonly verdict = signal<Verdict | null>(null);
  readonly walk = signal<Walked | null>(null);
  readonly cursor = signal(0);
  readonly seen = signal<{ readonly position: number; readonly seen: Seen } | null>(null);
  /** Rises when steps that were asked for have come. */
  readonly arrived = signal(0);
  readonly why = signal<{ readonly place: string; readonly text: string } | null>(null);
  readonly message = signal("");
  /** Files that `serve` was given. */
  readonly offered = signal<readonly Offered[]>([]);
  /** The recording that is shown in place of a run. */
  readonly recording = signal<Recording | null>(null);
  steps = new Steps(
    0,
    async () => [],
    () => undefined,
  );

  private readonly engine: RemoteEngine;
  private readonly searcher: RemoteEngine;
  private readonly startTrace: () => Worker;
  private round = 0;

  /** One engine for walks, one for searches, which can be long and are stopped by ending it. */
  constructor(engine: RemoteEngine, searcher: RemoteEngine, startTrace: () => Worker) {
    this.engine = engine;
    this.searcher = searcher;
    this.startTrace = startTrace;
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
    const { run, witness, why } = checked;
    if (!run) return;
    // Before anything else is asked of that walk.
    void this.engine.open("main", { text, configuration, witness });
    batch(() => {
      this.scenario.value = scenario;
      this.text.value = text;
      this.parsed.value = parsed;
      this.verdict.value = { run, witness, why };
      this.seen.value = { position: first.at, seen };
      this.show(walked, at ?? first.at, steps);
    });
  }

  /** `begun`: only what can be chosen is still to come. */
  async begin(gallery: Gallery, link: Link, begun = false): Promise<void> {
    this.gallery.value = gallery;
    if (!begun) await this.beginAt(link);
    this.names.value = await this.engine.names();
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
    });
    const { keep, branch, at } = link;
    const atEnd = link.at === 0 && link.scenario === null && link.text === null;
    await this.run({ keep, branch, at: atEnd ? null : at });
  }

  /** Opens a shipped scenario in one of its configurations. */
  async choose(path: string, configuration?: Configuration): Promise<void> {
    const items = this.gallery.value.groups.flatMap((g) => g.items);
    const item = items.find((i) => i.path === path);
    if (!item) return;
    batch(() => {
      this.scenario.value = path;
      this.text.value = item.text;
      this.configuration.value = configuration ?? item.bug;
    });
    await this.run();
  }

  /** Searches; shows the witness, or the beginning if there is none. */
  async run(to: { keep?: number | null; branch?: readonly number[]; at?: number | null } = {}) {
    const round = ++this.round;
    const text = this.text.value;
    const configuration = this.configuration.value;
    if (this.running.value) this.searcher.stop();
    batch(() => {
      this.running.value = true;
      this.message.value = "";
      this.why.value = null;
    });
    try {
      const checked = await this.searcher.check(text, configuration);
      if (round !== this.round) return;
      const { run, witness, why, problems } = checked;
      this.problems.value = problems;
      this.verdict.value = run && { run, witness, why };
      if (problems.length > 0) return;
      const { keep, branch = [] } = to;
      const kept = keep === null || keep === undefined ? {} : { keep };
      const opened = await this.engine.open("main", {
        text,
        configuration,
        witness,
        branch,
        ...kept,
      });
      if (round === this.round) this.show(opened, to.at ?? this.firstSight(opened));
    } catch (error) {
      if (round === this.round)
        this.message.value = error instanceof Stopped ? "stopped" : said(error);
    } finally {
      if (round === this.round) this.running.value = false;
    }
  }

  /** A file that was dropped or chosen: shown as what it is. */
  async openFile(name: string, file: Blob): Promise<void> {
    const content = await contentOf(file);
    this.closeRecording();
    if (content.kind === "recording") {
      this.recording.value = new Recording(name, file, this.startTrace());
      return;
    }
    this.scenario.value = null;
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

  async openOffered({ name, url }: Offered): Promise<void> {
    const response = await fetch(new URL(url, document.baseURI));
    if (response.ok) return this.openFile(name, await response.blob());
    this.message.value = `${name}: ${(await response.text()).trim()}`;
    return undefined;
  }

  closeRecording(): void {
    this.recording.peek()?.close();
    this.recording.value = null;
  }

  async openWitness(witness: string): Promise<void> {
    const round = ++this.round;
    const { text, configuration } = await this.engine.read(witness);
    const opened = await this.engine.open("main", { text, configuration, witness });
    if (round !== this.round) return;
    batch(() => {
      this.text.value = text;
      this.configuration.value = configuration;
      this.verdict.value = null;
      this.problems.value = opened.problems;
      if (opened.of) this.show(opened, this.firstSight(opened));
    });
    this.names.value = await this.engine.names();
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
      if (walk.problems.length > 0) this.problems.value = walk.problems;
      this.walk.value = walk;
      this.cursor.value = Math.min(at, walk.length);
      this.arrived.value++;
    });
  }

  move(to: number): void {
    const length = this.walk.value?.length ?? 0;
    this.cursor.value = Math.max(0, Math.min(to, length));
  }

  /** Takes one of the possible next steps. */
  async take(n: number): Promise<void> {
    const position = this.cursor.value;
    const walk = await this.engine.take("main", position, n);
    this.show(walk, position + 1);
  }

  /** Back to the witness as it was found. */
  async whole(): Promise<void> {
    const witness = this.verdict.value?.witness ?? null;
    const [text, configuration] = [this.text.value, this.configuration.value];
    const walk = await this.engine.open("main", { text, configuration, witness });
    this.show(walk, Math.min(this.cursor.value, walk.length));
  }

  async explain(entry: { place: string; instance: number; value: number }): Promise<void> {
    const text = await this.engine.why("main", this.cursor.value, entry);
    this.why.value = { place: entry.place, text: text ?? "it is not there any more" };
  }

  source(name: string): Promise<string> {
    return this.engine.source(name, this.walk.value?.of?.kernel ?? this.configuration.value.kernel);
  }

  /** The link of what is shown. */
  link(): Promise<string> {
    const { machine, kernel, set } = this.configuration.value;
    const walk = this.walk.value;
    const length = walk?.branch.length ?? 0;
    return writeLink({
      scenario: this.edited.value ? null : this.scenario.value,
      text: this.text.value,
      ...{ machine, kernel, set },
      at: this.cursor.value,
      keep: walk && length > 0 ? walk.kept : null,
      branch: walk?.branch ?? [],
      beside: null,
    });
  }

  private async parse(text: string): Promise<void> {
    if (text === "") return;
    const parsed = await this.engine.parse(text).catch(() => null);
    if (parsed && text === this.text.peek()) {
      batch(() => {
        this.parsed.value = parsed;
        this.problems.value = parsed.problems;
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

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));
